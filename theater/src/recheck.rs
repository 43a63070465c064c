//! What is checked before an actor starts again: that its record is the one that was written.

use bytes::Bytes;
use theater_chain::{ChainStore, Digest, StoreError, TheaterId, Verifier};

use crate::actor::{Committed, lock};
use crate::error::SpawnError;
use crate::recorder::Recorder;

/// Events read at once.
const PAGE: usize = 1_000;

/// Verifies what is stored of a chain, from where it was last verified on.
pub(crate) async fn chain(recorder: &Recorder, store: &dyn ChainStore) -> Result<(), SpawnError> {
    let id = recorder.id;
    let rejected = |reason: String| SpawnError::Rejected { actor: id, reason };
    let before = *lock(&recorder.verified);
    let Some(stored) = store.actor(id).await? else {
        return if before.is_none() { Ok(()) } else { Err(rejected("its chain is not in the store any more".into())) };
    };
    let mut verifier = match before {
        Some(head) => Verifier::after(head),
        None => Verifier::starting_at(store.kept_from(id).await?),
    };
    while verifier.next_seq() <= stored.head.seq {
        let from = verifier.next_seq();
        let page = match store.events(id, from, PAGE).await {
            Err(StoreError::Damaged(reason)) => return Err(rejected(reason)),
            page => page?,
        };
        let Some(first) = page.first() else {
            return Err(rejected(format!("event {from} is missing, and event {} was written", stored.head.seq)));
        };
        if first.seq > from && store.kept_from(id).await? == first.seq {
            verifier = Verifier::starting_at(first.seq); // older ones were dropped on purpose
        }
        for event in &page {
            verifier.push(event).map_err(|fault| rejected(fault.to_string()))?;
        }
    }
    let known = recorder.head();
    if known.is_some_and(|known| verifier.head().is_some_and(|head| head.seq == known.seq && head != known)) {
        return Err(rejected("its newest event is not the one that was written".into()));
    }
    if before.is_some_and(|before| before.seq > stored.head.seq) {
        return Err(rejected(format!("its chain ends with event {}, and more was written", stored.head.seq)));
    }
    *lock(&recorder.verified) = verifier.head();
    Ok(())
}

/// The stored bytes of a state, which hash to its hash.
pub(crate) async fn state(store: &dyn ChainStore, actor: TheaterId, hash: Digest) -> Result<Option<Bytes>, SpawnError> {
    if hash.is_zero() {
        return Ok(None);
    }
    let rejected = |reason: String| Err(SpawnError::Rejected { actor, reason });
    match store.state(hash).await {
        Ok(Some(bytes)) if Digest::of(&bytes) == hash => Ok(Some(bytes)),
        Ok(Some(_)) => rejected(format!("the stored state {hash} does not hash to its name")),
        Ok(None) => rejected(format!("the state {hash} is missing")),
        Err(StoreError::Damaged(reason)) => rejected(reason),
        Err(error) => Err(error.into()),
    }
}

/// Checks the stored bytes of a state that is in memory, too, where they are on disk already.
pub(crate) async fn kept_state(
    store: &dyn ChainStore,
    actor: TheaterId,
    committed: &Committed,
) -> Result<(), SpawnError> {
    let rejected = |reason: String| Err(SpawnError::Rejected { actor, reason });
    match (&committed.state, store.state(committed.hash).await) {
        (Some(kept), Ok(Some(stored))) if *kept != stored => {
            rejected(format!("the stored state {} does not hash to its name", committed.hash))
        }
        (_, Err(StoreError::Damaged(reason))) => rejected(reason),
        (_, Err(error)) => Err(error.into()),
        (_, Ok(_)) => Ok(()),
    }
}
