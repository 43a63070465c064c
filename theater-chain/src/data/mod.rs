//! The structural part of each kind of event.
//!
//! Each type is written as a MessagePack map in the order of its fields; an absent value is nil,
//! ids and enum values are text, hashes are `bin` of 32 bytes. What guests or the outside supplied
//! is not here but in the event's payload ([`crate::payload`]).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, DecodeError};
use crate::scan::{Reader, Token};

mod branch;
mod calls;
mod life;
mod supervision;
mod trim;
mod upgrade;

pub use branch::ActorForked;
pub use calls::{
    Call, CallReturned, DeadLetter, Effect, HostCall, HostCallBegun, Lane, MessageAccepted, Outcome, PermissionDenied,
    StateUpdated,
};
pub use life::{
    ActorEnding, ActorErrorData, ActorStarted, ActorTerminated, DropReason, EngineRecord, ErrorType, HandlerRecord,
    InstanceDropped, KillCause, ReasonRecord, RestartStateKind, StatesKept,
};
pub use supervision::{
    AskedBy, ChildAnchor, ChildErred, ChildExited, ChildrenAnchored, HandlerError, SupervisionAction,
    SupervisionActionKind,
};
pub use trim::{PayloadErased, Pruned};
pub use upgrade::{ActorRolledBack, ActorUpgraded};

/// The version of the event format, in every `actor_started`.
pub const FORMAT: u32 = 1;

/// The data of one kind of event.
pub trait EventData: Serialize + DeserializeOwned {
    /// The `event_type`.
    const TYPE: &'static str;

    /// The bytes as they stand in the event.
    fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The data of such an event from its bytes: a map of exactly these fields.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::check(bytes)?;
        if !matches!(Reader::new(bytes).token()?, Token::Map(_)) {
            return Err(DecodeError::NotAMap);
        }
        rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Type(error.to_string()))
    }
}

macro_rules! event_types {
    ($($data:ident = $name:literal),+ $(,)?) => {
        $(impl EventData for $data { const TYPE: &'static str = $name; })+
        /// Every event type that this version writes.
        pub const EVENT_TYPES: &[&str] = &[$($name),+];

        /// The data of an event of any type that this version knows.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "one at a time, on the stack of who reads a chain")]
        pub enum Data {
            $(#[doc = concat!("`", $name, "`")] $data($data)),+
        }

        impl Data {
            /// The data of an event; `None` for a type that this version does not know.
            pub fn decode(event_type: &str, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
                Ok(Some(match event_type {
                    $($name => Self::$data($data::decode(bytes)?),)+
                    _ => return Ok(None),
                }))
            }
        }
    };
}

event_types! {
    ActorStarted = "actor_started",
    MessageAccepted = "message_accepted",
    Call = "call",
    CallReturned = "call_returned",
    StateUpdated = "state_updated",
    HostCallBegun = "host_call_begun",
    HostCall = "host_call",
    ActorErrorData = "actor_error",
    ActorEnding = "actor_ending",
    ActorTerminated = "actor_terminated",
    ChildExited = "child_exited",
    ChildErred = "child_erred",
    SupervisionAction = "supervision_action",
    ChildrenAnchored = "children_anchored",
    HandlerError = "handler_error",
    PermissionDenied = "permission_denied",
    DeadLetter = "dead_letter",
    InstanceDropped = "instance_dropped",
    PayloadErased = "payload_erased",
    Pruned = "pruned",
    ActorUpgraded = "actor_upgraded",
    ActorRolledBack = "actor_rolled_back",
    ActorForked = "actor_forked",
    StatesKept = "states_kept",
}
