//! The command line as a person writes it.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use theater::Digest;

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
    Inspect(InspectArgs),
}

/// Make a guest project that builds and runs as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The project's name, and the folder to make it in: `hello`, or a path such as `actors/hello`.
    pub(crate) name: PathBuf,
    /// What the project begins with.
    #[arg(long, value_enum, default_value_t = Template::Basic)]
    pub(crate) template: Template,
    /// The folder of the crate `theater-actor` that the project is to use. Default: the one beside
    /// the sources of this program where there is one, else the published crate of its version.
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// One actor with a state that answers requests.
    Basic,
    /// An actor that starts another, passes requests on to it, and restarts it when it fails.
    Supervisor,
}

/// Build a guest crate to a component, beside its manifest.
///
/// The component gets the name that the manifest's `component` says, `<crate>.wasm` where there is no
/// manifest. In a folder with a [workspace] all its guests are built. The toolchain's part for
/// WebAssembly is installed by `rustup` where it is missing.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The folder of the crate or workspace.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

/// Run a tree of actors.
///
/// It runs until its root ends or a signal comes; with --send until the input ends. SIGINT and
/// SIGTERM stop the tree in order: everything acknowledged is on disk. A second signal kills it at
/// once. Exit status 0 means that the root ended well, 1 that it failed, 2 that nothing ran.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The manifest of the root actor.
    pub(crate) manifest: PathBuf,
    /// The folder that keeps the record. Default: `.theater` beside the manifest.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Send each line of FILE (`-`: standard input) to the root as a request; each answer is printed
    /// as a line when it is durable.
    ///
    /// A line is at most 64 MiB. An actor that does not answer gives an empty line, a request that
    /// fails too, with the reason on standard error. At the end of the input the tree is stopped,
    /// after waiting up to 5 s for the messages that are under way.
    #[arg(long, value_name = "FILE")]
    pub(crate) send: Option<PathBuf>,
    /// Send the lines as one-way messages; nothing is printed.
    #[arg(long, requires = "send")]
    pub(crate) as_send: bool,
    /// Keep running when the input has ended.
    #[arg(long, requires = "send")]
    pub(crate) keep: bool,
    /// Print each answer as base64 text: any bytes on one line.
    #[arg(long, requires = "send")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
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

/// Show the tree of actors: how each stands, how it supervises and what failed last. Of the running
/// process, else as the chains tell it.
///
/// A supervisor with a declared policy is shown with its strategy and how much of its restart budget
/// is used; an actor with its incarnation, the time until its next start where a restart waits, its
/// last error, the last decision about it and its messages in quarantine, as far as there are any.
///
/// With --json, one root a line: `{id, name, spec_id, status, incarnation, restarts, strategy, budget:
/// {used, max, within_ms}, backoff_left_ms, quarantined: [{message_id}], last_error: {type, message},
/// last_decision: {action, rule, class, attempt, window, delay_ms, at_ms}, restart_rate_per_min,
/// transition_rate_per_min, escalations, children}`. Status is running, restarting, stopped or failed;
/// what does not apply is null; `used` are the attempts that the last decision counted, 0 when
/// `within_ms` is over; at_ms is supervision time; rates are of the last minute (of an actor that
/// supervises nobody, among its last 20,000 events), and of the record's last one where nothing runs.
#[derive(Debug, clap::Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Show it again whenever it changed, until the run ends: in place on a terminal, else one after
    /// the other.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show the events of an actor, one a line.
///
/// With --json: `{actor_id, seq, hash, parent_hash, event_type, timestamp, data, erased,
/// payload_commit}`, one object a line; hashes in hex, the timestamp in milliseconds since 1970, byte strings of `data` in base64.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Show events of this type only, such as `call`.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Show the events of everything below it, too, in causal order: none comes before one that led
    /// to it. Apart from that the older comes first, then the actor with the smaller id.
    ///
    /// In the text each line begins with the actor. It shows what was recorded when it began, so it
    /// does not go together with --follow.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) tree: bool,
    /// Go on with new events until the run ends.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the state of an actor: its bytes, on a terminal indented where they are JSON.
///
/// With --json: `{actor_id, seq, state_hash, state}`, the hash in hex, the bytes in base64 (null:
/// there is no state).
#[derive(Debug, clap::Args)]
pub(crate) struct StateArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The state after the event with this seq. Default: the newest.
    #[arg(long, value_name = "SEQ")]
    pub(crate) at: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

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

