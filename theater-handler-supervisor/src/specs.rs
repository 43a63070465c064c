//! `theater:simple/supervision`: children by their specs, restarts that choose their state, and the
//! view of all children.

use std::collections::HashSet;
use std::sync::Arc;

use theater::wit::WitActorError;
use theater::{ActorProcess, ActorStatus, Call, ChildError, Result, StoppedBy, Subtree, TheaterId};
use theater_supervision_policy::{AutoShutdown, Down, Spec, StateChoice};

use crate::SupervisorHandler;
use crate::error::SupervisorError;
use crate::host::{admit, begun, note_denial, room_for};
use crate::supervision::Supervision;
use crate::wit::{
    ChildCounts, ChildInfo, ChildKind, ChildSpec, ChildStatus, RestartState, SupervisionError, restart_from, shutdown,
};

/// Ended children without a spec that `which-children` lists at most.
const ENDED: usize = 1_000;

type Answer<T> = std::result::Result<T, SupervisionError>;

/// How a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Running,
    Restarting,
    Down,
}

/// Starts a child with a spec, as the youngest.
pub(crate) async fn start_child(
    mut call: Call<'_, SupervisorHandler>,
    (spec,): (ChildSpec,),
) -> Result<(Answer<Option<String>>,)> {
    Ok((start(&mut call, spec).await.map(|started| started.map(|child| child.to_string())),))
}

async fn start(call: &mut Call<'_, SupervisorHandler>, asked: ChildSpec) -> Answer<Option<TheaterId>> {
    let supervision = call.state().supervision.clone();
    let child = TheaterId::of_spawn(&begun(call));
    let init = asked.init_bytes.clone();
    let spec = checked(&supervision, asked, child)?;
    let tree = call.tree().stopped_with(spec.shutdown.map(shutdown), supervision.lock().is_dynamic());
    let tree = tree.keeping_states(supervision.policy.is_linked(&spec));
    let present = supervision.lock().engine.find(&spec.id);
    if let Some(present) = present.filter(|present| *present != child) {
        return Err(match standing(&supervision, &tree, present) {
            Standing::Running => SupervisionError::AlreadyStarted(present.to_string()),
            Standing::Restarting | Standing::Down => SupervisionError::AlreadyPresent,
        });
    }
    let manifest = admit(call, &spec.manifest)?;
    supervision.note_kind(child, manifest.handlers.iter().map(|entry| entry.name.as_str()));
    {
        let mut state = supervision.lock();
        state.engine.specified(child, spec);
        state.init.extend(init.clone().map(|init| (child, init)));
    }
    let started = tree.spawn(manifest, init, begun(call)).await;
    note_denial(call, started.as_ref().err());
    match started {
        Ok(Some(child)) => {
            supervision.follow_events(child);
            Ok(Some(child))
        }
        Ok(None) => {
            supervision.lock().declined(child);
            Ok(None)
        }
        Err(error) => {
            let mut state = supervision.lock();
            state.cancel(child); // a restart of its group may have ended the start
            state.engine.forget(child);
            state.forget_if_gone(child);
            Err(error.into())
        }
    }
}

