//! Reading a chain in pages, its links and hashes checked on the way: what every pass over a chain
//! needs that takes it for one.

use crate::{ChainEvent, ChainStore, Fault, Head, StoreError, TheaterId, Verifier};

/// The pages of one chain up to a head.
pub(crate) struct LinkedPages<'s> {
    store: &'s dyn ChainStore,
    actor: TheaterId,
    head: Head,
    links: Verifier,
    /// How many events are read at once.
    page: usize,
}

/// Why the pages end early.
pub(crate) enum Broken {
    /// What is stored is no chain up to the head.
    Fault(Fault),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'s> LinkedPages<'s> {
    /// The events that follow what `links` accepted, up to `head`.
    pub(crate) fn new(store: &'s dyn ChainStore, actor: TheaterId, links: Verifier, head: Head, page: usize) -> Self {
        Self { store, actor, head, links, page }
    }

    /// The seq of the event that comes next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.links.next_seq()
    }

    /// The next events, at least one; `None` after the head, which was found to be the right one.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<ChainEvent>>, Broken> {
        let from = self.links.next_seq();
        let fault = |seq: u64, reason: &str| Err(Broken::Fault(Fault { seq, reason: reason.to_owned() }));
        if from > self.head.seq {
            return match self.links.head() == Some(self.head) {
                true => Ok(None),
                false => fault(self.head.seq, "the stored head has another hash"),
            };
        }
        let due = usize::try_from(self.head.seq - from).map_or(self.page, |left| self.page.min(left.saturating_add(1)));
        let page = match self.store.events(self.actor, from, due).await {
            Err(StoreError::Damaged(reason)) => return fault(from, &reason),
            page => page?,
        };
        if page.is_empty() {
            return fault(from, "it is missing");
        }
        for event in &page {
            self.links.push(event).map_err(Broken::Fault)?;
        }
        Ok(Some(page))
    }
}
