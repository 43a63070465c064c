//! The binary `theater`: the command line over the first-party handlers.

use std::process::ExitCode;

use theater_handler_message_server::MessageServerHandler;
use theater_handler_runtime::RuntimeHandler;
use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};
use theater_handler_wasi::WasiHandler;

fn main() -> ExitCode {
    theater_cli::main(|runtime| {
        runtime
            .handler(RuntimeHandler::new())
            .handler(MessageServerHandler::new())
            .handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
            .handler(WasiHandler::new())
    })
}
