//! Whether each chain has the heads in it that are logged for it.

use std::collections::HashMap;

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
    heads: HashMap<TheaterId, Vec<Head>>,
    count: usize,
}

impl Logged {
    pub(super) fn new(whole: bool) -> Self {
        Self { whole, heads: HashMap::new(), count: 0 }
    }

    pub(super) fn push(&mut self, entry: LoggedHead) {
        self.heads.entry(entry.actor).or_default().push(entry.head);
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
            let Some(mut logged) = heads.remove(&actor.id) else { continue };
            // In a chain that went back they are not in order, and one of them is not in it.
            logged.sort_by_key(|head| head.seq);
            match chain(store, actor.id, &logged, unchecked).await? {
                Ok(signed) => actor.signed = actor.signed.max(signed),
                Err(fault) => {
                    actor.fault.get_or_insert(fault);
                }
            }
        }
        if self.whole {
            for (id, logged) in heads {
                let newest = logged.iter().map(|head| head.seq).max().unwrap_or_default();
                let reason = format!("the actor is not here, and its event {newest} is signed");
                report.actors.push(ActorReport::missing(id, reason));
            }
        }
        Ok(())
    }
}

/// Whether the chain has these heads, in the order of their seqs; the newest of them.
async fn chain(
    store: &dyn ChainStore,
    id: TheaterId,
    logged: &[Head],
    unchecked: &mut Sentences,
) -> Result<Result<Option<u64>, Fault>, StoreError> {
    let kept_from = store.kept_from(id).await?;
    let kept = logged.partition_point(|head| head.seq < kept_from);
    if kept > 0 {
        unchecked.add("signed heads of events that were not kept");
    }
    let mut left = &logged[kept..];
    let (Some(first), Some(last)) = (left.first(), left.last()) else { return Ok(Ok(None)) };
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
    Ok(Ok(Some(last)))
}
