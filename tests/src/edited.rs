//! A record that somebody wrote anew.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use theater::chain::{ActorEntry, Answered, ChainEvent, Commit, Head, Payload, PendingMessage};
use theater::{ChainStore, Digest, StoreError, TheaterId};

/// A store that shows other events of one actor than it has, and that nobody may write.
pub struct Edited {
    store: Arc<dyn ChainStore>,
    actor: TheaterId,
    events: Vec<ChainEvent>,
    head: Option<Head>,
}

impl Edited {
    /// These events as they are; the head stays the one that the store has.
    pub fn new(store: Arc<dyn ChainStore>, actor: TheaterId, events: Vec<ChainEvent>) -> Self {
        Self { store, actor, events, head: None }
    }

    /// These events, chained and hashed again as one who rewrites a record would.
    pub fn rewritten(store: Arc<dyn ChainStore>, actor: TheaterId, events: Vec<ChainEvent>) -> Self {
        let mut chained: Vec<ChainEvent> = Vec::with_capacity(events.len());
        for event in events {
            let head = chained.last().map(ChainEvent::head);
            let payload = event.payload.map(|payload| Payload::new(*payload.salt(), payload.bytes().clone()));
            chained.push(ChainEvent::following(head.as_ref(), event.event_type, event.timestamp, event.data, payload));
        }
        let head = chained.last().map(ChainEvent::head);
        Self { store, actor, events: chained, head }
    }
}

#[async_trait]
impl ChainStore for Edited {
    async fn commit(&self, _: Commit) -> Result<(), StoreError> {
        panic!("nobody writes here")
    }

    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        let entry = self.store.actor(actor).await?;
        let head = self.head.filter(|_| actor == self.actor);
        Ok(entry.map(|entry| ActorEntry { head: head.unwrap_or(entry.head), ..entry }))
    }

    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.actors(after, max).await
    }

    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        self.store.children(parent, max).await
    }

    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        if actor != self.actor {
            return self.store.events(actor, from, max).await;
        }
        Ok(self.events.iter().filter(|event| event.seq >= from).take(max).cloned().collect())
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
