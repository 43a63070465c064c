//! Which events of a chain the going on of this or another actor still needs.

use std::collections::{HashMap, HashSet};

use super::{Need, PAGE};
use crate::data::{Data, EventData, HostCall, HostCallBegun};
use crate::{ActorEntry, ChainEvent, ChainStore, Digest, StoreError, TheaterId, newest};

/// What is on its way in the store.
pub(super) struct Needs {
    actor: TheaterId,
    /// Messages that wait.
    waiting: HashSet<String>,
    /// What led to them.
    causes: HashMap<Digest, String>,
    /// Calls of this actor in which one of them was sent.
    senders: HashMap<u64, String>,
    /// Messages that calls of other actors sent and wait for.
    asked: HashSet<String>,
}

impl Needs {
    pub(super) async fn read(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Self, StoreError> {
        let mut needs = Self {
            actor: entry.id,
            waiting: HashSet::new(),
            causes: HashMap::new(),
            senders: HashMap::new(),
            asked: HashSet::new(),
        };
        let mut max = PAGE;
        let waiting = loop {
            let page = store.pending(None, max).await?;
            if page.len() < max {
                break page;
            }
            max *= 4;
        };
        for message in waiting {
            if let Some(seq) = needs.sent_in(&message.message_id) {
                needs.senders.insert(seq, message.message_id.clone());
            }
            if let Some(cause) = message.cause {
                needs.causes.insert(cause, message.message_id.clone());
            }
            needs.waiting.insert(message.message_id);
        }
        let mut after = None;
        loop {
            let page = store.actors(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(needs) };
            after = Some(last.id);
            for other in page.iter().filter(|other| other.id != entry.id && other.index.ended.is_none()) {
                needs.asked.extend(asked_by(store, other).await?);
            }
        }
    }

    /// The seq of the call of this actor in which a message was sent.
    fn sent_in(&self, message_id: &str) -> Option<u64> {
        let mut parts = message_id.split('/');
        (parts.next()? == self.actor.to_string()).then(|| parts.next()?.parse().ok()).flatten()
    }

    /// From which event on the chain is needed because of this one, and what for.
    pub(super) fn of(&self, event: &ChainEvent) -> Option<(u64, Need)> {
        let waiting = |id: &String| Some((event.seq, Need::Waiting(id.clone())));
        if let Some(id) = self.senders.get(&event.seq).or_else(|| self.causes.get(&event.hash)) {
            return waiting(id);
        }
        match Data::decode(&event.event_type, &event.data).ok()?? {
            Data::MessageAccepted(data) => self.waiting.get(&data.message_id).and_then(waiting),
            Data::Call(data) => self.asked(event, data.message_id?),
            Data::DeadLetter(data) => self.asked(event, data.message_id),
            _ => None,
        }
    }

    fn asked(&self, event: &ChainEvent, message_id: String) -> Option<(u64, Need)> {
        self.asked.contains(&message_id).then_some((event.seq, Need::Asked(message_id)))
    }
}

/// The messages of host calls that have begun and not ended, in the open call of an actor.
async fn asked_by(store: &dyn ChainStore, entry: &ActorEntry) -> Result<HashSet<String>, StoreError> {
    let open = newest(store, entry.id, entry.index.started..entry.head.seq + 1, |event| {
        match Data::decode(&event.event_type, &event.data).ok()?? {
            Data::Call(_) => Some(Some(event.seq)),
            Data::CallReturned(_) | Data::StateUpdated(_) | Data::ActorErrorData(_) | Data::ActorStarted(_) => {
                Some(None)
            }
            _ => None,
        }
    });
    let mut asked = HashSet::new();
    let Some(call) = open.await?.flatten() else { return Ok(asked) };
    let id = |ordinal: u32| format!("{}/{call}/{ordinal}", entry.id);
    let mut next = call + 1;
    loop {
        let page = store.events(entry.id, next, PAGE).await?;
        let Some(last) = page.last() else { return Ok(asked) };
        next = last.seq.saturating_add(1);
        for event in &page {
            match &*event.event_type {
                HostCallBegun::TYPE => {
                    asked.extend(HostCallBegun::decode(&event.data).ok().map(|data| id(data.ordinal)));
                }
                HostCall::TYPE => {
                    if let Ok(data) = HostCall::decode(&event.data) {
                        asked.remove(&id(data.ordinal));
                    }
                }
                _ => {}
            }
        }
    }
}
