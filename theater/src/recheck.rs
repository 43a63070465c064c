//! What is checked before an actor starts again: that its record is the one that was written.

use bytes::Bytes;
use theater_chain::data::{ChildAnchor, ChildrenAnchored, EventData};
use theater_chain::{ChainStore, Digest, Head, StoreError, TheaterId, Verifier, codec, newest};

use crate::actor::{Actor, Committed, lock};
use crate::error::SpawnError;
use crate::recorder::Recorder;

/// Events read at once.
const PAGE: usize = 1_000;

/// What cannot be read of an actor's record is no reason to try again.
pub(crate) fn unreadable(actor: TheaterId) -> impl Fn(SpawnError) -> SpawnError {
    move |error| match error {
        SpawnError::Store(StoreError::Damaged(reason)) => SpawnError::Rejected { actor, reason },
        error => error,
    }
}

/// The newest that the parent's chain says of the chain of a child, which this process may not know.
pub(crate) async fn anchor(parent: &Actor, child: TheaterId) -> Result<Option<Head>, StoreError> {
    let Some(head) = parent.recorder.head() else { return Ok(None) };
    let store = parent.shared.journal.store(parent.recorder.ephemeral);
    anchor_before(&**store, parent.id, head.seq, child).await
}

/// The same, up to an event of the parent's chain.
pub(crate) async fn anchor_before(
    store: &dyn ChainStore,
    parent: TheaterId,
    head: u64,
    child: TheaterId,
) -> Result<Option<Head>, StoreError> {
    let of_child = |event: &theater_chain::ChainEvent| -> Option<ChildAnchor> {
        let anchored = (event.event_type == ChildrenAnchored::TYPE).then(|| codec::decode(&event.data).ok())?;
        let ChildrenAnchored { entries } = anchored?;
        entries.into_iter().find(|anchor| anchor.child == child)
    };
    let anchor = newest(store, parent, 0..head + 1, of_child).await?;
    Ok(anchor.filter(|anchor| !anchor.volatile).map(|anchor| Head { seq: anchor.to, hash: anchor.head }))
}

/// Whether the store still has an event that was written, as far as its head says.
pub(crate) fn not_cut(actor: TheaterId, written: Option<Head>, stored: Head) -> Result<(), SpawnError> {
    match written {
        Some(written) if written.seq > stored.seq => {
            let reason = format!("its chain ends with event {}, and event {} was written", stored.seq, written.seq);
            Err(SpawnError::Rejected { actor, reason })
        }
        _ => Ok(()),
    }
}

/// Verifies what is stored of a chain, from where it was last verified on; `anchor` is an event that
/// must be in it.
pub(crate) async fn chain(recorder: &Recorder, store: &dyn ChainStore, anchor: Option<Head>) -> Result<(), SpawnError> {
    let id = recorder.id;
    let rejected = |reason: String| SpawnError::Rejected { actor: id, reason };
    let before = *lock(&recorder.verified);
    let durable = recorder.durable_head();
    let Some(stored) = store.actor(id).await? else {
        return if before.is_none() { Ok(()) } else { Err(rejected("its chain is not in the store any more".into())) };
    };
    for written in [before, durable, anchor] {
        not_cut(id, written, stored.head)?;
    }
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
            if anchor.is_some_and(|anchor| anchor.seq == event.seq && anchor.hash != event.hash) {
                return Err(rejected(format!("event {} is not the one that its parent's chain says", event.seq)));
            }
            verifier.push(event).map_err(|fault| rejected(fault.to_string()))?;
        }
    }
    let known = recorder.head();
    if known.is_some_and(|known| verifier.head().is_some_and(|head| head.seq == known.seq && head != known)) {
        return Err(rejected("its newest event is not the one that was written".into()));
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
