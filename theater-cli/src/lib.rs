//! The command line of Theater as a library: a runtime composed of your own handlers gets all of
//! it in one line.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};
//!
//! fn main() -> ExitCode {
//!     theater_cli::main(|runtime| {
//!         runtime.handler(SupervisorHandler::new(SupervisorHostConfig::default(), None))
//!     })
//! }
//! ```
//!
//! The binary `theater` of this crate is this with the first-party handlers. Its commands:
//!
//! | command | does |
//! |---|---|
//! | `new NAME` | makes a guest project that builds and runs as it is |
//! | `build [PATH]` | guest crate to component, beside its manifest |
//! | `run MANIFEST` | runs a tree of actors; `--send` feeds it requests, a line each |
//! | `tree`, `events ACTOR`, `state ACTOR` | look, also while it runs |
//! | `upgrade ACTOR NEW.wasm` | another component for an actor, between two calls; `--rollback` takes it back |
//! | `stop ACTOR`, `restart ACTOR` | of a running tree: an actor and everything below it |
//! | `verify [ACTOR]` | proves that the chains are as they were written |
//! | `export ACTOR FILE`, `import FILE` | the record of an actor or a tree as one file |
//! | `fork ACTOR --at SEQ` | goes on from an event of a history, with an answer or the component exchanged |
//! | `diff A B` | shows where two histories part, and how |
//! | `prove ACTOR SEQ` | a proof of one event, which a program without Theater can check |
//! | `checkpoint [ACTOR]` | what the host signed of all chains, or signs of one, to be kept elsewhere |
//! | `replay ACTOR` | runs an actor again from its record, and compares |
//! | `erase --payload COMMIT` | a payload and its copies, for good; the chains still verify |
//! | `inspect COMPONENT` | what a component imports, exports and needs in its manifest |
//!
//! Exit status: 0 yes, 1 no, 2 could not tell (a mistake in the command line included). Every
//! command that a program may read has `--json`.
//!
//! Commands that run actors keep compiled components in the user's cache folder; see `--cache`.
//!
//! # The folder of a run
//!
//! `run` keeps the chains in a folder, `.theater` beside the manifest where `--data` names no other:
//! `theater.db` (see `theater-store-sqlite`), `lock`, which the running process holds, `host.key`, with
//! which it signs what it records (secret: keep it from others, and from copies of the folder that you
//! give away), and `socket`,
//! on which it serves [`TheaterCommand`](theater::TheaterCommand) to its own user: one JSON document
//! a line, answered by one line `{"ok": reply}` or `{"err": "a sentence"}`, in order.

mod args;
mod build;
mod bundle;
mod client;
mod compiling;
mod control;
mod erase;
mod failure;
mod inspect;
mod log;
mod look;
mod new;
mod output;
mod prune;
mod run;
mod travel;
mod upgrade;

use std::process::ExitCode;

use clap::Parser as _;
use theater::{TheaterRuntime, TheaterRuntimeBuilder};
use theater_replay::TailCheck;

use crate::args::{Args, Command};
use crate::failure::Outcome;

/// Reads the command line of this process and does what it says. `configure` adds the handlers; the
/// store is the command line's, in the folder that `--data` names.
pub fn main(configure: impl FnOnce(TheaterRuntimeBuilder) -> TheaterRuntimeBuilder) -> ExitCode {
    let args = Args::parse();
    let builder = configure(TheaterRuntime::builder().upgrade_check(TailCheck::new()));
    let outcome = log::install(args.verbose, args.quiet).and_then(|()| dispatch(args, builder));
    look::record::clean_up();
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => {
            failure.say();
            failure.status().into()
        }
    }
}

fn dispatch(args: Args, builder: TheaterRuntimeBuilder) -> Outcome {
    let quiet = args.quiet > 0;
    match args.command {
        Command::New(new) => new::new(&new),
        Command::Build(build) => build::build(&build, args.quiet > 0),
        Command::Run(run) => run::run(run, builder, args.quiet > 0),
        Command::Tree(tree) => look::tree::tree(&tree),
        Command::Events(events) => look::events::events(&events),
        Command::State(state) => look::state::state(&state),
        Command::Stop(stop) => control::stop(&stop),
        Command::Restart(restart) => control::restart(&restart),
        Command::Verify(verify) => look::verify::verify(&verify),
        Command::Export(export) => bundle::export(&export),
        Command::Import(import) => bundle::import(&import),
        Command::Fork(fork) => run::fork(&fork, builder),
        Command::Diff(diff) => travel::diff::diff(&diff),
        Command::Prove(prove) => look::prove::prove(&prove),
        Command::Checkpoint(checkpoint) => look::prove::checkpoint(&checkpoint),
        Command::Replay(replay) => look::replay::replay(&replay),
        Command::Erase(erase) => erase::erase(&erase),
        Command::Upgrade(args) => upgrade::upgrade(&args, builder, quiet),
        Command::Prune(prune) => prune::prune(&prune),
        Command::Inspect(inspect) => inspect::inspect(&inspect, &builder),
    }
}
