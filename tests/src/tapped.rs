//! A store in memory at which a test listens, or that it holds up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainStore, Commit, MemoryStore, PendingMessage};
use theater::{ChainEvent, Digest, StoreError, TheaterId};

type Tap = dyn Fn(&Commit) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// In memory; each batch is committed when the future that the tap gave for it is ready.
#[derive(Clone)]
pub struct Tapped {
    store: Arc<MemoryStore>,
    tap: Arc<Tap>,
}

impl Tapped {
    /// A store with this tap.
    pub fn new<F>(tap: impl Fn(&Commit) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { store: Arc::default(), tap: Arc::new(move |commit| Box::pin(tap(commit))) }
    }
}

#[async_trait]
impl ChainStore for Tapped {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        (self.tap)(&commit).await;
        self.store.commit(commit).await
    }
    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        self.store.actor(actor).await
    }
    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.actors(after, max).await
    }
    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.children(parent, max).await
    }
    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        self.store.events(actor, from, max).await
    }
    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.state(hash).await
    }
    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.component(digest).await
    }
    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.store.manifest(digest).await
    }
    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        self.store.pending(receiver, max).await
    }
    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        self.store.answered(message_id).await
    }
}
