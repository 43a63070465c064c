//! Starting actors: new ones, and next incarnations of known ones.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use theater_chain::data::{ActorStarted, EventData, RestartStateKind, StateUpdated};
use theater_chain::{ActorEntry, ChainStore, Digest, StoreError, TheaterId, codec, payload};

use crate::actor::{Actor, Made, NewActor, lock};
use crate::bring_up::{self, Plan, Started};
use crate::error::SpawnError;
use crate::exits::{HeldMailbox, StoppedBy};
use crate::inbox::Phase;
use crate::journal::IndexFixed;
use crate::manifest::{Durability, ManifestConfig};
use crate::message::Message;
use crate::prepare::{init_state, prepare};
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::stop;

/// What a new actor begins with.
pub(crate) enum Origin {
    /// `init` runs, with these bytes or else the manifest's `init_state`.
    Init(Option<Bytes>),
    /// These state bytes are installed.
    State(Option<Bytes>),
}

/// Which state the next incarnation of an actor begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartFrom {
    /// `init` runs on what it ran on at the actor's first start.
    Reset,
    /// The last committed state.
    Resume,
    /// An earlier committed state, by its hash.
    ResumeFrom(Digest),
    /// These bytes.
    Custom(#[serde(with = "crate::base64_bytes")] Option<Vec<u8>>),
}

impl RestartFrom {
    fn kind(&self) -> RestartStateKind {
        match self {
            Self::Reset => RestartStateKind::Reset,
            Self::Resume => RestartStateKind::Resume,
            Self::ResumeFrom(_) => RestartStateKind::ResumeFrom,
            Self::Custom(_) => RestartStateKind::Custom,
        }
    }
}

/// Starts a new actor; returns when it runs or has declined.
pub(crate) async fn spawn(
    shared: Arc<Shared>,
    parent: Option<Arc<Actor>>,
    id: TheaterId,
    manifest: ManifestConfig,
    origin: Origin,
    parent_event: Option<Digest>,
) -> Result<Started, SpawnError> {
    let made = Arc::new(prepare(&shared, manifest, parent.as_deref(), None).await?);
    let (state, restart_state) = match origin {
        Origin::Init(Some(bytes)) => (Some(bytes), RestartStateKind::Reset),
        Origin::Init(None) => (init_state(&made.manifest)?, RestartStateKind::Reset),
        Origin::State(state) => (state, RestartStateKind::Custom),
    };
    check_state(&made, state.as_ref())?;
    let fixed = IndexFixed {
        parent: parent.as_ref().map(|parent| parent.id),
        name: made.manifest.name.clone(),
        manifest_path: made.manifest.path.display().to_string(),
    };
    let recorder = shared
        .tree
        .recorder(id, || Recorder::new(id, fixed, is_ephemeral(&made), shared.journal.clone(), shared.sources.clone()));
    let actor = Actor::new(NewActor { id, parent, incarnation: 1, made, shared: shared.clone(), recorder, state });
    let actor = Arc::new(actor);
    shared.tree.register(&actor, None)?;
    bring_up::start(actor, Plan { restart_state, parent_event, adopted: VecDeque::new() }).await
}

/// Starts the next incarnation of an actor that has ended, or that is stopped first. Its messages
/// go on to it.
pub(crate) async fn restart(
    shared: Arc<Shared>,
    id: TheaterId,
    from: RestartFrom,
    parent_event: Option<Digest>,
    by: StoppedBy,
) -> Result<Started, SpawnError> {
    let known = shared.tree.find(id);
    if let Some(actor) = &known {
        lock(&actor.inbox).keep();
        let over = lock(&actor.inbox).is_over();
        if !over {
            stop::stop(actor, stop::default_time(actor), by).await;
        }
    }
    // Without a next incarnation the messages become dead letters, when this is dropped.
    let kept = known.clone().map(HeldMailbox::for_restart);
    let next = next_incarnation(&shared, id, known.as_ref(), &from).await?;
    let actor = Arc::new(Actor::new(next));
    shared.tree.register(&actor, known.as_ref())?;
    let adopted = known.as_deref().map(take_over).unwrap_or_default();
    drop(kept);
    bring_up::start(actor, Plan { restart_state: from.kind(), parent_event, adopted }).await
}

/// The messages that the incarnation before had not begun.
fn take_over(actor: &Actor) -> VecDeque<Message> {
    let mut inbox = lock(&actor.inbox);
    if let Phase::Held(reason) = &inbox.phase {
        inbox.phase = Phase::Ended(reason.clone());
    }
    inbox.take_queue()
}

