//! The links between what is known of a chain from elsewhere and its newest part, which is read
//! anyway: what lies between must follow from the one and lead to the other.

use theater_chain::{ActorEntry, ChainStore, Head, StoreError, Verifier};

use super::facts::damaged;
use super::tail::Tail;

/// The most events that are read for this, of one chain: what lies further back is left to
/// verification.
const MAX: u64 = 1_024;

/// Verifies the events between the newest anchor, or where there is none the start of the incarnation,
/// and the newest part of the chain.
pub(super) async fn verify(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    tail: &Tail,
    anchored: Option<Head>,
) -> Result<(), StoreError> {
    let anchored = anchored.filter(|head| head.seq >= entry.index.started);
    let from = anchored.map_or(entry.index.started, |head| head.seq + 1);
    let mut links = anchored.map_or(Verifier::starting_at(from), Verifier::after);
    if from >= tail.from.seq || tail.from.seq - from > MAX {
        return Ok(());
    }
    while links.next_seq() < tail.from.seq {
        let due = usize::try_from(tail.from.seq - links.next_seq()).unwrap_or(usize::MAX);
        let page = store.events(entry.id, links.next_seq(), due).await?;
        if page.is_empty() {
            return Err(damaged(entry.id, &format!("event {} is missing", links.next_seq())));
        }
        for event in page.iter().filter(|event| event.seq < tail.from.seq) {
            links.push(event).map_err(|fault| damaged(entry.id, &fault.to_string()))?;
        }
    }
    if links.head().is_none_or(|head| head.hash != tail.from.parent_hash) {
        let reason = format!("event {} is not the one before the next", tail.from.seq.saturating_sub(1));
        return Err(damaged(entry.id, &reason));
    }
    Ok(())
}
