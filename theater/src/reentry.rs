//! A call that was open when the process went down and begins again: what its host calls answered,
//! by the record, and what is answered from it.

use std::collections::VecDeque;

use bytes::Bytes;
use theater_chain::data::{Data, Effect, HostCall, Outcome};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, codec, payload};

use crate::chain_view::ChainRange;
use crate::wit::WitChainEvent;

/// A call that begins again.
#[derive(Debug, Default)]
pub(crate) struct Reentry {
    /// The seq of its `call` event.
    pub(crate) seq: u64,
    /// Its host calls so far.
    pub(crate) calls: VecDeque<RecordedCall>,
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
                }),
                Some(Data::HostCall(data)) => {
                    let ended = Some((data.outcome, field("result")?));
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
                        }),
                    }
                }
                _ => {}
            }
        }
        Ok(Self { seq, calls })
    }

    /// The event with which the host call began that is open.
    pub(crate) fn open_host_call(&self) -> Option<&RecordedCall> {
        self.calls.back().filter(|call| call.ended.is_none())
    }
}

impl RecordedCall {
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
        if self.ordinal != ordinal || self.interface != interface || self.function != function {
            return Some(format!("{there}, and it made host call {ordinal} of {interface}#{function}"));
        }
        let same = match (&self.params_digest, &self.params) {
            (Some(digest), _) => payload::read_bin(digest).is_ok_and(|digest| digest == Digest::of(params).as_bytes()),
            (None, Some(recorded)) => recorded == params,
            (None, None) => params == [0xc0] || params == [0x90],
        };
        (!same).then(|| format!("{there} with other params than it passed"))
    }
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
