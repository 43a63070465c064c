//! The WIT types of `theater:simple/supervision` and `theater:simple/supervision-policy`.

use serde::{Deserialize, Serialize};
use theater::wasmtime;
use theater::wasmtime::component::{ComponentType, Lift, Lower};
use theater::wit::WitActorError;
use theater::{Digest, ErrorType, RestartFrom, SpawnError};
use theater_supervision_policy as policy;

/// WIT `restart-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum RestartType {
    #[component(name = "permanent")]
    Permanent,
    #[component(name = "transient")]
    Transient,
    #[component(name = "temporary")]
    Temporary,
}

/// WIT `restart-state`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
pub(crate) enum RestartState {
    #[component(name = "reset")]
    Reset,
    #[component(name = "resume")]
    Resume,
    #[component(name = "resume-from")]
    ResumeFrom(Vec<u8>),
    #[component(name = "custom")]
    Custom(Vec<u8>),
}

/// WIT `shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
pub(crate) enum Shutdown {
    #[component(name = "brutal-kill")]
    BrutalKill,
    #[component(name = "timeout-ms")]
    TimeoutMs(u64),
    #[component(name = "infinity")]
    Infinity,
}

/// WIT `child-spec`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub(crate) struct ChildSpec {
    pub(crate) id: String,
    pub(crate) manifest: String,
    #[component(name = "init-bytes")]
    pub(crate) init_bytes: Option<Vec<u8>>,
    pub(crate) restart: RestartType,
    #[component(name = "restart-state")]
    pub(crate) restart_state: RestartState,
    pub(crate) shutdown: Shutdown,
    pub(crate) significant: bool,
    pub(crate) group: Option<String>,
}

/// WIT `child-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum ChildStatus {
    #[component(name = "running")]
    Running,
    #[component(name = "restarting")]
    Restarting,
    #[component(name = "stopped")]
    Stopped,
    #[component(name = "failed")]
    Failed,
}

/// WIT `child-kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum ChildKind {
    #[component(name = "worker")]
    Worker,
    #[component(name = "supervisor")]
    Supervisor,
}

/// WIT `child-info`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub(crate) struct ChildInfo {
    pub(crate) id: String,
    #[component(name = "actor-id")]
    pub(crate) actor_id: Option<String>,
    pub(crate) status: ChildStatus,
    pub(crate) kind: ChildKind,
    pub(crate) incarnation: u32,
    pub(crate) restarts: u32,
    #[component(name = "last-error")]
    pub(crate) last_error: Option<WitActorError>,
}

/// WIT `child-counts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub(crate) struct ChildCounts {
    pub(crate) specs: u32,
    pub(crate) active: u32,
    pub(crate) supervisors: u32,
    pub(crate) workers: u32,
}

/// WIT `supervision-error`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
pub(crate) enum SupervisionError {
    #[component(name = "not-found")]
    NotFound,
    #[component(name = "already-started")]
    AlreadyStarted(String),
    #[component(name = "already-present")]
    AlreadyPresent,
    #[component(name = "running")]
    Running,
    #[component(name = "restarting")]
    Restarting,
    #[component(name = "invalid-spec")]
    InvalidSpec(String),
    #[component(name = "max-children")]
    MaxChildren,
    #[component(name = "failed-to-start")]
    FailedToStart(WitActorError),
    #[component(name = "denied")]
    Denied(String),
}

/// WIT `child-failure`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub(crate) struct ChildFailure {
    #[component(name = "child-id")]
    pub(crate) child_id: String,
    #[component(name = "actor-id")]
    pub(crate) actor_id: String,
    pub(crate) incarnation: u32,
    pub(crate) error: WitActorError,
    pub(crate) class: String,
    pub(crate) attempts: u32,
    #[component(name = "error-hash")]
    pub(crate) error_hash: Vec<u8>,
    #[component(name = "state-hash")]
    pub(crate) state_hash: Option<Vec<u8>>,
}

/// WIT `decision`.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(variant)]
pub(crate) enum Decision {
    #[component(name = "restart")]
    Restart(RestartState),
    #[component(name = "stop")]
    Stop,
    #[component(name = "escalate")]
    Escalate,
    #[component(name = "ignore")]
    Ignore,
    #[component(name = "policy")]
    Policy,
}

impl SupervisionError {
    pub(crate) fn failed(kind: ErrorType, message: String) -> Self {
        Self::FailedToStart(WitActorError { error_type: kind.into(), message, data: None })
    }
}

