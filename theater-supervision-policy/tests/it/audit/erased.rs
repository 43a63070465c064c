//! A store in which the payloads of some kinds of events were erased.

use async_trait::async_trait;
use bytes::Bytes;
use theater_chain::{
    ActorEntry, Answered, ChainEvent, ChainStore, Commit, Digest, MemoryStore, PendingMessage, StoreError, TheaterId,
};

pub(super) struct Erased {
    pub(super) inner: MemoryStore,
    pub(super) types: Vec<&'static str>,
}

#[async_trait]
impl ChainStore for Erased {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.inner.commit(commit).await
    }

    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        self.inner.actor(actor).await
    }

    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.inner.actors(after, max).await
    }

    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.inner.children(parent, max).await
    }

    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        let mut events = self.inner.events(actor, from, max).await?;
        for event in events.iter_mut().filter(|event| self.types.contains(&&*event.event_type)) {
            event.payload = None;
        }
        Ok(events)
    }

    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        self.inner.state(hash).await
    }

    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.inner.component(digest).await
    }

    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.inner.manifest(digest).await
    }

    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        self.inner.pending(receiver, max).await
    }

    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        self.inner.answered(message_id).await
    }
}
