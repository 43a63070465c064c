//! Going on after the process went down: the tree is made again from its record, and every actor
//! goes on from where it stood.
//!
//! Parents come before their children. An actor costs its newest state and the part of its chain
//! since its last call; one with children also what its chain says since its incarnation began.

mod before;
mod build;
mod facts;
mod messages;
mod release;
mod tail;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use theater_chain::{ActorEntry, StoreError, TheaterId};

pub(crate) use self::before::{hold, started_before};

use self::facts::Facts;
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
}

/// Why a tree cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The runtime has actors already.
    #[error("a tree can be recovered only before any actor is started; {0} runs already")]
    Running(String),
    /// An actor cannot be made again.
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
    /// The record is not the one that was written.
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
    /// # Errors
    /// An actor runs already, one cannot be made again (its handlers are not composed, its
    /// permissions are withdrawn), the record is damaged, or the store failed. Nothing runs then.
    pub async fn recover(&self) -> Result<Recovered, RecoverError> {
        if let Some(actor) = self.shared.tree.all().first() {
            return Err(RecoverError::Running(actor.label()));
        }
        self.shared.journal.begun().await?;
        let record = Record::read(&self.shared).await?;
        record.go_on(&self.shared).await
    }
}

/// What the store says of the trees that were running.
struct Record {
    /// The actors that had not ended, parents before their children.
    live: Vec<Known>,
    /// Ended children of these.
    ended: HashMap<TheaterId, Vec<ActorEntry>>,
}

/// An actor that had not ended.
struct Known {
    entry: ActorEntry,
    tail: Tail,
    facts: Facts,
}

impl Record {
    async fn read(shared: &Arc<Shared>) -> Result<Self, RecoverError> {
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
        let mut live = Vec::with_capacity(entries.len());
        for entry in entries {
            let facts = if parents.contains(&entry.id) { Facts::read(store, &entry).await? } else { Facts::default() };
            let tail = Tail::read(store, &entry).await?;
            live.push(Known { entry, tail, facts });
        }
        Ok(Self { live, ended })
    }
}
