//! Whether the bytes that a chain names by hash are in the store.

use std::collections::HashSet;

use crate::data::Data;
use crate::{ChainStore, Digest, StoreError};

/// How many digests are remembered as checked, so that memory is bounded (4 MB).
const MAX_REMEMBERED: usize = 1 << 16;

/// Remembers what was checked already, over all actors of a store.
#[derive(Debug, Default)]
pub(super) struct Facts {
    checked: HashSet<(Kind, Digest)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    State,
    Component,
    Manifest,
}

/// What an event names: at most a state, a component and a manifest. No state has no bytes.
fn named(data: &Data) -> impl Iterator<Item = (Kind, Digest)> {
    let named = match data {
        Data::ActorStarted(data) => [
            Some((Kind::State, data.state_hash)),
            Some((Kind::Component, data.component)),
            Some((Kind::Manifest, data.manifest)),
        ],
        Data::ActorUpgraded(data) => {
            [Some((Kind::State, data.new_state_hash)), Some((Kind::Component, data.new_component)), None]
        }
        Data::ActorRolledBack(data) => {
            [Some((Kind::State, data.new_state_hash)), Some((Kind::Component, data.new_component)), None]
        }
        Data::StateUpdated(data) => [Some((Kind::State, data.new_state_hash)), None, None],
        _ => [None; 3],
    };
    named.into_iter().flatten().filter(|(kind, digest)| *kind != Kind::State || !digest.is_zero())
}

impl Facts {
    /// Checks the states that these events name, many at once. What is not right is left to
    /// [`Facts::check`], which says so at its event.
    pub(super) async fn check_ahead(
        &mut self,
        store: &dyn ChainStore,
        events: impl Iterator<Item = &Data>,
    ) -> Result<(), StoreError> {
        let states = events.flat_map(named).filter(|fact| fact.0 == Kind::State && !self.checked.contains(fact));
        let mut hashes: Vec<Digest> = states.map(|(_, hash)| hash).collect();
        hashes.dedup();
        let mut rest = &hashes[..];
        while !rest.is_empty() {
            let found = match store.states(rest).await {
                Err(StoreError::Damaged(_)) => return Ok(()),
                found => found?,
            };
            for (hash, bytes) in rest.iter().zip(&found) {
                if bytes.as_ref().is_some_and(|bytes| Digest::of(bytes) == *hash) {
                    self.remember((Kind::State, *hash));
                }
            }
            rest = &rest[found.len().clamp(1, rest.len())..];
        }
        Ok(())
    }

    /// Checks what this event names; the reason if something is not what it should be, or is missing
    /// that must be there whatever follows. Of a state it says that it is missing.
    pub(super) async fn check(
        &mut self,
        store: &dyn ChainStore,
        data: &Data,
    ) -> Result<Result<Option<Digest>, String>, StoreError> {
        let mut missing = None;
        for fact in named(data) {
            if self.checked.contains(&fact) {
                continue;
            }
            let (kind, digest) = fact;
            let (what, bytes) = match kind {
                Kind::State => ("state", store.state(digest).await?),
                Kind::Component => ("component", store.component(digest).await?),
                Kind::Manifest => ("manifest", store.manifest(digest).await?),
            };
            let bytes = match (bytes, kind) {
                (Some(bytes), _) => bytes,
                (None, Kind::State) => {
                    missing = Some(digest);
                    continue;
                }
                (None, _) => return Ok(Err(format!("the {what} {digest} is not in the store"))),
            };
            if Digest::of(&bytes) != digest {
                return Ok(Err(format!("the {what} {digest} does not hash to its digest")));
            }
            self.remember(fact);
        }
        Ok(Ok(missing))
    }

    fn remember(&mut self, fact: (Kind, Digest)) {
        if self.checked.len() == MAX_REMEMBERED {
            self.checked.clear();
        }
        self.checked.insert(fact);
    }
}
