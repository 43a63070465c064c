//! A call that was open when the process went down and begins again: what its host calls answered,
//! by the record, and what is answered from it.

use std::collections::VecDeque;

use bytes::Bytes;
use theater_chain::codec::{self, DecodeError};
use theater_chain::data::{Data, Effect, EventData, HostCall, HostCallBegun, Outcome};
use theater_chain::{ChainEvent, ChainStore, Digest, Payload, StoreError, payload};

use crate::chain_view::ChainRange;
use crate::recorder::Recorder;
use crate::wit::WitChainEvent;

/// What a function answers that answers nothing: in a payload, that is no field at all.
const NOTHING: &[u8] = &[0xc0];

/// A call that begins again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reentry {
    /// The seq of its `call` event.
    pub(crate) seq: u64,
    /// Its host calls so far.
    pub(crate) calls: VecDeque<RecordedCall>,
    /// It was open in the chain of another actor, of which this one is a fork: it is in no event of
    /// this chain yet, and neither are its host calls.
    pub(crate) forked: bool,
}

/// A host call as it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct RecordedCall {
    ordinal: u32,
    interface: String,
    function: String,
    pub(crate) effect: Effect,
    /// The event with which it began, where it has one.
    pub(crate) begun: Option<Digest>,
    params: Option<Bytes>,
    /// Of the params, where others were recorded in their place.
    params_digest: Option<Bytes>,
    /// How it ended and what it answered, if it did.
    pub(crate) ended: Option<(Outcome, Option<Bytes>)>,
    /// Of a fork: what its chain gets of it.
    pub(crate) taken_over: Option<Box<TakenOver>>,
}

impl Reentry {
    /// Of the events after a `call` event.
    pub(crate) fn read(seq: u64, events: &[ChainEvent]) -> Result<Self, StoreError> {
        let mut calls: VecDeque<RecordedCall> = VecDeque::new();
        for event in events {
            let unreadable =
                |error: &dyn std::fmt::Display| StoreError::Damaged(format!("event {}: {error}", event.seq));
            let field = |name: &str| match &event.payload {
                None => Ok(None),
                Some(bytes) => payload::field(bytes.bytes(), name)
                    .map(|field| field.map(|field| bytes.bytes().slice_ref(field)))
                    .map_err(|error| unreadable(&error)),
            };
            match Data::decode(&event.event_type, &event.data).map_err(|error| unreadable(&error))? {
                Some(Data::HostCallBegun(data)) => calls.push_back(RecordedCall {
                    ordinal: data.ordinal,
                    interface: data.interface,
                    function: data.function,
                    effect: data.effect,
                    begun: Some(event.hash),
                    params: field("params")?,
                    params_digest: None,
                    ended: None,
                    taken_over: None,
                }),
                Some(Data::HostCall(data)) => {
                    let mut result = field("result")?;
                    let is_there = event.payload.is_some() || event.payload_commit.is_none();
                    if is_there && matches!(data.outcome, Outcome::Ok | Outcome::Denied(_)) {
                        result = result.or(Some(Bytes::from_static(NOTHING)));
                    }
                    let ended = Some((data.outcome, result));
                    match calls.back_mut().filter(|call| call.ended.is_none()) {
                        Some(begun) => begun.ended = ended,
                        None => calls.push_back(RecordedCall {
                            ordinal: data.ordinal,
                            interface: data.interface,
                            function: data.function,
                            effect: data.effect,
                            begun: None,
                            params: field("params")?,
                            params_digest: field("params_digest")?,
                            ended,
                            taken_over: None,
                        }),
                    }
                }
                _ => {}
            }
        }
        Ok(Self { seq, calls, forked: false })
    }

    /// Of the events after a `call` event of the actor that a fork was made of: its host calls that
    /// had ended. The one whose `host_call` has the seq in `answer` gets these results.
    pub(crate) fn taken_over(events: &[ChainEvent], answer: Option<&(u64, Bytes)>) -> Result<Self, StoreError> {
        let Self { mut calls, .. } = Self::read(0, events)?;
        let unreadable = |seq: u64, error: &DecodeError| StoreError::Damaged(format!("event {seq}: {error}"));
        let mut rest = events.iter();
        for call in &mut calls {
            let mut taken = TakenOver { begun: None, ended: None, exchanged: false };
            for event in rest.by_ref() {
                if event.event_type == HostCallBegun::TYPE {
                    let data = HostCallBegun::decode(&event.data).map_err(|error| unreadable(event.seq, &error))?;
                    taken.begun = Some((data, event.payload.clone()));
                } else if event.event_type == HostCall::TYPE {
                    let data = HostCall::decode(&event.data).map_err(|error| unreadable(event.seq, &error))?;
                    taken.ended = Some((data, event.payload.clone()));
                    if let Some((_, results)) = answer.filter(|(seq, _)| *seq == event.seq) {
                        call.ended = Some((Outcome::Ok, Some(results.clone())));
                        taken.exchanged = true;
                    }
                    break;
                }
            }
            call.taken_over = Some(Box::new(taken));
        }
        // One that had only begun is the fork's own.
        calls.retain(|call| call.ended.is_some());
        Ok(Self { seq: 0, calls, forked: true })
    }

