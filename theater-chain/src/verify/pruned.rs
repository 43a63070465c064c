//! Whether events that are not there were dropped on purpose, and what the chain says of them.

use super::Fault;
use super::structure::Checked;
use crate::data::Pruned;
use crate::{ActorEntry, ChainStore, StoreError, TheaterId, kept};

/// Whether the chain says that the events before `first`, its first one, were dropped.
pub(super) async fn says_so(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    first: u64,
) -> Result<Result<(), Fault>, StoreError> {
    if first == 0 || store.forgets(entry.id).await? || kept::claim(store, entry.id, first).await?.is_some() {
        return Ok(Ok(()));
    }
    let reason = "the events before it are not there, and no `pruned` says that they were dropped".to_owned();
    Ok(Err(Fault { seq: first, reason }))
}

/// Whether a `pruned` says the right thing of the events before its `kept_from`, as far as they are
/// there: they are all in a chain that came from elsewhere before it was pruned there.
pub(super) async fn check(
    store: &dyn ChainStore,
    actor: TheaterId,
    claim: &Pruned,
    first: u64,
) -> Result<Checked, StoreError> {
    let kept_from = claim.kept_from;
    if kept_from < first {
        return Ok(Ok(())); // an earlier one, of events that are not there
    }
    let event = store.events(actor, kept_from, 1).await?.pop().filter(|event| event.seq == kept_from);
    if event.is_none_or(|event| event.parent_hash != claim.parent_hash) {
        return Ok(Err(format!("the event before {kept_from} is not the one that it names")));
    }
    if kept_from > first
        && let Some(tree) = kept::frontier(store, actor, kept_from).await?
        && tree.peaks() != claim.frontier
    {
        return Ok(Err(format!("its frontier is not that of the events before {kept_from}")));
    }
    Ok(Ok(()))
}
