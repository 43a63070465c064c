//! A store that writes and says that it could not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainEvent, Commit, HeadLog, MemoryStore, PendingMessage};
use theater::{ChainStore, Digest, StoreError, TheaterId};

/// As a disk may do: some commits are written, and the answer is that they were not.
#[derive(Clone)]
pub struct Doubtful {
    store: Arc<MemoryStore>,
    doubts: fn(&Commit) -> bool,
    doubted: Arc<AtomicU64>,
}

impl Doubtful {
    /// Each commit of which `doubts` says so.
    pub fn new(doubts: fn(&Commit) -> bool) -> Self {
        Self { store: Arc::default(), doubts, doubted: Arc::default() }
    }

    /// How many commits were written and not said to be.
    pub fn doubted(&self) -> u64 {
        self.doubted.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ChainStore for Doubtful {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let doubts = (self.doubts)(&commit);
        self.store.commit(commit).await?;
        if doubts {
            self.doubted.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Io("the disk did not answer".to_owned()));
        }
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

    fn head_log(&self) -> Option<&dyn HeadLog> {
        self.store.head_log()
    }
}
