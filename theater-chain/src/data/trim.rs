//! What was taken out of a record on purpose.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A payload was erased, with its salt, wherever it was: in the chain of each actor that had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadErased {
    /// The commit of the payload.
    pub payload_commit: Digest,
    /// The events of this chain that had it.
    pub events: Vec<u64>,
    /// Why, as whoever erased it said.
    pub why: String,
}

/// The events before `kept_from` were dropped. The first such event with the `kept_from` of what is there says
/// what is not. Payload: `initial_state`, what the actor's
/// `init` ran on first, as far as it was known; of a fork `fork_of`, the actor whose that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// The seq of the first event that was kept.
    pub kept_from: u64,
    /// The hash of the event before it.
    pub parent_hash: Digest,
    /// How many events were dropped this time.
    pub dropped: u64,
    /// The roots of the perfect trees that the Merkle tree over the hashes of all events before
    /// `kept_from` is made of, largest first: with them proofs of the later events go on.
    pub frontier: Vec<Digest>,
}
