//! An actor's chain in memory.

use std::borrow::Cow;

use bytes::Bytes;

use crate::data::EventData;
use crate::verify::{Fault, Verifier};
use crate::{ChainEvent, Head, Payload};

/// A whole chain in memory, for tools, tests and programs that want a hash chain without actors.
///
/// It reads no clock and draws no randomness: timestamps and payload salts are the caller's. It
/// has no limit of its own, so that a long-running program should rather append to a
/// [`ChainStore`](crate::ChainStore).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateChain {
    events: Vec<ChainEvent>,
}

impl StateChain {
    /// An empty chain.
    pub fn new() -> Self {
        Self::default()
    }

    /// A chain of stored events, as they are: [`StateChain::verify`] says whether it is one.
    pub fn from_events(events: Vec<ChainEvent>) -> Self {
        Self { events }
    }

    /// Appends an event of a known type. `timestamp` is in milliseconds since the Unix epoch.
    pub fn append<D: EventData>(&mut self, timestamp: u64, data: &D, payload: Option<Payload>) -> &ChainEvent {
        self.append_raw(D::TYPE, timestamp, data.encode(), payload)
    }

    /// Appends an event of any type; `data` is a MessagePack map. `timestamp` is in milliseconds
    /// since the Unix epoch.
    pub fn append_raw(
        &mut self,
        event_type: impl Into<Cow<'static, str>>,
        timestamp: u64,
        data: impl Into<Bytes>,
        payload: Option<Payload>,
    ) -> &ChainEvent {
        let event = ChainEvent::following(self.head().as_ref(), event_type, timestamp, data, payload);
        self.events.push(event);
        &self.events[self.events.len() - 1]
    }

    /// The newest event's seq and hash.
    pub fn head(&self) -> Option<Head> {
        self.events.last().map(ChainEvent::head)
    }

    /// The events, oldest first.
    pub fn events(&self) -> &[ChainEvent] {
        &self.events
    }

    /// The events, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, ChainEvent> {
        self.events.iter()
    }

    /// The events themselves.
    pub fn into_events(self) -> Vec<ChainEvent> {
        self.events
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Checks every link, every hash and every payload that is there; the fault names the first
    /// event that does not fit.
    pub fn verify(&self) -> Result<(), Fault> {
        let mut verifier = Verifier::new();
        self.events.iter().try_for_each(|event| verifier.push(event))
    }
}

impl<'a> IntoIterator for &'a StateChain {
    type Item = &'a ChainEvent;
    type IntoIter = std::slice::Iter<'a, ChainEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
