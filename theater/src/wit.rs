//! The WIT types of `theater:simple/types`, for handlers whose interfaces use them.

use serde::{Deserialize, Serialize};
use theater_chain::{ChainEvent, codec, document};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::error::ActorError;

/// WIT `chain-event`: an event as guests see it; `data` is the merged document.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct WitChainEvent {
    /// SHA-256, 32 bytes.
    pub hash: Vec<u8>,
    /// The hash of the event before; none for the first.
    #[component(name = "parent-hash")]
    pub parent_hash: Option<Vec<u8>>,
    /// What happened.
    #[component(name = "event-type")]
    pub event_type: String,
    /// Data and payload as one MessagePack document.
    pub data: Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: u64,
}

impl WitChainEvent {
    /// The event as a guest sees it.
    ///
    /// # Errors
    /// The event's bytes cannot be read.
    pub fn of(event: &ChainEvent) -> Result<Self, codec::DecodeError> {
        Ok(Self {
            hash: event.hash.as_bytes().to_vec(),
            parent_hash: (event.seq > 0).then(|| event.parent_hash.as_bytes().to_vec()),
            event_type: event.event_type.to_string(),
            data: document::merged(event)?,
            timestamp: event.timestamp,
        })
    }
}

/// WIT `wit-actor-error`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct WitActorError {
    /// The kind.
    #[component(name = "error-type")]
    pub error_type: WitErrorType,
    /// What happened.
    pub message: String,
    /// Bytes that came with it.
    pub data: Option<Vec<u8>>,
}

impl From<&ActorError> for WitActorError {
    fn from(error: &ActorError) -> Self {
        Self { error_type: error.kind.into(), message: error.message.clone(), data: error.data.clone() }
    }
}

macro_rules! error_types {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// WIT `wit-error-type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
        #[component(enum)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "documented at `ErrorType`")]
        pub enum WitErrorType {
            $(#[component(name = $name)] $variant),+
        }

        impl From<theater_chain::data::ErrorType> for WitErrorType {
            fn from(kind: theater_chain::data::ErrorType) -> Self {
                match kind {
                    $(theater_chain::data::ErrorType::$variant => Self::$variant),+
                }
            }
        }
    };
}

error_types! {
    Trap = "trap",
    GuestError = "guest-error",
    InitFailed = "init-failed",
    InstantiateFailed = "instantiate-failed",
    CallTimeout = "call-timeout",
    MemoryLimit = "memory-limit",
    StateLimit = "state-limit",
    HostCallFailed = "host-call-failed",
    HostCallInterrupted = "host-call-interrupted",
    HandlerPanic = "handler-panic",
    ShutdownTimeout = "shutdown-timeout",
    Killed = "killed",
}
