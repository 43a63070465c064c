//! What the payloads of one chain are copies of, as its events pass by.

use std::collections::HashSet;

use super::forks::{Forks, TakenOver};
use crate::data::{Data, RestartStateKind};
use crate::{ActorEntry, ChainEvent, TheaterId};

/// What copies are told by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The params of the message with this id.
    Message(String),
    /// The answer to it.
    Answer(String),
    /// What `init` of this actor ran on first.
    Initial(TheaterId),
    /// The answer that this fork got in the place of a recorded one.
    Exchanged(TheaterId),
}

/// Where one chain stands.
pub(super) struct Chain<'f> {
    pub(super) actor: TheaterId,
    pub(super) call: Option<OpenCall>,
    /// How many of the events found last are of this call.
    pub(super) in_call: usize,
    /// The actor whose `init` ran first on what that of this one runs on.
    root: TheaterId,
    /// What its first call has of another actor's, in a fork, until that call has ended.
    taken_over: Option<&'f TakenOver>,
}

pub(super) struct OpenCall {
    seq: u64,
    message_id: Option<String>,
    /// Host calls whose params came with their beginning.
    begun: HashSet<u32>,
}

impl<'f> Chain<'f> {
    pub(super) fn new(entry: &ActorEntry, forks: &'f Forks) -> Self {
        let actor = entry.id;
        Self { actor, call: None, in_call: 0, root: forks.root(actor), taken_over: forks.taken_over(actor) }
    }

    pub(super) fn end_call(&mut self) {
        if self.call.take().is_some() {
            self.taken_over = None;
        }
        self.in_call = 0;
    }

    /// What the payload of this event is a copy of.
    pub(super) fn keys(&mut self, event: &ChainEvent, data: Option<&Data>) -> Vec<Key> {
        let Some(data) = data else { return Vec::new() };
        match data {
            Data::ActorStarted(data) if data.restart_state == RestartStateKind::Reset => vec![Key::Initial(self.root)],
            Data::Pruned(_) => vec![Key::Initial(self.root)],
            Data::ActorForked(_) => vec![Key::Exchanged(self.actor)],
            Data::MessageAccepted(data) => vec![Key::Message(data.message_id.clone())],
            Data::Call(data) => {
                self.in_call = 0;
                let message_id = data.message_id.clone();
                self.call = Some(OpenCall { seq: event.seq, message_id: message_id.clone(), begun: HashSet::new() });
                message_id.map(Key::Message).into_iter().collect()
            }
            Data::HostCallBegun(data) => {
                if let Some(call) = &mut self.call {
                    call.begun.insert(data.ordinal);
                }
                self.sent(data.ordinal).into_iter().map(Key::Message).collect()
            }
            Data::HostCall(data) => self.ended(data.ordinal),
            Data::StateUpdated(_) | Data::CallReturned(_) => {
                let message_id = self.call.as_ref().and_then(|call| call.message_id.clone());
                message_id.map(Key::Answer).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The ids of the message that a host call sends: in a fork also the one of before.
    fn sent(&self, ordinal: u32) -> Vec<String> {
        let own = self.call.as_ref().map(|call| format!("{}/{}/{ordinal}", self.actor, call.seq));
        let before = self.taken_over.and_then(|taken| taken.id(ordinal));
        own.into_iter().chain(before).collect()
    }

    /// Of the end of a host call.
    fn ended(&self, ordinal: u32) -> Vec<Key> {
        let has_begun = self.call.as_ref().is_some_and(|call| call.begun.contains(&ordinal));
        let is_exchanged = self.taken_over.is_some_and(|taken| taken.exchanged == Some(ordinal));
        let own = self.call.as_ref().map(|call| format!("{}/{}/{ordinal}", self.actor, call.seq));
        let mut keys: Vec<Key> = match (has_begun, is_exchanged) {
            (false, _) => self.sent(ordinal).into_iter().map(Key::Message).collect(),
            // Another answer than the one of before.
            (true, true) => own.into_iter().map(Key::Answer).collect(),
            (true, false) => self.sent(ordinal).into_iter().map(Key::Answer).collect(),
        };
        keys.extend(is_exchanged.then_some(Key::Exchanged(self.actor)));
        keys
    }
}