/// The spec that is meant, if it can be.
fn checked(supervision: &Supervision, asked: ChildSpec, child: TheaterId) -> Answer<Spec> {
    let invalid = |reason: &str| Err(SupervisionError::InvalidSpec(reason.to_owned()));
    if asked.id.contains(|letter: char| letter == '/' || letter.is_control()) {
        return invalid("`id` is a part of a path in the tree: without `/` and without control characters");
    }
    if asked.id.parse::<TheaterId>().is_ok() {
        return invalid("`id` looks like the id of an actor; choose a name");
    }
    if let Some(template) = supervision.policy.template() {
        if !asked.manifest.is_empty() && asked.manifest != template.manifest {
            return invalid("with strategy dynamic the manifest is the template's; leave `manifest` empty");
        }
        let id = if asked.id.is_empty() { child.to_string() } else { asked.id };
        return Ok(Spec { id, ..template.clone() });
    }
    if asked.id.is_empty() {
        return invalid("`id` is empty; every child of this supervisor needs one");
    }
    if let Some(group) = &asked.group
        && !supervision.policy.groups.contains_key(group)
    {
        return invalid(&format!("group `{group}` is not declared; add [handlers.groups.{group}] to the manifest"));
    }
    if asked.significant {
        if supervision.policy.auto_shutdown == AutoShutdown::Never {
            return invalid("`significant` means nothing here: the manifest's auto_shutdown is never");
        }
        if asked.restart == crate::wit::RestartType::Permanent {
            return invalid("a permanent child cannot be significant: it never ends for good");
        }
    }
    Ok(Spec {
        id: asked.id,
        manifest: asked.manifest,
        restart: asked.restart.into(),
        restart_state: asked.restart_state.try_into().map_err(SupervisionError::InvalidSpec)?,
        shutdown: Some(asked.shutdown.into()),
        significant: asked.significant,
        max_restarts: None,
        group: asked.group,
        redeliver: false,
    })
}

/// The child that is meant: by its spec id or its actor id.
pub(crate) fn find(supervision: &Supervision, child: &str) -> std::result::Result<TheaterId, SupervisorError> {
    if let Some(found) = supervision.lock().engine.find(child) {
        return Ok(found);
    }
    child.parse().map_err(|_| SupervisorError::NotFound(child.to_owned()))
}

pub(crate) fn standing(supervision: &Supervision, tree: &Subtree, child: TheaterId) -> Standing {
    if supervision.lock().awaited.contains_key(&child) {
        return Standing::Restarting;
    }
    match tree.child(child).map(|known| known.status) {
        Some(ActorStatus::Running) => Standing::Running,
        Some(ActorStatus::Restarting) => Standing::Restarting,
        _ => Standing::Down,
    }
}

/// As a child stood when this call began: one that the call had restarted when the process went down
/// was not up then.
pub(crate) fn standing_before(call: &mut Call<'_, SupervisorHandler>, child: TheaterId) -> Standing {
    let tree = call.tree();
    if call.idempotency_key().is_some_and(|begun| tree.was_started_by(child, begun)) {
        return Standing::Down;
    }
    standing(&call.state().supervision.clone(), &tree, child)
}

/// Starts the next incarnation of a child that has ended, with the state that the guest chooses.
pub(crate) async fn restart_child_with(
    mut call: Call<'_, SupervisorHandler>,
    (child, state): (String, RestartState),
) -> Result<(Answer<Option<String>>,)> {
    let supervision = call.state().supervision.clone();
    let Ok(id) = find(&supervision, &child) else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    let from = match StateChoice::try_from(state) {
        Ok(from) => from,
        Err(reason) => return Ok((Err(SupervisionError::InvalidSpec(reason)),)),
    };
    match standing_before(&mut call, id) {
        Standing::Running => return Ok((Err(SupervisionError::Running),)),
        Standing::Restarting => return Ok((Err(SupervisionError::Restarting),)),
        Standing::Down => {}
    }
    match room_for(&mut call, id).await {
        Ok(()) => {}
        Err(SupervisorError::NotFound(_)) => return Ok((Err(SupervisionError::NotFound),)),
        Err(SupervisorError::HandlerError(_)) => return Ok((Err(SupervisionError::MaxChildren),)),
        Err(error) => {
            let kind = theater::ErrorType::InstantiateFailed;
            return Ok((Err(SupervisionError::failed(kind, error.to_string())),));
        }
    }
    let restarted = restart(&mut call, id, from).await;
    Ok((restarted.map(|started| started.map(|id| id.to_string())).map_err(SupervisionError::from),))
}

