//! Exchanging an actor's component between two calls, and taking that back. Everything that can fail
//! is done before, on copies: a refused upgrade leaves no trace, and one that is recorded is done.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use theater_chain::{ChainStore, Digest, Head, StoreError, TheaterId};

use crate::error::SpawnError;
use crate::migrate::Migration;

mod back;
mod exchange;
mod forward;
mod subject;

/// How long an upgrade waits for the running call to end, and then holds the actor for the check of what
/// it did since, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an actor is upgraded to.
#[derive(Debug, Clone)]
pub struct Upgrade {
    component: Bytes,
    version: Option<String>,
    allow_divergence: bool,
    patience: Duration,
}

impl Upgrade {
    /// To this component.
    pub fn new(component: impl Into<Bytes>) -> Self {
        Self { component: component.into(), version: None, allow_divergence: false, patience: PATIENCE }
    }

    /// With a version of its own, which the next `migrate` is told. Without, the version stays.
    #[must_use]
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Also where the new component does not do again what the old one did last, unless it traps.
    #[must_use]
    pub fn allow_divergence(self, allow: bool) -> Self {
        Self { allow_divergence: allow, ..self }
    }

    /// Waits this long for the running call to end, in place of 10 s; then it holds the actor for this
    /// long at most while what it did since is checked. For `migrate` it is held for the manifest's
    /// `init_timeout` at most.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// What was exchanged, by an upgrade or by a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Upgraded {
    /// The actor.
    pub actor: TheaterId,
    /// The seq of the event that says so.
    pub seq: u64,
    /// The digest of the component until then.
    pub old_component: Digest,
    /// The digest of the component since.
    pub new_component: Digest,
    /// The version until then.
    pub old_version: String,
    /// The version since.
    pub new_version: String,
    /// Whether `migrate` made the state.
    pub migrated: bool,
    /// What the [`UpgradeCheck`] found; none without one, and of a rollback.
    pub checked: Option<Checked>,
    /// Of a rollback the seq of the upgrade that it took back: what was processed between the two is in
    /// the chain, and not in the state any more.
    pub undone: Option<u64>,
}

/// What a check found of an upgrade that it lets pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The calls that the new component made again.
    pub calls: u64,
    /// Where it did something else than the old one, in a sentence; only where that is allowed.
    pub diverged: Option<String>,
    /// What could not be checked, in a sentence.
    #[serde(default)]
    pub unchecked: Option<String>,
}

/// An upgrade that is about to be made, for an [`UpgradeCheck`].
pub struct ProposedUpgrade {
    /// The actor.
    pub actor: TheaterId,
    /// Where its record is, all of it up to `head`.
    pub store: Arc<dyn ChainStore>,
    /// The newest event of the record.
    pub head: Head,
    /// The new component.
    pub component: Bytes,
    /// Its digest.
    pub digest: Digest,
    /// Whether another course than the recorded one is let pass.
    pub allow_divergence: bool,
    old_version: Arc<str>,
    migration: Option<Migration>,
}

impl ProposedUpgrade {
    /// What the new component makes of a state of the old one: the same, where it does not export
    /// `migrate`.
    ///
    /// # Errors
    /// `migrate` failed: why, in a sentence.
    pub async fn migrate(&self, state: Option<Bytes>) -> Result<Option<Bytes>, String> {
        match &self.migration {
            Some(migration) => migration.run(state, &self.old_version).await,
            None => Ok(state),
        }
    }
}

/// What is checked of an upgrade before it is made, beside that the component links and `migrate` runs:
/// composed into a runtime with [`TheaterRuntimeBuilder::upgrade_check`](crate::TheaterRuntimeBuilder::upgrade_check).
/// It may run twice for one upgrade: before the actor is held and, where the record has grown since, while it is held. There it is
/// dropped when it takes longer than [`Upgrade::within`] says, and the actor is not upgraded.
#[async_trait]
pub trait UpgradeCheck: Send + Sync + 'static {
    /// Whether the upgrade may be made.
    ///
    /// # Errors
    /// Why not, in a sentence.
    async fn check(&self, proposed: &ProposedUpgrade) -> Result<Checked, String>;
}

/// Why an actor was not upgraded, or an upgrade not taken back. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// No such actor.
    #[error("actor {0} is not found")]
    NotFound(TheaterId),
    /// It runs this component already, in this version.
    #[error("actor {actor} runs component {digest} already")]
    Unchanged {
        /// The actor.
        actor: TheaterId,
        /// The component.
        digest: Digest,
    },
    /// The new component cannot be run as this actor.
    #[error("the new component does not fit actor {actor}: {reason}")]
    Component {
        /// The actor.
        actor: TheaterId,
        /// Why, and what to do.
        reason: String,
    },
    /// `migrate` of the new component did not make a state.
    #[error("the state of actor {actor} cannot be migrated: {reason}")]
    Migrate {
        /// The actor.
        actor: TheaterId,
        /// Why.
        reason: String,
    },
    /// The check that the runtime was composed with refused it.
    #[error("the upgrade of actor {actor} was refused: {reason}")]
    Refused {
        /// The actor.
        actor: TheaterId,
        /// Why.
        reason: String,
    },
    /// The running call, or the start, did not end in time.
    #[error("actor {actor} was not between two calls within {patience:?}; try again, or stop it first")]
    Busy {
        /// The actor.
        actor: TheaterId,
        /// How long was waited.
        patience: Duration,
    },
    /// What it did while the check ran could not be checked in time while it was held.
    #[error(
        "what actor {actor} did meanwhile was not checked within {patience:?}, for which it may be held; try again when it does less, or stop it first"
    )]
    TooLong {
        /// The actor.
        actor: TheaterId,
        /// How long it was held.
        patience: Duration,
    },
    /// Another upgrade of it is under way.
    #[error("another upgrade of actor {0} is under way")]
    UnderWay(TheaterId),
    /// It ended, or was restarted, meanwhile.
    #[error("actor {0} ended or was restarted meanwhile; try again")]
    Ended(TheaterId),
    /// The record ends within a call or a start, since the process went down.
    #[error(
        "the record of actor {0} ends within a call or a start; have it go on first: run the tree, and upgrade it while it runs or after it was stopped"
    )]
    Open(TheaterId),
    /// There is no upgrade that could be taken back.
    #[error("actor {0} has no upgrade that was not taken back")]
    NothingToRollBack(TheaterId),
    /// What a rollback needs is not in the record any more.
    #[error("the upgrade of actor {actor} cannot be taken back: {reason}")]
    Forgotten {
        /// The actor.
        actor: TheaterId,
        /// What is missing.
        reason: String,
    },
    /// Its record cannot be used.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