    /// The event with which the host call began that is open.
    pub(crate) fn open_host_call(&self) -> Option<&RecordedCall> {
        self.calls.back().filter(|call| call.ended.is_none())
    }
}

impl RecordedCall {
    /// Appends to the chain of a fork what it takes over of the host call, under the name by which
    /// the component imports it.
    pub(crate) fn take_over(&self, recorder: &Recorder, interface: &str) {
        let Some(taken) = &self.taken_over else { return };
        if let Some((data, payload)) = &taken.begun {
            recorder.append(&HostCallBegun { interface: interface.to_owned(), ..data.clone() }, payload.clone());
        }
        let Some((data, payload)) = &taken.ended else { return };
        let outcome = if taken.exchanged { Outcome::Ok } else { data.outcome.clone() };
        let payload = if taken.exchanged { self.exchanged(recorder, taken.begun.is_some()) } else { payload.clone() };
        recorder.append(&HostCall { interface: interface.to_owned(), outcome, ..data.clone() }, payload);
    }

    /// The payload of the end of one whose answer was exchanged.
    fn exchanged(&self, recorder: &Recorder, begun: bool) -> Option<Payload> {
        let result = self.ended.as_ref().and_then(|(_, result)| result.as_deref());
        let params = self.params.as_deref().filter(|_| !begun);
        let fields = [("params", params), ("result", result), ("params_digest", self.params_digest.as_deref())];
        recorder.payload(if self.params_digest.is_some() { &fields[..] } else { &fields[..2] })
    }

    /// What is said of a call that does not go as it is recorded when it begins again.
    pub(crate) fn another_course(&self, reason: &str) -> String {
        match self.taken_over {
            Some(_) => format!(
                "the fork took another course than the record, before the event that it was forked at: {reason}; fork the actor at an earlier event"
            ),
            None => format!("after the process went down the call began again and took another course: {reason}"),
        }
    }

    /// Its number within the call.
    pub(crate) fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// The end of one that is open and is not made once more.
    pub(crate) fn interrupted(&self) -> Option<HostCall> {
        let (interface, function) = (self.interface.clone(), self.function.clone());
        let (ordinal, effect, outcome) = (self.ordinal, self.effect, Outcome::Interrupted);
        self.ended.is_none().then_some(HostCall { ordinal, interface, function, effect, outcome })
    }

    /// Why what is called now is not what is recorded.
    pub(crate) fn differs(&self, ordinal: u32, interface: &str, function: &str, params: &[u8]) -> Option<String> {
        let there = format!("the record has host call {} of {}#{}", self.ordinal, self.interface, self.function);
        // A fork may run a component that imports another version.
        let is_same = match self.taken_over {
            Some(_) => unversioned(&self.interface) == unversioned(interface),
            None => self.interface == interface,
        };
        if self.ordinal != ordinal || !is_same || self.function != function {
            return Some(format!("{there}, and it made host call {ordinal} of {interface}#{function}"));
        }
        let same = match (&self.params_digest, &self.params) {
            (Some(digest), _) => payload::read_bin(digest).is_ok_and(|digest| digest == Digest::of(params).as_bytes()),
            (None, Some(recorded)) => recorded == params,
            (None, None) => params == NOTHING || params == [0x90],
        };
        (!same).then(|| format!("{there} with other params than it passed"))
    }
}

/// What the chain of a fork gets of a host call of before.
#[derive(Debug, Clone)]
pub(crate) struct TakenOver {
    begun: Option<(HostCallBegun, Option<Payload>)>,
    ended: Option<(HostCall, Option<Payload>)>,
    /// The answer is another one.
    exchanged: bool,
}

/// An interface without its version.
pub(crate) fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

/// The encoded results in which a range of a chain was recorded in place of its events: as such
/// functions answer, a WIT `result` with a list of events.
pub(crate) async fn of_range(store: &dyn ChainStore, range: &ChainRange) -> Result<Vec<u8>, StoreError> {
    let mut events = Vec::new();
    let mut next = range.from;
    while next < range.to {
        let left = usize::try_from(range.to - next).unwrap_or(usize::MAX);
        let page = store.events(range.actor_id, next, left).await?;
        let Some(last) = page.last() else {
            return Err(StoreError::Damaged(format!("event {next} of {} is missing", range.actor_id)));
        };
        next = last.seq + 1;
        for event in &page {
            let shown = WitChainEvent::of(event).map_err(|error| StoreError::Damaged(error.to_string()))?;
            events.push(shown);
        }
    }
    Ok(codec::encode(&(Result::<_, ()>::Ok(events),)))
}