/// A restart by hand: it costs nothing of a budget.
pub(crate) async fn restart(
    call: &mut Call<'_, SupervisorHandler>,
    child: TheaterId,
    from: StateChoice,
) -> std::result::Result<Option<TheaterId>, theater::SpawnError> {
    let supervision = call.state().supervision.clone();
    let tree = supervision.for_child(&call.tree(), child);
    let restarted = tree.restart(child, restart_from(from), call.idempotency_key()).await;
    note_denial(call, restarted.as_ref().err());
    match &restarted {
        Ok(Some(_)) => {
            supervision.lock().engine.up(child);
            supervision.follow_events(child);
        }
        Ok(None) => supervision.lock().declined(child),
        Err(theater::SpawnError::Rejected { .. }) => supervision.reject(child),
        Err(_) => {}
    }
    restarted
}

impl Supervision {
    /// The subtree, to start a child in: how it is stopped, and which of its states are kept.
    pub(crate) fn for_child(&self, tree: &Subtree, child: TheaterId) -> Subtree {
        let state = self.lock();
        let spec = state.engine.spec(child);
        let spawned = || self.policy.spawned.as_ref().and_then(|spawned| spawned.shutdown);
        let declared = spec.map_or_else(spawned, |spec| spec.shutdown);
        let tree = tree.clone().stopped_with(declared.map(shutdown), state.is_dynamic() && spec.is_some());
        tree.keeping_states(spec.is_some_and(|spec| self.policy.is_linked(spec)))
    }
}

/// Stops a child; the guest hears nothing of it.
pub(crate) async fn terminate_child(
    mut call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<()>,)> {
    let supervision = call.state().supervision.clone();
    let Ok(id) = find(&supervision, &child) else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    let stopped = stop(&supervision, &call.tree(), id, StoppedBy::ParentQuietly).await;
    Ok((stopped.map_err(|error| match error {
        ChildError::NotFound(_) => SupervisionError::NotFound,
        error => SupervisionError::Denied(error.to_string()),
    }),))
}

/// Stops a child, ends a restart of it, and forgets its spec where that goes with it.
pub(crate) async fn stop(
    supervision: &Arc<Supervision>,
    tree: &Subtree,
    child: TheaterId,
    by: StoppedBy,
) -> std::result::Result<(), ChildError> {
    {
        let mut state = supervision.lock();
        state.cancel(child);
        state.engine.down(child, Down::Asked);
    }
    let stopped = tree.stop(child, None, by).await;
    if let Err(ChildError::Cycle(_)) = &stopped {
        supervision.lock().engine.up(child);
    }
    if stopped.is_ok() {
        let mut state = supervision.lock();
        // It may have failed just before it was asked, so that a restart was decided meanwhile.
        state.cancel(child);
        state.engine.down(child, Down::Asked);
        if state.leaves_when_stopped(child) {
            state.engine.forget(child);
        }
        state.forget_if_gone(child);
    }
    stopped
}

/// Forgets a child that is down.
pub(crate) fn delete_child(mut call: Call<'_, SupervisorHandler>, (child,): (String,)) -> Result<(Answer<()>,)> {
    let supervision = call.state().supervision.clone();
    let tree = call.tree();
    let found = find(&supervision, &child).ok().filter(|id| supervision.lock().engine.spec(*id).is_some());
    let Some(id) = found else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    Ok((match standing(&supervision, &tree, id) {
        Standing::Running => Err(SupervisionError::Running),
        Standing::Restarting => Err(SupervisionError::Restarting),
        Standing::Down => {
            let mut state = supervision.lock();
            state.engine.forget(id);
            state.forget_if_gone(id);
            Ok(())
        }
    },))
}

pub(crate) fn get_child_spec(
    mut call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<ChildSpec>,)> {
    let supervision = call.state().supervision.clone();
    let Ok(id) = find(&supervision, &child) else {
        return Ok((Err(SupervisionError::NotFound),));
    };
    let state = supervision.lock();
    let supervises = state.supervisors.get(&id).copied().unwrap_or_default();
    let spec = state.engine.spec(id).map(|spec| ChildSpec::of(spec, state.init.get(&id).cloned(), supervises));
    Ok((spec.ok_or(SupervisionError::NotFound),))
}