/// Verify the chains of a run, or of one actor. Needs nothing but the record.
///
/// It checks each chain, and that the heads which the host signed are those of the chains. What it
/// could not check it says: what is not signed or erased, whose key it is where --key does not say it,
/// and how far the histories are complete.
///
/// With --json: `{ok, actors: [{id, events, head, ok, signed?, fault?: {seq, reason}}], unchecked, log:
/// {entries, checkpoints: [{origin, size, key}], chains?: [{actor, origin, size, key}], fault?}}`; signed is the newest seq that a checked
/// signature covers, key is given, chains or nowhere. Exit status 0: all verify, 1: one does not, 2: the
/// record could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The actor: its id, the beginning of it, or its path in the tree. Default: all.
    pub(crate) actor: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// How much to verify.
    #[arg(long, value_enum, default_value_t = VerifyLevel::Full)]
    pub(crate) level: VerifyLevel,
    /// The public key of the host, as `theater checkpoint --public-key` prints it or in 64 hex digits,
    /// or a file with it: nothing signed with another one is believed. Default: that of host.key in the
    /// folder.
    #[arg(long, value_name = "KEY|FILE")]
    pub(crate) key: Option<String>,
    /// A checkpoint that was kept elsewhere: a tail that was cut off since, and a history that was
    /// written anew, are found.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyLevel {
    /// Every link and every hash.
    Links,
    /// Also that the events tell a possible life, and that recorded states, components and manifests
    /// are there and are what their hashes say.
    Full,
}

/// Write the record of an actor, or of a tree, as one file: a bundle.
///
/// It holds the chains with their payloads, states, components and manifests, and the messages that
/// wait. It verifies and replays on another machine, and goes on there after `theater import`. It is a
/// tar archive of text files, which can be looked at without Theater. The chains are verified on their
/// way. While the tree runs, it is exported as it is at this moment.
///
/// With --json: `{actors, events, bytes}`. Exit status 0: it is written, 2: it is not.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    /// The file to write; one that is there is not overwritten.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Everything below it, too. Without it, `verify` cannot check what an actor says of its children.
    #[arg(long)]
    pub(crate) tree: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring a bundle into a folder: all of it or nothing, and only what is whole and unchanged.
///
/// An actor that the folder does not know is added; a longer history continues the one that is there;
/// the same one, or an older one, changes nothing; another one is refused. Nothing may run in the
/// folder meanwhile.
///
/// With --json: `{actors: [{id, arrival}], events}`; arrival is new, continued, same or older, events
/// are those that were not here. Exit status 0: the folder has all of it, 1: it was refused, 2: it
/// could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file of the bundle.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Go on from an event of an actor's history, with something changed.
///
/// It makes a new root actor in the same folder, which begins where ACTOR stood after the event SEQ. A
/// call that was open there begins again: the host calls that had ended are answered as they were, but
/// for the one whose answer is exchanged; then it goes on with this runtime's handlers. ACTOR and its
/// tree stay as they are, and nothing of it runs. The fork has no children; it is called `NAME@SEQ`.
///
/// It prints the new id, waits for the end of the open call, and shows how it ended and the state. Nothing
/// may run in the folder meanwhile.
///
/// With --json: `{id, of, at, call?: {function, ended, result, error}, state_hash, state}`; bytes
/// are text where they are text, else `{"base64": ".."}`. Exit status: 0 the fork is well, 1 it failed, 2
/// there is no fork.
#[derive(Debug, clap::Args)]
pub(crate) struct ForkArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    /// The newest event that happened for the fork, too. Default: the one of --answer.
    #[arg(long, value_name = "SEQ", required_unless_present = "answer")]
    pub(crate) at: Option<u64>,
    /// Another answer for the host call that ended with the event SEQ, as JSON of its WIT type:
    /// `17={"ok":"text"}`. It must be the last one of the open call.
    #[arg(long, value_name = "SEQ=JSON")]
    pub(crate) answer: Option<String>,
    /// Run this component in the place of the recorded one.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// When the open call has ended, send each line of FILE (`-`: standard input) to the fork as a
    /// request, as `theater run` does. What is told of the fork goes to standard error then.
    #[arg(long, value_name = "FILE")]
    pub(crate) send: Option<PathBuf>,
    /// Send the lines as one-way messages; nothing is printed.
    #[arg(long, requires = "send")]
    pub(crate) as_send: bool,
    /// Keep the fork running until it ends or a signal comes.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "send")]
    pub(crate) json: bool,
}

