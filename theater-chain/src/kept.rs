//! What a chain says of its events that were dropped.

use crate::data::{EventData, Pruned};
use crate::merkle::{Frontier, leaf};
use crate::{ChainEvent, ChainStore, StoreError, TheaterId};

/// How many events are read at once.
const PAGE: usize = 1024;

/// What the chain says of the events before `kept_from`, the first one that is there; `None`: nothing.
/// The oldest claim counts: a later one may be of somebody else.
pub(crate) async fn claim(
    store: &dyn ChainStore,
    actor: TheaterId,
    kept_from: u64,
) -> Result<Option<Pruned>, StoreError> {
    let mut next = kept_from;
    loop {
        let page = store.events(actor, next, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        next = last.seq.saturating_add(1);
        if let Some(claim) = page.iter().find_map(|event| of_event(event, kept_from)) {
            return Ok(Some(claim));
        }
    }
}

/// What this event says of the events before `kept_from`; `None`: nothing.
pub(crate) fn of_event(event: &ChainEvent, kept_from: u64) -> Option<Pruned> {
    if event.event_type != Pruned::TYPE || event.computed_hash() != event.hash {
        return None;
    }
    Pruned::decode(&event.data).ok().filter(|claim| claim.kept_from == kept_from)
}

/// The Merkle tree over the first events of a chain that are not there; `None`: the chain does not say
/// what it is.
pub(crate) async fn beginning(store: &dyn ChainStore, actor: TheaterId) -> Result<Option<Frontier>, StoreError> {
    let kept_from = store.kept_from(actor).await?;
    if kept_from == 0 {
        return Ok(Some(Frontier::new()));
    }
    let claim = claim(store, actor, kept_from).await?;
    Ok(claim.and_then(|claim| Frontier::from_peaks(kept_from, claim.frontier)))
}

/// The tree over the first `size` events, or over all if there are fewer; `None`: what is not there of
/// them is not known, or reaches further.
pub(crate) async fn frontier(
    store: &dyn ChainStore,
    actor: TheaterId,
    size: u64,
) -> Result<Option<Frontier>, StoreError> {
    let Some(mut tree) = beginning(store, actor).await?.filter(|tree| tree.size() <= size) else { return Ok(None) };
    while tree.size() < size {
        let due = usize::try_from(size - tree.size()).unwrap_or(PAGE).min(PAGE);
        let page = store.events(actor, tree.size(), due).await?;
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|event| tree.push(leaf(&[event.hash.as_bytes()])));
    }
    Ok(Some(tree))
}
