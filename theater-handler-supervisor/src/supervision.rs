//! `theater:simple/supervision`: restarts that choose their state, and the view of all children.

use serde::{Deserialize, Serialize};
use theater::wasmtime;
use theater::wasmtime::component::{ComponentType, Lift, Lower};
use theater::wit::WitActorError;
use theater::{
    ActorProcess, ActorStatus, Call, ChildError, Digest, ErrorType, RestartFrom, Result, SpawnError, StoppedBy,
};

use crate::SupervisorHandler;
use crate::error::SupervisorError;
use crate::host::{child_id, note_denial, room_for};

/// Ended children that `which-children` lists at most.
const ENDED: usize = 1_000;

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
    id: String,
    #[component(name = "actor-id")]
    actor_id: Option<String>,
    status: ChildStatus,
    kind: ChildKind,
    incarnation: u32,
    restarts: u32,
    #[component(name = "last-error")]
    last_error: Option<WitActorError>,
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

impl From<SpawnError> for SupervisionError {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::NotFound(_) => Self::NotFound,
            SpawnError::Running(_) => Self::Running,
            SpawnError::Permission { .. } | SpawnError::Cycle(_) => Self::Denied(error.to_string()),
            SpawnError::Failed { error, .. } => Self::FailedToStart((&error).into()),
            error => failed(error.kind(), error.to_string()),
        }
    }
}

fn failed(kind: ErrorType, message: String) -> SupervisionError {
    SupervisionError::FailedToStart(WitActorError { error_type: kind.into(), message, data: None })
}

type Restarted = std::result::Result<Option<String>, SupervisionError>;

/// Starts the next incarnation of a child that has ended, with the state that the guest chooses.
pub(crate) async fn restart_child_with(
    mut call: Call<'_, SupervisorHandler>,
    (child, state): (String, RestartState),
) -> Result<(Restarted,)> {
    let Ok(id) = child_id(&child) else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    let from = match state {
        RestartState::Reset => RestartFrom::Reset,
        RestartState::Resume => RestartFrom::Resume,
        RestartState::Custom(bytes) => RestartFrom::Custom(Some(bytes)),
        RestartState::ResumeFrom(hash) => match Digest::try_from(&hash[..]) {
            Ok(hash) => RestartFrom::ResumeFrom(hash),
            Err(error) => return Ok((Err(SupervisionError::InvalidSpec(format!("resume-from: {error}"))),)),
        },
    };
    let tree = call.tree();
    if tree.children().iter().any(|child| child.actor_id == id && child.is_alive()) {
        return Ok((Err(SupervisionError::Running),));
    }
    match room_for(&mut call, id).await {
        Ok(()) => {}
        Err(SupervisorError::NotFound(_)) => return Ok((Err(SupervisionError::NotFound),)),
        Err(SupervisorError::HandlerError(_)) => return Ok((Err(SupervisionError::MaxChildren),)),
        Err(error) => return Ok((Err(failed(ErrorType::InstantiateFailed, error.to_string())),)),
    }
    let restarted = tree.restart(id, from, call.idempotency_key()).await;
    note_denial(&mut call, restarted.as_ref().err());
    Ok((restarted.map(|started| started.map(|id| id.to_string())).map_err(SupervisionError::from),))
}

/// WIT `child-counts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower, Serialize, Deserialize)]
#[component(record)]
pub(crate) struct ChildCounts {
    specs: u32,
    active: u32,
    supervisors: u32,
    workers: u32,
}

/// Stops a child; the guest hears nothing of it.
pub(crate) async fn terminate_child(
    call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(std::result::Result<(), SupervisionError>,)> {
    let Ok(id) = child_id(&child) else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    let stopped = call.tree().stop(id, None, StoppedBy::ParentQuietly).await;
    Ok((stopped.map_err(|error| match error {
        ChildError::NotFound(_) => SupervisionError::NotFound,
        error => SupervisionError::Denied(error.to_string()),
    }),))
}

/// How many children there are. None has a spec: those are declared or started by `start-child`.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a host function")]
pub(crate) fn count_children(call: Call<'_, SupervisorHandler>, (): ()) -> Result<(ChildCounts,)> {
    let children: Vec<_> = call.tree().children().into_iter().filter(ActorProcess::is_alive).collect();
    let supervisors = children.iter().filter(|child| supervises(child)).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok((ChildCounts {
        specs: 0,
        active: count(children.len()),
        supervisors: count(supervisors),
        workers: count(children.len() - supervisors),
    },))
}

/// Ends the supervisor abnormal when its running call has committed.
pub(crate) fn escalate(mut call: Call<'_, SupervisorHandler>, (reason,): (String,)) -> Result<()> {
    call.end_abnormal(format!("escalated: {reason}"));
    Ok(())
}

/// All children, those started last first: the ones alive, then up to 1,000 that have ended.
pub(crate) async fn which_children(call: Call<'_, SupervisorHandler>, (): ()) -> Result<(Vec<ChildInfo>,)> {
    let tree = call.tree();
    let alive = tree.children();
    let ended = tree.ended(ENDED).await?;
    Ok((alive.iter().rev().chain(&ended).map(info).collect(),))
}

fn supervises(child: &ActorProcess) -> bool {
    child.handlers.iter().any(|handler| handler == "supervisor")
}

fn info(child: &ActorProcess) -> ChildInfo {
    let id = child.actor_id.to_string();
    let status = match child.status {
        ActorStatus::Running => ChildStatus::Running,
        ActorStatus::Restarting => ChildStatus::Restarting,
        ActorStatus::Stopped => ChildStatus::Stopped,
        ActorStatus::Failed => ChildStatus::Failed,
    };
    let alive = matches!(status, ChildStatus::Running | ChildStatus::Restarting);
    ChildInfo {
        actor_id: alive.then(|| id.clone()),
        id,
        status,
        kind: if supervises(child) { ChildKind::Supervisor } else { ChildKind::Worker },
        incarnation: child.incarnation,
        restarts: child.incarnation.saturating_sub(1),
        last_error: child.last_error.as_ref().map(WitActorError::from),
    }
}
