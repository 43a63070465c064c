//! Whether events that are not there were dropped on purpose, and what the chain says of them.

use super::Fault;
use super::structure::Checked;
use crate::data::Pruned;
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, StoreError, TheaterId, kept};

/// What a chain whose first events are not there says of them, as its events pass by.
#[derive(Debug)]
pub(super) struct Beginning {
    /// The seq of its first event, and the parent hash of that one.
    first: u64,
    parent_hash: Option<Digest>,
    claim: Option<Pruned>,
    /// The seq of the event that says so.
    said_at: Option<u64>,
}

impl Beginning {
    pub(super) fn new(first: u64) -> Self {
        Self { first, parent_hash: None, claim: None, said_at: None }
    }

    /// Looks at the next event.
    pub(super) fn push(&mut self, event: &ChainEvent) {
        if event.seq == self.first {
            self.parent_hash = Some(event.parent_hash);
        }
        if self.first > 0 && self.claim.is_none() {
            self.claim = kept::of_event(event, self.first);
            self.said_at = self.claim.as_ref().map(|_| event.seq);
        }
    }

    /// The seq of the event that says that older ones were dropped.
    pub(super) fn said_at(&self) -> Option<u64> {
        self.said_at
    }

    /// Whether the chain says that the events before its first one were dropped, and which one is before.
    pub(super) async fn check(
        &self,
        store: &dyn ChainStore,
        entry: &ActorEntry,
    ) -> Result<Result<(), Fault>, StoreError> {
        let fault = |reason: &str| Ok(Err(Fault { seq: self.first, reason: reason.to_owned() }));
        match &self.claim {
            Some(claim) if Some(claim.parent_hash) != self.parent_hash => {
                fault("the event before it is not the one that its `pruned` names")
            }
            None if self.first > 0 && !store.forgets(entry.id).await? => {
                fault("the events before it are not there, and no `pruned` says that they were dropped")
            }
            _ => Ok(Ok(())),
        }
    }
}

/// Whether a `pruned` at `seq` says of dropped events what can be, after one that said that the events before
/// `before` were; `None`: it is not known whether there was one.
pub(super) fn counts(seq: u64, before: Option<u64>, data: &Pruned) -> Checked {
    let Pruned { kept_from, dropped, ref frontier, .. } = *data;
    if kept_from > seq || kept_from.count_ones() as usize != frontier.len() {
        return Err("it says of dropped events what cannot be".into());
    }
    if dropped == 0 || dropped > kept_from {
        return Err("it says that no events were dropped, or more than there were".into());
    }
    match before.map(|before| kept_from.checked_sub(before)) {
        Some(since) if since != Some(dropped) => {
            Err("the number of dropped events is not what follows from the pruning before".into())
        }
        _ => Ok(()),
    }
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
