//! Of what goes back in a history: fork, diff, replay.

use std::path::PathBuf;

use super::DataArgs;

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