/// How many children there are: those with specs, and those without that are alive.
pub(crate) fn count_children(mut call: Call<'_, SupervisorHandler>, (): ()) -> Result<(ChildCounts,)> {
    let supervision = call.state().supervision.clone();
    let tree = call.tree();
    let alive: Vec<_> = tree.children().into_iter().filter(ActorProcess::is_alive).collect();
    let state = supervision.lock();
    let specs = state.engine.children().count();
    let ids: HashSet<TheaterId> = alive.iter().map(|child| child.actor_id).collect();
    let dead = |id: &TheaterId| !ids.contains(id);
    let down: Vec<TheaterId> = state.engine.children().map(|(id, _)| id).filter(dead).collect();
    let kept = |id: &TheaterId| state.supervisors.get(id).copied().unwrap_or_default();
    let supervisors =
        alive.iter().filter(|child| supervises(child)).count() + down.iter().filter(|id| kept(id)).count();
    let active = alive.iter().filter(|child| child.status == ActorStatus::Running).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok((ChildCounts {
        specs: count(specs),
        active: count(active),
        supervisors: count(supervisors),
        workers: count(alive.len() + down.len() - supervisors),
    },))
}

/// Ends the supervisor abnormal when its running call has committed.
pub(crate) fn escalate(mut call: Call<'_, SupervisorHandler>, (reason,): (String,)) -> Result<()> {
    call.end_abnormal(format!("escalated: {reason}"));
    Ok(())
}

/// All children, those started last first: the ones alive, those with specs that are down, then up to
/// 1,000 others that have ended.
pub(crate) async fn which_children(mut call: Call<'_, SupervisorHandler>, (): ()) -> Result<(Vec<ChildInfo>,)> {
    let supervision = call.state().supervision.clone();
    let tree = call.tree();
    let mut listed: Vec<ActorProcess> = tree.children().into_iter().rev().collect();
    let specified: Vec<TheaterId> = supervision.lock().engine.children().map(|(id, _)| id).collect();
    let mut ids: HashSet<TheaterId> = listed.iter().map(|child| child.actor_id).collect();
    for id in specified.into_iter().rev() {
        if ids.insert(id)
            && let Ok(process) = tree.status(id).await
        {
            listed.push(process);
        }
    }
    let ended = tree.ended(ENDED).await?;
    let others: Vec<_> = ended.into_iter().filter(|child| !ids.contains(&child.actor_id)).collect();
    let state = supervision.lock();
    let spec_of = |child: &ActorProcess| state.engine.spec(child.actor_id).map(|spec| spec.id.clone());
    let awaited = |child: &ActorProcess| state.awaited.contains_key(&child.actor_id);
    Ok((listed.iter().chain(&others).map(|child| info(child, spec_of(child), awaited(child))).collect(),))
}

fn supervises(child: &ActorProcess) -> bool {
    child.handlers.iter().any(|handler| handler == "supervisor")
}

fn info(child: &ActorProcess, spec: Option<String>, awaited: bool) -> ChildInfo {
    let actor_id = child.actor_id.to_string();
    let status = match child.status {
        _ if awaited => ChildStatus::Restarting,
        ActorStatus::Running => ChildStatus::Running,
        ActorStatus::Restarting => ChildStatus::Restarting,
        ActorStatus::Stopped => ChildStatus::Stopped,
        ActorStatus::Failed => ChildStatus::Failed,
    };
    let alive = matches!(status, ChildStatus::Running | ChildStatus::Restarting);
    ChildInfo {
        actor_id: (alive || spec.is_some()).then(|| actor_id.clone()),
        id: spec.unwrap_or(actor_id),
        status,
        kind: if supervises(child) { ChildKind::Supervisor } else { ChildKind::Worker },
        incarnation: child.incarnation,
        restarts: child.incarnation.saturating_sub(1),
        last_error: child.last_error.as_ref().map(WitActorError::from),
    }
}
