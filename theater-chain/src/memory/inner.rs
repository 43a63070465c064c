//! What a store in memory holds, and how a commit or an import changes it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;

use super::passing::Passing;
use crate::data::Data;
use crate::{
    ActorCheckpoint, ActorEntry, ActorIndex, ActorUpdate, Answered, ChainEvent, Commit, Digest, DroppedEvents, Head,
    ImportPart, ImportedActor, LogEnd, LoggedHead, PassingState, Payload, PendingMessage, StoreError, TheaterId,
    TreeUpdate,
};

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) actors: HashMap<TheaterId, Actor>,
    /// The actors in the order of their first events.
    pub(super) order: Vec<TheaterId>,
    /// The children of each parent, in the same order.
    pub(super) children: HashMap<TheaterId, Vec<TheaterId>>,
    pub(super) states: HashMap<Digest, Bytes>,
    pub(super) passing: Passing,
    /// How many states the last sweep left.
    pub(super) states_swept: usize,
    pub(super) components: HashMap<Digest, Bytes>,
    pub(super) manifests: HashMap<Digest, Bytes>,
    /// The payloads of the kept events and pending messages, and by how many they are held.
    pub(super) payloads: HashMap<Digest, (Payload, usize)>,
    /// Pending messages by their age.
    pub(super) pending: BTreeMap<u64, PendingMessage>,
    pub(super) pending_ages: HashMap<String, u64>,
    pub(super) pending_next: u64,
    /// By message id, in the order of these.
    pub(super) answered: BTreeMap<String, Answered>,
    /// Children that came without their chains.
    pub(super) left_out: HashSet<TheaterId>,
    /// By actor and key.
    pub(super) checkpoints: BTreeMap<(TheaterId, [u8; 32]), ActorCheckpoint>,
    /// The commits of payloads that were erased.
    pub(super) erased: HashSet<Digest>,
    pub(super) log: Log,
}

/// The log of changed heads.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<LoggedHead>,
    pub(super) end: LogEnd,
    /// Actors with events since the newest update.
    pub(super) changed: HashSet<TheaterId>,
}

impl Log {
    pub(super) fn update(&mut self, update: TreeUpdate) {
        self.entries.extend(update.entries);
        self.end.tree = update.tree;
        self.end.heads.retain(|head| head.origin != update.head.origin);
        self.end.heads.push(update.head);
        self.changed.clear();
    }
}

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) place: usize,
    pub(super) head: Head,
    pub(super) index: ActorIndex,
    pub(super) events: VecDeque<ChainEvent>,
    /// The messages that it answered, with the event that did, oldest first.
    pub(super) answers: VecDeque<(u64, String)>,
}

impl Actor {
    pub(super) fn first_kept(&self) -> u64 {
        self.events.front().map_or(0, |event| event.seq)
    }
}

impl Inner {
    pub(super) fn entry(&self, id: TheaterId) -> Option<ActorEntry> {
        let actor = self.actors.get(&id)?;
        Some(ActorEntry { id, head: actor.head, index: actor.index.clone() })
    }

    pub(super) fn check_pending(&self, commit: &Commit) -> Result<(), StoreError> {
        let here: HashSet<Digest> = commit.events.iter().filter_map(|(_, event)| event.payload_commit).collect();
        commit.check_pending(|wanted| Ok(here.contains(&wanted) || self.payloads.contains_key(&wanted)))
    }

    pub(super) fn apply(&mut self, commit: Commit, heads: &[Head]) {
        for (update, head) in commit.actors.into_iter().zip(heads) {
            self.place(update, *head);
        }
        for (id, event) in commit.events {
            self.push(id, event);
        }
        self.states.extend(commit.states);
        for passing in commit.passing {
            self.pass(passing);
        }
        self.components.extend(commit.components);
        self.manifests.extend(commit.manifests);
        for message in commit.pending_added {
            self.add_pending(message);
        }
        for message_id in commit.pending_removed {
            self.remove_pending(&message_id);
        }
        if let Some(update) = commit.tree {
            self.log.update(update);
        }
        for answered in commit.answered {
            self.add_answered(answered);
        }
        self.erase(&commit.erased);
        for dropped in commit.dropped {
            self.prune(dropped);
        }
    }

