//! A store that counts what is read of it, and that may have erased the payloads of host calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use theater_chain::{
    ActorEntry, Answered, ChainEvent, ChainStore, Commit, Digest, MemoryStore, PendingMessage, StoreError, TheaterId,
};

pub(crate) struct Watched {
    pub(crate) inner: MemoryStore,
    pub(crate) erased: bool,
    pub(crate) read: AtomicUsize,
}

impl Watched {
    pub(crate) fn new(inner: MemoryStore, erased: bool) -> Self {
        Self { inner, erased, read: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl ChainStore for Watched {
    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        let mut events = self.inner.events(actor, from, max).await?;
        self.read.fetch_add(events.len(), Ordering::Relaxed);
        for event in events.iter_mut().filter(|event| self.erased && event.event_type.starts_with("host_call")) {
            event.payload = None;
        }
        Ok(events)
    }

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

    async fn kept_from(&self, actor: TheaterId) -> Result<u64, StoreError> {
        self.inner.kept_from(actor).await
    }

    async fn forgets(&self, actor: TheaterId) -> Result<bool, StoreError> {
        self.inner.forgets(actor).await
    }
}
