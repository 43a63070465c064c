//! Of what proves: verify, prove, checkpoint.

use std::path::PathBuf;

use clap::ValueEnum;

use super::DataArgs;

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