    /// Drops old events with the payloads and states that only they needed.
    pub(super) fn prune(&mut self, DroppedEvents { actor, kept_from, states }: DroppedEvents) {
        let Some(actor) = self.actors.get_mut(&actor) else { return };
        let old = actor.events.partition_point(|event| event.seq < kept_from);
        let released: Vec<Digest> = actor.events.drain(..old).filter_map(|event| event.payload_commit).collect();
        released.into_iter().for_each(|commit| self.release(commit));
        states.iter().for_each(|state| drop(self.states.remove(state)));
    }

    pub(super) fn erase(&mut self, payloads: &[Digest]) {
        if payloads.is_empty() {
            return;
        }
        for event in self.actors.values_mut().flat_map(|actor| &mut actor.events) {
            if event.payload_commit.is_some_and(|commit| payloads.contains(&commit)) {
                event.payload = None;
            }
        }
        payloads.iter().for_each(|commit| drop(self.payloads.remove(commit)));
        self.erased.extend(payloads);
    }

    /// Enters an actor, or what is new of one.
    pub(super) fn place(&mut self, update: ActorUpdate, head: Head) {
        self.log.changed.insert(update.id);
        match self.actors.get_mut(&update.id) {
            Some(actor) => {
                actor.head = head;
                actor.index = update.index;
            }
            None => {
                let (place, index) = (self.order.len(), update.index);
                let (events, answers) = (VecDeque::new(), VecDeque::new());
                self.order.push(update.id);
                if let Some(parent) = index.parent {
                    self.children.entry(parent).or_default().push(update.id);
                }
                self.actors.insert(update.id, Actor { place, head, index, events, answers });
            }
        }
    }

    pub(super) fn push(&mut self, id: TheaterId, mut event: ChainEvent) {
        // A copy that comes from elsewhere stays erased.
        if event.payload_commit.is_some_and(|commit| self.erased.contains(&commit)) {
            event.payload = None;
        }
        if let Some(payload) = &event.payload {
            self.hold(payload);
        }
        if let Some(actor) = self.actors.get_mut(&id) {
            actor.events.push_back(event);
        }
    }

    pub(super) fn add_answered(&mut self, answered: Answered) {
        if let Some(actor) = self.actors.get_mut(&answered.actor) {
            actor.answers.push_back((answered.seq, answered.message_id.clone()));
        }
        self.answered.insert(answered.message_id.clone(), answered);
    }

    pub(super) fn check_import(&self, parts: &[ImportPart]) -> Result<(), StoreError> {
        let mut open: Option<(&ImportedActor, Option<Head>)> = None;
        for part in parts {
            match part {
                ImportPart::Actor(actor) => {
                    if let Some((before, head)) = open.replace((actor, actor.expected)) {
                        before.complete(head)?;
                    }
                    let (id, expected) = (actor.entry.id, actor.expected);
                    let stored = self.actors.get(&id).map(|actor| actor.head);
                    if stored != expected {
                        return Err(StoreError::Conflict { actor: id, expected, stored });
                    }
                }
                ImportPart::Events(events) => {
                    let Some((actor, head)) = &mut open else { continue };
                    *head = actor.follow(*head, events)?;
                }
                _ => {}
            }
        }
        open.map_or(Ok(()), |(actor, head)| actor.complete(head))
    }

