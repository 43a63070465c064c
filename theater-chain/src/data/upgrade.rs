//! The events that exchange an actor's component.

use serde::{Deserialize, Serialize};

use crate::{Digest, TheaterId};

/// Between two calls, or after an end, the actor got another component, and the state that the new
/// one made of its last committed one. It is a drop of the instance as well. The incarnation goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorUpgraded {
    /// The actor.
    pub actor_id: TheaterId,
    /// The digest of the component until now.
    pub old_component: Digest,
    /// The digest of the component from here on.
    pub new_component: Digest,
    /// The version until now: the manifest's, or that of the upgrade before.
    pub old_version: String,
    /// The version from here on.
    pub new_version: String,
    /// The hash of the last committed state.
    pub old_state_hash: Digest,
    /// The hash of what `migrate` of the new component made of it; where that is not exported, the
    /// same.
    pub new_state_hash: Digest,
    /// Whether `migrate` ran.
    pub migrated: bool,
    /// The seq of the upgrade or the rollback before this one, in this chain.
    pub previous: Option<u64>,
}

/// An upgrade was taken back: component and state are those from right before it. What was processed
/// since stays in the chain, and is in no state any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorRolledBack {
    /// The actor.
    pub actor_id: TheaterId,
    /// The seq of the `actor_upgraded` that is taken back: the newest one that no rollback took back.
    pub upgrade: u64,
    /// The digest of the component until now.
    pub old_component: Digest,
    /// The digest of the component from here on: that from before the upgrade.
    pub new_component: Digest,
    /// The version until now.
    pub old_version: String,
    /// The version from here on: that from before the upgrade.
    pub new_version: String,
    /// The hash of the last committed state.
    pub old_state_hash: Digest,
    /// The hash of the state from here on: that from before the upgrade.
    pub new_state_hash: Digest,
    /// The seq of the upgrade or the rollback before this one, in this chain.
    pub previous: Option<u64>,
}
