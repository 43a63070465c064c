//! A store in memory.

mod inner;
mod passing;

use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use self::inner::{Actor, Inner};
use crate::{
    ActorCheckpoint, ActorEntry, Answered, ChainEvent, ChainStore, Commit, Digest, HeadLog, ImportParts, LogEnd,
    LoggedHead, PAGE_BYTES, PendingMessage, StoreError, TheaterId,
};

/// A [`ChainStore`] that lasts as long as the process: for `ephemeral` actors and for tests.
#[derive(Debug, Default)]
pub struct MemoryStore {
    max_events: Option<usize>,
    inner: Mutex<Inner>,
}

impl MemoryStore {
    /// A store that keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that keeps the newest `max_events_per_actor` events of each chain, at least one.
    /// With an event goes what only it needed: its payload, the state that it recorded and the
    /// record of the message that it answered.
    pub fn bounded(max_events_per_actor: usize) -> Self {
        Self { max_events: Some(max_events_per_actor.max(1)), ..Self::default() }
    }

    /// A panic elsewhere leaves the maps whole: a commit checks before it changes anything.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ChainStore for MemoryStore {
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let heads = commit.check(|actor| Ok(inner.actors.get(&actor).map(|actor| actor.head)))?;
        inner.check_pending(&commit)?;
        commit.check_tree(inner.log.entries.len() as u64)?;
        let changed: Vec<TheaterId> = commit.actors.iter().map(|update| update.id).collect();
        inner.apply(commit, &heads);
        if let Some(max) = self.max_events {
            inner.drop_old(&changed, max);
        }
        Ok(())
    }

    async fn actor(&self, actor: TheaterId) -> Result<Option<ActorEntry>, StoreError> {
        Ok(self.lock().entry(actor))
    }

    async fn actors(&self, after: Option<TheaterId>, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        let inner = self.lock();
        let from = match after {
            None => 0,
            Some(id) => inner.actors.get(&id).map_or(inner.order.len(), |actor| actor.place + 1),
        };
        Ok(inner.order[from..].iter().take(max).filter_map(|id| inner.entry(*id)).collect())
    }

    async fn children(&self, parent: TheaterId, max: usize) -> Result<Vec<ActorEntry>, StoreError> {
        let inner = self.lock();
        let children = inner.children.get(&parent).map_or(&[][..], Vec::as_slice);
        Ok(children.iter().rev().take(max).filter_map(|id| inner.entry(*id)).collect())
    }

    async fn events(&self, actor: TheaterId, from: u64, max: usize) -> Result<Vec<ChainEvent>, StoreError> {
        let inner = self.lock();
        let Some(actor) = inner.actors.get(&actor) else {
            return Ok(Vec::new());
        };
        let skipped = from.saturating_sub(actor.first_kept());
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |event: &&ChainEvent| {
            let fits = bytes <= PAGE_BYTES;
            bytes += event.content_len();
            fits
        };
        Ok(actor.events.iter().skip(skipped).take(max).take_while(fits).cloned().collect())
    }

    async fn state(&self, hash: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().state(hash))
    }

    async fn component(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().components.get(&digest).cloned())
    }

    async fn manifest(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().manifests.get(&digest).cloned())
    }

    async fn pending(&self, receiver: Option<TheaterId>, max: usize) -> Result<Vec<PendingMessage>, StoreError> {
        let inner = self.lock();
        let wanted = inner.pending.values().filter(|message| receiver.is_none_or(|id| id == message.receiver));
        let with_payload = |message: &PendingMessage| {
            let payload = inner.payloads.get(&message.payload_commit).map(|(payload, _)| payload.clone());
            PendingMessage { payload, ..message.clone() }
        };
        Ok(wanted.take(max).map(with_payload).collect())
    }

    async fn answered(&self, message_id: &str) -> Result<Option<Answered>, StoreError> {
        Ok(self.lock().answered.get(message_id).cloned())
    }

    async fn kept_from(&self, actor: TheaterId) -> Result<u64, StoreError> {
        Ok(self.lock().actors.get(&actor).map_or(0, Actor::first_kept))
    }

    async fn thinned(&self, actor: TheaterId) -> Result<Option<u64>, StoreError> {
        Ok(self.lock().passing.thinned.get(&actor).copied().unwrap_or(Some(0)))
    }

    async fn forgets(&self, _: TheaterId) -> Result<bool, StoreError> {
        Ok(self.max_events.is_some())
    }

    async fn answers(&self, after: Option<&str>, max: usize) -> Result<Vec<Answered>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let inner = self.lock();
        Ok(inner.answered.range::<str, _>((from, Bound::Unbounded)).take(max).map(|(_, found)| found.clone()).collect())
    }

    async fn is_left_out(&self, actor: TheaterId) -> Result<bool, StoreError> {
        Ok(self.lock().left_out.contains(&actor))
    }

    async fn checkpoints(&self, actor: TheaterId) -> Result<Vec<ActorCheckpoint>, StoreError> {
        let of_actor = (actor, [u8::MIN; 32])..=(actor, [u8::MAX; 32]);
        Ok(self.lock().checkpoints.range(of_actor).map(|(_, found)| found.clone()).collect())
    }

    async fn import(&self, parts: ImportParts) -> Result<(), StoreError> {
        // All of it is held, as everything is in this store; so an error among them changes nothing.
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let mut inner = self.lock();
        inner.check_import(&parts)?;
        inner.apply_import(parts);
        Ok(())
    }

    fn head_log(&self) -> Option<&dyn HeadLog> {
        Some(self)
    }
}

#[async_trait]
impl HeadLog for MemoryStore {
    async fn end(&self) -> Result<LogEnd, StoreError> {
        Ok(self.lock().log.end.clone())
    }

    async fn entries(&self, from: u64, max: usize) -> Result<Vec<LoggedHead>, StoreError> {
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.lock().log.entries.iter().skip(skipped).take(max).copied().collect())
    }

    async fn unlogged(&self) -> Result<Vec<LoggedHead>, StoreError> {
        let inner = self.lock();
        let head = |id: &TheaterId| Some(LoggedHead { actor: *id, head: inner.actors.get(id)?.head });
        Ok(inner.log.changed.iter().filter_map(head).collect())
    }
}
