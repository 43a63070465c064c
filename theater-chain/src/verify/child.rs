//! Looking things up in the chain of a child, without ever holding more than a page of it.

use crate::data::{ActorStarted, ActorTerminated, EventData};
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, StoreError, TheaterId, newest};

/// How many events are read at once.
const PAGE: usize = 256;

/// Why a check ends.
#[derive(Debug)]
pub(super) enum Halt {
    /// What is stored is wrong.
    Fault(String),
    /// The store could not be read.
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(reason) => Self::Fault(reason),
            error => Self::Store(error),
        }
    }
}

pub(super) fn fault<T>(reason: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::Fault(reason.into()))
}

/// A child, as its parent's chain and the store know it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: TheaterId,
    /// The last range that its parent anchored.
    pub(super) anchored: Option<Anchored>,
    /// Its ends are told in their order: the next one is at this seq or a later one.
    pub(super) ends_from: u64,
    /// So are its errs.
    pub(super) errs_from: u64,
    stored: Option<Stored>,
    /// Events that are known to be of one incarnation.
    stretch: Option<Stretch>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Anchored {
    pub(super) to: u64,
    pub(super) volatile: bool,
}

/// What the store says of it: true as of some moment, and what it says of events up to `head` stays
/// true.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) parent: Option<TheaterId>,
    pub(super) head: u64,
    pub(super) kept_from: u64,
    incarnation: u32,
    started: u64,
    ended: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: u64,
    /// The first one that is not of it.
    end: u64,
    incarnation: u32,
}

impl Child {
    pub(super) async fn read(store: &dyn ChainStore, id: TheaterId) -> Result<Self, Halt> {
        let mut child = Self { id, anchored: None, ends_from: 0, errs_from: 0, stored: None, stretch: None };
        child.refresh(store).await?;
        Ok(child)
    }

    async fn refresh(&mut self, store: &dyn ChainStore) -> Result<(), Halt> {
        self.stored = match store.actor(self.id).await? {
            None => None,
            Some(ActorEntry { head, index, .. }) => Some(Stored {
                parent: index.parent,
                head: head.seq,
                kept_from: store.kept_from(self.id).await?,
                incarnation: index.incarnation,
                started: index.started,
                ended: index.ended,
            }),
        };
        Ok(())
    }

    /// What the store says of it, where it must say something of `seq`; `None`: it is not there.
    pub(super) async fn stored(&mut self, store: &dyn ChainStore, seq: u64) -> Result<Option<Stored>, Halt> {
        if self.stored.is_none_or(|stored| stored.head < seq) {
            self.refresh(store).await?;
        }
        Ok(self.stored)
    }

    pub(super) async fn event(&self, store: &dyn ChainStore, seq: u64) -> Result<Option<ChainEvent>, Halt> {
        Ok(store.events(self.id, seq, 1).await?.pop().filter(|event| event.seq == seq))
    }

    /// What `pick` makes of the first event of which it makes something, from `from` on.
    pub(super) async fn first<T: Send>(
        &self,
        store: &dyn ChainStore,
        from: u64,
        end: u64,
        mut pick: impl FnMut(&ChainEvent) -> Option<T> + Send,
    ) -> Result<Option<T>, Halt> {
        let mut next = from;
        while next < end {
            let due = usize::try_from(end - next).unwrap_or(PAGE).min(PAGE);
            let page = store.events(self.id, next, due).await?;
            let Some(last) = page.last() else { break };
            next = last.seq.saturating_add(1);
            if let Some(found) = page.iter().filter(|event| event.seq < end).find_map(&mut pick) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The incarnation that an event is of, one that the store has.
    pub(super) async fn incarnation_at(&mut self, store: &dyn ChainStore, seq: u64) -> Result<u32, Halt> {
        let Some(stored) = self.stored(store, seq).await? else { return self.missing() };
        if stored.started <= seq {
            return Ok(stored.incarnation);
        }
        if let Some(known) = self.stretch
            && (known.from..known.end).contains(&seq)
        {
            return Ok(known.incarnation);
        }
        // The next one says which it is; after an end it is not far.
        let start = |event: &ChainEvent| Some((event.seq, decoded::<ActorStarted>(event)?.incarnation));
        let Some((end, next)) = self.first(store, seq + 1, stored.started + 1, start).await? else {
            return fault(format!("the chain of {} has no start where the index entry says so", self.id));
        };
        let incarnation = next.saturating_sub(1);
        self.stretch = Some(Stretch { from: seq, end, incarnation });
        Ok(incarnation)
    }

    /// Where an incarnation ended, if it did and the store has it.
    pub(super) async fn end_of(&mut self, store: &dyn ChainStore, incarnation: u32) -> Result<Option<End>, Halt> {
        let is_stale = |stored: &Stored| {
            stored.incarnation < incarnation || stored.incarnation == incarnation && stored.ended.is_none()
        };
        if self.stored.as_ref().is_none_or(is_stale) {
            self.refresh(store).await?;
        }
        let Some(stored) = self.stored else { return self.missing() };
        if stored.incarnation < incarnation {
            return fault(format!("the chain of {} has no incarnation {incarnation}", self.id));
        }
        if stored.incarnation == incarnation {
            let Some(seq) = stored.ended else { return Ok(None) };
            return Ok(self.event(store, seq).await?.as_ref().and_then(End::of));
        }
        // It was anchored just after its end, if it was anchored at all.
        if let Some(anchored) = self.anchored {
            let from = self.ends_from.min(anchored.to);
            if let Some(end) = newest(store, self.id, from..anchored.to + 1, End::of).await?
                && self.incarnation_at(store, end.seq).await? == incarnation
            {
                return Ok(Some(end));
            }
        }
        let start =
            |event: &ChainEvent| (decoded::<ActorStarted>(event)?.incarnation == incarnation).then_some(event.seq);
        let from = self.ends_from.max(stored.kept_from);
        let Some(start) = self.first(store, from, stored.started, start).await? else { return Ok(None) };
        self.first(store, start, stored.started, End::of).await
    }

    pub(super) fn missing<T>(&self) -> Result<T, Halt> {
        fault(format!("the chain of {} is not in the store", self.id))
    }
}

/// The end of an incarnation.
#[derive(Debug)]
pub(super) struct End {
    pub(super) seq: u64,
    pub(super) hash: Digest,
    pub(super) data: ActorTerminated,
}

impl End {
    fn of(event: &ChainEvent) -> Option<Self> {
        Some(Self { seq: event.seq, hash: event.hash, data: decoded(event)? })
    }
}

/// The data of an event, if it is of this type. What cannot be read is a fault of that chain.
pub(super) fn decoded<D: EventData>(event: &ChainEvent) -> Option<D> {
    (event.event_type == D::TYPE).then(|| D::decode(&event.data).ok()).flatten()
}
