//! The command line of Theater.
use std::process::ExitCode;
/// Runs it.
pub fn main(configure: impl FnOnce(theater::TheaterRuntimeBuilder) -> theater::TheaterRuntimeBuilder) -> ExitCode {
    let _ = configure(theater::TheaterRuntime::builder());
    ExitCode::SUCCESS
}
