//! What the chain of a parent says of its children, since its incarnation began.

use std::collections::HashMap;

use theater_chain::data::{ChildExited, Data, RestartStateKind};
use theater_chain::{ActorEntry, ChainStore, Digest, Head, StoreError, TheaterId, Verifier};

/// Events read at once.
const PAGE: usize = 1_000;

/// The newest that a chain says of one child.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ChildFacts {
    /// The end of its last anchored range, and whether that chain was kept in memory alone.
    pub(super) anchored: Option<(Head, bool)>,
    /// The newest incarnation of which the end is told.
    pub(super) exited: u32,
    /// The newest decision about it.
    pub(super) decided: Option<Digest>,
}

/// What one chain says of children.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) children: HashMap<TheaterId, ChildFacts>,
    /// The newest supervision time.
    pub(super) at_ms: u64,
}

impl Facts {
    /// Reads the chain from the start of its incarnation on, and verifies its links.
    pub(super) async fn read(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Self, StoreError> {
        let mut facts = Self::default();
        let mut links = Verifier::starting_at(entry.index.started);
        while links.next_seq() <= entry.head.seq {
            let page = store.events(entry.id, links.next_seq(), PAGE).await?;
            if page.is_empty() {
                return Err(damaged(entry.id, &format!("event {} is missing", links.next_seq())));
            }
            for event in &page {
                links.push(event).map_err(|fault| damaged(entry.id, &fault.to_string()))?;
                let data = Data::decode(&event.event_type, &event.data);
                let data = data.map_err(|error| damaged(entry.id, &format!("event {}: {error}", event.seq)))?;
                facts.event(event.hash, data);
            }
        }
        if links.head() != Some(entry.head) {
            return Err(damaged(entry.id, "its newest event is not the one that its head names"));
        }
        Ok(facts)
    }

    fn event(&mut self, hash: Digest, data: Option<Data>) {
        match data {
            Some(Data::ChildrenAnchored(data)) => {
                for anchor in data.entries {
                    let head = Head { seq: anchor.to, hash: anchor.head };
                    self.children.entry(anchor.child).or_default().anchored = Some((head, anchor.volatile));
                }
            }
            Some(Data::ChildExited(ChildExited { child, incarnation, at_ms, .. })) => {
                let facts = self.children.entry(child).or_default();
                facts.exited = facts.exited.max(incarnation);
                self.at_ms = self.at_ms.max(at_ms);
            }
            Some(Data::ChildErred(data)) => self.at_ms = self.at_ms.max(data.at_ms),
            Some(Data::SupervisionAction(data)) => {
                self.at_ms = self.at_ms.max(data.at_ms);
                self.children.entry(data.actor_id).or_default().decided = Some(hash);
            }
            _ => {}
        }
    }
}

/// An incarnation's start, as recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) hash: Digest,
    pub(super) parent_event: Option<Digest>,
    pub(super) restart_state: RestartStateKind,
    pub(super) component: Digest,
    pub(super) manifest: Digest,
    /// All states of the incarnation stay in the store.
    pub(super) keeps_states: bool,
}

pub(super) fn damaged(actor: TheaterId, reason: &str) -> StoreError {
    StoreError::Damaged(format!("the chain of {actor}: {reason}"))
}
