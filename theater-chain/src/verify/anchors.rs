//! Whether the chains of the children are those that their parent's chain anchors.

use std::collections::HashMap;

use super::child::{Anchored, Child, Halt, fault};
use super::report::Sentences;
use crate::data::{ChildAnchor, Data};
use crate::{ChainStore, StoreError, TheaterId};

/// How many children of one parent are remembered, so that memory is bounded (50 MB).
const MAX_CHILDREN: usize = 1 << 18;

/// Of children that a bundle says it does not hold.
pub(super) const LEFT_OUT: &str =
    "children whose chains were left out when this record was exported: what their parents say of them";

/// Follows what one chain says of children.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) parent: TheaterId,
    /// Whether all that the chain ever said of a child is known.
    whole: bool,
    known: HashMap<TheaterId, Child>,
}

impl Children {
    /// Of this parent, whose chain is read from its first event on, or (`whole` false) from a later
    /// one on.
    pub(super) fn new(parent: TheaterId, whole: bool) -> Self {
        Self { parent, whole, known: HashMap::new() }
    }

    /// Checks what an event says of children; the reason if that is not what their chains say.
    pub(super) async fn check(
        &mut self,
        store: &dyn ChainStore,
        data: &Data,
        unchecked: &mut Sentences,
    ) -> Result<Result<(), String>, StoreError> {
        let checked = match data {
            Data::ChildrenAnchored(data) => self.anchored(store, &data.entries, unchecked).await,
            Data::ChildExited(data) => self.exited(store, data, unchecked).await,
            Data::ChildErred(data) => self.erred(store, data, unchecked).await,
            _ => Ok(()),
        };
        match checked {
            Ok(()) => Ok(Ok(())),
            Err(Halt::Fault(reason)) => Ok(Err(reason)),
            Err(Halt::Store(error)) => Err(error),
        }
    }

    async fn anchored(
        &mut self,
        store: &dyn ChainStore,
        entries: &[ChildAnchor],
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        for anchor in entries {
            self.anchor(store, anchor, unchecked).await?;
        }
        Ok(())
    }

    async fn anchor(
        &mut self,
        store: &dyn ChainStore,
        anchor: &ChildAnchor,
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        let ChildAnchor { child: id, from, to, .. } = *anchor;
        let parent = self.parent;
        let child = self.child(store, id, unchecked).await?;
        let before = child.anchored.replace(Anchored { to, volatile: anchor.volatile });
        if from > to {
            return fault(format!("the range of {id} ends at seq {to}, before it begins at seq {from}"));
        }
        if let Some(before) = before
            && before.to.checked_add(1) != Some(from)
        {
            let (end, wanted) = (before.to, "the ranges of a child follow each other");
            return fault(format!("a range of {id} begins at seq {from} after one that ends at seq {end}: {wanted}"));
        }
        let stored = child.stored(store, to).await?;
        let kept_from = stored.map_or(0, |stored| stored.kept_from);
        if before.is_none() && from > kept_from && self.whole {
            return fault(format!("the first range of {id} begins at seq {from}, and its chain at seq {kept_from}"));
        }
        let Some(stored) = stored else {
            if anchor.volatile {
                unchecked.add("children_anchored: chains of ephemeral children, which are kept in memory alone");
                return Ok(());
            }
            if store.is_left_out(id).await? {
                unchecked.add(LEFT_OUT);
                return Ok(());
            }
            return fault(format!("the chain of {id}, which is anchored here, is not in the store"));
        };
        if stored.parent != Some(parent) {
            return fault(format!("{id}, which is anchored here, is not a child of this actor"));
        }
        if to < stored.kept_from {
            unchecked.add("children_anchored: events of children that were not kept");
            return Ok(());
        }
        self.anchored_event(store, anchor, stored.head).await
    }

    async fn anchored_event(&mut self, store: &dyn ChainStore, anchor: &ChildAnchor, head: u64) -> Result<(), Halt> {
        let ChildAnchor { child: id, to, incarnation, .. } = *anchor;
        let Some(child) = self.known.get_mut(&id) else { return Ok(()) };
        let Some(event) = child.event(store, to).await? else {
            return fault(format!("the chain of {id} is anchored up to seq {to}, and it ends at seq {head}"));
        };
        if event.hash != anchor.head || event.computed_hash() != anchor.head {
            return fault(format!("event {to} of {id} is not the one that is anchored"));
        }
        let found = child.incarnation_at(store, to).await?;
        if found != incarnation {
            return fault(format!("{id} is anchored in incarnation {incarnation}, and its event {to} is of {found}"));
        }
        Ok(())
    }

    /// What is known of a child.
    pub(super) async fn child(
        &mut self,
        store: &dyn ChainStore,
        id: TheaterId,
        unchecked: &mut Sentences,
    ) -> Result<&mut Child, Halt> {
        if self.known.len() >= MAX_CHILDREN && !self.known.contains_key(&id) {
            self.known.clear();
            self.whole = false;
            unchecked.add(
                "children_anchored: that ranges follow each other, where there are more children than are remembered",
            );
        }
        match self.known.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(vacant) => Ok(vacant.insert(Child::read(store, id).await?)),
        }
    }
}
