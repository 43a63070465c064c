//! What can go wrong, one enum per operation.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use theater_chain::data::{ActorErrorData, ErrorType};
use theater_chain::{Digest, Payload, StoreError, TheaterId, codec, payload};

use crate::exit::ExitReason;
use crate::manifest::{Limits, ManifestError};

/// Why an actor failed: WIT `wit-actor-error` and what the record says beside it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
#[non_exhaustive]
pub struct ActorError {
    /// The kind of error.
    pub kind: ErrorType,
    /// What happened, in a sentence.
    pub message: String,
    /// Bytes that came with it.
    pub data: Option<Vec<u8>>,
    /// Whether running again must end the same way.
    pub deterministic: bool,
    /// The wasm trap, where there was one, in kebab-case.
    pub trap_code: Option<String>,
    /// The offset in the component where it trapped.
    pub wasm_offset: Option<u64>,
}

impl ActorError {
    /// An error of this kind. Whether it is deterministic follows from the kind: a wasm trap, a
    /// manifest limit on memory and state and an `err` from init are.
    pub fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        let message = cut(message.into());
        Self { kind, message, data: None, deterministic: kind.is_deterministic(), trap_code: None, wasm_offset: None }
    }

    /// `init` answered `err` with this text.
    pub fn init_answered(err: &str) -> Self {
        Self::new(ErrorType::InitFailed, format!("init answered err: {err}"))
    }

    /// What a call that answered `ok` exceeds of its manifest's limits, if anything: with its next state
    /// and its encoded answer. Of an `err` the text alone counts, and there is no next state.
    pub fn exceeding(limits: &Limits, state: Option<&[u8]>, answer: &[u8]) -> Option<Self> {
        let (size, limit) = (state.map_or(0, <[u8]>::len), limits.state);
        if size > limit {
            let said = format!("the state has {size} bytes; the manifest's limit `state` is {limit}");
            return Some(Self::new(ErrorType::StateLimit, said));
        }
        let (size, limit) = (answer.len(), limits.result);
        let said = || format!("the answer has {size} bytes; the manifest's limit `result` is {limit}");
        (size > limit).then(|| Self::new(ErrorType::StateLimit, said()))
    }
}

impl ActorError {
    /// The error that an `actor_error` event records; what was erased is left out.
    pub fn recorded(data: &[u8], payload: Option<&Payload>) -> Option<Self> {
        let data: ActorErrorData = codec::decode(data).ok()?;
        let field = |name| payload.and_then(|payload| payload::field(payload.bytes(), name).ok().flatten());
        let message = field("message").and_then(|text| codec::decode(text).ok());
        Some(Self {
            kind: data.error,
            message: message.unwrap_or_default(),
            data: field("data").and_then(|bytes| payload::read_bin(bytes).ok()).map(<[u8]>::to_vec),
            deterministic: data.deterministic,
            trap_code: data.trap_code,
            wasm_offset: data.wasm_offset,
        })
    }
}

/// The longest message of an error, in bytes: guests write parts of it, and it is copied to whoever
/// is told.
const LONGEST: usize = 16 << 10;

fn cut(mut message: String) -> String {
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push_str(" ..");
    }
    message
}

