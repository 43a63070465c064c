//! A runtime of one's own: three handlers, one of them a third party's, and the whole command line of
//! `theater`. What is not listed here, actors of this runtime cannot do: they have no children.

use std::process::ExitCode;

use acme_clock::Clock;
use theater_handler_message_server::MessageServerHandler;
use theater_handler_runtime::RuntimeHandler;

fn main() -> ExitCode {
    theater_cli::main(|runtime| {
        runtime.handler(RuntimeHandler::new()).handler(MessageServerHandler::new()).handler(Clock)
    })
}
