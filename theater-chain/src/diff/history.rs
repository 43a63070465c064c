//! What happened for an actor, from the very beginning: of a fork also what happened before it, in
//! the chain of the actor that it was forked from.

use std::collections::VecDeque;

use crate::data::{ActorForked, EventData as _};
use crate::{ChainEvent, ChainStore, Digest, Standing, StoreError, TheaterId};

/// Events read at once.
const PAGE: usize = 256;

/// How often a fork may have been forked again.
const MAX_FORKS: usize = 1_000;

/// The first event of a fork that is its own: after `actor_forked` and `actor_started`.
const OWN: u64 = 2;

/// A part of a history that lies in one chain.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) store: &'a dyn ChainStore,
    pub(super) actor: TheaterId,
    pub(super) from: u64,
    /// The first one that is not of it.
    pub(super) end: u64,
}

/// A history that is read forwards.
pub(super) struct History<'a> {
    segments: VecDeque<Segment<'a>>,
    page: VecDeque<ChainEvent>,
    /// The components that were exchanged on the way, and that of the beginning.
    pub(super) component: Option<Digest>,
    /// The actor that a fork was forked from, where its chain is not there.
    pub(super) origin_missing: Option<TheaterId>,
}

impl<'a> History<'a> {
    /// Of an actor in the first of these stores; what it was forked from may be in any of them.
    pub(super) async fn of(stores: &[&'a dyn ChainStore], actor: TheaterId) -> Result<Self, StoreError> {
        let Some(mut store) = stores.first().copied() else {
            return Err(StoreError::Damaged("there is no store to read a history from".into()));
        };
        let missing = |actor: TheaterId| StoreError::Damaged(format!("the chain of {actor} is not in the store"));
        let entry = store.actor(actor).await?.ok_or_else(|| missing(actor))?;
        let component = Standing::read(store, actor, entry.head.seq).await?.map(|standing| standing.component);
        let (mut actor, mut end) = (actor, entry.head.seq + 1);
        let mut history = Self { segments: VecDeque::new(), page: VecDeque::new(), component, origin_missing: None };
        for _ in 0..MAX_FORKS {
            let from = store.kept_from(actor).await?;
            let first = store.events(actor, from, 1).await?.pop();
            let forked = first.filter(|first| first.event_type == ActorForked::TYPE);
            let forked = forked.and_then(|first| ActorForked::decode(&first.data).ok());
            let Some(forked) = forked else {
                history.segments.push_front(Segment { store, actor, from, end });
                return Ok(history);
            };
            let Some((found, standing)) = origin(stores, &forked).await? else {
                history.segments.push_front(Segment { store, actor, from, end });
                history.origin_missing = Some(forked.of);
                return Ok(history);
            };
            history.segments.push_front(Segment { store, actor, from: OWN.min(end), end });
            (store, actor, end) = (found, forked.of, standing.parts_at());
        }
        Err(StoreError::Damaged(format!("{actor} was forked more than {MAX_FORKS} times over")))
    }

    /// The first event of the history that is there: its chain, and its seq.
    pub(super) fn begins(&self) -> Option<(TheaterId, u64)> {
        self.segments.front().map(|segment| (segment.actor, segment.from))
    }

    /// Leaves out the part that both have from the same chains; how many events that is.
    pub(super) fn skip_shared(&mut self, other: &mut Self) -> u64 {
        let mut shared = 0;
        while let (Some(mine), Some(theirs)) = (self.segments.front_mut(), other.segments.front_mut()) {
            let is_same = std::ptr::addr_eq(mine.store, theirs.store) && mine.actor == theirs.actor;
            if !is_same || mine.from != theirs.from {
                break;
            }
            let end = mine.end.min(theirs.end);
            shared += end - mine.from;
            (mine.from, theirs.from) = (end, end);
            let (mine_over, theirs_over) = (mine.from == mine.end, theirs.from == theirs.end);
            if mine_over {
                self.segments.pop_front();
            }
            if theirs_over {
                other.segments.pop_front();
            }
            if !(mine_over && theirs_over) {
                break;
            }
        }
        shared
    }

    /// The next event, and the actor in whose chain it is.
    pub(super) async fn next(&mut self) -> Result<Option<(Segment<'a>, ChainEvent)>, StoreError> {
        loop {
            let Some(segment) = self.segments.front_mut() else { return Ok(None) };
            if segment.from >= segment.end {
                self.segments.pop_front();
                self.page.clear();
                continue;
            }
            if self.page.is_empty() {
                let due = usize::try_from(segment.end - segment.from).unwrap_or(PAGE).min(PAGE);
                self.page = segment.store.events(segment.actor, segment.from, due).await?.into();
            }
            let Some(event) = self.page.pop_front().filter(|event| event.seq == segment.from) else {
                let (actor, seq) = (segment.actor, segment.from);
                return Err(StoreError::Damaged(format!("event {seq} of {actor} is missing")));
            };
            segment.from += 1;
            return Ok(Some((*segment, event)));
        }
    }
}

/// Where the chain is that a fork continues, if it is in any of these stores.
async fn origin<'a>(
    stores: &[&'a dyn ChainStore],
    forked: &ActorForked,
) -> Result<Option<(&'a dyn ChainStore, Standing)>, StoreError> {
    for store in stores {
        if store.actor(forked.of).await?.is_none() {
            continue;
        }
        if let Some(standing) = Standing::read(*store, forked.of, forked.at).await?
            && standing.event.hash == forked.head
        {
            return Ok(Some((*store, standing)));
        }
    }
    Ok(None)
}
