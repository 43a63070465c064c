//! A read-only view of an actor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use theater_chain::data::{ActorTerminated, EventData, KillCause, ReasonRecord};
use theater_chain::{ActorEntry, ChainStore, StoreError, TheaterId, codec};

use crate::actor::{Actor, lock};
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::inbox::Phase;

/// Whether an actor serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorStatus {
    /// It starts or serves.
    Running,
    /// A next incarnation is on its way.
    Restarting,
    /// It ended well, declined, or was stopped.
    Stopped,
    /// It failed or was killed.
    Failed,
}

/// An actor as its parent or an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActorProcess {
    /// The actor.
    pub actor_id: TheaterId,
    /// The `name` in its manifest.
    pub name: String,
    /// Its parent; `None` for a root.
    pub parent: Option<TheaterId>,
    /// Its children that are alive, oldest first.
    pub children: Vec<TheaterId>,
    /// Whether it serves.
    pub status: ActorStatus,
    /// Where its manifest was read.
    pub manifest_path: String,
    /// Which of its lives this is, from 1.
    pub incarnation: u32,
    /// The handlers that it may use, in manifest order; empty for one that has ended.
    pub handlers: Vec<String>,
    /// The error that ended it, if one did.
    pub last_error: Option<ActorError>,
}

impl ActorProcess {
    pub(crate) fn of(actor: &Arc<Actor>) -> Self {
        let status = match &lock(&actor.inbox).phase {
            Phase::Starting | Phase::Running | Phase::Ending => ActorStatus::Running,
            Phase::Held(reason) | Phase::Ended(reason) => status_of(&reason.record()),
        };
        Self {
            actor_id: actor.id,
            name: actor.name().to_owned(),
            parent: actor.parent_id,
            children: actor.children().iter().map(|child| child.id).collect(),
            status,
            manifest_path: actor.made.manifest.path.display().to_string(),
            incarnation: actor.incarnation,
            handlers: actor.made.handlers.iter().map(|handler| handler.name().to_owned()).collect(),
            last_error: actor.last_error().map(|(error, _)| error),
        }
    }

    /// Of an actor that is not alive, from the record.
    pub(crate) async fn of_ended(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Self, StoreError> {
        let status = match entry.index.ended {
            // Without an end in the record the process went down while it ran.
            None => ActorStatus::Stopped,
            Some(seq) => {
                let event = store.events(entry.id, seq, 1).await?.pop();
                let ended = event.filter(|event| event.event_type == ActorTerminated::TYPE);
                let ended = ended.and_then(|event| codec::decode::<ActorTerminated>(&event.data).ok());
                ended.map_or(ActorStatus::Stopped, |ended| status_of(&ended.reason))
            }
        };
        Ok(Self {
            actor_id: entry.id,
            name: entry.index.name.clone(),
            parent: entry.index.parent,
            children: Vec::new(),
            status,
            manifest_path: entry.index.manifest_path.clone(),
            incarnation: entry.index.incarnation,
            handlers: Vec::new(),
            last_error: None,
        })
    }
}

/// How an ended actor stands.
pub fn status_of(reason: &ReasonRecord) -> ActorStatus {
    match reason {
        ReasonRecord::Normal | ReasonRecord::Declined | ReasonRecord::Shutdown => ActorStatus::Stopped,
        ReasonRecord::Killed(KillCause::ParentGone) => ActorStatus::Stopped,
        ReasonRecord::Abnormal(_) | ReasonRecord::Killed(_) => ActorStatus::Failed,
    }
}

impl From<&ExitReason> for ActorStatus {
    fn from(reason: &ExitReason) -> Self {
        status_of(&reason.record())
    }
}
