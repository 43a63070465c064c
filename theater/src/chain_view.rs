//! Reading a chain: what was last committed, without entering the actor's mailbox.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use theater_chain::{ChainEvent, ChainStore, Digest, Head, StoreError, TheaterId};

use crate::actor::Actor;
use crate::journal::Journal;
use crate::recorder::Recorder;

/// A range of a chain, recorded in place of the events themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainRange {
    /// Whose chain.
    pub actor_id: TheaterId,
    /// The seq of the first event.
    pub from: u64,
    /// The seq after the last event.
    pub to: u64,
    /// The hash of the last event; zeros for an empty range.
    pub head: Digest,
}

/// Why a chain could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The events are larger than the manifest's limit `result`.
    #[error("the chain of {actor} is larger than {limit} bytes (the manifest's limit `result`); read it in ranges")]
    TooLarge {
        /// Whose chain.
        actor: TheaterId,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chain to read from.
#[derive(Clone)]
pub struct ChainView {
    id: TheaterId,
    journal: Arc<Journal>,
    store: Arc<dyn ChainStore>,
    recorder: Option<Arc<Recorder>>,
}

/// Events read from the store at a time.
const PAGE: usize = 1_000;

impl ChainView {
    pub(crate) fn new(actor: &Actor) -> Self {
        let journal = actor.shared.journal.clone();
        let store = journal.store(actor.recorder.ephemeral).clone();
        Self { id: actor.id, journal, store, recorder: Some(actor.recorder.clone()) }
    }

    /// Of an actor that has ended.
    pub(crate) fn of_ended(id: TheaterId, journal: Arc<Journal>, store: Arc<dyn ChainStore>) -> Self {
        Self { id, journal, store, recorder: None }
    }

    /// The newest event, which may not be committed yet; of an ended actor `None`.
    pub fn head(&self) -> Option<Head> {
        self.recorder.as_ref().and_then(|recorder| recorder.head())
    }

    /// Up to `max` events from `from` on, of those appended when this is called, and the range that
    /// they are. Waits until these are committed.
    ///
    /// # Errors
    /// They are larger than `limit` bytes, or the store failed.
    pub async fn events(
        &self,
        from: u64,
        max: usize,
        limit: usize,
    ) -> Result<(Vec<ChainEvent>, ChainRange), ReadError> {
        let head = self.head();
        self.journal.flushed().await?;
        let last = head.map_or(u64::MAX, |head| head.seq);
        let mut events: Vec<ChainEvent> = Vec::new();
        let mut size = 0;
        let mut next = from;
        while events.len() < max && next <= last {
            let page = self.store.events(self.id, next, PAGE.min(max - events.len())).await?;
            let Some(newest) = page.last() else { break };
            next = newest.seq + 1;
            for event in page.into_iter().filter(|event| event.seq <= last) {
                size += event.content_len() + 128;
                if size > limit {
                    return Err(ReadError::TooLarge { actor: self.id, limit });
                }
                events.push(event);
            }
        }
        let range = ChainRange {
            actor_id: self.id,
            // Of an ephemeral actor the first events may be gone.
            from: events.first().map_or(from, |event| event.seq),
            to: events.last().map_or(from, |event| event.seq + 1),
            head: events.last().map_or(Digest::ZERO, |event| event.hash),
        };
        Ok((events, range))
    }
}
