//! The structural part of each kind of event.
//!
//! Each type is written as a MessagePack map in the order of its fields; an absent value is nil,
//! ids and enum values are text, hashes are `bin` of 32 bytes. What guests or the outside supplied
//! is not here but in the event's payload ([`crate::payload`]).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::scan::{Reader, Token};
use crate::{Digest, TheaterId};

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
    ActorTerminated = "actor_terminated",
    ChildExited = "child_exited",
    SupervisionAction = "supervision_action",
    HandlerError = "handler_error",
    PermissionDenied = "permission_denied",
    DeadLetter = "dead_letter",
    InstanceDropped = "instance_dropped",
}

/// An incarnation begins. Payload: `initial_state`, only where `init` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorStarted {
    /// The actor.
    pub actor_id: TheaterId,
    /// Which of its lives this is, from 1.
    pub incarnation: u32,
    /// [`FORMAT`].
    pub format: u32,
    /// The parent; none for a root.
    pub parent: Option<TheaterId>,
    /// In the parent's chain: the begun spawn or the decision that led to this start.
    pub parent_event: Option<Digest>,
    /// The digest of the component.
    pub component: Digest,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The handlers that the actor may use, in manifest order.
    pub handlers: Vec<HandlerRecord>,
    /// What compiled and runs the component.
    pub engine: EngineRecord,
    /// The public key of the host that signs, where there is one.
    pub host_key: Option<String>,
    /// Where the state came from.
    pub restart_state: RestartStateKind,
    /// The hash of the state that was installed, or that `init` receives.
    pub state_hash: Digest,
}

/// A handler of an actor, with the permissions that were in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerRecord {
    /// `Handler::NAME`.
    pub name: String,
    /// `Handler::VERSION`.
    pub version: String,
    /// The effective permissions.
    pub permissions: serde_json::Value,
}

/// The engine: replay of an environmental stack overflow needs the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineRecord {
    /// Version of wasmtime.
    pub wasmtime: String,
    /// SHA-256 over what wasmtime's compatibility hash covers.
    pub config: Digest,
    /// The target triple.
    pub target: String,
}

/// Where the state of an incarnation came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartStateKind {
    /// `init` ran on the init bytes.
    Reset,
    /// The last committed state.
    Resume,
    /// An earlier committed state.
    ResumeFrom,
    /// Bytes that the parent supplied.
    Custom,
}

/// A message from outside reached the actor's mailbox. Payload: `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageAccepted {
    /// Who sent it.
    pub source: String,
    /// Its number at that source.
    pub n: u64,
    /// `<source>/<n>`.
    pub message_id: String,
}

/// A guest export is called. Payload: `params`, without the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which lane it came through.
    pub lane: Lane,
    /// The interface as the component exports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The message that it delivers, if it delivers one.
    pub message_id: Option<String>,
    /// The event that led to it, in whichever chain.
    pub cause: Option<Digest>,
}

/// The lanes of an actor that lead into its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Part of a start: `init`, `resumed`.
    Start,
    /// A message or a callback.
    Mailbox,
}

/// A call ended and left the state as it was. Payload: `result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallReturned {
    /// False: the guest returned `err`, and its sends were dropped.
    pub ok: bool,
    /// The hash of the state.
    pub state_hash: Digest,
}

/// A call committed with a new state. Payload: `result`, without the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateUpdated {
    /// The actor.
    pub actor_id: TheaterId,
    /// The hash before.
    pub old_state_hash: Digest,
    /// The hash after.
    pub new_state_hash: Digest,
    /// The message that the call delivered, if it delivered one.
    pub transition_message: Option<String>,
}

/// What a crash in the middle of a host call means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing outside: one event, may run again.
    Read,
    /// Changes something, and running it twice is the same as once.
    WriteIdempotent,
    /// Changes something, and must not be repeated silently.
    Write,
}

/// A host function with an effect is about to run. Payload: `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCallBegun {
    /// Its number within the guest call, from 0.
    pub ordinal: u32,
    /// The interface as the component imports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// What a crash means.
    pub effect: Effect,
}

/// A host function ended. Payload: `params` (unless begun) and `result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCall {
    /// Its number within the guest call, from 0.
    pub ordinal: u32,
    /// The interface as the component imports it.
    pub interface: String,
    /// The function.
    pub function: String,
    /// What a crash means.
    pub effect: Effect,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a host call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It answered.
    Ok,
    /// A permission forbade it, by this rule; the guest got the answer in `result`.
    Denied(String),
    /// The host function failed, which ends the call.
    Trap,
    /// The call was dropped while it ran: killed or past its deadline.
    Abandoned,
    /// The host went down while it ran.
    Interrupted,
}

