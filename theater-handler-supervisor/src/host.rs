//! `theater:simple/supervisor`: children by their id.

use theater::wit::WitChainEvent;
use theater::{ActorProcess, Call, ManifestConfig, RestartFrom, Result, SpawnError, StoppedBy, TheaterId};

use crate::SupervisorHandler;
use crate::error::SupervisorError;
use crate::manifests;

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
    let manifest = admit(&mut call, manifest)?;
    let name = manifest.name.clone();
    let (tree, begun) = (call.tree(), begun(&call));
    let started = match origin {
        Origin::Init(init) => tree.spawn(manifest, init, begun).await,
        Origin::State(state) => tree.resume(manifest, state, begun).await,
    };
    started_child(&mut call, started, &name)
}

/// Checks every permission of a start; what forbids it is recorded as the denial.
fn admit(
    call: &mut Call<'_, SupervisorHandler>,
    manifest: &str,
) -> std::result::Result<ManifestConfig, SupervisorError> {
    let tree = call.tree();
    room(call)?;
    let permissions = call.state().permissions.clone();
    if tree.depth() + 1 > permissions.max_depth {
        call.deny("max_depth");
        return Err(SupervisorError::HandlerError(format!(
            "a child would stand {} deep in the tree, and {} is permitted; write `permissions = {{ max_depth = .. }}` in the supervisor entry of its manifest",
            tree.depth() + 1,
            permissions.max_depth
        )));
    }
    manifests::open(tree.folder(), manifest, &permissions).map_err(|refused| {
        if let Some(rule) = refused.rule {
            call.deny(rule);
        }
        refused.error
    })
}

/// Whether one more child may be alive.
fn room(call: &mut Call<'_, SupervisorHandler>) -> std::result::Result<(), SupervisorError> {
    let alive = call.tree().children().iter().filter(|child| child.is_alive()).count();
    let max = call.state().permissions.max_children;
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
    if !tree.children().iter().any(|alive| alive.actor_id == child && alive.is_alive()) {
        tree.status(child).await?;
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

pub(crate) async fn stop_child(call: Call<'_, SupervisorHandler>, (child,): (String,)) -> Result<(Answer<()>,)> {
    let answer = match child_id(&child) {
        Ok(id) => call.tree().stop(id, None, StoppedBy::Parent).await.map_err(SupervisorError::from),
        Err(error) => Err(error),
    };
    Ok((answer.map_err(|error| error.to_string()),))
}

pub(crate) async fn restart_child(mut call: Call<'_, SupervisorHandler>, (child,): (String,)) -> Result<(Answer<()>,)> {
    let answer = match child_id(&child) {
        Ok(id) => restart(&mut call, id).await,
        Err(error) => Err(error),
    };
    Ok((answer.map_err(|error| error.to_string()),))
}

async fn restart(call: &mut Call<'_, SupervisorHandler>, child: TheaterId) -> std::result::Result<(), SupervisorError> {
    room_for(call, child).await?;
    let started = call.tree().restart(child, RestartFrom::Reset, call.idempotency_key()).await;
    started_child(call, started, &child.to_string()).map(drop)
}

pub(crate) async fn get_child_state(
    call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<Option<Vec<u8>>>,)> {
    let state = match child_id(&child) {
        Ok(id) => call.tree().state(id).await.map_err(SupervisorError::from),
        Err(error) => Err(error),
    };
    Ok((state.map(|state| state.map(|bytes| bytes.to_vec())).map_err(|error| error.to_string()),))
}

pub(crate) async fn get_child_events(
    mut call: Call<'_, SupervisorHandler>,
    (child,): (String,),
) -> Result<(Answer<Vec<WitChainEvent>>,)> {
    let events = match child_id(&child) {
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
fn begun(call: &Call<'_, SupervisorHandler>) -> theater::Digest {
    call.idempotency_key().unwrap_or_default()
}

/// A text that is no id is the id of no child.
pub(crate) fn child_id(text: &str) -> std::result::Result<TheaterId, SupervisorError> {
    text.parse().map_err(|_| SupervisorError::NotFound(text.to_owned()))
}

fn id_of(started: Option<TheaterId>, name: &str) -> std::result::Result<String, SupervisorError> {
    started
        .map(|id| id.to_string())
        .ok_or_else(|| SupervisorError::ActorError(format!("child {name} declined to start")))
}
