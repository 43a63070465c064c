//! Where two histories part, and how.
//!
//! The history of a fork includes what happened before it, in the chain of the actor that it was
//! forked from, so that two forks, or a fork and its original, are compared from where they are two.
//! Other actors are compared from their first events.
//!
//! What counts are the calls, with their functions, params and results, the host calls, the states
//! and the errors. Left aside are ids of actors and messages, times, salts, hashes, the components
//! themselves, and what the host records beside the calls: accepted messages, anchors, drops of
//! instances.

mod compare;
mod history;
mod same;

use std::collections::BTreeMap;

use self::compare::{Compared, compare, counts};
use self::history::{History, Segment};
use self::same::Ids;
use crate::data::{ActorErrorData, Call, CallReturned, EventData as _, HostCall, HostCallBegun, StateUpdated};
use crate::{ChainEvent, ChainStore, StoreError, TheaterId};

/// An actor in a store.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The store.
    pub store: &'a dyn ChainStore,
    /// The actor.
    pub actor: TheaterId,
}

impl std::fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// What [`diff`] finds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// How many events of the first history, from its beginning on, are in both.
    pub common: u64,
    /// Where they part; `None`: they do not.
    pub parting: Option<Parting>,
    /// How many of the common events could not be compared, because a payload of theirs was erased.
    pub erased: u64,
    /// Whether the newest incarnations run different components.
    pub other_component: bool,
    /// What could not be looked at, a sentence each.
    pub unchecked: Vec<String>,
}

/// The first difference of two histories.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Parting {
    /// The events that differ, of the first and the second history; `None`: that one has ended.
    pub events: [Option<Place>; 2],
    /// The field that differs: one of the merged document, `state`, `event_type`, or `end` where one
    /// history goes on and the other does not.
    pub field: String,
    /// What it says in each, in MessagePack; `None`: nothing.
    pub values: [Option<Vec<u8>>; 2],
    /// How many events of each type follow, with the ones that differ.
    pub after: [BTreeMap<String, u64>; 2],
}

/// An event in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// In whose chain: of a fork it may be that of the actor that was forked.
    pub actor: TheaterId,
    /// The event's seq there.
    pub seq: u64,
    /// Its type.
    pub event_type: String,
    /// The host function that is called, else the guest function whose call is open.
    pub function: Option<String>,
}

/// Finds where two histories part, holding no more than two pages of them. `on_progress` is told how
/// many events were compared, now and then.
///
/// # Errors
/// A store failed, has no such actor, or has a chain that cannot be read.
pub async fn diff(a: Side<'_>, b: Side<'_>, on_progress: &mut (dyn FnMut(u64) + Send)) -> Result<Diff, StoreError> {
    let mut first = Reading::new(History::of(&[a.store, b.store], a.actor).await?);
    let mut second = Reading::new(History::of(&[b.store, a.store], b.actor).await?);
    let mut ids = Ids::default();
    ids.pair(a.actor, b.actor);
    let mut diff = Diff {
        common: first.history.skip_shared(&mut second.history),
        parting: None,
        erased: 0,
        other_component: first.history.component != second.history.component,
        unchecked: Vec::new(),
    };
    for reading in [&first, &second] {
        diff.unchecked.extend(reading.history.origin_missing.map(|origin| {
            format!("what happened before the fork: the chain of {origin}, which was forked, is not there")
        }));
    }
    if diff.common == 0 {
        let later = [&first, &second].map(|reading| reading.history.begins().filter(|(_, from)| *from > 2));
        diff.unchecked.extend(
            later
                .into_iter()
                .flatten()
                .map(|(actor, from)| format!("the events of {actor} before event {from}, which were not kept")),
        );
    }
    loop {
        let (of_a, of_b) = (first.next().await?, second.next().await?);
        ids.messages = [first.message.clone(), second.message.clone()];
        let difference = match (&of_a, &of_b) {
            (None, None) => return Ok(diff),
            (Some((_, event)), Some((_, other))) => match compare([a.store, b.store], &mut ids, event, other).await? {
                Compared::Differ(difference) => Some((difference.field, difference.values)),
                Compared::Same => None,
                Compared::Unknown => {
                    diff.erased += 1;
                    None
                }
            },
            _ => Some(("end".to_owned(), [None, None])),
        };
        if let Some((field, values)) = difference {
            let events = [of_a.map(|found| first.place(&found)), of_b.map(|found| second.place(&found))];
            let after = [first.count(events[0].as_ref()).await?, second.count(events[1].as_ref()).await?];
            diff.parting = Some(Parting { events, field, values, after });
            return Ok(diff);
        }
        diff.common += 1;
        if diff.common.is_multiple_of(1_024) {
            on_progress(diff.common);
        }
    }
}

/// A history as it is compared.
struct Reading<'a> {
    history: History<'a>,
    /// The guest function whose call is open.
    function: Option<String>,
    /// The message that it delivers.
    message: Option<String>,
}

impl<'a> Reading<'a> {
    fn new(history: History<'a>) -> Self {
        Self { history, function: None, message: None }
    }

    /// The next event that counts.
    async fn next(&mut self) -> Result<Option<(Segment<'a>, ChainEvent)>, StoreError> {
        while let Some((segment, event)) = self.history.next().await? {
            if !counts(&event) {
                continue;
            }
            if event.event_type == Call::TYPE
                && let Ok(call) = Call::decode(&event.data)
            {
                self.function = Some(format!("{}#{}", call.interface, call.function));
                self.message = call.message_id;
            }
            return Ok(Some((segment, event)));
        }
        Ok(None)
    }

    fn place(&self, (segment, event): &(Segment<'a>, ChainEvent)) -> Place {
        let host = match &*event.event_type {
            HostCallBegun::TYPE => HostCallBegun::decode(&event.data).ok().map(|data| (data.interface, data.function)),
            HostCall::TYPE => HostCall::decode(&event.data).ok().map(|data| (data.interface, data.function)),
            _ => None,
        };
        let in_call = [Call::TYPE, CallReturned::TYPE, StateUpdated::TYPE, ActorErrorData::TYPE];
        let guest = self.function.clone().filter(|_| in_call.contains(&&*event.event_type));
        Place {
            actor: segment.actor,
            seq: event.seq,
            event_type: event.event_type.to_string(),
            function: host.map(|(interface, function)| format!("{interface}#{function}")).or(guest),
        }
    }

    /// How many events of each type are left, with this one.
    async fn count(&mut self, first: Option<&Place>) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut counted: BTreeMap<String, u64> = first.map(|place| (place.event_type.clone(), 1)).into_iter().collect();
        while let Some((_, event)) = self.next().await? {
            *counted.entry(event.event_type.into_owned()).or_default() += 1;
        }
        Ok(counted)
    }
}
