//! What is recorded of a runtime's actors, to be read by handlers: they do not write.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use theater_chain::{
    ActorCheckpoint, ActorEntry, Answered, ChainEvent, ChainStore, Commit, Digest, PendingMessage, StoreError,
    TheaterId,
};

use crate::shared::Shared;
use crate::spawn::find_store;

/// The durable and the ephemeral chains of a runtime, as one store that can only be read.
pub(crate) struct Records(pub(crate) Arc<Shared>);

#[async_trait]
impl ChainStore for Records {
    async fn commit(&self, _: Commit) -> Result<(), StoreError> {
        Err(StoreError::Io("this view of the store is for reading".into()))
    }

    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        find_store(&self.0, actor).await?.actor(actor).await
    }

    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.0.journal.store(false).actors(after, max).await
    }

    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.0.journal.store(false).children(parent, max).await
    }

    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        find_store(&self.0, actor).await?.events(actor, from, max).await
    }

    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        match self.0.journal.store(false).state(hash).await? {
            None => self.0.journal.store(true).state(hash).await,
            found => Ok(found),
        }
    }

    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.0.journal.store(false).component(digest).await
    }

    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.0.journal.store(false).manifest(digest).await
    }

    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        self.0.journal.store(false).pending(receiver, max).await
    }

    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        self.0.journal.store(false).answered(message_id).await
    }

    async fn thinned(&self, actor: TheaterId) -> Result<Option<u64>, StoreError> {
        find_store(&self.0, actor).await?.thinned(actor).await
    }

    async fn kept_from(&self, actor: TheaterId) -> Result<u64, StoreError> {
        find_store(&self.0, actor).await?.kept_from(actor).await
    }

    async fn checkpoints(&self, actor: TheaterId) -> Result<Vec<ActorCheckpoint>, StoreError> {
        find_store(&self.0, actor).await?.checkpoints(actor).await
    }

    async fn forgets(&self, actor: TheaterId) -> Result<bool, StoreError> {
        find_store(&self.0, actor).await?.forgets(actor).await
    }

    async fn is_left_out(&self, actor: TheaterId) -> Result<bool, StoreError> {
        self.0.journal.store(false).is_left_out(actor).await
    }
}
