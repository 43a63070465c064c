//! Whether the bytes that a chain names by hash are in the store.

use std::collections::HashSet;

use crate::data::Data;
use crate::{ChainStore, Digest, StoreError};

/// How many digests are remembered as checked, so that memory is bounded (4 MB).
const MAX_REMEMBERED: usize = 1 << 16;

/// Remembers what was checked already, over all actors of a store.
#[derive(Debug, Default)]
pub(super) struct Facts {
    checked: HashSet<Digest>,
}

enum Kind {
    State,
    Component,
    Manifest,
}

impl Facts {
    /// Checks what this event names; the reason if something is missing or is not what it should be.
    pub(super) async fn check(
        &mut self,
        store: &dyn ChainStore,
        data: &Data,
    ) -> Result<Result<(), String>, StoreError> {
        let named: &[(Kind, Digest)] = match data {
            Data::ActorStarted(data) => {
                &[(Kind::State, data.state_hash), (Kind::Component, data.component), (Kind::Manifest, data.manifest)]
            }
            Data::StateUpdated(data) => &[(Kind::State, data.new_state_hash)],
            _ => &[],
        };
        for (kind, digest) in named {
            if let Err(reason) = self.check_one(store, kind, *digest).await? {
                return Ok(Err(reason));
            }
        }
        Ok(Ok(()))
    }

    async fn check_one(
        &mut self,
        store: &dyn ChainStore,
        kind: &Kind,
        digest: Digest,
    ) -> Result<Result<(), String>, StoreError> {
        let (what, bytes) = match kind {
            Kind::State if digest.is_zero() => return Ok(Ok(())),
            _ if self.checked.contains(&digest) => return Ok(Ok(())),
            Kind::State => ("state", store.state(digest).await?),
            Kind::Component => ("component", store.component(digest).await?),
            Kind::Manifest => ("manifest", store.manifest(digest).await?),
        };
        let Some(bytes) = bytes else {
            return Ok(Err(format!("the {what} {digest} is not in the store")));
        };
        if Digest::of(&bytes) != digest {
            return Ok(Err(format!("the {what} {digest} does not hash to its digest")));
        }
        if self.checked.len() == MAX_REMEMBERED {
            self.checked.clear();
        }
        self.checked.insert(digest);
        Ok(Ok(()))
    }
}