/// Why an actor could not be started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file that the manifest names cannot be used.
    #[error("{manifest}: `{key}` names {path}: {reason}")]
    File {
        /// The manifest.
        manifest: String,
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be used, and what to do.
        reason: String,
    },
    /// The component and the listed handlers do not fit together.
    #[error("{manifest}: component {component}: {reason}")]
    Link {
        /// The manifest.
        manifest: String,
        /// The component file.
        component: String,
        /// Which interface does not fit, and what to do.
        reason: String,
    },
    /// The state that it was to begin with is larger than its manifest allows.
    #[error("{manifest}: the initial state has {bytes} bytes; the limit `state` is {limit}")]
    StateLimit {
        /// The manifest.
        manifest: String,
        /// The size of the state.
        bytes: usize,
        /// The manifest's `state`.
        limit: usize,
    },
    /// The state that it was to begin with is none of its own.
    #[error("actor {actor} never committed a state with hash {hash}")]
    NoSuchState {
        /// The actor.
        actor: TheaterId,
        /// The hash.
        hash: Digest,
    },
    /// The state that it was to begin with was a large one, which others followed.
    #[error(
        "the state {hash} of actor {actor} is not kept, since it is large and another one followed it: \
        restart the actor from its last state, or fork it with `theater fork --at`, which makes the state again"
    )]
    StateNotKept {
        /// The actor.
        actor: TheaterId,
        /// The hash.
        hash: Digest,
    },
    /// Its record is not the one that was written: it is never started from it.
    #[error("the record of actor {actor} was rejected: {reason}")]
    Rejected {
        /// The actor.
        actor: TheaterId,
        /// What is wrong with it.
        reason: String,
    },
    /// A permission that the parent or the composer does not hold.
    #[error("{manifest}: handler `{handler}`: {reason}")]
    Permission {
        /// The manifest.
        manifest: String,
        /// The handler.
        handler: String,
        /// What is asked for and not held, and what to write.
        reason: String,
    },
    /// A handler refused it.
    #[error("{0}")]
    Refused(String),
    /// The actor failed before it was running; its chain holds the error.
    #[error("actor {id} ({name}): {error}")]
    Failed {
        /// The actor.
        id: TheaterId,
        /// The manifest's name.
        name: String,
        /// The error.
        error: ActorError,
    },
    /// The actor ended before it was running, and not by an error of its own.
    #[error("actor {id} ({name}) ended while it started: {reason}")]
    Ended {
        /// The actor.
        id: TheaterId,
        /// The manifest's name.
        name: String,
        /// How it ended.
        reason: ExitReason,
    },
    /// No such actor, or none that the caller may start.
    #[error("actor {0} is not found")]
    NotFound(TheaterId),
    /// The actor runs, or another start of it is under way.
    #[error("actor {0} is running or being started")]
    Running(TheaterId),
    /// The start would wait for an actor that waits for this one.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The parent has ended or is being stopped.
    #[error("the parent {0} has ended or is being stopped")]
    ParentGone(TheaterId),
    /// The runtime is being shut down.
    #[error("the runtime is being shut down")]
    ShuttingDown,
    /// The chain store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SpawnError {
    /// As the error of an actor: what a supervisor sees of a child that did not start.
    pub fn as_actor_error(&self) -> ActorError {
        match self {
            Self::Failed { error, .. } => error.clone(),
            error => ActorError::new(error.kind(), error.to_string()),
        }
    }

    /// The kind of error that a supervisor sees.
    pub fn kind(&self) -> ErrorType {
        match self {
            Self::Failed { error, .. } => error.kind,
            Self::Ended { reason: ExitReason::Killed(_), .. } => ErrorType::Killed,
            Self::StateLimit { .. } => ErrorType::StateLimit,
            _ => ErrorType::InstantiateFailed,
        }
    }
}

/// Why a call, a request or a send came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No such actor.
    #[error("actor {0} is not found")]
    NotFound(TheaterId),
    /// The actor does not export the function.
    #[error("actor {actor} does not export {interface}#{function}")]
    NotExported {
        /// The actor.
        actor: TheaterId,
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// The mailbox is full.
    #[error("the mailbox of actor {actor} is full ({limit} messages)")]
    MailboxFull {
        /// The actor.
        actor: TheaterId,
        /// The manifest's `mailbox`.
        limit: usize,
    },
    /// The messages in the mailbox are too large together.
    #[error("the mailbox of actor {actor} is full ({limit} bytes)")]
    MailboxBytes {
        /// The actor.
        actor: TheaterId,
        /// The bound, in bytes: 64 MiB.
        limit: usize,
    },
    /// A source of outside messages has a `/` in its name.
    #[error("the source {0:?} of a message has a `/` in it, which separates a source from its number")]
    Source(String),
    /// The guest answered `err`.
    #[error("{0}")]
    Guest(String),
    /// The actor failed while it served this call.
    #[error("actor {actor} failed: {error}")]
    Failed {
        /// The actor.
        actor: TheaterId,
        /// The error.
        error: ActorError,
    },
    /// The actor ended before it began this call.
    #[error("actor {actor} has ended ({reason})")]
    Ended {
        /// The actor.
        actor: TheaterId,
        /// How it ended.
        reason: ExitReason,
    },
    /// No answer in time.
    #[error("actor {actor} did not answer within {limit_ms} ms")]
    Deadline {
        /// The actor.
        actor: TheaterId,
        /// The deadline, in milliseconds.
        limit_ms: u64,
    },
    /// The caller is being stopped.
    #[error("the caller is being stopped")]
    Stopping,
    /// The request would wait for an actor that waits for the caller.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// An ephemeral actor sends only to ephemeral ones.
    #[error("actor {0} is not ephemeral: an ephemeral actor sends only to ephemeral actors")]
    NotEphemeral(TheaterId),
    /// The answer is larger than allowed or not of the expected type.
    #[error("the answer of actor {actor}: {reason}")]
    Answer {
        /// The actor.
        actor: TheaterId,
        /// What is wrong with it.
        reason: String,
    },
    /// A message with this id is being processed.
    #[error("message {0} is being processed; ask again for its answer")]
    InFlight(String),
    /// The chain store failed: nothing can be acknowledged any more.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Waiting would close a cycle of actors that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would close a cycle of actors that wait for each other: {path}")]
pub struct CycleError {
    /// The cycle, such as `a (0102..) -> b (a0b0..) -> a (0102..)`.
    pub path: String,
}

/// A permission that is not held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(String);

impl Denied {
    /// A denial that says what was asked for, what is held, and what to write in which manifest.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
