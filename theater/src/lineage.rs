//! What a fork has of the actors that it was forked from, beside its state: read from their chains.

use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::Data;
use theater_chain::{ActorEntry, ChainStore, InitialState, StoreError, TheaterId, initial_state};

use crate::error::SpawnError;
use crate::recheck;

/// How many forks of forks are followed.
const MAX_FORKS: usize = 1_000;

/// What `init` ran on at the actor's first start; of a fork, of the actor that it was forked from. `None`:
/// it got nothing.
///
/// # Errors
/// It was erased, or is no longer kept, or the store failed.
pub(crate) async fn first_state(store: &dyn ChainStore, actor: TheaterId) -> Result<Option<Bytes>, SpawnError> {
    let gone = |of: TheaterId, what: &str| {
        let whose = if of == actor { String::new() } else { format!(" of {of}, which it was forked from,") };
        let reason = format!("what its init{whose} ran on {what}; restart it with resume");
        Err(SpawnError::Rejected { actor, reason })
    };
    match initial_state(store, actor).await.map_err(|error| recheck::unreadable(actor)(error.into()))? {
        InitialState::Kept(bytes) => Ok(bytes),
        InitialState::Unknown => Ok(None),
        InitialState::Erased(of) => gone(of, "was erased"),
        InitialState::NotKept(of) => gone(of, "is no longer kept"),
    }
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
