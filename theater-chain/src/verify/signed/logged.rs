//! Whether each chain has the heads in it that are logged for it.

use std::collections::{HashMap, HashSet};

use super::Halt;
use crate::verify::report::Sentences;
use crate::verify::{ActorReport, Fault, StoreReport};
use crate::{ChainStore, Head, LoggedHead, StoreError, TheaterId};

/// How many entries are held at once, so that memory is bounded (50 MB). Since a chain's heads are
/// logged in its order, each window needs another part of it.
const WINDOW: usize = 1 << 20;

/// How many events are read at once.
const PAGE: usize = 1024;

/// Where fewer than one event in so many is logged, each is read alone.
const SPARSE: u64 = 64;

/// Entries of the log that were not held against the chains yet.
pub(super) struct Logged {
    /// Whether the actors that are reported are all that there are.
    whole: bool,
    /// How many entries are covered by a signature that was checked, with the key that was given if one was.
    counted: u64,
    /// How many are covered by one of the key that was given, or by any if none was.
    covered: u64,
    /// How many were pushed.
    pushed: u64,
    heads: HashMap<TheaterId, Heads>,
    count: usize,
    /// Actors with heads of events that are not there; and those of which some is there.
    skipped: HashSet<TheaterId>,
    left: HashSet<TheaterId>,
}

/// The heads of one actor.
#[derive(Default)]
struct Heads {
    logged: Vec<Head>,
    /// The newest seqs of those that are counted, and that are covered.
    counted: Option<u64>,
    covered: Option<u64>,
}

impl Logged {
    pub(super) fn new(whole: bool, counted: u64, covered: u64) -> Self {
        let (heads, skipped, left) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { whole, counted, covered, pushed: 0, heads, count: 0, skipped, left }
    }

    pub(super) fn push(&mut self, LoggedHead { actor, head }: LoggedHead) {
        let heads = self.heads.entry(actor).or_default();
        heads.logged.push(head);
        if self.pushed < self.counted {
            heads.counted = heads.counted.max(Some(head.seq));
        }
        if self.pushed < self.covered {
            heads.covered = heads.covered.max(Some(head.seq));
        }
        self.pushed += 1;
        self.count += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= WINDOW
    }

    /// Holds the chains against what was pushed since the last time. What is wrong becomes the fault
    /// of the actor, if it has none yet.
    pub(super) async fn check(
        &mut self,
        store: &dyn ChainStore,
        report: &mut StoreReport,
        unchecked: &mut Sentences,
    ) -> Result<(), Halt> {
        self.count = 0;
        let mut heads = std::mem::take(&mut self.heads);
        for actor in &mut report.actors {
            let Some(Heads { mut logged, counted, covered }) = heads.remove(&actor.id) else { continue };
            // In a chain that went back they are not in order, and one of them is not in it.
            logged.sort_by_key(|head| head.seq);
            let kept_from = store.kept_from(actor.id).await?;
            let (dropped, kept) = logged.split_at(logged.partition_point(|head| head.seq < kept_from));
            if let Some(last) = dropped.last() {
                unchecked.add("signed heads of events that were not kept");
                self.skipped.insert(actor.id);
                if let Err(fault) = follows(store, actor.id, kept_from, *last).await? {
                    actor.fault.get_or_insert(fault);
                }
            }
            if kept_from > 0 && covered >= Some(kept_from) {
                self.left.insert(actor.id);
            }
            match chain(store, actor.id, kept).await? {
                Ok(()) => actor.signed = actor.signed.max(counted.filter(|seq| *seq >= kept_from)),
                Err(fault) => {
                    actor.fault.get_or_insert(fault);
                }
            }
        }
        if self.whole {
            for (id, Heads { logged, .. }) in heads {
                let newest = logged.iter().map(|head| head.seq).max().unwrap_or_default();
                let reason = format!("the actor is not here, and its event {newest} is signed");
                report.actors.push(ActorReport::missing(id, reason));
            }
        }
        Ok(())
    }

    /// After all: where signed heads are of dropped events, what stayed must be signed, too. Whoever
    /// cannot sign could else drop what is signed, and have another history follow.
    pub(super) async fn finish(self, store: &dyn ChainStore, report: &mut StoreReport) -> Result<(), Halt> {
        for actor in &mut report.actors {
            if self.skipped.contains(&actor.id) && !self.left.contains(&actor.id) && !store.forgets(actor.id).await? {
                let reason = "what is signed of this chain was dropped, and nothing of what is there is signed".into();
                actor.fault.get_or_insert(Fault { seq: store.kept_from(actor.id).await?, reason });
            }
        }
        Ok(())
    }
}

/// Whether the first event that is there follows `last`, the newest signed one that is not.
async fn follows(
    store: &dyn ChainStore,
    id: TheaterId,
    kept_from: u64,
    last: Head,
) -> Result<Result<(), Fault>, StoreError> {
    if last.seq.saturating_add(1) != kept_from {
        return Ok(Ok(()));
    }
    let first = match store.events(id, kept_from, 1).await {
        Err(StoreError::Damaged(_)) => None, // which is a fault of the chain itself
        page => page?.pop(),
    };
    match first {
        Some(first) if first.parent_hash != last.hash => {
            let reason = "the event before it is not the one that is signed".into();
            Ok(Err(Fault { seq: kept_from, reason }))
        }
        _ => Ok(Ok(())),
    }
}

/// Whether the chain has these heads, in the order of their seqs.
async fn chain(store: &dyn ChainStore, id: TheaterId, logged: &[Head]) -> Result<Result<(), Fault>, StoreError> {
    let mut left = logged;
    let (Some(first), Some(last)) = (left.first(), left.last()) else { return Ok(Ok(())) };
    let (last, mut next) = (last.seq, first.seq);
    let sparse = left.len() as u64 * SPARSE < last - first.seq;
    while let Some(wanted) = left.first() {
        next = if sparse { wanted.seq } else { next };
        let page = match store.events(id, next, if sparse { 1 } else { PAGE }).await {
            // Which is a fault of the chain itself.
            Err(StoreError::Damaged(reason)) => return Ok(Err(Fault { seq: next, reason })),
            page => page?,
        };
        let Some(newest) = page.last() else {
            let reason = format!("it is missing: the event {last} of this chain is signed");
            let end = store.actor(id).await?.map_or(next, |entry| next.min(entry.head.seq.saturating_add(1)));
            return Ok(Err(Fault { seq: end, reason }));
        };
        next = newest.seq.saturating_add(1);
        for event in &page {
            while let Some((wanted, rest)) = left.split_first()
                && wanted.seq == event.seq
            {
                if wanted.hash != event.hash {
                    let reason = "it is not the event that is signed".to_owned();
                    return Ok(Err(Fault { seq: event.seq, reason }));
                }
                left = rest;
            }
        }
        // A store that skips what it was asked for.
        if let Some(wanted) = left.first().filter(|wanted| wanted.seq < next) {
            return Ok(Err(Fault { seq: wanted.seq, reason: "it is missing, and it is signed".to_owned() }));
        }
    }
    Ok(Ok(()))
}
