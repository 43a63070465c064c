//! Of what looks at a record: tree, events, state.

use super::DataArgs;

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
