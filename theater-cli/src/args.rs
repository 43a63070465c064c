//! The command line as a person writes it.

mod control;
mod look;
mod moving;
mod project;
mod proof;
mod run;
mod travel;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

pub(crate) use self::control::{RestartArgs, RestartWith, StopArgs, UpgradeArgs};
pub(crate) use self::look::{EventsArgs, StateArgs, TreeArgs};
pub(crate) use self::moving::{EraseArgs, ExportArgs, ImportArgs, PruneArgs};
pub(crate) use self::project::{BuildArgs, InspectArgs, NewArgs, Template};
pub(crate) use self::proof::{CheckpointArgs, ProveArgs, VerifyArgs, VerifyLevel};
pub(crate) use self::run::RunArgs;
pub(crate) use self::travel::{DiffArgs, ForkArgs, ReplayArgs};

/// Run, watch and verify trees of recorded WebAssembly actors.
///
/// A tree keeps its record in a folder (`theater.db`): `run` writes it, the other commands read it,
/// while the tree runs and afterwards.
///
/// Exit status: 0 yes, 1 no, 2 could not tell (a mistake in the command line included).
#[derive(Debug, Parser)]
#[command(name = "theater", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Show more of what actors and the runtime log; twice for everything.
    ///
    /// By default actors' lines from level info on are shown, and warnings of the runtime. The
    /// environment variable THEATER_LOG wins over this: a level (error, warn, info, debug, trace,
    /// off) or targets such as `theater::actor=debug,theater=warn`.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show errors alone; twice for nothing of the log.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(crate) quiet: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(NewArgs),
    Build(BuildArgs),
    Run(RunArgs),
    Tree(TreeArgs),
    Events(EventsArgs),
    State(StateArgs),
    Stop(StopArgs),
    Restart(RestartArgs),
    Upgrade(UpgradeArgs),
    Verify(VerifyArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Fork(ForkArgs),
    Diff(DiffArgs),
    Prove(ProveArgs),
    Checkpoint(CheckpointArgs),
    Replay(ReplayArgs),
    Erase(EraseArgs),
    Prune(PruneArgs),
    Inspect(InspectArgs),
}

/// Where the commands that run actors keep compiled components.
#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    /// Keep compiled components in this folder, so that later runs start without compiling them. Default:
    /// `theater/compiled` in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache).
    ///
    /// It has 1 GiB at most; what was not used for longest is removed first. Several runs may share it,
    /// and it may be removed at any time. It must be yours, and yours alone to write: code from it runs as
    /// this program does. No actor may be let near it.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Keep no compiled components.
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
}

/// Where the commands that look find a record.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArgs {
    /// The folder of the run, which `run` makes beside the manifest; to look, also the file of a bundle.
    #[arg(long, value_name = "DIR", default_value = ".theater")]
    pub(crate) data: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        super::Args::command().debug_assert();
    }
}
