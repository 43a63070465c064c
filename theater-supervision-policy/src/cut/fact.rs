//! What an event says that matters for a cut, without its bytes: a window of events is held in this
//! form only.

use serde::de::IgnoredAny;
use theater_chain::codec::{self, DecodeError};
use theater_chain::data::{
    ActorErrorData, ActorRolledBack, ActorStarted, ActorUpgraded, Call, CallReturned, DeadLetter, Effect, ErrorType,
    EventData, HostCall, HostCallBegun, Lane, Outcome, RestartStateKind, StateUpdated,
};
use theater_chain::{ChainEvent, Digest, TheaterId, payload};

use super::origin::Origin;

/// The start of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The seq of `actor_started`.
    pub(super) seq: u64,
    pub(super) incarnation: u32,
    /// The decision or the spawn that led to it.
    pub(super) parent_event: Option<Digest>,
    /// `init` makes its first state.
    pub(super) reset: bool,
    pub(super) state: Digest,
}

/// What a call enters an actor through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The start of an incarnation with `reset`.
    Init,
    /// `handle-send`: nobody waits for an answer.
    Send,
    /// `handle-request`, and every other function: somebody may have got its answer.
    Request,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a state, and what it sent has left.
    Committed {
        seq: u64,
        state: Digest,
        /// The guest gave an answer, as far as the record can tell.
        answered: bool,
    },
    /// The guest answered `err`: the state is as before, and its sends never left.
    Refused { seq: u64, state: Digest },
    /// It failed the incarnation: nothing of it is in any state.
    Failed {
        /// Not by what it did: it was killed.
        killed: bool,
    },
    /// The record ends within it.
    Open,
}

/// To whom a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Actor(TheaterId),
    /// The guest named no actor, so there is no message.
    Nobody,
    /// The payload that says it was erased.
    Erased,
}

/// A host function that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostFn {
    Send,
    Request,
    /// Something with an effect, named in full.
    Write(Box<str>),
}

/// A host call, from one or two events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosted {
    pub(super) ordinal: u32,
    pub(super) function: HostFn,
    /// A permission forbade it, so that nothing happened.
    pub(super) denied: bool,
    /// Where its params are in this event, else `None`.
    pub(super) to: Option<To>,
    /// What the guest got: `ok`, `err`, or something that is not recorded any more.
    pub(super) ok: Option<bool>,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Started(Start),
    Call {
        origin: Origin,
        entry: Entry,
    },
    Ended(End),
    HostCallBegun(Hosted),
    HostCall(Hosted),
    DeadLetter(Origin),
    /// It is not what its type says.
    Unreadable(String),
}

/// What an event says; `None`: nothing that matters.
pub(super) fn read(event: &ChainEvent) -> Option<Fact> {
    decode(event).unwrap_or_else(|error| Some(Fact::Unreadable(error.to_string())))
}

fn decode(event: &ChainEvent) -> Result<Option<Fact>, DecodeError> {
    Ok(match &*event.event_type {
        ActorStarted::TYPE => Some(Fact::Started(started(event)?)),
        ActorUpgraded::TYPE | ActorRolledBack::TYPE => Some(Fact::Unreadable(
            "its component was exchanged there, and states from before are another one's".to_owned(),
        )),
        Call::TYPE => {
            let call = Call::decode(&event.data)?;
            Some(Fact::Call { origin: Origin::of(call.message_id.as_deref()), entry: entry(&call) })
        }
        StateUpdated::TYPE => {
            let state = StateUpdated::decode(&event.data)?.new_state_hash;
            Some(Fact::Ended(End::Committed { seq: event.seq, state, answered: answered(event) }))
        }
        CallReturned::TYPE => {
            let CallReturned { ok, state_hash: state } = CallReturned::decode(&event.data)?;
            let seq = event.seq;
            Some(Fact::Ended(match ok {
                true => End::Committed { seq, state, answered: answered(event) },
                false => End::Refused { seq, state },
            }))
        }
        ActorErrorData::TYPE => {
            let error = ActorErrorData::decode(&event.data)?.error;
            let killed = matches!(error, ErrorType::Killed | ErrorType::ShutdownTimeout);
            Some(Fact::Ended(End::Failed { killed }))
        }
        HostCallBegun::TYPE => {
            let HostCallBegun { ordinal, interface, function, effect } = HostCallBegun::decode(&event.data)?;
            host_fn(&interface, &function, effect).map(|function| {
                let to = Some(to(event));
                Fact::HostCallBegun(Hosted { ordinal, function, denied: false, to, ok: None })
            })
        }
        HostCall::TYPE => {
            let HostCall { ordinal, interface, function, effect, outcome } = HostCall::decode(&event.data)?;
            host_fn(&interface, &function, effect).map(|function| {
                // The params of a function with an effect are in the event before.
                let to = (effect == Effect::Read).then(|| to(event));
                let denied = matches!(outcome, Outcome::Denied(_));
                Fact::HostCall(Hosted { ordinal, function, denied, to, ok: guest_got(event) })
            })
        }
        DeadLetter::TYPE => Some(Fact::DeadLetter(Origin::of(Some(&DeadLetter::decode(&event.data)?.message_id)))),
        _ => None,
    })
}

/// The start that an `actor_started` records.
pub(super) fn started(event: &ChainEvent) -> Result<Start, DecodeError> {
    let data = ActorStarted::decode(&event.data)?;
    Ok(Start {
        seq: event.seq,
        incarnation: data.incarnation,
        parent_event: data.parent_event,
        reset: data.restart_state == RestartStateKind::Reset,
        state: data.state_hash,
    })
}

fn entry(call: &Call) -> Entry {
    match (unversioned(&call.interface), &*call.function) {
        ("theater:simple/actor", "init") if call.lane == Lane::Start => Entry::Init,
        ("theater:simple/message-server-client", "handle-send") => Entry::Send,
        _ => Entry::Request,
    }
}

fn host_fn(interface: &str, function: &str, effect: Effect) -> Option<HostFn> {
    match (unversioned(interface), function) {
        ("theater:simple/message-server-host", "send") => Some(HostFn::Send),
        ("theater:simple/message-server-host", "request") => Some(HostFn::Request),
        _ if effect == Effect::Read => None,
        _ => Some(HostFn::Write(format!("{interface}#{function}").into())),
    }
}

/// Interfaces are recorded as the component names them, with a version or without.
fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

/// The first param of `send` and `request` is the receiver's id.
fn to(event: &ChainEvent) -> To {
    if event.is_erased() {
        return To::Erased;
    }
    match value::<(String, IgnoredAny)>(event, "params") {
        Some((id, _)) => id.parse().map_or(To::Nobody, To::Actor),
        None => To::Nobody,
    }
}

/// Whether a host function answered `ok` or `err`; both `send` and `request` answer one of them.
fn guest_got(event: &ChainEvent) -> Option<bool> {
    value::<(Result<IgnoredAny, IgnoredAny>,)>(event, "result").map(|(result,)| result.is_ok())
}

/// Whether the result of an export has an answer, as that of `handle-request` may or may not.
fn answered(event: &ChainEvent) -> bool {
    matches!(value::<Result<(Option<IgnoredAny>,), IgnoredAny>>(event, "result"), Some(Ok((Some(_),))))
}

/// A field of the payload, if it is there and of this type.
fn value<T: serde::de::DeserializeOwned>(event: &ChainEvent, field: &str) -> Option<T> {
    let bytes = payload::field(event.payload.as_ref()?.bytes(), field).ok()??;
    codec::decode(bytes).ok()
}
