//! Where an actor stood after any one of its events, read from its chain backwards.

use crate::data::{
    ActorErrorData, ActorRolledBack, ActorStarted, ActorTerminated, ActorUpgraded, Call, CallReturned, EventData,
    RestartStateKind, StateUpdated,
};
use crate::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, newest};

/// Where an actor stood after one of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// That event.
    pub event: ChainEvent,
    /// The seq of the start of the incarnation that it is of.
    pub started: u64,
    /// That start.
    pub start: ActorStarted,
    /// The digest of its component: that of the start, or of an upgrade since.
    pub component: Digest,
    /// The hash of the last committed state; before `init` has returned, of what `init` gets.
    pub state: Digest,
    /// What the actor was doing.
    pub doing: Doing,
}

/// What an actor was doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Doing {
    /// It had begun, and `init` had not.
    Starting,
    /// It was between two calls, or down.
    Nothing,
    /// The call that began with the event `seq` had not ended.
    Calling {
        /// The seq of the `call` event.
        seq: u64,
        /// That event's data.
        call: Call,
    },
}

impl Standing {
    /// Reads where the actor stood after the event `at`, holding no more than a page of the chain.
    /// `None`: there is no such event, or the part of the chain that says it was not kept.
    ///
    /// # Errors
    /// The store failed, or the chain cannot be read.
    pub async fn read(store: &dyn ChainStore, actor: TheaterId, at: u64) -> Result<Option<Self>, StoreError> {
        let Some(event) = store.events(actor, at, 1).await?.pop().filter(|event| event.seq == at) else {
            return Ok(None);
        };
        let from = store.kept_from(actor).await?;
        let is_start = |event: &ChainEvent| (event.event_type == ActorStarted::TYPE).then(|| event.clone());
        let Some(start_event) = start_of(store, actor, from, at, is_start).await? else { return Ok(None) };
        let start: ActorStarted = decoded(actor, &start_event)?;
        let doing = newest(store, actor, start_event.seq..at + 1, |event| doing(actor, event)).await?;
        let doing = doing.transpose()?.unwrap_or(Doing::Nothing);
        let of = |pick: fn(TheaterId, &ChainEvent) -> Found| {
            newest(store, actor, start_event.seq..at + 1, move |event| pick(actor, event))
        };
        let state = of(state_after).await?.transpose()?.unwrap_or(start.state_hash);
        let component = of(component_after).await?.transpose()?.unwrap_or(start.component);
        Ok(Some(Self { event, started: start_event.seq, start, component, state, doing }))
    }

    /// The seq of the first event that did not happen for a fork that begins here: its call begins
    /// again, and `init` runs again.
    pub fn parts_at(&self) -> u64 {
        match &self.doing {
            Doing::Starting => self.started + 1,
            Doing::Nothing => self.event.seq + 1,
            Doing::Calling { seq, .. } => *seq,
        }
    }
}

/// The newest start up to `at`: most often that of the newest incarnation, which the index knows.
async fn start_of(
    store: &dyn ChainStore,
    actor: TheaterId,
    from: u64,
    at: u64,
    is_start: impl Fn(&ChainEvent) -> Option<ChainEvent> + Send,
) -> Result<Option<ChainEvent>, StoreError> {
    let known = store.actor(actor).await?.map(|entry| entry.index.started).filter(|started| *started <= at);
    if let Some(started) = known {
        return Ok(store.events(actor, started, 1).await?.pop().filter(|event| event.seq == started));
    }
    newest(store, actor, from..at + 1, is_start).await
}

fn doing(actor: TheaterId, event: &ChainEvent) -> Option<Result<Doing, StoreError>> {
    Some(Ok(match &*event.event_type {
        ActorStarted::TYPE => match decoded::<ActorStarted>(actor, event) {
            Ok(start) if start.restart_state == RestartStateKind::Reset => Doing::Starting,
            Ok(_) => Doing::Nothing,
            Err(error) => return Some(Err(error)),
        },
        Call::TYPE => match decoded(actor, event) {
            Ok(call) => Doing::Calling { seq: event.seq, call },
            Err(error) => return Some(Err(error)),
        },
        CallReturned::TYPE | StateUpdated::TYPE | ActorErrorData::TYPE | ActorTerminated::TYPE => Doing::Nothing,
        _ => return None,
    }))
}

/// A digest, where an event says it.
type Found = Option<Result<Digest, StoreError>>;

fn state_after(actor: TheaterId, event: &ChainEvent) -> Found {
    Some(match &*event.event_type {
        StateUpdated::TYPE => decoded::<StateUpdated>(actor, event).map(|data| data.new_state_hash),
        ActorUpgraded::TYPE => decoded::<ActorUpgraded>(actor, event).map(|data| data.new_state_hash),
        ActorRolledBack::TYPE => decoded::<ActorRolledBack>(actor, event).map(|data| data.new_state_hash),
        _ => return None,
    })
}

fn component_after(actor: TheaterId, event: &ChainEvent) -> Found {
    Some(match &*event.event_type {
        ActorUpgraded::TYPE => decoded::<ActorUpgraded>(actor, event).map(|data| data.new_component),
        ActorRolledBack::TYPE => decoded::<ActorRolledBack>(actor, event).map(|data| data.new_component),
        _ => return None,
    })
}

fn decoded<D: EventData>(actor: TheaterId, event: &ChainEvent) -> Result<D, StoreError> {
    D::decode(&event.data)
        .map_err(|error| StoreError::Damaged(format!("event {} of {actor} cannot be read: {error}", event.seq)))
}
