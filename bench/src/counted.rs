//! A store that counts what is written to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, Commit, PendingMessage};
use theater::{ChainEvent, ChainStore, Digest, StoreError, TheaterId};

/// Passes everything on.
#[derive(Clone)]
pub(crate) struct Counted {
    store: Arc<dyn ChainStore>,
    counts: Arc<(AtomicUsize, AtomicUsize)>,
}

/// Commits and events so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts(usize, usize);

impl Counts {
    /// How many commits and events came since then.
    pub(crate) fn since(self, before: Self) -> (usize, usize) {
        (self.0 - before.0, self.1 - before.1)
    }
}

impl Counted {
    /// Counts what goes to `store`.
    pub(crate) fn new(store: Arc<dyn ChainStore>) -> Self {
        Self { store, counts: Arc::default() }
    }

    /// What was written until now.
    pub(crate) fn counts(&self) -> Counts {
        Counts(self.counts.0.load(Ordering::Relaxed), self.counts.1.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl ChainStore for Counted {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let events = commit.events.len();
        self.store.commit(commit).await?;
        self.counts.0.fetch_add(1, Ordering::Relaxed);
        self.counts.1.fetch_add(events, Ordering::Relaxed);
        Ok(())
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

    async fn states(&self, hashes: &[Digest]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.store.states(hashes).await
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