/// An incarnation fails. Payload: `message`, `data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorErrorData {
    /// The actor.
    pub actor_id: TheaterId,
    /// The kind of error, as in WIT `wit-error-type`.
    pub error: ErrorType,
    /// Whether running again must end the same way.
    pub deterministic: bool,
    /// The hash of the last committed state.
    pub state_hash: Digest,
    /// The message whose call failed.
    pub message_id: Option<String>,
    /// The wasm trap, where there was one, such as `unreachable`.
    pub trap_code: Option<String>,
    /// The offset in the component where it trapped.
    pub wasm_offset: Option<u64>,
}

/// The kinds of error that end an incarnation: WIT `wit-error-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorType {
    /// A wasm trap.
    Trap,
    /// The guest asked to end, as a supervisor that escalates does.
    GuestError,
    /// `init` returned `err`.
    InitFailed,
    /// The component could not be compiled, linked or instantiated, or a handler could not start.
    InstantiateFailed,
    /// The call or `init` ran longer than the manifest allows.
    CallTimeout,
    /// The guest asked for more memory than the manifest allows.
    MemoryLimit,
    /// The state is larger than the manifest allows.
    StateLimit,
    /// A host function failed or did not answer in time, or its arguments could not be read.
    HostCallFailed,
    /// The host went down during a host call that must not be repeated.
    HostCallInterrupted,
    /// A handler panicked.
    HandlerPanic,
    /// A stop was not obeyed in time.
    ShutdownTimeout,
    /// Killed.
    Killed,
}

/// An incarnation ended; the last event of it. Payload: `data` of a normal exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorTerminated {
    /// The actor.
    pub actor_id: TheaterId,
    /// The hash of the last committed state.
    pub final_state_hash: Digest,
    /// Why.
    pub reason: ReasonRecord,
}

/// Why an incarnation ended, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonRecord {
    /// It asked for its own end.
    Normal,
    /// Its `init` declined to start.
    Declined,
    /// It obeyed a stop.
    Shutdown,
    /// It failed; the `actor_error` before says how.
    Abnormal(ErrorType),
    /// It was killed.
    Killed(KillCause),
}

/// Who or what killed an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillCause {
    /// An operator or the embedding program.
    Host,
    /// It did not obey a stop in time.
    Deadline,
    /// Its parent had gone.
    ParentGone,
}

/// A child's incarnation ended, in the parent's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildExited {
    /// The child.
    pub child: TheaterId,
    /// Which of its lives.
    pub incarnation: u32,
    /// Why it ended.
    pub reason: ReasonRecord,
    /// In the child's chain: its `actor_error`, else its `actor_terminated`.
    pub error_hash: Digest,
    /// Supervision time, in ms: grows with elapsed time while the process runs, never with the
    /// wall clock.
    pub at_ms: u64,
}

/// A decision about a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisionAction {
    /// The child.
    pub actor_id: TheaterId,
    /// What was decided.
    pub action: SupervisionActionKind,
    /// The class of the error.
    pub class: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The attempts counted.
    pub window: u32,
    /// The delay before the action, in ms.
    pub delay_ms: u64,
    /// In the child's chain: the error that led to this.
    pub error_hash: Option<Digest>,
    /// The state that the child gets.
    pub new_state_hash: Option<Digest>,
    /// A consistent cut over a group.
    pub cut: Option<Vec<(TheaterId, u64, Digest)>>,
    /// Supervision time, in ms.
    pub at_ms: u64,
}

/// What a supervisor decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionActionKind {
    /// Start the next incarnation.
    Restart,
    /// Leave it down for good.
    Stop,
    /// End the supervisor, abnormal.
    Escalate,
    /// Leave it failed, uncounted.
    Ignore,
    /// Refuse to restart from a record that does not verify.
    Reject,
    /// Nothing yet; something is close to its limit.
    Warn,
}

/// A handler failed, or a callback returned `err`. Payload: `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandlerError {
    /// The handler.
    pub handler: String,
    /// What it was doing, such as `supervisor-handlers/handle-child-error` or `stop`.
    pub phase: String,
}

/// A permission forbade something outside of a host call. Payload: `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionDenied {
    /// The handler.
    pub handler: String,
    /// The rule.
    pub rule: String,
}

/// A message will never be delivered. Payload: none; the sender's event holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// The message.
    pub message_id: String,
    /// The interface of the function that it would have called.
    pub interface: String,
    /// That function.
    pub function: String,
    /// Why, in a few words.
    pub reason: String,
    /// The event that led to the message.
    pub cause: Option<Digest>,
}

/// The instance was dropped between two calls; the next call runs on a fresh one that gets the
/// state bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceDropped {
    /// Why.
    pub reason: DropReason,
}

/// Why an instance was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// It was idle.
    Parked,
    /// It had run for 1,000 events.
    Aged,
}
