//! Of what takes a record elsewhere, or parts of it away: export, import, erase.

use std::path::PathBuf;

use theater::Digest;

use super::DataArgs;

/// Write the record of an actor, or of a tree, as one file: a bundle.
///
/// It holds the chains with their payloads, states, components and manifests, and the messages that
/// wait. It verifies and replays on another machine, and goes on there after `theater import`. It is a
/// tar archive of text files, which can be looked at without Theater. The chains are verified on their
/// way. While the tree runs, it is exported as it is at this moment.
///
/// With the host's key in the folder each chain is signed as it is now; `theater verify --data FILE --key
/// KEY` holds them against that elsewhere.
///
/// With --json: `{actors, events, bytes, signed}`; signed is how many chains are. Exit status 0: it is
/// written, 1: what is here is not what was signed before, 2: it could not be written.
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

/// Drop the older events of an actor, with their payloads and the states that nothing else names.
///
/// The chain says from which event on it is kept, and has what proofs of later events need: these stay
/// the same, and proofs and checkpoints that were made before stay valid. Nothing is dropped that the
/// actor or another one needs to go on: its newest incarnation, messages that wait and came from it,
/// calls whose answers somebody waits for. The chain is verified before; the file is written anew, so
/// that no bytes stay in its unused places. Nothing may run in the folder meanwhile.
///
/// With --json: `{actor, events, states, kept_from}`. Exit status 0: they are dropped, 1: some of them are
/// needed (the highest possible SEQ is said), or the chain does not verify, 2: it could not be done.
#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// The actor: its id, the beginning of its id, or its path in the tree.
    pub(crate) actor: String,
    /// The last event that is dropped: those after it are kept.
    #[arg(long, value_name = "SEQ")]
    pub(crate) keep_after: u64,
    /// The folder of the run.
    #[arg(long, value_name = "DIR", default_value = ".theater")]
    pub(crate) data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
