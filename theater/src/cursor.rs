//! Following a chain.

use std::collections::VecDeque;
use std::sync::Arc;

use theater_chain::{ChainEvent, ChainStore, StoreError, TheaterId};

use crate::journal::Commits;

/// Events read at a time.
const PAGE: usize = 256;

/// Reads one chain from a place on, and waits for more at its end. It reads from the store, so that
/// a slow reader holds up nobody and loses nothing.
pub struct EventCursor {
    actor: TheaterId,
    next: u64,
    read: VecDeque<ChainEvent>,
    store: Arc<dyn ChainStore>,
    commits: Commits,
}

impl EventCursor {
    pub(crate) fn new(actor: TheaterId, from: u64, store: Arc<dyn ChainStore>, commits: Commits) -> Self {
        Self { actor, next: from, read: VecDeque::new(), store, commits }
    }

    /// The next event, as soon as it is committed; `None` when nothing can be committed any more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn next(&mut self) -> Result<Option<ChainEvent>, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.next = event.seq + 1;
                return Ok(Some(event));
            }
            self.read = self.store.events(self.actor, self.next, PAGE).await?.into();
            if self.read.is_empty() && !self.commits.next().await {
                return Ok(None);
            }
        }
    }
}
