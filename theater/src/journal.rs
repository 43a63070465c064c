//! The one queue through which every event reaches the store: in the order of the appends, so that
//! what is committed is always a prefix of what happened.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use theater_chain::{ChainStore, Commit, MemoryStore, StoreError};
use tokio::sync::{Notify, watch};

use crate::entry::{Entry, Share, merged};
use crate::sources::Sources;
use crate::tree_heads::{Signer, TreeHeads};

/// Everybody waits while more than this is queued, in bytes.
const ROOM: usize = 128 << 20;

/// An actor waits while more than this of its own is queued, in bytes: one that floods its chain
/// waits for itself, not for others.
const SHARE: usize = 512 << 10;

/// How long the writer waits before it tries again to write what it could not: at first, and at most.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);

/// How often the end of a runtime waits for a store that cannot write.
const LAST_TRIES: u64 = 3;

/// Events that are kept of an ephemeral actor's chain.
const EPHEMERAL_EVENTS: usize = 10_000;

#[derive(Default)]
struct Queue {
    entries: Vec<Entry>,
    /// Entries ever appended.
    position: u64,
}

/// How far the store is.
#[derive(Clone, Default)]
struct Progress {
    /// The writer has begun: it may go on with what the store holds.
    begun: bool,
    position: u64,
    /// What of it was signed too, or needs not be.
    signed: u64,
    /// Why the newest commit could not be written yet, while it is tried again.
    trouble: Option<StoreError>,
    /// How often a commit could not be written.
    tries: u64,
    /// Why nothing can be written any more.
    failure: Option<StoreError>,
}

