//! A read-only view of an actor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use theater_chain::data::{ActorErrorData, ActorStarted, ActorTerminated, EventData, KillCause, ReasonRecord};
use theater_chain::{ActorEntry, ChainStore, Payload, StoreError, TheaterId, codec, newest, payload};

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
    /// Whether it serves without an instance: its next message gets it a fresh one.
    pub parked: bool,
    /// Where its manifest was read.
    pub manifest_path: String,
    /// Which of its lives this is, from 1.
    pub incarnation: u32,
    /// The handlers that it lists, in manifest order.
    pub handlers: Vec<String>,
    /// The error that ended it, if one did.
    pub last_error: Option<ActorError>,
}

impl ActorProcess {
    /// Whether it runs or is about to again.
    pub fn is_alive(&self) -> bool {
        matches!(self.status, ActorStatus::Running | ActorStatus::Restarting)
    }

    pub(crate) fn of(actor: &Arc<Actor>) -> Self {
        let inbox = lock(&actor.inbox);
        let status = match &inbox.phase {
            Phase::Starting | Phase::Running | Phase::Ending => ActorStatus::Running,
            Phase::Held(_) if inbox.is_kept() => ActorStatus::Restarting,
            Phase::Held(reason) | Phase::Ended(reason) => status_of(&reason.record()),
        };
        let parked = inbox.is_parked();
        drop(inbox);
        Self {
            actor_id: actor.id,
            name: actor.name().to_owned(),
            parent: actor.parent_id,
            children: actor.children().iter().map(|child| child.id).collect(),
            status,
            parked,
            manifest_path: actor.made.manifest.path.display().to_string(),
            incarnation: actor.incarnation,
            handlers: actor.made.handlers.iter().map(|handler| handler.name().to_owned()).collect(),
            last_error: actor.last_error().map(|(error, _)| error),
        }
    }

    /// Of an actor that is not alive, from the record.
    pub(crate) async fn of_ended(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Self, StoreError> {
        // Without an end in the record the process went down while it ran.
        let mut status = ActorStatus::Stopped;
        let mut last_error = None;
        if let Some(ended) = entry.index.ended {
            let ended = read::<ActorTerminated>(store, entry.id, ended).await?;
            status = ended.map_or(ActorStatus::Stopped, |(ended, _)| status_of(&ended.reason));
        }
        if status == ActorStatus::Failed {
            last_error = error_of(store, entry).await?;
        }
        let started = read::<ActorStarted>(store, entry.id, entry.index.started).await?;
        let handlers = started.map(|(started, _)| started.handlers).unwrap_or_default();
        Ok(Self {
            actor_id: entry.id,
            name: entry.index.name.clone(),
            parent: entry.index.parent,
            children: Vec::new(),
            status,
            parked: false,
            manifest_path: entry.index.manifest_path.clone(),
            incarnation: entry.index.incarnation,
            handlers: handlers.into_iter().map(|handler| handler.name).collect(),
            last_error,
        })
    }
}

/// Why an actor that is not alive ended, from the record.
pub(crate) async fn exit_of(store: &dyn ChainStore, entry: &ActorEntry) -> Result<ExitReason, StoreError> {
    let Some(seq) = entry.index.ended else {
        return Ok(ExitReason::Killed(KillCause::Host)); // the process went down while it ran
    };
    let Some((ended, payload)) = read::<ActorTerminated>(store, entry.id, seq).await? else {
        return Err(StoreError::Damaged(format!("event {seq} of {} is not the end that the index names", entry.id)));
    };
    Ok(match ended.reason {
        ReasonRecord::Normal => {
            let data = payload.as_ref().and_then(|payload| payload::field(payload.bytes(), "data").ok().flatten());
            ExitReason::Normal(data.and_then(|data| payload::read_bin(data).ok()).map(<[u8]>::to_vec))
        }
        ReasonRecord::Declined => ExitReason::Declined,
        ReasonRecord::Shutdown => ExitReason::Shutdown,
        ReasonRecord::Killed(cause) => ExitReason::Killed(cause),
        ReasonRecord::Abnormal(kind) => {
            let error = error_of(store, entry).await?;
            ExitReason::Abnormal(error.unwrap_or_else(|| ActorError::new(kind, "its error was erased")))
        }
    })
}

/// An event of a known type, with its payload.
async fn read<D: EventData>(
    store: &dyn ChainStore,
    actor: TheaterId,
    seq: u64,
) -> Result<Option<(D, Option<Payload>)>, StoreError> {
    let event =
        store.events(actor, seq, 1).await?.pop().filter(|event| event.seq == seq && event.event_type == D::TYPE);
    Ok(event.and_then(|event| Some((codec::decode(&event.data).ok()?, event.payload))))
}

/// The newest `actor_error` of the last incarnation.
async fn error_of(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Option<ActorError>, StoreError> {
    let end = entry.index.ended.unwrap_or(entry.head.seq) + 1;
    let recorded = newest(store, entry.id, entry.index.started..end, |event| {
        let is_error = event.event_type == ActorErrorData::TYPE;
        is_error.then(|| ActorError::recorded(&event.data, event.payload.as_ref()))
    });
    Ok(recorded.await?.flatten())
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