async fn next_incarnation(
    shared: &Arc<Shared>,
    id: TheaterId,
    known: Option<&Arc<Actor>>,
    from: &RestartFrom,
) -> Result<NewActor, SpawnError> {
    shared.journal.flushed().await?;
    let ephemeral = known.is_some_and(|actor| actor.recorder.ephemeral);
    let store = if ephemeral { shared.journal.store(true) } else { find_store(shared, id).await? };
    let mut entry = store.actor(id).await?.ok_or(SpawnError::NotFound(id))?;
    let parent = match entry.index.parent {
        None => None,
        Some(parent) => Some(shared.tree.find(parent).ok_or(SpawnError::ParentGone(parent))?),
    };
    let made = match known {
        Some(actor) => actor.made.clone(),
        None => Arc::new(recorded(shared, &**store, &entry, parent.as_deref()).await?),
    };
    let recorder = loop {
        let resume = || Recorder::resume(&entry, is_ephemeral(&made), shared.journal.clone(), shared.sources.clone());
        let recorder = shared.tree.recorder(id, resume);
        // A writing end that was given up meanwhile may have left a dead letter behind the entry.
        shared.journal.flushed().await?;
        entry = store.actor(id).await?.ok_or(SpawnError::NotFound(id))?;
        if recorder.head() == Some(entry.head) {
            break recorder;
        }
    };
    let state = match from {
        RestartFrom::Reset => match first_state(&**store, id).await? {
            Some(bytes) => Some(bytes),
            None => init_state(&made.manifest)?,
        },
        RestartFrom::Resume => stored_state(&**store, entry.index.state).await?,
        RestartFrom::ResumeFrom(hash) => {
            if !was_committed(&**store, id, *hash).await? {
                return Err(SpawnError::NoSuchState { actor: id, hash: *hash });
            }
            stored_state(&**store, *hash).await?
        }
        RestartFrom::Custom(bytes) => bytes.clone().map(Bytes::from),
    };
    check_state(&made, state.as_ref())?;
    let incarnation = recorder.incarnation() + 1;
    Ok(NewActor { id, parent, incarnation, made, shared: shared.clone(), recorder, state })
}

/// The store that knows the actor.
pub(crate) async fn find_store(shared: &Shared, id: TheaterId) -> Result<&Arc<dyn ChainStore>, StoreError> {
    let durable = shared.journal.store(false);
    let ephemeral = shared.journal.store(true);
    Ok(if durable.actor(id).await?.is_none() && ephemeral.actor(id).await?.is_some() { ephemeral } else { durable })
}

/// What an ended actor was made of, from the record.
async fn recorded(
    shared: &Shared,
    store: &dyn ChainStore,
    entry: &ActorEntry,
    parent: Option<&Actor>,
) -> Result<Made, SpawnError> {
    let missing = |what: &str| StoreError::Damaged(format!("the {what} of actor {} is missing", entry.id));
    let started = store.events(entry.id, entry.index.started, 1).await?.pop().ok_or_else(|| missing("start"))?;
    let started: ActorStarted = codec::decode(&started.data).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let manifest = store.manifest(started.manifest).await?.ok_or_else(|| missing("manifest"))?;
    let component = store.component(started.component).await?.ok_or_else(|| missing("component"))?;
    let manifest = ManifestConfig::from_source(&entry.index.manifest_path, manifest)?;
    prepare(shared, manifest, parent, Some(component)).await
}

/// What `init` ran on at the actor's first start.
async fn first_state(store: &dyn ChainStore, id: TheaterId) -> Result<Option<Bytes>, SpawnError> {
    let damaged = |error: codec::DecodeError| StoreError::Damaged(format!("the first event of {id}: {error}"));
    let Some(first) = store.events(id, 0, 1).await?.pop() else {
        return Ok(None);
    };
    if first.seq > 0 {
        // An ephemeral actor's first events may be gone.
        return Err(
            StoreError::Damaged(format!("what init of {id} ran on is no longer kept; restart it with resume")).into()
        );
    }
    let Some(payload) = &first.payload else {
        return Ok(None);
    };
    let Some(state) = payload::field(payload.bytes(), "initial_state").map_err(damaged)? else {
        return Ok(None);
    };
    Ok(Some(Bytes::copy_from_slice(payload::read_bin(state).map_err(damaged)?)))
}

async fn stored_state(store: &dyn ChainStore, hash: Digest) -> Result<Option<Bytes>, SpawnError> {
    if hash.is_zero() {
        return Ok(None);
    }
    match store.state(hash).await? {
        Some(bytes) if Digest::of(&bytes) == hash => Ok(Some(bytes)),
        Some(_) => Err(StoreError::Damaged(format!("the state {hash} does not hash to its name")).into()),
        None => Err(StoreError::Damaged(format!("the state {hash} is missing")).into()),
    }
}

/// Whether the actor's chain holds a transition to this state.
async fn was_committed(store: &dyn ChainStore, id: TheaterId, hash: Digest) -> Result<bool, SpawnError> {
    const PAGE: usize = 1_000;
    let mut from = 0;
    loop {
        let page = store.events(id, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(false) };
        from = last.seq + 1;
        for event in page.iter().filter(|event| event.event_type == StateUpdated::TYPE) {
            let updated = codec::decode::<StateUpdated>(&event.data);
            if updated.is_ok_and(|updated| updated.new_state_hash == hash) {
                return Ok(true);
            }
        }
    }
}

fn check_state(made: &Made, state: Option<&Bytes>) -> Result<(), SpawnError> {
    let (bytes, limit) = (state.map_or(0, Bytes::len), made.manifest.limits.state);
    if bytes <= limit {
        return Ok(());
    }
    Err(SpawnError::StateLimit { manifest: made.manifest.path.display().to_string(), bytes, limit })
}

fn is_ephemeral(made: &Made) -> bool {
    made.manifest.durability == Durability::Ephemeral
}
