//! The newest part of a chain: where its actor stood when the process went down.

use theater_chain::data::{
    ActorEnding, ActorErrorData, ActorRolledBack, ActorStarted, ActorTerminated, ActorUpgraded, AskedBy, Call,
    CallReturned, Data, DeadLetter, DropReason, EventData, InstanceDropped, Lane, ReasonRecord, RestartStateKind,
    StateUpdated, StatesKept,
};
use theater_chain::{ActorEntry, ChainEvent, ChainStore, Digest, Head, StoreError, Verifier, codec, newest, payload};

use super::facts::{Begun, damaged};
use crate::error::ActorError;
use crate::exit::ExitReason;
use crate::reentry::Reentry;

/// Events read at once.
const PAGE: u64 = 64;

/// Where an actor stood.
pub(super) struct Tail {
    /// Where the part begins that was read.
    pub(super) from: From,
    pub(super) begun: Begun,
    /// Whether its start was over.
    pub(super) started: bool,
    /// Nothing was called since its instance was dropped.
    pub(super) dropped: bool,
    pub(super) open: Option<OpenCall>,
    /// How the incarnation failed, where it did.
    pub(super) failed: Option<Failed>,
    /// That it was about to end, where that is said.
    pub(super) ending: Option<Ending>,
}

/// The first event of a part of a chain.
pub(super) struct From {
    pub(super) seq: u64,
    pub(super) parent_hash: Digest,
}

/// The end of an incarnation that had begun.
pub(super) struct Ending {
    pub(super) reason: ExitReason,
    pub(super) asked_by: AskedBy,
}

/// A call that had not ended.
pub(super) struct OpenCall {
    pub(super) event: ChainEvent,
    pub(super) call: Call,
    pub(super) again: Reentry,
}

/// A failure that was recorded.
pub(super) struct Failed {
    pub(super) error: ActorError,
    pub(super) hash: Digest,
    /// The call that it ended.
    pub(super) call: Option<(ChainEvent, Call)>,
    /// The message of that call was set aside.
    pub(super) poisoned: bool,
}

