//! The repository's own tasks: `cargo xtask demo`, `test`, `actors`, `bench`, `kill`, `corpus`.
//!
//! On a machine with nothing but Rust and a C compiler they set up what they need. They drive
//! `cargo` and the built command line and link neither wasmtime nor the runtime, so that a change
//! of those does not mean waiting for this program.

#![allow(clippy::print_stdout, reason = "what a task finds is for the person who runs it")]

mod actors;
mod bank;
mod demo;
mod kill;
mod session;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The repository's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the actors, each to a component beside its manifest.
    Actors,
    /// Record those bundles of the corpus (`tests/corpus`) that are not there yet. None is ever
    /// recorded again: they are there to be replayed by later versions.
    Corpus,
    /// Run the bank over all its transactions, show what happened, and verify all of it.
    ///
    /// Exit status 0: no money was lost, every crashed worker was restarted with its last state,
    /// and every chain verifies.
    Demo,
    /// Measure, each thing beside the limit of the machine; without a name, all of it.
    #[command(disable_help_flag = true)]
    Bench {
        /// The benchmark, if one alone, and its options; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Kill the bank (kill -9) at random moments under load, go on each time, and check that nothing
    /// was lost or done twice. Built for release.
    Kill(kill::Args),
    /// Do what CI does: formatting, lints, actors, tests, documentation, examples, the demo.
    Test,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Actors => actors::build(),
        Task::Bench { args } => {
            let run = ["run", "--release", "--package", "theater-bench", "--"];
            shell::step("benchmark", shell::cargo(".").args(run).args(args))
        }
        Task::Corpus => {
            let run = ["run", "--package", "theater-tests", "--bin", "corpus"];
            shell::step("recording the corpus", shell::cargo(".").args(run))
        }
        Task::Demo => demo::demo(),
        Task::Kill(args) => kill::kill(&args),
        Task::Test => test::test(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
