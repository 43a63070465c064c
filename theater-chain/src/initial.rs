//! What `init` of an actor ran on first: a restart with `reset` runs it on that again.

use bytes::Bytes;

use crate::codec::DecodeError;
use crate::data::{ActorForked, EventData, Pruned};
use crate::{ChainEvent, ChainStore, StoreError, TheaterId, newest, payload};

/// How many forks of forks are followed.
const MAX_FORKS: usize = 1_000;

/// The field of a payload that has it, and the one that says where a fork's is.
const STATE: &str = "initial_state";
const FORK_OF: &str = "fork_of";
/// MessagePack's nil: `init` got nothing.
const NIL: &[u8] = &[0xc0];

/// What is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialState {
    /// The bytes that it got; none, where it got none.
    Kept(Option<Bytes>),
    /// It was erased, with this actor's event.
    Erased(TheaterId),
    /// The first events of this actor are not there, and nothing else says it.
    NotKept(TheaterId),
    /// The store knows no such actor.
    Unknown,
}

/// What `init` ran on at the actor's first start; of a fork, of the actor that it was forked from. Where
/// the first event was dropped, the chain's newest `pruned` has it.
///
/// # Errors
/// The store failed, or an event cannot be read.
pub async fn initial_state(store: &dyn ChainStore, actor: TheaterId) -> Result<InitialState, StoreError> {
    let mut id = actor;
    for _ in 0..MAX_FORKS {
        match first(store, id).await? {
            First::State(state) => return Ok(InitialState::Kept(state)),
            First::Erased => return Ok(InitialState::Erased(id)),
            First::NotKept => return Ok(InitialState::NotKept(id)),
            First::Unknown if id == actor => return Ok(InitialState::Unknown),
            First::Unknown => return Ok(InitialState::NotKept(id)),
            First::ForkOf(of) => id = of,
        }
    }
    Err(StoreError::Damaged(format!("{actor} was forked more than {MAX_FORKS} times over")))
}

/// What the chain of one actor says.
pub(crate) enum First {
    State(Option<Bytes>),
    /// It is what that of this actor was.
    ForkOf(TheaterId),
    Erased,
    NotKept,
    Unknown,
}

impl First {
    /// The payload of a `pruned` that keeps it; `None`: there is nothing to keep.
    pub(crate) fn payload(&self) -> Option<Vec<u8>> {
        match self {
            Self::State(None) => payload::encode(&[(STATE, Some(NIL))]),
            Self::State(Some(state)) => payload::encode(&[(STATE, Some(&payload::bin(state)))]),
            Self::ForkOf(of) => payload::encode(&[(FORK_OF, Some(&payload::bin(of.as_bytes())))]),
            Self::Erased | Self::NotKept | Self::Unknown => None,
        }
    }
}

/// What the chain of this actor says, without that of another one.
pub(crate) async fn first(store: &dyn ChainStore, id: TheaterId) -> Result<First, StoreError> {
    let Some(entry) = store.actor(id).await? else { return Ok(First::Unknown) };
    let first = store.events(id, 0, 1).await?.pop().filter(|first| first.seq == 0);
    let Some(first) = first else {
        let kept_from = store.kept_from(id).await?;
        let of_pruned = |event: &ChainEvent| {
            (event.event_type == Pruned::TYPE && event.payload_commit.is_some()).then(|| event.clone())
        };
        return match newest(store, id, kept_from..entry.head.seq.saturating_add(1), of_pruned).await? {
            Some(pruned) => of_event(id, &pruned),
            None => Ok(First::NotKept),
        };
    };
    if first.event_type == ActorForked::TYPE {
        let forked = ActorForked::decode(&first.data).map_err(|error| damaged(id, &first, &error))?;
        return Ok(First::ForkOf(forked.of));
    }
    of_event(id, &first)
}

fn of_event(id: TheaterId, event: &ChainEvent) -> Result<First, StoreError> {
    if event.is_erased() {
        return Ok(First::Erased);
    }
    let Some(payload) = &event.payload else { return Ok(First::State(None)) };
    let wrong = |error| damaged(id, event, &error);
    let field = |name| payload::field(payload.bytes(), name).map_err(wrong);
    if let Some(of) = field(FORK_OF)? {
        let of = payload::read_bin(of).map_err(wrong)?;
        let of =
            of.try_into().map_err(|_| StoreError::Damaged(format!("event {} of {id} names no actor", event.seq)))?;
        return Ok(First::ForkOf(TheaterId::from_bytes(of)));
    }
    let state = field(STATE)?.filter(|state| *state != NIL);
    let state = state.map(payload::read_bin).transpose().map_err(wrong)?;
    Ok(First::State(state.map(Bytes::copy_from_slice)))
}

fn damaged(id: TheaterId, event: &ChainEvent, error: &DecodeError) -> StoreError {
    StoreError::Damaged(format!("event {} of {id}: {error}", event.seq))
}
