//! Going on after the process went down: the tree is made again from its record, and every actor
//! goes on from where it stood.
//!
//! Parents come before their children. An actor costs its newest state and the part of its chain
//! since its last call; one with children also what its chain says since its incarnation began.

mod before;
mod build;
mod facts;
mod links;
mod lost;
mod messages;
mod release;
mod tail;
mod untold;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use theater_chain::{ActorEntry, ChainStore, Digest, StoreError, TheaterId};

pub(crate) use self::before::{hold, started_before};

use self::facts::{ChildFacts, Facts};
use self::tail::Tail;
use crate::error::SpawnError;
use crate::runtime::TheaterRuntime;
use crate::shared::Shared;

/// Actors listed at once.
const PAGE: usize = 1_000;

/// What went on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The roots that run again, oldest first; not those whose end had begun.
    pub roots: Vec<TheaterId>,
    /// The actors that run again, or whose end is completed, roots included.
    pub actors: usize,
    /// Calls that were open and begin again.
    pub calls: usize,
    /// Messages that wait and were sent before.
    pub messages: usize,
    /// Ends that had begun and are completed.
    pub ends: usize,
    /// Actors that cannot be made again: their supervisors decide, and what is below them has ended.
    pub lost: usize,
}

/// Why a tree cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The runtime has actors already.
    #[error("a tree can be recovered only before any actor is started; {0} runs already")]
    Running(String),
    /// A root cannot be made again.
    #[error("actor {name} ({id}) cannot go on")]
    Actor {
        /// The actor.
        id: TheaterId,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: SpawnError,
    },
    /// The record of a root is not the one that was written.
    #[error("the tree cannot go on: {0}; `theater verify` says more")]
    Damaged(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for RecoverError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(reason) => Self::Damaged(reason),
            error => Self::Store(error),
        }
    }
}

impl TheaterRuntime {
    /// Has every tree of the store go on that was running when its process went down: the actors
    /// run again with their ids, incarnations and last committed states, calls that were open begin
    /// again with their recorded host calls answered from the record, messages that were sent are
    /// delivered, and what supervisors had decided is done. To be called before any actor is
    /// started. Returns when all of them are on their way, and roots whose end had begun
    /// have ended; in a store without such actors it does
    /// nothing.
    ///
    /// A child that cannot be made again (its component is not in the store, its handlers are not
    /// composed, its permissions are withdrawn, its chain is damaged) ends, and what is below it;
    /// its supervisor decides, as when a start fails.
    ///
    /// # Errors
    /// An actor runs already, a root cannot be made again or its record is damaged, or the store
    /// failed. Nothing runs then.
    pub async fn recover(&self) -> Result<Recovered, RecoverError> {
        self.recover_trees(|_| true).await
    }

    /// As [`TheaterRuntime::recover`], but of the roots that were running only these go on, each with its
    /// tree. The others stay in the record as they are, for this runtime as if they had ended.
    ///
    /// # Errors
    /// As of [`TheaterRuntime::recover`].
    pub async fn recover_trees(
        &self,
        goes_on: impl Fn(&ActorEntry) -> bool + Send + Sync,
    ) -> Result<Recovered, RecoverError> {
        if let Some(actor) = self.shared.tree.all().first() {
            return Err(RecoverError::Running(actor.label()));
        }
        self.shared.journal.begun().await?;
        self.shared.journal.flushed().await?;
        let record = Record::read(&self.shared, &goes_on).await?;
        record.go_on(&self.shared).await
    }
}

/// What the store says of the trees that were running.
struct Record {
    /// The actors that had not ended, parents before their children.
    live: Vec<Known>,
    /// Children that had not ended, and whose chains are not those that were written.
    damaged: Vec<Damaged>,
    /// Ended children of these.
    ended: HashMap<TheaterId, Vec<ActorEntry>>,
}

/// An actor that had not ended.
struct Known {
    entry: ActorEntry,
    tail: Tail,
    facts: Facts,
}

/// An actor whose chain cannot be gone on with, and why.
struct Damaged {
    entry: ActorEntry,
    reason: String,
}

impl Record {
    async fn read(shared: &Arc<Shared>, goes_on: &(impl Fn(&ActorEntry) -> bool + Sync)) -> Result<Self, RecoverError> {
        let store = &**shared.journal.store(false);
        let mut entries: Vec<ActorEntry> = Vec::new();
        let mut ids: HashSet<TheaterId> = HashSet::new();
        let mut ended: HashMap<TheaterId, Vec<ActorEntry>> = HashMap::new();
        let mut parents: HashSet<TheaterId> = HashSet::new();
        let mut after = None;
        loop {
            let page = store.actors(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for entry in page {
                if entry.index.parent.is_some_and(|parent| !ids.contains(&parent)) {
                    continue; // it ended with its parent
                }
                if entry.index.incarnation == 0 {
                    continue; // a fork that was not made
                }
                if entry.index.parent.is_none() && !goes_on(&entry) {
                    continue;
                }
                parents.extend(entry.index.parent);
                match (entry.index.ended, entry.index.parent) {
                    (None, _) => {
                        ids.insert(entry.id);
                        entries.push(entry);
                    }
                    (Some(_), Some(parent)) => ended.entry(parent).or_default().push(entry),
                    (Some(_), None) => {}
                }
            }
        }
        let (mut live, mut damaged) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let has_children = parents.contains(&entry.id);
            match Known::read(store, &entry, has_children).await {
                Ok((tail, facts)) => live.push(Known { entry, tail, facts }),
                Err(StoreError::Damaged(reason)) if entry.index.parent.is_some() => {
                    damaged.push(Damaged { entry, reason });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { live, damaged, ended })
    }
}

impl Known {
    async fn read(store: &dyn ChainStore, entry: &ActorEntry, has_children: bool) -> Result<(Tail, Facts), StoreError> {
        let facts = if has_children { Facts::read(store, entry).await? } else { Facts::default() };
        Ok((Tail::read(store, entry).await?, facts))
    }

    /// What its chain says of a child.
    fn of_child(&self, child: TheaterId) -> ChildFacts {
        self.facts.children.get(&child).copied().unwrap_or_default()
    }

    /// The decisions in the actor's chain.
    fn decisions(&self) -> HashSet<Digest> {
        self.facts.children.values().filter_map(|child| child.decided).collect()
    }
}