impl From<SpawnError> for SupervisionError {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::NotFound(_) => Self::NotFound,
            SpawnError::Running(_) => Self::Running,
            SpawnError::Permission { .. } | SpawnError::Cycle(_) => Self::Denied(error.to_string()),
            error => Self::FailedToStart((&error.as_actor_error()).into()),
        }
    }
}

impl TryFrom<RestartState> for policy::StateChoice {
    type Error = String;

    fn try_from(state: RestartState) -> Result<Self, String> {
        Ok(match state {
            RestartState::Reset => Self::Reset,
            RestartState::Resume => Self::Resume,
            RestartState::Custom(bytes) => Self::Custom(bytes),
            RestartState::ResumeFrom(hash) => {
                Self::ResumeFrom(Digest::try_from(&hash[..]).map_err(|error| format!("resume-from: {error}"))?)
            }
        })
    }
}

impl From<policy::StateChoice> for RestartState {
    fn from(state: policy::StateChoice) -> Self {
        match state {
            policy::StateChoice::Reset => Self::Reset,
            policy::StateChoice::Resume => Self::Resume,
            policy::StateChoice::Custom(bytes) => Self::Custom(bytes),
            policy::StateChoice::ResumeFrom(hash) => Self::ResumeFrom(hash.as_bytes().to_vec()),
        }
    }
}

/// The state of a restart, as the core takes it.
pub(crate) fn restart_from(state: policy::StateChoice) -> RestartFrom {
    match state {
        policy::StateChoice::Reset => RestartFrom::Reset,
        policy::StateChoice::Resume => RestartFrom::Resume,
        policy::StateChoice::ResumeFrom(hash) => RestartFrom::ResumeFrom(hash),
        policy::StateChoice::Custom(bytes) => RestartFrom::Custom(Some(bytes)),
    }
}

/// How a child is stopped, as the core takes it.
pub(crate) fn shutdown(declared: policy::Shutdown) -> theater::Shutdown {
    match declared {
        policy::Shutdown::BrutalKill => theater::Shutdown::BrutalKill,
        policy::Shutdown::WithinMs(ms) => theater::Shutdown::Within(std::time::Duration::from_millis(ms)),
        policy::Shutdown::Infinity => theater::Shutdown::Infinity,
    }
}

impl From<RestartType> for policy::RestartType {
    fn from(restart: RestartType) -> Self {
        match restart {
            RestartType::Permanent => Self::Permanent,
            RestartType::Transient => Self::Transient,
            RestartType::Temporary => Self::Temporary,
        }
    }
}

impl From<policy::RestartType> for RestartType {
    fn from(restart: policy::RestartType) -> Self {
        match restart {
            policy::RestartType::Permanent => Self::Permanent,
            policy::RestartType::Transient => Self::Transient,
            policy::RestartType::Temporary => Self::Temporary,
        }
    }
}

impl From<Shutdown> for policy::Shutdown {
    fn from(shutdown: Shutdown) -> Self {
        match shutdown {
            Shutdown::BrutalKill => Self::BrutalKill,
            Shutdown::TimeoutMs(ms) => Self::WithinMs(ms),
            Shutdown::Infinity => Self::Infinity,
        }
    }
}

impl ChildSpec {
    /// The spec of a child, as its supervisor sees it. `supervises`: its default time has no limit.
    pub(crate) fn of(spec: &policy::Spec, init_bytes: Option<Vec<u8>>, supervises: bool) -> Self {
        let shutdown = match spec.shutdown {
            Some(policy::Shutdown::BrutalKill) => Shutdown::BrutalKill,
            Some(policy::Shutdown::WithinMs(ms)) => Shutdown::TimeoutMs(ms),
            None if !supervises => Shutdown::TimeoutMs(5_000),
            Some(policy::Shutdown::Infinity) | None => Shutdown::Infinity,
        };
        Self {
            id: spec.id.clone(),
            manifest: spec.manifest.clone(),
            init_bytes,
            restart: spec.restart.into(),
            restart_state: spec.restart_state.clone().into(),
            shutdown,
            significant: spec.significant,
            group: spec.group.clone(),
        }
    }
}

impl TryFrom<Decision> for policy::GuestDecision {
    type Error = String;

    fn try_from(decision: Decision) -> Result<Self, String> {
        Ok(match decision {
            Decision::Restart(state) => Self::Restart(state.try_into()?),
            Decision::Stop => Self::Stop,
            Decision::Escalate => Self::Escalate,
            Decision::Ignore => Self::Ignore,
            Decision::Policy => Self::Policy,
        })
    }
}
