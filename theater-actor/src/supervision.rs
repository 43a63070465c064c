//! Children by their specs, the full face, after OTP's `supervisor`; and the types of the
//! callbacks. Handler `supervisor`.
//!
//! Most children need none of this: the manifest declares them with `[[handlers.children]]`, and they
//! are started and restarted as it says. [`actor_id`] says where to send them messages.

use std::fmt;

use crate::bindings::imports::theater::simple::supervision as host;
use crate::bindings::imports::theater::simple::types;

pub use crate::bindings::policy::exports::theater::simple::supervision_policy::{ChildFailure, Decision};
pub use host::{ChildCounts, ChildInfo, ChildKind, ChildSpec, ChildStatus, RestartState, RestartType, Shutdown};
pub use types::{WitActorError as ActorError, WitErrorType as ErrorType};

/// Why an operation on a child was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisionError {
    /// This actor has no such child.
    #[error("not found: this actor has no such child")]
    NotFound,
    /// It runs already, as this actor id.
    #[error("the child runs already, as actor {0}")]
    AlreadyStarted(String),
    /// Its spec is kept and it is down.
    #[error("a child with this id is down: restart or delete it")]
    AlreadyPresent,
    /// It runs.
    #[error("the child is running: terminate it first")]
    Running,
    /// It is being restarted.
    #[error("the child is being restarted")]
    Restarting,
    /// What is wrong with the spec.
    #[error("the child's spec is invalid: {0}")]
    InvalidSpec(String),
    /// The permission `max_children` is used up.
    #[error("the permission max_children is used up")]
    MaxChildren,
    /// Its start failed, and so.
    #[error("the child's start failed: {0}")]
    FailedToStart(ActorError),
    /// The permission that is missing.
    #[error("denied: {0}")]
    Denied(String),
}

impl From<host::SupervisionError> for SupervisionError {
    fn from(error: host::SupervisionError) -> Self {
        match error {
            host::SupervisionError::NotFound => Self::NotFound,
            host::SupervisionError::AlreadyStarted(actor) => Self::AlreadyStarted(actor),
            host::SupervisionError::AlreadyPresent => Self::AlreadyPresent,
            host::SupervisionError::Running => Self::Running,
            host::SupervisionError::Restarting => Self::Restarting,
            host::SupervisionError::InvalidSpec(what) => Self::InvalidSpec(what),
            host::SupervisionError::MaxChildren => Self::MaxChildren,
            host::SupervisionError::FailedToStart(error) => Self::FailedToStart(error),
            host::SupervisionError::Denied(what) => Self::Denied(what),
        }
    }
}

impl fmt::Display for ActorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for ActorError {}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trap => "trap",
            Self::GuestError => "guest-error",
            Self::InitFailed => "init-failed",
            Self::InstantiateFailed => "instantiate-failed",
            Self::CallTimeout => "call-timeout",
            Self::MemoryLimit => "memory-limit",
            Self::StateLimit => "state-limit",
            Self::HostCallFailed => "host-call-failed",
            Self::HostCallInterrupted => "host-call-interrupted",
            Self::HandlerPanic => "handler-panic",
            Self::ShutdownTimeout => "shutdown-timeout",
            Self::Killed => "killed",
        })
    }
}

impl ChildSpec {
    /// A permanent worker with OTP's defaults: restarted with `reset`, stopped within 5 seconds,
    /// not significant, in no group. The other fields are set by struct update:
    ///
    /// ```
    /// use theater_actor::supervision::{ChildSpec, RestartState};
    ///
    /// let spec = ChildSpec {
    ///     restart_state: RestartState::Resume,
    ///     ..ChildSpec::new("ledger", "ledger/ledger.toml")
    /// };
    /// assert_eq!(spec.id, "ledger");
    /// ```
    pub fn new(id: impl Into<String>, manifest: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            manifest: manifest.into(),
            init_bytes: None,
            restart: RestartType::Permanent,
            restart_state: RestartState::Reset,
            shutdown: Shutdown::TimeoutMs(5_000),
            significant: false,
            group: None,
        }
    }
}

/// Starts a child, as the youngest, and returns its actor id; none: its init declined. When the
/// start fails, the spec is not kept. With the strategy `dynamic` the template of the manifest holds:
/// of the spec only the id, which may be empty, and the init bytes count.
///
/// # Errors
/// See [`SupervisionError`].
pub fn start_child(spec: &ChildSpec) -> Result<Option<String>, SupervisionError> {
    Ok(host::start_child(spec)?)
}

/// Stops a child as its spec says and keeps the spec, except for a temporary one.
///
/// # Errors
/// This actor has no such child.
pub fn terminate_child(child: &str) -> Result<(), SupervisionError> {
    Ok(host::terminate_child(child)?)
}

/// Starts a child that is down, under its id, with this state; none: its init declined. It costs
/// nothing of a budget.
///
/// # Errors
/// It runs or is being restarted, or the start failed.
pub fn restart_child_with(child: &str, state: &RestartState) -> Result<Option<String>, SupervisionError> {
    Ok(host::restart_child_with(child, state)?)
}

/// Forgets a child that is down.
///
/// # Errors
/// It runs or is being restarted, or this actor has no such child.
pub fn delete_child(child: &str) -> Result<(), SupervisionError> {
    Ok(host::delete_child(child)?)
}

/// All children: those that are alive, the newest started first, then specs that are down, then up
/// to 1,000 that have ended and have no spec.
pub fn which_children() -> Vec<ChildInfo> {
    host::which_children()
}

/// The actor id of the child with this spec id, to send messages to. It stays the same over all
/// restarts; that of a declared child over those of this actor, too.
///
/// # Errors
/// This actor has no such child.
pub fn actor_id(child: &str) -> Result<String, SupervisionError> {
    let known = which_children().into_iter().find(|info| info.id == child);
    known.and_then(|info| info.actor_id).ok_or(SupervisionError::NotFound)
}

/// How many children there are.
pub fn count_children() -> ChildCounts {
    host::count_children()
}

/// The spec of a child.
///
/// # Errors
/// This actor has no such child.
pub fn child_spec(child: &str) -> Result<ChildSpec, SupervisionError> {
    Ok(host::get_child_spec(child)?)
}

/// The running call completes and commits, then this supervisor ends abnormally for this reason.
pub fn escalate(reason: &str) {
    host::escalate(reason);
}
