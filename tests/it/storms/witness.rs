//! A store that notes the order in which things happened over all chains.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainStore, Commit, MemoryStore, PendingMessage};
use theater::{ChainEvent, Digest, StoreError, TheaterId};

/// In memory, and every event with its actor in the one order of commits.
#[derive(Clone, Default)]
pub(super) struct Witness {
    store: Arc<MemoryStore>,
    seen: Arc<Mutex<Vec<(TheaterId, String)>>>,
}

impl Witness {
    /// Forgets what it saw and returns it.
    pub(super) fn take(&self) -> Vec<(TheaterId, String)> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// Each actor has one life at a time, and none without its parent; all have ended.
    /// Returns how many lives each had.
    pub(super) fn lives(
        seen: &[(TheaterId, String)],
        parents: &HashMap<TheaterId, Option<TheaterId>>,
    ) -> HashMap<TheaterId, u32> {
        let mut live: HashMap<TheaterId, bool> = HashMap::new();
        let mut lives: HashMap<TheaterId, u32> = HashMap::new();
        for (actor, event) in seen {
            let is_live = live.get(actor).copied().unwrap_or_default();
            match event.as_str() {
                "actor_started" => {
                    assert!(!is_live, "{actor} has two lives at once");
                    if let Some(Some(parent)) = parents.get(actor) {
                        assert!(live.get(parent).copied().unwrap_or_default(), "{actor} starts without its parent");
                    }
                    live.insert(*actor, true);
                    *lives.entry(*actor).or_default() += 1;
                }
                "actor_terminated" => {
                    assert!(is_live, "{actor} ends twice");
                    for (child, _) in parents.iter().filter(|(_, parent)| **parent == Some(*actor)) {
                        assert!(!live.get(child).copied().unwrap_or_default(), "{child} outlives its parent {actor}");
                    }
                    live.insert(*actor, false);
                }
                _ => {}
            }
        }
        let left: Vec<_> = live.iter().filter(|(_, is_live)| **is_live).collect();
        assert!(left.is_empty(), "without an end: {left:?}");
        lives
    }
}

#[async_trait]
impl ChainStore for Witness {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let events = commit.events.iter().map(|(actor, event)| (*actor, event.event_type.to_string()));
        self.seen.lock().unwrap().extend(events);
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