/// Show where the histories of two actors part, and how.
///
/// A fork is compared with its original, or with another fork, from where they are two; other actors
/// from their first events. What counts are calls and host calls with their params and results, states
/// and errors; ids of actors and messages, times and hashes do not.
///
/// With --json: `{same, a, b, common, parting?: {a, b, function, field, values: {a, b}, after: {a, b}},
/// other_component, erased, unchecked}`; the places are `{actor_id, seq, event_type}`, null where that
/// history has ended; bytes are text where they are text, else `{"base64": ".."}`; `after` counts the events
/// of each type from there on. Exit status 0: the same history, 1: they part, 2: could not tell.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The first actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) a: String,
    /// The second actor.
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The folder of the second actor's run, where it is another one.
    #[arg(long, value_name = "DIR")]
    pub(crate) other: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Prove that an event is in the chain of an actor: one JSON document, which a program without Theater
/// can check (docs/proofs.md, examples/check_proof.py).
///
/// The chain is verified and signed with the host's key, as it is now. A proof holds also after the
/// event's payload was erased.
#[derive(Debug, clap::Args)]
pub(crate) struct ProveArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    /// The seq of the event.
    pub(crate) seq: u64,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Show the payload, too: whoever has the proof sees what was said.
    #[arg(long)]
    pub(crate) payload: bool,
    /// Where to write it. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Print the newest checkpoint that the host signed over all chains, or sign one of an actor's chain.
///
/// Kept elsewhere, it shows later that nothing before it was changed or cut off: `theater verify
/// --checkpoint FILE`. It is a C2SP signed note.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckpointArgs {
    /// The actor: its id, the beginning of it, or its path in the tree. Default: all chains.
    pub(crate) actor: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print the public key of the host instead, for `theater verify --key`.
    #[arg(long, conflicts_with = "actor")]
    pub(crate) public_key: bool,
    /// Where to write it. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Replay an actor from its record: its component runs again, with the recorded answers of the host.
///
/// Every result, every state and what it asks of the host are compared with the record; the first
/// difference is shown, with both values as WIT text and the guest's functions at that point. Nothing
/// of the host runs, and nothing is written. Calls that the host ended (a kill, a time limit, a failure
/// of its own) are cut where the record says, and counted.
///
/// With --json: `{ok, replayed, environmental, diverged?: {actor_id, seq, function, expected, actual,
/// backtrace}, actors: [{id, events, ok, replayed, environmental, diverged?, unreplayed: [{seq, to,
/// reason}], failure?: {seq, function, what, backtrace}}]}`; replayed are the calls that ended as
/// recorded. With --until also `state: {seq, hash, bytes}` (the bytes in base64) and `next: {seq,
/// function, params}`, with --against `verdict` and `imports`.
///
/// Exit status: 0 nothing differs, 1 something does, 2 something could not be replayed.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// The actor: its id, the beginning of it, or its path in the tree such as `bank/ledger`.
    pub(crate) actor: String,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Everything below it, too.
    #[arg(long, conflicts_with_all = ["until", "against"])]
    pub(crate) tree: bool,
    /// Replay up to the event with this seq, from the last fresh instance before it, and show the state
    /// there and the next call.
    #[arg(long, value_name = "SEQ")]
    pub(crate) until: Option<u64>,
    /// Replay with this component in the place of the recorded one: is it *compatible* with the record,
    /// does it *diverge*, or does it *need other imports*?
    #[arg(long, value_name = "NEW.wasm")]
    pub(crate) against: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Erase a payload, with its salt, wherever it is in the record; the chains still verify.
///
/// Copies of the same message, or of the same answer, are erased with it: with its sender, where it
/// waits, and with its receiver. The record says that it was erased, and why. What is shown are the
/// events that had it, and the states that those calls left: these stay, and they and later states may
/// hold what was made of it. The file is written anew, so that no bytes stay in its unused places;
/// bundles and copies of the folder are for you to look after. Nothing may run in the folder meanwhile.
///
/// With --json: `{payloads, events: [{actor, seq, event_type}], pending, states: [{actor, seq, state}]}`.
/// Exit status 0: it is erased, 1: nothing has it, or a call that is not over needs it, 2: it could not
/// be done.
#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    /// The payload, as `theater events --json` shows it: its `payload_commit`.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) payload: Digest,
    /// Why, in a few words. It stays in the record, so it should not say what is to be forgotten.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// The folder of the run.
    #[arg(long, value_name = "DIR", default_value = ".theater")]
    pub(crate) data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what a component imports and exports, its digest, and the [[handlers]] lines that it needs.
///
/// With --json: `{component, bytes, digest, imports, exports, handlers, missing}`; imports and exports
/// are `{interface, functions, handler}`. Exit status 0: this runtime can run it, 1: it cannot, 2: it
/// is no component.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The component file.
    pub(crate) component: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        super::Args::command().debug_assert();
    }
}
