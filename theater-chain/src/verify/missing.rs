//! Payloads that are not there: erased, where a `payload_erased` says so, or else missing.

use std::collections::{BTreeMap, HashSet};

use super::{ActorReport, Fault};
use crate::data::{EventData, PayloadErased};
use crate::{ChainEvent, ChainStore, Digest, StoreError};

/// How many of one chain are remembered until they are told of, so that memory is bounded (4 MB).
const MAX: usize = 1 << 16;
/// How many actors or events are read at once.
const PAGE: usize = 1024;

/// The events of one chain without their payloads of which nothing was said yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missing(BTreeMap<u64, Digest>);

impl Missing {
    /// Looks at the next event.
    pub(super) fn push(&mut self, event: &ChainEvent) {
        if let Some(commit) = event.payload_commit.filter(|_| event.is_erased())
            && self.0.len() < MAX
        {
            self.0.insert(event.seq, commit);
        }
        let Some(erased) = erased(event) else { return };
        for seq in erased.events {
            if self.0.get(&seq) == Some(&erased.payload_commit) {
                self.0.remove(&seq);
            }
        }
    }
}

/// What the event says was erased, if it does.
fn erased(event: &ChainEvent) -> Option<PayloadErased> {
    let data = (event.event_type == PayloadErased::TYPE).then(|| PayloadErased::decode(&event.data));
    data?.ok()
}

/// Says of each actor what is missing. A chain that came from elsewhere after its payload was erased here
/// does not say so itself: another one of the store does then.
pub(super) async fn tell(store: &dyn ChainStore, actors: &mut [ActorReport]) -> Result<(), StoreError> {
    let mut wanted: HashSet<Digest> = actors.iter().flat_map(|actor| actor.missing.0.values().copied()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut after = None;
    while !wanted.is_empty() {
        let page = store.actors(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for entry in &page {
            let mut next = store.kept_from(entry.id).await?;
            loop {
                let events = match store.events(entry.id, next, PAGE).await {
                    Err(StoreError::Damaged(_)) => break, // which is a fault of that chain
                    events => events?,
                };
                let Some(last) = events.last() else { break };
                next = last.seq.saturating_add(1);
                for erased in events.iter().filter_map(erased) {
                    wanted.remove(&erased.payload_commit);
                }
            }
        }
    }
    for actor in actors {
        let missing = actor.missing.0.iter().find(|(_, commit)| wanted.contains(commit));
        if let Some((seq, _)) = missing {
            let reason = "its payload is missing, and no `payload_erased` says that it was erased".to_owned();
            actor.fault.get_or_insert(Fault { seq: *seq, reason });
        }
    }
    Ok(())
}
