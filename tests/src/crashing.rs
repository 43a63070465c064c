//! A store as it is left by a process that goes down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainEvent, Commit, PendingMessage};
use theater::{ChainStore, Digest, StoreError, TheaterId};
use tokio::sync::Mutex;

/// Keeps so many commits and none after them: what the process did later never was.
#[derive(Clone)]
pub struct Crashing {
    store: Arc<dyn ChainStore>,
    left: Arc<AtomicU64>,
    writing: Arc<Mutex<()>>,
    /// It cannot be written to, as a full disk.
    full: Arc<AtomicBool>,
    /// A component that it lost.
    without: Option<Digest>,
}

impl Crashing {
    /// Keeps nothing from now on; what is being written is kept.
    pub async fn go_down(&self) {
        let _writing = self.writing.lock().await;
        self.left.store(0, Ordering::SeqCst);
    }

    /// Keeps so many commits from now on.
    pub fn keep(&self, commits: u64) {
        self.left.store(commits, Ordering::SeqCst);
    }

    /// Whether it keeps nothing any more.
    pub fn is_down(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// From now on it cannot be written to, as a full disk; it may be later.
    pub fn fill_up(&self) {
        self.full.store(true, Ordering::SeqCst);
    }

    /// Keeps `commits` commits.
    pub fn after(commits: u64, store: Arc<dyn ChainStore>) -> Self {
        Self {
            store,
            left: Arc::new(AtomicU64::new(commits)),
            writing: Arc::default(),
            full: Arc::default(),
            without: None,
        }
    }

    /// The same, and a component of it is not there any more.
    pub fn without(self, component: Digest) -> Self {
        Self { without: Some(component), ..self }
    }
}

#[async_trait]
impl ChainStore for Crashing {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Io("the disk is full".to_owned()));
        }
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.store.commit(commit).await,
            // Not what a store might do later, which would be waited for.
            Err(_) => Err(StoreError::Unsupported("writing: the process went down")),
        }
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
        if self.without == Some(digest) {
            return Ok(None);
        }
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
