//! The events of histories that part.

use serde::{Deserialize, Serialize};

use crate::{Digest, TheaterId};

/// The first event of a fork: an actor that begins where another one stood. Its `actor_started`
/// follows, and then the call that was open there, with the host calls that had ended. Payload:
/// `result`, the results of the host call whose answer was exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorForked {
    /// The fork.
    pub actor_id: TheaterId,
    /// The actor that it was forked from.
    pub of: TheaterId,
    /// The newest event of that actor that happened for the fork, too.
    pub at: u64,
    /// The hash of that event.
    pub head: Digest,
    /// The seq, in the chain of that actor, of the `host_call` whose answer was exchanged.
    pub answer: Option<u64>,
    /// The digest of the component, where it was exchanged.
    pub component: Option<Digest>,
}
