//! Which states only dropped events name.

use std::collections::HashSet;

use super::PAGE;
use crate::data::Data;
use crate::{ChainEvent, ChainStore, Digest, StoreError, TheaterId};

/// The states that the events name that are to be dropped.
#[derive(Default)]
pub(super) struct Named(HashSet<Digest>);

impl Named {
    pub(super) fn dropped(&mut self, event: &ChainEvent) {
        self.0.extend(named(event));
    }

    /// Those that no event names that is kept, in this chain from `kept_from` on and in all others.
    pub(super) async fn unneeded(
        mut self,
        store: &dyn ChainStore,
        pruned: TheaterId,
        kept_from: u64,
        mut read: u64,
        on_progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Vec<Digest>, StoreError> {
        let mut after = None;
        while !self.0.is_empty() {
            let actors = store.actors(after, PAGE).await?;
            let Some(last) = actors.last() else { break };
            after = Some(last.id);
            for entry in &actors {
                self.0.remove(&entry.index.state);
                let mut next = if entry.id == pruned { kept_from } else { 0 };
                loop {
                    let page = store.events(entry.id, next, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    next = last.seq.saturating_add(1);
                    read += page.len() as u64;
                    for state in page.iter().flat_map(named) {
                        self.0.remove(&state);
                    }
                    on_progress(read);
                }
            }
        }
        // In an order that does not change.
        let mut unneeded: Vec<Digest> = self.0.into_iter().collect();
        unneeded.sort_unstable_by_key(|state| state.0);
        // Large ones may have gone before.
        let mut there = Vec::with_capacity(unneeded.len());
        let mut rest = &unneeded[..];
        while !rest.is_empty() {
            let found = store.states(rest).await?;
            there.extend(rest.iter().zip(&found).filter(|(_, bytes)| bytes.is_some()).map(|(state, _)| *state));
            rest = &rest[found.len().clamp(1, rest.len())..];
        }
        Ok(there)
    }
}

/// The states that an event names.
fn named(event: &ChainEvent) -> impl Iterator<Item = Digest> + use<> {
    // Data that cannot be read is for verification to say.
    let named = match Data::decode(&event.event_type, &event.data) {
        Ok(Some(Data::ActorStarted(data))) => [Some(data.state_hash), None],
        Ok(Some(Data::StateUpdated(data))) => [Some(data.old_state_hash), Some(data.new_state_hash)],
        Ok(Some(Data::CallReturned(data))) => [Some(data.state_hash), None],
        Ok(Some(Data::ActorErrorData(data))) => [Some(data.state_hash), None],
        Ok(Some(Data::ActorTerminated(data))) => [Some(data.final_state_hash), None],
        Ok(Some(Data::ActorUpgraded(data))) => [Some(data.old_state_hash), Some(data.new_state_hash)],
        Ok(Some(Data::ActorRolledBack(data))) => [Some(data.old_state_hash), Some(data.new_state_hash)],
        Ok(Some(Data::SupervisionAction(data))) => [data.new_state_hash, None],
        _ => [None; 2],
    };
    named.into_iter().flatten().filter(|state| !state.is_zero())
}
