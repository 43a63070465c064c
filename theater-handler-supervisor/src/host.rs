//! `theater:simple/supervisor`: children by their id.

use theater::wit::WitChainEvent;
use theater::{ActorProcess, Call, ManifestConfig, Result, SpawnError, StoppedBy, TheaterId};
use theater_supervision_policy::StateChoice;

use crate::error::SupervisorError;
use crate::wit::{SupervisionError, shutdown};
use crate::{SupervisorHandler, manifests, specs};

type Answer<T> = std::result::Result<T, String>;

/// What a child begins with.
enum Origin {
    Init(Option<Vec<u8>>),
    State(Option<Vec<u8>>),
}

pub(crate) async fn spawn(
    call: Call<'_, SupervisorHandler>,
    (manifest, init): (String, Option<Vec<u8>>),
) -> Result<(Answer<String>,)> {
    Ok((start(call, &manifest, Origin::Init(init)).await.map_err(|error| error.to_string()),))
}

pub(crate) async fn resume(
    call: Call<'_, SupervisorHandler>,
    (manifest, state): (String, Option<Vec<u8>>),
) -> Result<(Answer<String>,)> {
    Ok((start(call, &manifest, Origin::State(state)).await.map_err(|error| error.to_string()),))
}

async fn start(
    mut call: Call<'_, SupervisorHandler>,
    manifest: &str,
    origin: Origin,
) -> std::result::Result<String, SupervisorError> {
    let manifest = admit(&mut call, manifest).map_err(Refusal::into_error)?;
    let name = manifest.name.clone();
    let supervision = call.state().supervision.clone();
    let spawned = supervision.policy.spawned.as_ref().and_then(|spawned| spawned.shutdown);
    let (tree, begun) = (call.tree().stopped_with(spawned.map(shutdown), false), begun(&call));
    // Known before it runs: it may fail at once.
    let child = TheaterId::of_spawn(&begun);
    supervision.lock().engine.spawned(child);
    let started = match origin {
        Origin::Init(init) => tree.spawn(manifest, init, begun).await,
        Origin::State(state) => tree.resume(manifest, state, begun).await,
    };
    match &started {
        Ok(Some(_)) => supervision.follow_events(child),
        _ => supervision.lock().engine.forget(child),
    }
    started_child(&mut call, started, &name)
}

/// Why a start is refused before anything of it happens.
pub(crate) enum Refusal {
    MaxChildren(SupervisorError),
    Denied(SupervisorError),
}

impl Refusal {
    fn into_error(self) -> SupervisorError {
        match self {
            Self::MaxChildren(error) | Self::Denied(error) => error,
        }
    }
}

impl From<Refusal> for SupervisionError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MaxChildren(_) => Self::MaxChildren,
            Refusal::Denied(error) => Self::Denied(error.to_string()),
        }
    }
}

/// Checks every permission of a start; what forbids it is recorded as the denial.
pub(crate) fn admit(
    call: &mut Call<'_, SupervisorHandler>,
    manifest: &str,
) -> std::result::Result<ManifestConfig, Refusal> {
    let tree = call.tree();
    room(call).map_err(Refusal::MaxChildren)?;
    let permissions = call.state().supervision.permissions.clone();
    if tree.depth() + 1 > permissions.max_depth {
        call.deny("max_depth");
        return Err(Refusal::Denied(SupervisorError::HandlerError(format!(
            "a child would stand {} deep in the tree, and {} is permitted; write `permissions = {{ max_depth = .. }}` in the supervisor entry of its manifest",
            tree.depth() + 1,
            permissions.max_depth
        ))));
    }
    manifests::open(tree.folder(), manifest, &permissions).map_err(|refused| {
        if let Some(rule) = refused.rule {
            call.deny(rule);
        }
        Refusal::Denied(refused.error)
    })
}

/// Whether one more child may be alive.
fn room(call: &mut Call<'_, SupervisorHandler>) -> std::result::Result<(), SupervisorError> {
    let alive = call.tree().count_alive();
    let max = call.state().supervision.permissions.max_children;
    if alive < max as usize {
        return Ok(());
    }
    call.deny("max_children");
    Err(SupervisorError::HandlerError(format!(
        "this actor has {alive} children and may have {max}; write `permissions = {{ max_children = .. }}` in the supervisor entry of its manifest"
    )))
}