pub(crate) struct Journal {
    store: Arc<dyn ChainStore>,
    /// Chains of ephemeral actors.
    memory: Arc<dyn ChainStore>,
    queue: Mutex<Queue>,
    queued: AtomicUsize,
    wake: Notify,
    closed: AtomicBool,
    /// The position up to which somebody waits for a signature.
    seal: AtomicU64,
    /// After how many tries the writer gives up; at first it never does.
    last: AtomicU64,
    /// Whether the store had no actor in it before this process wrote to it.
    began_empty: OnceLock<bool>,
    /// Each entry is a commit of its own, so that a test has the process go down between any two.
    #[cfg(feature = "testing")]
    pub(crate) each_alone: bool,
    progress: watch::Sender<Progress>,
    sources: Arc<dyn Sources>,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn ChainStore>, sources: Arc<dyn Sources>) -> Self {
        Self {
            sources,
            store,
            memory: Arc::new(MemoryStore::bounded(EPHEMERAL_EVENTS)),
            queue: Mutex::default(),
            queued: AtomicUsize::new(0),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            seal: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
            began_empty: OnceLock::new(),
            #[cfg(feature = "testing")]
            each_alone: false,
            progress: watch::Sender::default(),
        }
    }

    /// The store that holds an actor's chain.
    pub(crate) fn store(&self, ephemeral: bool) -> &Arc<dyn ChainStore> {
        if ephemeral { &self.memory } else { &self.store }
    }

    /// Queues an entry; returns the position that [`Journal::durable`] waits for. Never waits.
    pub(crate) fn append(&self, entry: Entry) -> u64 {
        let size = entry.size();
        let position = {
            let mut queue = self.lock();
            queue.position += 1;
            // After a failure nothing can be committed any more; keeping it would only grow.
            if self.progress.borrow().failure.is_none() {
                self.queued.fetch_add(size, Ordering::Relaxed);
                entry.share.0.fetch_add(size, Ordering::Relaxed);
                queue.entries.push(entry);
            }
            queue.position
        };
        self.wake.notify_one();
        position
    }

    /// Waits until the writer has begun.
    ///
    /// # Errors
    /// It does not go on with what the store holds.
    pub(crate) async fn begun(&self) -> Result<(), StoreError> {
        self.wait(|progress| progress.begun).await
    }

    /// Waits until everything up to `position` is durable.
    pub(crate) async fn durable(&self, position: u64) -> Result<(), StoreError> {
        self.wait(|progress| progress.position >= position).await
    }

    /// Whether all that the store knows was written by this process; `false` while it is not known.
    pub(crate) fn began_empty(&self) -> bool {
        self.began_empty.get().copied().unwrap_or(false)
    }

    /// The position of the newest entry.
    pub(crate) fn position(&self) -> u64 {
        self.lock().position
    }

    /// The position up to which everything is durable.
    pub(crate) fn committed(&self) -> u64 {
        self.progress.borrow().position
    }

    /// Waits until everything appended so far is durable.
    pub(crate) async fn flushed(&self) -> Result<(), StoreError> {
        self.durable(self.position()).await
    }

    /// Waits until everything appended so far is durable, and signed where the host has a key.
    pub(crate) async fn sealed(&self) -> Result<(), StoreError> {
        let position = self.seal();
        self.wait(|progress| progress.signed >= position).await
    }

    /// The runtime is about to end: a store that has trouble gets a few more tries. After these,
    /// whatever waits fails, so that an actor which waits for the store can end, too.
    pub(crate) fn try_at_last(&self) {
        let last = self.progress.borrow().tries + LAST_TRIES;
        self.last.fetch_min(last, Ordering::SeqCst);
    }

    /// Waits until everything appended so far is durable, for whoever looks from outside.
    ///
    /// # Errors
    /// The store cannot write now: rather than to wait for as long as that lasts, they are told.
    pub(crate) async fn told(&self) -> Result<(), StoreError> {
        let position = self.position();
        let done = |progress: &Progress| progress.position >= position;
        self.wait(|progress| done(progress) || progress.trouble.is_some()).await?;
        let now = self.progress.borrow();
        now.trouble.clone().filter(|_| !done(&now)).map_or(Ok(()), Err)
    }

    fn seal(&self) -> u64 {
        let position = self.position();
        self.seal.fetch_max(position, Ordering::SeqCst);
        self.wake.notify_one();
        position
    }

    /// Waits until there is room for more of this actor's.
    pub(crate) async fn room(&self, share: &Share) -> Result<(), StoreError> {
        let has_room = || self.queued.load(Ordering::Relaxed) < ROOM && share.0.load(Ordering::Relaxed) < SHARE;
        if has_room() && self.progress.borrow().failure.is_none() {
            return Ok(());
        }
        self.wait(|_| has_room()).await
    }

    /// Completes at the next commit; the caller reads what is new and waits again.
    pub(crate) fn commits(&self) -> Commits {
        Commits(self.progress.subscribe())
    }

    /// Nothing more will be appended: the writer ends when the queue is empty.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    async fn wait(&self, ready: impl Fn(&Progress) -> bool) -> Result<(), StoreError> {
        let mut progress = self.progress.subscribe();
        loop {
            {
                let now = progress.borrow_and_update();
                if let Some(failure) = &now.failure {
                    return Err(failure.clone());
                }
                if ready(&now) {
                    return Ok(());
                }
            }
            if progress.changed().await.is_err() {
                return Err(StoreError::Io("the runtime has been shut down".to_owned()));
            }
        }
    }

    /// The writer: commits whatever queued up during the commit before, and signs. Ends with the
    /// runtime.
    pub(crate) async fn write(self: Arc<Self>, signer: Option<Signer>) {
        let found = self.store.actors(None, 1).await;
        let _ = self.began_empty.set(found.is_ok_and(|actors| actors.is_empty()));
        let loaded = match signer {
            Some(signer) => TreeHeads::load(signer, &*self.store).await,
            None => Ok(None),
        };
        let mut heads = match loaded {
            Ok(heads) => heads,
            // Nothing was recorded so far: whoever starts something is told.
            Err(failure) => return self.progress.send_modify(|progress| progress.failure = Some(failure)),
        };
        self.progress.send_modify(|progress| progress.begun = true);
        loop {
            let (entries, position) = self.take();
            let closed = self.closed.load(Ordering::SeqCst);
            let due = heads.as_ref().and_then(TreeHeads::due);
            let now = closed || self.seal.load(Ordering::SeqCst) > self.progress.borrow().signed;
            let sign = due.is_some_and(|left| now || left.is_zero());
            if entries.is_empty() && !sign {
                if closed {
                    return;
                }
                self.woken(&heads, due).await;
                continue;
            }
            let sizes: Vec<_> = entries.iter().map(|entry| (entry.share.clone(), entry.size())).collect();
            let written = self.commit(entries, heads.as_mut(), now).await;
            for (share, size) in sizes {
                share.0.fetch_sub(size, Ordering::Relaxed);
                self.queued.fetch_sub(size, Ordering::Relaxed);
            }
            if let Err(failure) = written {
                return self.failed(failure);
            }
            let signed = heads.as_ref().is_none_or(|heads| heads.due().is_none());
            self.progress.send_modify(|progress| {
                progress.position = position;
                progress.signed = if signed { position } else { progress.signed };
            });
        }
    }

    /// What is queued, and the position of the last of it.
    fn take(&self) -> (Vec<Entry>, u64) {
        let mut queue = self.lock();
        #[cfg(feature = "testing")]
        if self.each_alone && queue.entries.len() > 1 {
            let later = queue.entries.split_off(1);
            let position = queue.position - later.len() as u64;
            return (std::mem::replace(&mut queue.entries, later), position);
        }
        (std::mem::take(&mut queue.entries), queue.position)
    }

    /// Waits for something to write, or until it is time to sign what was written.
    async fn woken(&self, heads: &Option<TreeHeads>, due: Option<Duration>) {
        match (heads, due) {
            (Some(heads), Some(due)) => {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = heads.wait(due) => {}
                }
            }
            _ => self.wake.notified().await,
        }
    }

    /// Commits to the store; while that cannot write, for a full disk or the like, again and again.
    /// Nobody who waits for the commit gets an answer meanwhile, and actors wait for room.
    ///
    /// # Errors
    /// The store is damaged, or another writer wrote to it: no later try could help.
    async fn persist(&self, commit: Commit) -> Result<(), StoreError> {
        let mut pause = AGAIN;
        loop {
            let trouble = match self.store.commit(commit.clone()).await {
                Ok(()) => break,
                Err(trouble @ StoreError::Io(_)) => trouble,
                // It may have been written although the store said that it could not be.
                Err(_) if pause > AGAIN && self.has(&commit).await => break,
                Err(failure) => return Err(failure),
            };
            if pause == AGAIN {
                tracing::error!("the record cannot be written, and what waits for it waits until it can: {trouble}");
            }
            let tries = self.progress.borrow().tries + 1;
            if tries >= self.last.load(Ordering::SeqCst) {
                return Err(trouble);
            }
            self.progress.send_modify(|progress| (progress.tries, progress.trouble) = (tries, Some(trouble)));
            self.sources.sleep(pause).await;
            pause = (2 * pause).min(AGAIN_AT_MOST);
        }
        if pause > AGAIN {
            tracing::warn!("the record is written again; nothing of it was lost");
            self.progress.send_modify(|progress| progress.trouble = None);
        }
        Ok(())
    }

    /// Whether the store has all events of this commit, and what it signs.
    async fn has(&self, commit: &Commit) -> bool {
        for update in &commit.actors {
            let last = commit.events.iter().rev().find(|(actor, _)| *actor == update.id);
            let stored = self.store.actor(update.id).await.ok().flatten().map(|entry| entry.head);
            if stored.is_none() || stored != last.map(|(_, event)| event.head()) {
                return false;
            }
        }
        let Some(signed) = &commit.tree else { return !commit.actors.is_empty() };
        let Some(log) = self.store.head_log() else { return false };
        log.end().await.is_ok_and(|end| end.tree == signed.tree && end.heads.contains(&signed.head))
    }

    fn failed(&self, failure: StoreError) {
        tracing::error!("nothing can be recorded any more: {failure}");
        self.progress.send_modify(|progress| progress.failure = Some(failure));
    }

    /// Commits the entries; signs with them if that is due, or if it must be `now`.
    async fn commit(&self, entries: Vec<Entry>, heads: Option<&mut TreeHeads>, now: bool) -> Result<(), StoreError> {
        let (memory, durable): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.ephemeral);
        let is_empty = durable.is_empty();
        let mut commit = merged(durable);
        if let Some(heads) = heads {
            heads.attach(&mut commit, now);
        }
        if !is_empty || commit.tree.is_some() {
            self.persist(commit).await?;
        }
        if !memory.is_empty() {
            self.memory.commit(merged(memory)).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a reader of the store that there is something new.
pub(crate) struct Commits(watch::Receiver<Progress>);

impl Commits {
    /// Waits for the next commit; `false` when there will be none.
    pub(crate) async fn next(&mut self) -> bool {
        self.0.changed().await.is_ok() && self.0.borrow().failure.is_none()
    }
}