impl Tail {
    /// Reads the chain backwards as far as is needed, and verifies the links of what it reads.
    pub(super) async fn read(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Self, StoreError> {
        let (start, keeps_states) = start(store, entry).await?;
        let begun: ActorStarted = decoded(entry, &start)?;
        let events = newest_part(store, entry).await?;
        let ActorStarted { parent_event, restart_state, component, manifest, .. } = begun;
        let begun = Begun { hash: start.hash, parent_event, restart_state, component, manifest, keeps_states };
        let first = events.first().unwrap_or(&start);
        let from = From { seq: first.seq, parent_hash: first.parent_hash };
        let mut tail = Self { from, begun, started: true, dropped: false, open: None, failed: None, ending: None };
        tail.follow(entry, &events)?;
        if let Some(call) = events.first().filter(|event| is_end_of_call(event)) {
            tail.ended_by(store, entry, call).await?;
        }
        Ok(tail)
    }

    /// That a call ends the actor is said right before the end of the call.
    async fn ended_by(
        &mut self,
        store: &dyn ChainStore,
        entry: &ActorEntry,
        end: &ChainEvent,
    ) -> Result<(), StoreError> {
        let before = event(store, entry, end.seq - 1).await?;
        if before.event_type != ActorEnding::TYPE {
            return Ok(());
        }
        if before.hash != end.parent_hash {
            return Err(damaged(entry.id, &format!("event {} is not the one before the next", before.seq)));
        }
        self.ending = self.ending.take().or(Some(Ending::read(entry, &before)?));
        // One that its first call ended had not started.
        let call = newest(store, entry.id, entry.index.started..before.seq, |event| {
            (event.event_type == Call::TYPE).then(|| (event.seq, Call::decode(&event.data).map(|call| call.lane)))
        });
        if let Some((seq, Ok(Lane::Start))) = call.await? {
            let ran =
                |event: &ChainEvent| matches!(&*event.event_type, Call::TYPE | InstanceDropped::TYPE).then_some(());
            self.started = newest(store, entry.id, entry.index.started..seq, ran).await?.is_some();
        }
        Ok(())
    }

    fn follow(&mut self, entry: &ActorEntry, events: &[ChainEvent]) -> Result<(), StoreError> {
        let mut open: Option<(usize, Call)> = None;
        let mut last = None;
        for (at, event) in events.iter().enumerate() {
            match &*event.event_type {
                ActorStarted::TYPE => self.started = false,
                Call::TYPE => {
                    let call: Call = decoded(entry, event)?;
                    // Anything else is called only when the start is over; some starts have no call.
                    self.started |= call.lane != Lane::Start;
                    open = Some((at, call));
                    self.dropped = false;
                }
                CallReturned::TYPE | StateUpdated::TYPE => {
                    open = None;
                    (self.started, self.dropped) = (true, false);
                }
                ActorUpgraded::TYPE | ActorRolledBack::TYPE if entry.index.ended.is_none() => {
                    (self.started, self.dropped) = (true, true);
                }
                InstanceDropped::TYPE if open.is_none() => {
                    (self.started, self.dropped) = (true, true);
                }
                ActorErrorData::TYPE => {
                    let error = ActorError::recorded(&event.data, event.payload.as_ref());
                    let error = error.ok_or_else(|| damaged(entry.id, "its last error cannot be read"))?;
                    let call = open.take().map(|(at, call)| (events[at].clone(), call));
                    last = Some(Failed { error, hash: event.hash, call, poisoned: false });
                }
                DeadLetter::TYPE => {
                    let letter: DeadLetter = decoded(entry, event)?;
                    if let Some(failed) = &mut last {
                        let of_call = failed.call.as_ref().and_then(|(_, call)| call.message_id.as_ref());
                        failed.poisoned |= of_call == Some(&letter.message_id);
                    }
                }
                // Within a call it holds if that ends well.
                ActorEnding::TYPE if open.is_none() => self.ending = Some(Ending::read(entry, event)?),
                ActorTerminated::TYPE => open = None,
                _ => {}
            }
        }
        self.failed = last;
        if let Some((at, call)) = open {
            let event = events[at].clone();
            let again = Reentry::read(event.seq, &events[at + 1..])?;
            self.open = Some(OpenCall { event, call, again });
        }
        Ok(())
    }

    /// Whether its end had begun.
    pub(super) fn is_ending(&self) -> bool {
        self.failed.is_some() || self.ending.is_some()
    }

    /// Whether it had an instance, or may have had one.
    pub(super) fn had_instance(&self) -> bool {
        self.open.is_some() || (self.started && !self.dropped)
    }

    /// Whether `init` is what starts this incarnation.
    pub(super) fn has_init(&self) -> bool {
        self.begun.restart_state == RestartStateKind::Reset
    }
}

impl Ending {
    fn read(entry: &ActorEntry, event: &ChainEvent) -> Result<Self, StoreError> {
        let ActorEnding { reason, asked_by, .. } = decoded(entry, event)?;
        let field = |name: &str| {
            let bytes = event.payload.as_ref()?.bytes();
            payload::field(bytes, name).ok().flatten()
        };
        let data = field("data").and_then(|data| payload::read_bin(data).ok()).map(<[u8]>::to_vec);
        let reason = match reason {
            ReasonRecord::Normal => ExitReason::Normal(data),
            ReasonRecord::Declined => ExitReason::Declined,
            ReasonRecord::Shutdown => ExitReason::Shutdown,
            ReasonRecord::Killed(cause) => ExitReason::Killed(cause),
            ReasonRecord::Abnormal(kind) => {
                let message: Option<String> = field("message").and_then(|message| codec::decode(message).ok());
                let mut error = ActorError::new(kind, message.unwrap_or_else(|| "its error was erased".into()));
                error.data = data;
                ExitReason::Abnormal(error)
            }
        };
        Ok(Self { reason, asked_by })
    }
}

fn is_end_of_call(event: &ChainEvent) -> bool {
    matches!(&*event.event_type, CallReturned::TYPE | StateUpdated::TYPE)
}

/// The events since the last one that says where the actor stands: the end of a call, a drop
/// between calls, or the start of the incarnation. That one is the first of them.
async fn newest_part(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Vec<ChainEvent>, StoreError> {
    let mut parts: Vec<Vec<ChainEvent>> = Vec::new();
    let mut end = entry.head.seq + 1;
    let mut from = entry.index.started;
    while end > entry.index.started {
        let start = end.saturating_sub(PAGE).max(entry.index.started);
        let mut part = range(store, entry, start, end).await?;
        let decisive = part.iter().rposition(|event| says_where(entry, event));
        if let Some(at) = decisive {
            part.drain(..at);
        }
        from = part.first().map_or(start, |event| event.seq);
        parts.push(part);
        if decisive.is_some() {
            break;
        }
        end = start;
    }
    let events: Vec<ChainEvent> = parts.into_iter().rev().flatten().collect();
    let mut links = Verifier::starting_at(from);
    for event in &events {
        links.push(event).map_err(|fault| damaged(entry.id, &fault.to_string()))?;
    }
    if links.head() != Some(entry.head) {
        return Err(damaged(entry.id, "its newest event is not the one that its head names"));
    }
    Ok(events)
}

fn says_where(entry: &ActorEntry, event: &ChainEvent) -> bool {
    match &*event.event_type {
        // After an end it says nothing of that.
        ActorUpgraded::TYPE | ActorRolledBack::TYPE => entry.index.ended.is_none(),
        ActorStarted::TYPE | CallReturned::TYPE | StateUpdated::TYPE => true,
        // One of a recovery may lie within a call.
        InstanceDropped::TYPE => {
            InstanceDropped::decode(&event.data).is_ok_and(|dropped| dropped.reason != DropReason::Recovered)
        }
        _ => false,
    }
}

async fn range(store: &dyn ChainStore, entry: &ActorEntry, from: u64, end: u64) -> Result<Vec<ChainEvent>, StoreError> {
    let mut events = Vec::new();
    let mut next = from;
    while next < end {
        let page = store.events(entry.id, next, usize::try_from(end - next).unwrap_or(usize::MAX)).await?;
        let Some(last) = page.last() else {
            return Err(damaged(entry.id, &format!("event {next} is missing")));
        };
        next = last.seq + 1;
        events.extend(page);
    }
    Ok(events)
}

/// The start of the newest incarnation, and whether it is said right after it that its states stay.
async fn start(store: &dyn ChainStore, entry: &ActorEntry) -> Result<(ChainEvent, bool), StoreError> {
    let seq = entry.index.started;
    let mut found = store.events(entry.id, seq, 2).await?.into_iter().filter(|event| event.seq - seq < 2);
    let start = found.next().filter(|event| event.seq == seq);
    let keeps_states = found.next().is_some_and(|event| event.event_type == StatesKept::TYPE);
    Ok((start.ok_or_else(|| damaged(entry.id, &format!("event {seq} is missing")))?, keeps_states))
}

/// One event.
pub(super) async fn event(store: &dyn ChainStore, entry: &ActorEntry, seq: u64) -> Result<ChainEvent, StoreError> {
    let found = store.events(entry.id, seq, 1).await?.pop().filter(|event| event.seq == seq);
    found.ok_or_else(|| damaged(entry.id, &format!("event {seq} is missing")))
}

fn decoded<D: EventData>(entry: &ActorEntry, event: &ChainEvent) -> Result<D, StoreError> {
    D::decode(&event.data).map_err(|error| damaged(entry.id, &format!("event {}: {error}", event.seq)))
}

/// Whether an event of the chain is the one that its parent's says, or was dropped.
pub(super) async fn is_anchored(store: &dyn ChainStore, entry: &ActorEntry, anchor: Head) -> Result<bool, StoreError> {
    if anchor.seq > entry.head.seq {
        return Ok(false);
    }
    if anchor.seq < store.kept_from(entry.id).await? {
        return Ok(true);
    }
    Ok(event(store, entry, anchor.seq).await?.hash == anchor.hash)
}

/// Whether the start of an incarnation that has ended was over: by a call that ended well, or a
/// first one that was no part of it.
pub(super) async fn was_published(
    store: &dyn ChainStore,
    entry: &ActorEntry,
    has_init: bool,
) -> Result<bool, StoreError> {
    let (mut next, end) = (entry.index.started + 1, entry.index.ended.unwrap_or(entry.head.seq));
    let mut called = false;
    while next <= end {
        let page = store.events(entry.id, next, usize::try_from(PAGE).unwrap_or(64)).await?;
        let Some(last) = page.last() else { break };
        next = last.seq + 1;
        for event in &page {
            match Data::decode(&event.event_type, &event.data) {
                Ok(Some(Data::Call(call))) if call.lane == Lane::Start => called = true,
                Ok(Some(Data::Call(_) | Data::InstanceDropped(_))) => return Ok(true),
                Ok(Some(Data::CallReturned(_) | Data::StateUpdated(_))) => return Ok(true),
                Ok(Some(Data::ActorErrorData(_))) => return Ok(false),
                Ok(Some(Data::ActorTerminated(_))) => return Ok(!has_init && !called),
                _ => {}
            }
        }
    }
    Ok(false)
}
