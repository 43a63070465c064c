//! The actor that is upgraded: alive, or known from its record alone.

use std::sync::Arc;

use theater_chain::data::{
    ActorErrorData, ActorStarted, ActorTerminated, Call, CallReturned, EventData as _, StateUpdated,
};
use theater_chain::{ActorEntry, ChainStore, TheaterId, newest};

use super::UpgradeError;
use crate::actor::{Actor, Committed, Made};
use crate::manifest::Durability;
use crate::program::Program;
use crate::recheck;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::spawn::{find_store, recorded};

/// Who is upgraded.
pub(super) enum Subject {
    Alive(Arc<Actor>),
    /// It has ended, or this process never ran it: its next start finds what is recorded here.
    Gone(Box<Gone>),
}

pub(super) struct Gone {
    pub(super) entry: ActorEntry,
    pub(super) recorder: Arc<Recorder>,
    made: Arc<Made>,
    committed: Committed,
}

impl Subject {
    pub(super) async fn find(shared: &Arc<Shared>, id: TheaterId) -> Result<Self, UpgradeError> {
        match shared.tree.find(id) {
            Some(actor) => Ok(Self::Alive(actor)),
            None => Gone::find(shared, id).await.map(|gone| Self::Gone(Box::new(gone))),
        }
    }

    /// What it is made of, but for its program.
    pub(super) fn made(&self) -> &Made {
        match self {
            Self::Alive(actor) => &actor.made,
            Self::Gone(gone) => &gone.made,
        }
    }

    pub(super) fn program(&self) -> Arc<Program> {
        match self {
            Self::Alive(actor) => actor.program(),
            Self::Gone(gone) => gone.made.begins_with.clone(),
        }
    }

    pub(super) fn committed(&self) -> Committed {
        match self {
            Self::Alive(actor) => actor.committed(),
            Self::Gone(gone) => gone.committed.clone(),
        }
    }

    pub(super) fn recorder(&self) -> &Arc<Recorder> {
        match self {
            Self::Alive(actor) => &actor.recorder,
            Self::Gone(gone) => &gone.recorder,
        }
    }
}

impl Gone {
    async fn find(shared: &Arc<Shared>, id: TheaterId) -> Result<Self, UpgradeError> {
        shared.journal.flushed().await?;
        let store = find_store(shared, id).await?;
        let entry = store.actor(id).await?.ok_or(UpgradeError::NotFound(id))?;
        if is_open(&**store, &entry).await? {
            return Err(UpgradeError::Open(id));
        }
        let parent = entry.index.parent.and_then(|parent| shared.tree.find(parent));
        let made = Arc::new(recorded(shared, &**store, &entry, parent.as_deref()).await?);
        let ephemeral = made.manifest.durability == Durability::Ephemeral;
        let resume = || Recorder::resume(&entry, ephemeral, shared.journal.clone(), shared.sources.clone());
        let recorder = shared.tree.recorder(id, resume);
        recheck::chain(&recorder, &**store, None).await?;
        let state = recheck::state(&**store, id, entry.index.state).await?;
        let committed = Committed { state, hash: entry.index.state };
        Ok(Self { entry, recorder, made, committed })
    }
}

/// Whether the record ends within a call or a start, or between a failure and its end.
async fn is_open(store: &dyn ChainStore, entry: &ActorEntry) -> Result<bool, UpgradeError> {
    let says = |event: &theater_chain::ChainEvent| match &*event.event_type {
        Call::TYPE | ActorStarted::TYPE | ActorErrorData::TYPE => Some(true),
        CallReturned::TYPE | StateUpdated::TYPE | ActorTerminated::TYPE => Some(false),
        _ => None,
    };
    Ok(newest(store, entry.id, entry.index.started..entry.head.seq + 1, says).await?.unwrap_or(true))
}