/// As [`room`], for a child that is started again: one that is alive has its place already.
pub(crate) async fn room_for(
    call: &mut Call<'_, SupervisorHandler>,
    child: TheaterId,
) -> std::result::Result<(), SupervisorError> {
    let tree = call.tree();
    if !tree.child(child).is_some_and(|child| child.is_alive()) {
        tree.require(child).await?;
        room(call)?;
    }
    Ok(())
}

/// What came of a start; a permission that is not held is recorded as the denial.
fn started_child(
    call: &mut Call<'_, SupervisorHandler>,
    started: std::result::Result<Option<TheaterId>, SpawnError>,
    name: &str,
) -> std::result::Result<String, SupervisorError> {
    note_denial(call, started.as_ref().err());
    id_of(started?, name)
}

/// Records that a start failed for a permission.
pub(crate) fn note_denial(call: &mut Call<'_, SupervisorHandler>, error: Option<&SpawnError>) {
    if let Some(SpawnError::Permission { handler, .. }) = error {
        call.deny(format!("permissions.{handler}"));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of a host function")]
pub(crate) fn list_children(call: Call<'_, SupervisorHandler>, (): ()) -> Result<(Vec<String>,)> {
    let children = call.tree().children().into_iter().filter(ActorProcess::is_alive);
    Ok((children.map(|child| child.actor_id.to_string()).collect(),))
}

pub(crate) async fn stop_child(mut call: Call<'_, SupervisorHandler>, (child,): (String,)) -> Result<(Answer<()>,)> {
    let supervision = call.state().supervision.clone();
    let answer = match specs::find(&supervision, &child) {
        Ok(id) => specs::stop(&supervision, &call.tree(), id, StoppedBy::Parent).await.map_err(SupervisorError::from),
        Err(error) => Err(error),
    };
    Ok((answer.map_err(|error| error.to_string()),))
}

pub(crate) async fn restart_child(mut call: Call<'_, SupervisorHandler>, (child,): (String,)) -> Result<(Answer<()>,)> {
    let supervision = call.state().supervision.clone();
    let answer = match specs::find(&supervision, &child) {
        Ok(id) => restart(&mut call, id).await,
        Err(error) => Err(error),
    };
    Ok((answer.map_err(|error| error.to_string()),))
}

async fn restart(call: &mut Call<'_, SupervisorHandler>, child: TheaterId) -> std::result::Result<(), SupervisorError> {
    if specs::standing_before(call, child) == specs::Standing::Restarting {
        return Err(SupervisorError::ActorError(format!("child {child} is being restarted")));
    }
    room_for(call, child).await?;
    let started = specs::restart(call, child, StateChoice::Reset).await;
    id_of(started?, &child.to_string()).map(drop)
}

pub(crate) async fn get_child_state(
    mut call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<Option<Vec<u8>>>,)> {
    let supervision = call.state().supervision.clone();
    let state = match specs::find(&supervision, &child) {
        Ok(id) => call.tree().state(id).await.map_err(SupervisorError::from),
        Err(error) => Err(error),
    };
    Ok((state.map(|state| state.map(|bytes| bytes.to_vec())).map_err(|error| error.to_string()),))
}

pub(crate) async fn get_child_events(
    mut call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<Vec<WitChainEvent>>,)> {
    let supervision = call.state().supervision.clone();
    let events = match specs::find(&supervision, &child) {
        Ok(id) => read_events(&mut call, id).await,
        Err(error) => Err(error),
    };
    Ok((events.map_err(|error| error.to_string()),))
}

async fn read_events(
    call: &mut Call<'_, SupervisorHandler>,
    child: TheaterId,
) -> std::result::Result<Vec<WitChainEvent>, SupervisorError> {
    let limit = call.limits().result;
    let chain = call.tree().chain(child).await?;
    let (events, range) = chain.events(0, usize::MAX, limit).await?;
    let events = events
        .iter()
        .map(|event| WitChainEvent::of(event).map_err(|error| SupervisorError::SerializationError(error.to_string())))
        .collect::<std::result::Result<_, _>>()?;
    call.record_chain_range(&range);
    Ok(events)
}

/// The event with which the call began. Each of the functions that ask has one: none is a `Read`.
pub(crate) fn begun(call: &Call<'_, SupervisorHandler>) -> theater::Digest {
    call.idempotency_key().unwrap_or_default()
}

fn id_of(started: Option<TheaterId>, name: &str) -> std::result::Result<String, SupervisorError> {
    started
        .map(|id| id.to_string())
        .ok_or_else(|| SupervisorError::ActorError(format!("child {name} declined to start")))
}
