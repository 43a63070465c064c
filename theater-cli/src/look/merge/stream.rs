//! The chain of one actor while it is merged with others: a page of it, and what is under way in it.

use std::collections::VecDeque;

use theater::chain::ChainEvent;
use theater::chain::codec::DecodeError;
use theater::chain::data::{
    ActorErrorData, ActorStarted, ActorTerminated, Call, CallReturned, EventData as _, HostCall, HostCallBegun, Lane,
    Outcome, StateUpdated,
};
use theater::chain::{ActorEntry, codec, payload};
use theater::{Digest, TheaterId};

/// A chain that is read from its beginning to where it ended when the merge began.
pub(super) struct Stream {
    pub(super) id: TheaterId,
    pub(super) parent: Option<TheaterId>,
    /// The seq after the last event.
    pub(super) end: u64,
    /// The seq of the first event that was not read.
    pub(super) unread: u64,
    /// The seq of the first event that was not given out.
    pub(super) next: u64,
    /// Events that were read and not given out.
    pub(super) page: VecDeque<ChainEvent>,
    /// The hashes of the events of the last two pages.
    pub(super) hashes: [Vec<Digest>; 2],
    /// Events of others, by stream and seq, that come before the first of the page.
    pub(super) waits: Vec<(usize, u64)>,
    /// Whether the first of the page stands among those that may be next.
    pub(super) is_ready: bool,
    /// The host call that was begun and has not ended.
    pub(super) begun: Option<Begun>,
    /// The cause of the call that runs: the host call of another that waits for it.
    pub(super) serves: Option<Digest>,
    /// Whether `init` or `resumed` runs.
    pub(super) starts: bool,
}

/// A host call under way.
pub(super) struct Begun {
    pub(super) hash: Digest,
    /// Whom it asks, if it is a request.
    pub(super) asks: Option<TheaterId>,
    /// Whether the call that it asked for has ended.
    pub(super) is_answered: bool,
    /// The streams of actors that were started for it.
    pub(super) started: Vec<usize>,
}

impl Stream {
    pub(super) fn new(actor: &ActorEntry) -> Self {
        Self {
            id: actor.id,
            parent: actor.index.parent,
            end: actor.head.seq + 1,
            unread: 0,
            next: 0,
            page: VecDeque::new(),
            hashes: Default::default(),
            waits: Vec::new(),
            is_ready: false,
            begun: None,
            serves: None,
            starts: false,
        }
    }

    /// The event that comes next, if there is one.
    pub(super) fn head(&self) -> Option<&ChainEvent> {
        self.page.front()
    }

    /// Whether a host call that was begun ends with the next event.
    pub(super) fn ends_host_call(&self) -> bool {
        self.begun.is_some() && self.head().is_some_and(|event| event.event_type == HostCall::TYPE)
    }

    /// Whether the next event belongs to the actor's start.
    pub(super) fn is_starting(&self) -> Result<bool, DecodeError> {
        let Some(event) = self.head() else { return Ok(false) };
        Ok(self.starts || event.event_type == Call::TYPE && codec::decode::<Call>(&event.data)?.lane == Lane::Start)
    }

    /// Notes what is under way after an event of it.
    pub(super) fn note(&mut self, event: &ChainEvent) -> Result<(), DecodeError> {
        match event.event_type.as_ref() {
            ActorStarted::TYPE => (self.begun, self.serves, self.starts) = (None, None, false),
            Call::TYPE => {
                let call: Call = codec::decode(&event.data)?;
                (self.serves, self.starts) = (call.cause, call.lane == Lane::Start);
            }
            HostCallBegun::TYPE => {
                let asks = asked(event)?;
                self.begun = Some(Begun { hash: event.hash, asks, is_answered: false, started: Vec::new() });
            }
            HostCall::TYPE => self.begun = None,
            StateUpdated::TYPE | CallReturned::TYPE | ActorErrorData::TYPE | ActorTerminated::TYPE => {
                (self.begun, self.serves, self.starts) = (None, None, false);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whom a host call asks, if it is a request to another actor.
fn asked(event: &ChainEvent) -> Result<Option<TheaterId>, DecodeError> {
    let begun: HostCallBegun = codec::decode(&event.data)?;
    if begun.function != "request" || !begun.interface.starts_with("theater:simple/message-server-host") {
        return Ok(None);
    }
    let params = event.payload.as_ref().map(|payload| payload::field(payload.bytes(), "params")).transpose()?.flatten();
    let params = params.and_then(|mut params| rmpv::decode::read_value(&mut params).ok());
    let to = params.as_ref().and_then(|params| params.as_array()?.first()?.as_str());
    Ok(to.and_then(|to| to.parse().ok()))
}

/// The result `Ok` of a function with one result, as a host call has it recorded: `[{"Ok": ..`.
const OK: &[u8] = b"\x91\x81\xa2Ok";

/// Whether a host call ended with an answer, so that whoever it asked has answered.
pub(super) fn has_answer(event: &ChainEvent) -> Result<bool, DecodeError> {
    if codec::decode::<HostCall>(&event.data)?.outcome != Outcome::Ok {
        return Ok(false);
    }
    let result = event.payload.as_ref().map(|payload| payload::field(payload.bytes(), "result")).transpose()?.flatten();
    Ok(result.is_some_and(|result| result.starts_with(OK)))
}
