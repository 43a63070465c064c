//! Pruning: the older events of a chain are dropped with their payloads and states, and an event says
//! so. It has what the proofs of later events need of them, so that these stay the same.

mod needs;
mod signed;
mod states;

use std::fmt;

use serde::Serialize;

use self::needs::Needs;
use crate::data::{EventData, Pruned};
use crate::linked::{Broken, LinkedPages};
use crate::merkle::{Frontier, leaf};
use crate::note::HostKey;
use crate::{
    ActorEntry, ActorUpdate, ChainEvent, ChainStore, Commit, Digest, DroppedEvents, Fault, Payload, SignedLog,
    StoreError, TheaterId, Verifier, initial, kept,
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
    /// The host with this key signed the events before it, where the chain came from.
    Signature(String),
    /// It is the newest one that is signed, and there is no key to sign what stays.
    Signed,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incarnation => write!(f, "the newest incarnation begins with it"),
            Self::Waiting(id) => write!(f, "message {id} waits and came from there"),
            Self::Signature(origin) => {
                write!(f, "what {origin} signed of the chain, where it came from, could not be checked without it")
            }
            Self::Signed => write!(f, "it is the newest that is signed, and there is no host key to sign what stays"),
            Self::Asked(id) => write!(f, "a call that is open elsewhere waits for the answer to message {id}"),
        }
    }
}

/// What is to be dropped, and what doing so needs.
#[derive(Debug, Clone, Copy)]
pub struct Pruning<'a> {
    /// The seq of the last event to drop.
    pub keep_after: u64,
    /// The time in milliseconds since the Unix epoch.
    pub now: u64,
    /// Random bytes, for a payload that hides what is guessed of it.
    pub salt: [u8; 16],
    /// The key of the host that records in the store, where it has one: the log of heads is signed with what
    /// is dropped, so that the chain says nothing that nobody signed.
    pub key: Option<&'a HostKey>,
}

/// Drops the events of an actor up to and with [`Pruning::keep_after`], and records that, with what a
/// restart with `reset` needs of them. `on_progress` is told how many events were read, of all passes.
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
    pruning: &Pruning<'_>,
    on_progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Dropped, PruneError> {
    let actor = entry.id;
    let mut pass = Pass::new(store, entry, pruning).await?;
    let (kept_from, first) = (pass.kept_from, pass.first);
    let mut pages = LinkedPages::new(store, actor, Verifier::starting_at(first), entry.head, PAGE);
    while let Some(page) = pages.next().await? {
        page.iter().for_each(|event| pass.event(event));
        on_progress(pages.next_seq() - first);
    }
    let (data, named) = pass.end()?;
    let states = named.unneeded(store, actor, kept_from, pages.next_seq() - first, on_progress).await?;
    // What cannot be known any more is not known without what is dropped either.
    let initial = initial::first(store, actor).await?.payload().map(|bytes| Payload::new(pruning.salt, bytes));
    let event = ChainEvent::following(Some(&entry.head), Pruned::TYPE, pruning.now, data.encode(), initial);
    let tree = match pruning.key {
        Some(key) => SignedLog::open(store, key.public()).await?.and_then(|mut log| {
            log.changed(actor, event.head());
            log.sign(key)
        }),
        None => None,
    };
    let dropped = Dropped { actor, events: kept_from - first, states: states.len(), kept_from };
    let commit = Commit {
        actors: vec![ActorUpdate { id: actor, expected: Some(entry.head), index: entry.index.clone() }],
        events: vec![(actor, event)],
        dropped: vec![DroppedEvents { actor, kept_from, states }],
        tree,
        ..Commit::default()
    };
    store.commit(commit).await?;
    Ok(dropped)
}

/// One pass over the chain that is to be pruned.
struct Pass {
    /// The first event that is there, and the first that stays.
    first: u64,
    kept_from: u64,
    /// Over the hashes of all events before the first one that stays.
    tree: Frontier,
    parent_hash: Option<Digest>,
    needs: Needs,
    /// The first event that has to stay, and what for.
    least: (u64, Need),
    /// Up to where the chain says that it was pruned, here or where it came from.
    said: u64,
    named: states::Named,
}

impl Pass {
    async fn new(store: &dyn ChainStore, entry: &ActorEntry, pruning: &Pruning<'_>) -> Result<Self, PruneError> {
        let first = store.kept_from(entry.id).await?;
        let kept_from = pruning.keep_after.saturating_add(1);
        if kept_from <= first {
            return Err(PruneError::Already(first));
        }
        let tree = kept::beginning(store, entry.id).await?.ok_or(PruneError::Unknown(first))?;
        let needs = Needs::read(store, entry).await?;
        let mut least = (entry.index.started, Need::Incarnation);
        if let Some(of_signatures) = signed::least(store, entry, first, pruning.key).await?
            && of_signatures.0 < least.0
        {
            least = of_signatures;
        }
        let named = states::Named::default();
        Ok(Self { first, kept_from, tree, parent_hash: None, needs, least, said: first, named })
    }

    fn event(&mut self, event: &ChainEvent) {
        if let Some(need) = self.needs.of(event).filter(|(from, _)| *from < self.least.0) {
            self.least = need;
        }
        if event.event_type == Pruned::TYPE
            && let Ok(before) = Pruned::decode(&event.data)
        {
            self.said = self.said.max(before.kept_from);
        }
        if event.seq < self.kept_from {
            self.tree.push(leaf(&[event.hash.as_bytes()]));
            self.parent_hash = Some(event.hash);
            self.named.dropped(event);
        }
    }

    /// What is recorded, if nothing is dropped that is needed, and the states that may go.
    fn end(self) -> Result<(Pruned, states::Named), PruneError> {
        let Self { first, kept_from, tree, parent_hash, least: (least, why), said, named, .. } = self;
        let (true, Some(parent_hash)) = (kept_from <= least, parent_hash) else {
            let highest = least.checked_sub(1).filter(|highest| *highest >= first);
            return Err(PruneError::Needed { seq: least, why, highest });
        };
        // One that came from where it was pruned says so already.
        let dropped = kept_from.checked_sub(said).filter(|dropped| *dropped > 0).ok_or(PruneError::Already(said))?;
        Ok((Pruned { kept_from, parent_hash, dropped, frontier: tree.peaks().to_vec() }, named))
    }
}
