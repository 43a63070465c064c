//! Pruning: the older events of a chain are dropped with their payloads and states, and an event says
//! so. It has what the proofs of later events need of them, so that these stay the same.

mod needs;
mod states;

use std::fmt;

use serde::Serialize;

use self::needs::Needs;
use crate::data::{EventData, Pruned};
use crate::linked::{Broken, LinkedPages};
use crate::merkle::leaf;
use crate::{
    ActorEntry, ActorUpdate, ChainEvent, ChainStore, Commit, DroppedEvents, Fault, StoreError, TheaterId, Verifier,
    kept,
};

/// How many rows are read at once.
const PAGE: usize = 256;

/// What was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// The actor.
    pub actor: TheaterId,
    /// How many events.
    pub events: u64,
    /// How many states, which no other event of the store names.
    pub states: usize,
    /// The seq of the first event that is there.
    pub kept_from: u64,
}

/// Why events could not be dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// Later events are needed.
    #[error("event {seq} of the chain is still needed: {why}; {}", most(*.highest))]
    Needed {
        /// The first event that has to stay.
        seq: u64,
        /// What for.
        why: Need,
        /// The highest seq after which events can be kept; `None`: nothing can be dropped.
        highest: Option<u64>,
    },
    /// They are not there any more.
    #[error("the chain is kept from event {0} on already")]
    Already(u64),
    /// It is not clear what was dropped before: the tree of the proofs has no beginning.
    #[error("the chain is kept from event {0} on, and does not say what was before: `theater verify` says more")]
    Unknown(u64),
    /// The chain is not one, and dropping a part of it would hide that.
    #[error("the chain does not verify: {0}")]
    Broken(#[from] Fault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Broken> for PruneError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Fault(fault) => Self::Broken(fault),
            Broken::Store(error) => Self::Store(error),
        }
    }
}

fn most(highest: Option<u64>) -> String {
    match highest {
        Some(seq) => format!("the highest SEQ that is possible is {seq}"),
        None => "nothing can be dropped".into(),
    }
}

/// What an event is needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// The newest incarnation begins with it: a recovery, a restart and a replay begin there.
    Incarnation,
    /// A message that waits came from there.
    Waiting(String),
    /// Somebody waits for the answer to this message.
    Asked(String),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incarnation => write!(f, "the newest incarnation begins with it"),
            Self::Waiting(id) => write!(f, "message {id} waits and came from there"),
            Self::Asked(id) => write!(f, "a call that is open elsewhere waits for the answer to message {id}"),
        }
    }
}

/// Drops the events of an actor up to and with `seq`, and records that. `now` is the time in
/// milliseconds since the Unix epoch; `on_progress` is told how many events were read, of all passes.
/// Nothing may write to the store meanwhile.
///
/// What was signed stays valid. That the chain is the one that was signed is for the caller to verify
/// before.
///
/// # Errors
/// See [`PruneError`]; nothing was dropped then.
pub async fn prune(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    seq: u64,
    now: u64,
    on_progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Dropped, PruneError> {
    let (actor, first) = (entry.id, store.kept_from(entry.id).await?);
    let kept_from = seq.saturating_add(1);
    if kept_from <= first {
        return Err(PruneError::Already(first));
    }
    let mut tree = kept::beginning(store, actor).await?.ok_or(PruneError::Unknown(first))?;
    let needs = Needs::read(store, entry).await?;
    let mut least = (entry.index.started, Need::Incarnation);
    let mut pages = LinkedPages::new(store, actor, Verifier::starting_at(first), entry.head, PAGE);
    let (mut parent_hash, mut states) = (None, states::Named::default());
    while let Some(page) = pages.next().await? {
        for event in &page {
            if let Some(need) = needs.of(event).filter(|(from, _)| *from < least.0) {
                least = need;
            }
            if event.seq < kept_from {
                tree.push(leaf(&[event.hash.as_bytes()]));
                parent_hash = Some(event.hash);
                states.dropped(event);
            }
        }
        on_progress(pages.next_seq() - first);
    }
    let (least, why) = least;
    let (true, Some(parent_hash)) = (kept_from <= least, parent_hash) else {
        let highest = least.checked_sub(1).filter(|highest| *highest >= first);
        return Err(PruneError::Needed { seq: least, why, highest });
    };
    let states = states.unneeded(store, actor, kept_from, pages.next_seq() - first, on_progress).await?;
    let data = Pruned { kept_from, parent_hash, dropped: kept_from - first, frontier: tree.peaks().to_vec() };
    let event = ChainEvent::following(Some(&entry.head), Pruned::TYPE, now, data.encode(), None);
    let dropped = Dropped { actor, events: data.dropped, states: states.len(), kept_from };
    let commit = Commit {
        actors: vec![ActorUpdate { id: actor, expected: Some(entry.head), index: entry.index.clone() }],
        events: vec![(actor, event)],
        dropped: vec![DroppedEvents { actor, kept_from, states }],
        ..Commit::default()
    };
    store.commit(commit).await?;
    Ok(dropped)
}
