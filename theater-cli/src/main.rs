//! The binary `theater`: the command line over the first-party handlers.

use std::process::ExitCode;

use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};

fn main() -> ExitCode {
    theater_cli::main(|runtime| runtime.handler(SupervisorHandler::new(SupervisorHostConfig::default(), None)))
}
