//! What is appended to the journal, and how much of that makes up one commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use theater_chain::{
    ActorIndex, ActorUpdate, Answered, ChainEvent, Commit, Digest, Head, PassingState, PendingMessage, TheaterId,
    Upgraded,
};

/// What is committed together with an event, or between two.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) states: Vec<(Digest, Bytes)>,
    /// For the recorder alone to say.
    pub(crate) passing: Option<Passing>,
    pub(crate) components: Vec<(Digest, Bytes)>,
    pub(crate) manifests: Vec<(Digest, Bytes)>,
    pub(crate) pending_added: Vec<PendingMessage>,
    pub(crate) pending_removed: Vec<String>,
    pub(crate) answered: Vec<Answered>,
}

/// What an event changes of the state that is there only while it is the newest of its actor.
#[derive(Debug)]
pub(crate) enum Passing {
    /// It stays.
    Stays,
    /// It is another one now.
    Is(Digest, Bytes),
    /// It goes, and none takes its place.
    Goes,
}

impl Extras {
    fn size(&self) -> usize {
        let blobs = [&self.states, &self.components, &self.manifests];
        let passing = match &self.passing {
            Some(Passing::Is(_, bytes)) => bytes.len(),
            _ => 0,
        };
        let bytes = blobs.into_iter().flatten().map(|(_, bytes)| bytes.len()).sum::<usize>();
        bytes + passing + 64 * self.pending_added.len()
    }
}

/// The part of an index entry that never changes.
#[derive(Debug)]
pub(crate) struct IndexFixed {
    pub(crate) parent: Option<TheaterId>,
    pub(crate) name: String,
    pub(crate) manifest_path: String,
}

/// The part of an index entry that changes with the chain.
#[derive(Debug, Clone)]
pub(crate) struct IndexNow {
    pub(crate) incarnation: u32,
    pub(crate) started: u64,
    pub(crate) ended: Option<u64>,
    pub(crate) state: Digest,
    pub(crate) upgraded: Option<Upgraded>,
}

/// One append.
pub(crate) struct Entry {
    pub(crate) actor: TheaterId,
    pub(crate) ephemeral: bool,
    /// The event with the head before it; `None` for extras alone.
    pub(crate) event: Option<EventEntry>,
    pub(crate) extras: Extras,
    /// What of the queue is the actor's.
    pub(crate) share: Arc<Share>,
}

/// Bytes of one actor that are queued.
#[derive(Default)]
pub(crate) struct Share(pub(crate) AtomicUsize);

pub(crate) struct EventEntry {
    pub(crate) before: Option<Head>,
    pub(crate) event: ChainEvent,
    pub(crate) fixed: Arc<IndexFixed>,
    pub(crate) now: IndexNow,
}

impl Entry {
    /// How many bytes it takes in the queue, about.
    pub(crate) fn size(&self) -> usize {
        const OVERHEAD: usize = 256;
        let event = self.event.as_ref().map_or(0, |entry| entry.event.content_len());
        OVERHEAD + event + self.extras.size()
    }
}

/// One commit of these entries. A passing state that another one of them follows is not in it.
pub(crate) fn merged(entries: Vec<Entry>) -> Commit {
    let mut commit = Commit::default();
    let mut places: HashMap<TheaterId, usize> = HashMap::new();
    let mut passing: HashMap<TheaterId, usize> = HashMap::new();
    for entry in entries {
        if let Some(event) = entry.event {
            let place = *places.entry(entry.actor).or_insert_with(|| {
                commit.actors.push(new_update(entry.actor, &event));
                commit.actors.len() - 1
            });
            let index = &mut commit.actors[place].index;
            let now = event.now;
            (index.incarnation, index.started, index.ended, index.state) =
                (now.incarnation, now.started, now.ended, now.state);
            index.upgraded = now.upgraded;
            commit.events.push((entry.actor, event.event));
        }
        let extras = entry.extras;
        if let Some(change) = extras.passing {
            let place = *passing.entry(entry.actor).or_insert_with(|| {
                let before_stays = matches!(change, Passing::Stays);
                commit.passing.push(PassingState { actor: entry.actor, before_stays, left_out: 0, now: None });
                commit.passing.len() - 1
            });
            let of_actor = &mut commit.passing[place];
            let before = of_actor.now.take();
            if let Passing::Stays = change {
                commit.states.extend(before);
            } else {
                of_actor.left_out += u64::from(before.is_some());
            }
            if let Passing::Is(hash, bytes) = change {
                of_actor.now = Some((hash, bytes));
            }
        }
        commit.states.extend(extras.states);
        commit.components.extend(extras.components);
        commit.manifests.extend(extras.manifests);
        commit.pending_added.extend(extras.pending_added);
        commit.pending_removed.extend(extras.pending_removed);
        commit.answered.extend(extras.answered);
    }
    commit
}

/// What a commit says of an actor, before what its newest event changes.
fn new_update(actor: TheaterId, EventEntry { before, fixed, .. }: &EventEntry) -> ActorUpdate {
    ActorUpdate {
        id: actor,
        expected: *before,
        index: ActorIndex {
            parent: fixed.parent,
            name: fixed.name.clone(),
            manifest_path: fixed.manifest_path.clone(),
            incarnation: 0,
            started: 0,
            ended: None,
            state: Digest::ZERO,
            upgraded: None,
        },
    }
}
