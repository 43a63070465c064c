//! What a fork has of the actors that it was forked from, beside its state: read from their chains.

use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::{ActorForked, Data, EventData};
use theater_chain::{ActorEntry, ChainStore, StoreError, TheaterId, codec, payload};

use crate::error::SpawnError;

/// How many forks of forks are followed.
const MAX_FORKS: usize = 1_000;

/// What `init` ran on at the actor's first start; of a fork, of the actor that it was forked from.
pub(crate) async fn first_state(store: &dyn ChainStore, actor: TheaterId) -> Result<Option<Bytes>, SpawnError> {
    let mut id = actor;
    let damaged =
        |id: TheaterId, error: codec::DecodeError| StoreError::Damaged(format!("the first event of {id}: {error}"));
    for _ in 0..MAX_FORKS {
        let first = store.events(id, 0, 1).await?.pop();
        if first.is_none() && id == actor {
            return Ok(None);
        }
        let Some(first) = first.filter(|first| first.seq == 0) else {
            // An ephemeral actor's first events may be gone, and of a fork those of the other actor.
            let reason = format!("what init of {id} ran on is no longer kept; restart it with resume");
            return Err(StoreError::Damaged(reason).into());
        };
        if first.event_type == ActorForked::TYPE {
            id = ActorForked::decode(&first.data).map_err(|error| damaged(id, error))?.of;
            continue;
        }
        let Some(payload) = &first.payload else { return Ok(None) };
        let state = payload::field(payload.bytes(), "initial_state").map_err(|error| damaged(id, error))?;
        let state = state.map(payload::read_bin).transpose().map_err(|error| damaged(id, error))?;
        return Ok(state.map(Bytes::copy_from_slice));
    }
    Err(StoreError::Damaged(format!("{id} was forked more than {MAX_FORKS} times over")).into())
}

/// The version of an actor that was never upgraded itself, where it is not that of its manifest: of a
/// fork, the one that the other actor had there. Looks at single events alone, however long the chains.
///
/// # Errors
/// The store failed.
pub(crate) async fn version(store: &dyn ChainStore, fork: &ActorEntry) -> Result<Option<Arc<str>>, StoreError> {
    let mut entry = fork.clone();
    for _ in 0..MAX_FORKS {
        // A fork has no parent.
        let is_root = entry.index.parent.is_none();
        let first = if is_root { data(store, entry.id, 0).await? } else { None };
        let Some(Data::ActorForked(forked)) = first else { return Ok(None) };
        let Some(of) = store.actor(forked.of).await? else { return Ok(None) };
        if let Some(version) = version_at(store, &of, forked.at).await? {
            return Ok(Some(version));
        }
        entry = of;
    }
    Ok(None)
}

/// The version that an actor had after the event `at`, where an upgrade or a rollback of its own says it.
pub(crate) async fn version_at(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    at: u64,
) -> Result<Option<Arc<str>>, StoreError> {
    let Some(newest) = &entry.index.upgraded else { return Ok(None) };
    let (mut seq, mut version) = (newest.seq, newest.version.clone());
    while seq > at {
        let (old, previous) = match data(store, entry.id, seq).await? {
            Some(Data::ActorUpgraded(data)) => (data.old_version, data.previous),
            Some(Data::ActorRolledBack(data)) => (data.old_version, data.previous),
            _ => return Ok(None), // it is not kept
        };
        version = old.into();
        // Each lies before the one that names it.
        match previous.filter(|previous| *previous < seq) {
            Some(previous) => seq = previous,
            None => break,
        }
    }
    Ok(Some(version))
}

async fn data(store: &dyn ChainStore, actor: TheaterId, seq: u64) -> Result<Option<Data>, StoreError> {
    let found = store.events(actor, seq, 1).await?.pop().filter(|event| event.seq == seq);
    Ok(found.and_then(|event| Data::decode(&event.event_type, &event.data).ok().flatten()))
}
