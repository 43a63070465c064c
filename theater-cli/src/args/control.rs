//! Of what changes a tree: stop, restart, upgrade.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{CacheArgs, DataArgs};

/// Stop an actor and everything below it, while the tree runs.
///
/// It completes what it is doing and ends, its children first; it is killed after 5 s, a supervisor
/// after as long as its children take. Its supervisor is told and does not restart it. Stopping the
/// root ends the run. It returns when all of it has ended.
///
/// Exit status: 0 it has ended, 1 it was not stopped, 2 nothing runs or no such actor.
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// Start the next incarnation of an actor, while the tree runs. One that is up is stopped first.
///
/// Messages that wait for it go on to the next incarnation, its id stays the same, and no restart
/// budget is charged. It returns when the next incarnation runs.
///
/// Exit status: 0 it runs again, 1 it was not restarted, 2 nothing runs or no such actor.
#[derive(Debug, clap::Args)]
pub(crate) struct RestartArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The state that it begins with.
    #[arg(long, value_enum, default_value_t = RestartWith::Resume)]
    pub(crate) state: RestartWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RestartWith {
    /// Its last committed state: nothing that it did is lost.
    Resume,
    /// A new one: `init` runs as at its first start.
    Reset,
}

/// Exchange the component of an actor between two calls, while the tree runs or when it does not.
///
/// Its id, its incarnation, its children and its messages stay. The export `migrate` of the new
/// component makes the new state of the old one; without it the state stays as it is. Before anything
/// changes the component must fit the handlers of the manifest, `migrate` runs on a copy, and the calls
/// since the actor last got a fresh instance are replayed with it: a component that fails where the old
/// one did not, or does something else, is refused, and the actor goes on as it was.
///
/// With --json: `{actor, seq, old_component, new_component, old_version, new_version, migrated, checked,
/// undone}`; checked is `{calls, diverged}` or null, undone the event that a rollback took back.
///
/// Exit status: 0 done, 1 refused, nothing changed, 2 no such actor or file.
#[derive(Debug, clap::Args)]
pub(crate) struct UpgradeArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    /// The file of the new component.
    #[arg(required_unless_present = "rollback")]
    pub(crate) component: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The version of the new component: the `migrate` of the next one is told. Default: as before.
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Upgrade also where the new component does something else than the old one did last, unless it
    /// fails.
    #[arg(long)]
    pub(crate) allow_divergence: bool,
    /// Take the newest upgrade back: component and state from right before it. What the actor did since
    /// stays in its chain, and is not in its state any more.
    #[arg(long, conflicts_with_all = ["component", "version", "allow_divergence"])]
    pub(crate) rollback: bool,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