    pub(super) fn apply_import(&mut self, parts: Vec<ImportPart>) {
        let mut open = None;
        for part in parts {
            match part {
                ImportPart::Component(digest, bytes) => drop(self.components.insert(digest, bytes)),
                ImportPart::Manifest(digest, bytes) => drop(self.manifests.insert(digest, bytes)),
                ImportPart::State(hash, bytes) => drop(self.states.insert(hash, bytes)),
                ImportPart::Actor(ImportedActor { entry, expected, left_out, .. }) => {
                    open = Some(entry.id);
                    let waiting = self.pending.values().filter(|message| message.receiver == entry.id);
                    let waiting: Vec<_> = waiting.map(|message| message.message_id.clone()).collect();
                    waiting.iter().for_each(|message_id| self.remove_pending(message_id));
                    self.left_out.remove(&entry.id);
                    self.left_out.extend(left_out.into_iter().filter(|id| !self.actors.contains_key(id)));
                    self.pass(PassingState { actor: entry.id, before_stays: true, left_out: 0, now: None });
                    self.passing.thinned.insert(entry.id, None);
                    self.place(ActorUpdate { id: entry.id, expected, index: entry.index }, entry.head);
                }
                ImportPart::Events(events) => {
                    let Some(id) = open else { continue };
                    events.into_iter().for_each(|event| self.push(id, event));
                }
                ImportPart::Checkpoint(id, checkpoint) => {
                    let known = self.checkpoints.entry((id, *checkpoint.key.as_bytes()));
                    let known = known.or_insert_with(|| checkpoint.clone());
                    if known.size < checkpoint.size {
                        *known = checkpoint;
                    }
                }
                ImportPart::Pending(message) => self.add_pending(message),
                // What is known here of another actor's stays: ids of two hosts may be the same.
                ImportPart::Answered(answered) => {
                    if self.answered.get(&answered.message_id).is_none_or(|known| known.actor == answered.actor) {
                        self.add_answered(answered);
                    }
                }
            }
        }
    }

    pub(super) fn hold(&mut self, payload: &Payload) {
        self.payloads.entry(payload.commit()).or_insert_with(|| (payload.clone(), 0)).1 += 1;
    }

    pub(super) fn release(&mut self, commit: Digest) {
        if let Some((_, holders)) = self.payloads.get_mut(&commit) {
            *holders -= 1;
            if *holders == 0 {
                self.payloads.remove(&commit);
            }
        }
    }

    pub(super) fn add_pending(&mut self, mut message: PendingMessage) {
        if self.pending_ages.contains_key(&message.message_id) {
            return;
        }
        match message.payload.take() {
            Some(payload) => self.hold(&payload),
            None => {
                if let Some((_, holders)) = self.payloads.get_mut(&message.payload_commit) {
                    *holders += 1;
                }
            }
        }
        self.pending_ages.insert(message.message_id.clone(), self.pending_next);
        self.pending.insert(self.pending_next, message);
        self.pending_next += 1;
    }

    pub(super) fn remove_pending(&mut self, message_id: &str) {
        let removed = self.pending_ages.remove(message_id).and_then(|age| self.pending.remove(&age));
        if let Some(message) = removed {
            self.release(message.payload_commit);
        }
    }

    /// Drops the oldest events of these chains over the bound, and what only they needed.
    pub(super) fn drop_old(&mut self, changed: &[TheaterId], max: usize) {
        let mut released = Vec::new();
        for id in changed {
            let Some(actor) = self.actors.get_mut(id) else {
                continue;
            };
            while actor.events.len() > max {
                released.extend(actor.events.pop_front().and_then(|event| event.payload_commit));
            }
            let first = actor.first_kept();
            while let Some((seq, _)) = actor.answers.front()
                && *seq < first
            {
                let dropped = actor.answers.pop_front();
                // One that was answered again later is kept.
                if let Some((seq, message_id)) = dropped
                    && self.answered.get(&message_id).is_some_and(|answered| answered.seq == seq)
                {
                    self.answered.remove(&message_id);
                }
            }
        }
        for commit in released {
            self.release(commit);
        }
        if self.states.len() > 2 * self.states_swept + 64 {
            self.sweep_states();
        }
    }

    /// Keeps the states that an index entry or a kept event names.
    pub(super) fn sweep_states(&mut self) {
        let mut named = HashSet::new();
        for actor in self.actors.values() {
            named.insert(actor.index.state);
            for event in &actor.events {
                match Data::decode(&event.event_type, &event.data) {
                    Ok(Some(Data::ActorStarted(data))) => named.insert(data.state_hash),
                    Ok(Some(Data::StateUpdated(data))) => named.insert(data.new_state_hash),
                    _ => false,
                };
            }
        }
        self.states.retain(|hash, _| named.contains(hash));
        self.states_swept = self.states.len();
    }
}
