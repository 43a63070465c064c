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
