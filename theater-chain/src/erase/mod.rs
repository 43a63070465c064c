//! Erasing a payload: the bytes go with their salt, the chains still verify, and the record says
//! that they were erased, and why.
//!
//! A message leaves copies: with its sender's host call, where it waits, and with its receiver's
//! call; so does an answer. They are told by the message's id, and erasing one erases all, also what a
//! fork took over of them. So it is with what `init` ran on first, which each start with `reset` has again. What
//! guests made of them cannot be told: the states that may derive from them are listed.

mod chain;
mod forks;
mod trace;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use self::forks::Forks;
use self::trace::{Found, Trace};
use crate::data::{DeadLetter, EventData, PayloadErased};
use crate::{ActorEntry, ActorUpdate, ChainEvent, ChainStore, Commit, Digest, StoreError, TheaterId};

/// How many rows are read at once.
const PAGE: usize = 256;

/// What was erased, and what remains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Erased {
    /// The commits of the payloads: the one asked for, and those of its copies.
    pub payloads: Vec<Digest>,
    /// The events that had them.
    pub events: Vec<Reference>,
    /// The messages that waited with them; each is a dead letter now.
    pub pending: Vec<String>,
    /// States that the calls with these payloads left, and that are still stored. Later states of
    /// the same actors may derive from them.
    pub states: Vec<DerivedState>,
}

/// An event with an erased payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reference {
    /// The actor.
    pub actor: TheaterId,
    /// The event.
    pub seq: u64,
    /// What kind of event it is.
    pub event_type: String,
}

/// A state that may hold what was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DerivedState {
    /// The actor.
    pub actor: TheaterId,
    /// The event that left it.
    pub seq: u64,
    /// Its hash.
    pub state: Digest,
}

/// Why a payload could not be erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// No event and no message has it.
    #[error("no event of the record has a payload with the commit {0}")]
    Unknown(Digest),
    /// The call that has it is not over.
    #[error(
        "the call that event {seq} of actor {actor} belongs to is not over, and would begin again with it: \
        resume the tree with `theater run`, then erase it"
    )]
    Open {
        /// The actor.
        actor: TheaterId,
        /// The event.
        seq: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Erases the payload with this commit and its copies, everywhere in the store, and records that.
/// `now` is the time in milliseconds since the Unix epoch; `on_progress` is told how many events were
/// read, of all passes. Nothing may write to the store meanwhile.
///
/// # Errors
/// See [`EraseError`]; nothing was erased then.
pub async fn erase(
    store: &dyn ChainStore,
    payload: Digest,
    why: &str,
    now: u64,
    on_progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Erased, EraseError> {
    let actors = actors(store).await?;
    let mut trace = Trace::of(payload);
    // Each pass may find copies with commits of their own, whose other events the next pass finds.
    let forks = Forks::read(store, &actors).await?;
    while trace.pass(store, &actors, &forks, on_progress).await? {}
    let waiting = trace.waiting(store).await?;
    if trace.found.is_empty() && waiting.is_empty() {
        return Err(EraseError::Unknown(payload));
    }
    if let Some(open) = trace.found.iter().find(|found| found.is_open) {
        return Err(EraseError::Open { actor: open.actor, seq: open.seq });
    }
    let mut commit = Commit { erased: trace.commits(), ..Commit::default() };
    let mut writing = Writing { heads: BTreeMap::new(), now };
    for ((actor, payload_commit), events) in by_payload(&trace.found) {
        if let Some(entry) = actors.iter().find(|entry| entry.id == actor) {
            let data = PayloadErased { payload_commit, events, why: why.to_owned() };
            writing.append(&mut commit, entry, &data);
        }
    }
    for message in &waiting {
        commit.pending_removed.push(message.message_id.clone());
        if let Some(entry) = actors.iter().find(|entry| entry.id == message.receiver) {
            let letter = DeadLetter {
                message_id: message.message_id.clone(),
                interface: message.interface.clone(),
                function: message.function.clone(),
                reason: "its payload was erased".into(),
                cause: message.cause,
            };
            writing.append(&mut commit, entry, &letter);
        }
    }
    let erased = Erased {
        payloads: commit.erased.clone(),
        events: trace.found.iter().map(Found::reference).collect(),
        pending: commit.pending_removed.clone(),
        states: derived(store, &trace.found).await?,
    };
    store.commit(commit).await?;
    Ok(erased)
}

/// The events of each chain that had each payload.
fn by_payload(found: &[Found]) -> BTreeMap<(TheaterId, Digest), Vec<u64>> {
    let mut by_payload: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for event in found {
        by_payload.entry((event.actor, event.commit)).or_default().push(event.seq);
    }
    by_payload
}

/// The states that the calls of these events left, as far as they are stored.
async fn derived(store: &dyn ChainStore, found: &[Found]) -> Result<Vec<DerivedState>, StoreError> {
    let (mut states, mut seen) = (Vec::new(), HashSet::new());
    for event in found {
        let Some((seq, state)) = event.state.filter(|(_, state)| !state.is_zero()) else { continue };
        if seen.insert((event.actor, seq)) && store.state(state).await?.is_some() {
            states.push(DerivedState { actor: event.actor, seq, state });
        }
    }
    Ok(states)
}

async fn actors(store: &dyn ChainStore) -> Result<Vec<ActorEntry>, StoreError> {
    let mut actors: Vec<ActorEntry> = Vec::new();
    loop {
        let page = store.actors(actors.last().map(|actor| actor.id), PAGE).await?;
        if page.is_empty() {
            return Ok(actors);
        }
        actors.extend(page);
    }
}

/// Appends to the chains of several actors.
struct Writing {
    heads: BTreeMap<TheaterId, crate::Head>,
    now: u64,
}

impl Writing {
    fn append<D: EventData>(&mut self, commit: &mut Commit, entry: &ActorEntry, data: &D) {
        if !self.heads.contains_key(&entry.id) {
            commit.actors.push(ActorUpdate { id: entry.id, expected: Some(entry.head), index: entry.index.clone() });
        }
        let head = self.heads.entry(entry.id).or_insert(entry.head);
        let event = ChainEvent::following(Some(head), D::TYPE, self.now, data.encode(), None);
        *head = event.head();
        commit.events.push((entry.id, event));
    }
}
