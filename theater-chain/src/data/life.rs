//! The events of an actor's incarnations: their start, failure and end.

use serde::{Deserialize, Serialize};

use super::AskedBy;
use crate::{Digest, TheaterId};

/// An incarnation begins. Payload: `initial_state`, only where `init` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorStarted {
    /// The actor.
    pub actor_id: TheaterId,
    /// Which of its lives this is, from 1.
    pub incarnation: u32,
    /// [`FORMAT`](super::FORMAT).
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

impl ErrorType {
    /// Whether running again must end the same way: a wasm trap, a manifest limit on memory and state,
    /// an `err` from init and an end that the guest asks for. A trap for the depth of the stack is the
    /// exception, which this does not know of.
    pub fn is_deterministic(self) -> bool {
        matches!(self, Self::Trap | Self::MemoryLimit | Self::StateLimit | Self::InitFailed | Self::GuestError)
    }
}

/// An incarnation begins to end; `actor_terminated` follows once its children have ended and its
/// handlers have stopped. Should the process go down in between, the end is completed. Right before
/// the end of a call: that call ends the actor, if it ends well. It is left out where nothing lies
/// between it and the end, and where an `actor_error` says as much. Payload: `data` of a normal exit;
/// `message` and `data` of an error that the guest ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorEnding {
    /// The actor.
    pub actor_id: TheaterId,
    /// Why.
    pub reason: ReasonRecord,
    /// Who asked for it.
    pub asked_by: AskedBy,
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

/// The instance was dropped; the next call, or the one that is open, runs on a fresh one that gets
/// the last committed state. Only with [`DropReason::Recovered`] a call may be open.
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
    /// The process went down. Within a call that call begins again: its recorded host calls are
    /// answered from the record, and it goes on from there.
    Recovered,
}

/// From here on every state of the incarnation stays in the store, the one of this moment too: its
/// supervisor may restart it from any of them. Otherwise [`Keeping`](crate::Keeping) says which stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatesKept {
    /// The actor.
    pub actor_id: TheaterId,
}
