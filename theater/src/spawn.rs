//! Starting actors: new ones, and next incarnations of known ones.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use theater_chain::data::{ActorStarted, Call, RestartStateKind};
use theater_chain::{ActorEntry, ChainStore, Digest, StoreError, TheaterId, Upgraded, codec};

use crate::actor::{Actor, Made, NewActor, Terms, lock};
use crate::bring_up::{self, Plan, Started};
use crate::entry::IndexFixed;
use crate::error::SpawnError;
use crate::exits::{ChildExit, FailedSlot, HeldMailbox, StoppedBy};
use crate::failpoint::step;
use crate::inbox::Phase;
use crate::lineage;
use crate::manifest::{Durability, ManifestConfig};
use crate::message::{self, Message};
use crate::past;
use crate::prepare::{init_state, prepare};
use crate::recheck;
use crate::recorder::Recorder;
use crate::shared::Shared;
use crate::stop;
use crate::watch;

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

/// A new actor.
pub(crate) struct New {
    pub(crate) parent: Option<Arc<Actor>>,
    pub(crate) id: TheaterId,
    pub(crate) manifest: ManifestConfig,
    pub(crate) origin: Origin,
    pub(crate) parent_event: Option<Digest>,
    pub(crate) terms: Terms,
}

/// Starts a new actor; returns when it runs or has declined.
pub(crate) async fn spawn(shared: Arc<Shared>, new: New) -> Result<Started, SpawnError> {
    let New { parent, id, manifest, origin, parent_event, terms } = new;
    let made = shared.templates.share(prepare(&shared, manifest, parent.as_deref(), None).await?);
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
    let new = NewActor { id, parent, incarnation: 1, made, shared: shared.clone(), recorder, state, terms };
    let actor = Arc::new(Actor::new(new));
    shared.tree.register(&actor, None)?;
    bring_up::start(actor, Plan::new(restart_state, parent_event, VecDeque::new())).await
}

/// The next incarnation of an actor.
pub(crate) struct Again {
    pub(crate) id: TheaterId,
    pub(crate) from: RestartFrom,
    pub(crate) parent_event: Option<Digest>,
    /// Who stops it, where it runs.
    pub(crate) by: StoppedBy,
    /// The parent that asks for it; `None`: somebody else does.
    pub(crate) below: Option<Arc<Actor>>,
    /// `None`: as before.
    pub(crate) terms: Option<Terms>,
    /// Of another history of it: messages that it began and that are to be delivered again, by the
    /// seqs of their calls.
    pub(crate) redeliver: Vec<u64>,
    /// Messages with these ids never happened.
    pub(crate) undone: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Again {
    pub(crate) fn new(id: TheaterId, from: RestartFrom, parent_event: Option<Digest>, by: StoppedBy) -> Self {
        let undone = Arc::new(|_: &str| false);
        Self { id, from, parent_event, by, below: None, terms: None, redeliver: Vec::new(), undone }
    }

    /// The parent to start below: no other incarnation than the one that asks, and one whose own
    /// start is in the record.
    fn parent(&self, shared: &Shared, id: TheaterId) -> Result<Arc<Actor>, SpawnError> {
        let found = shared.tree.find(id).filter(|found| {
            found.started.get().is_some() && self.below.as_ref().is_none_or(|asked| Arc::ptr_eq(asked, found))
        });
        found.ok_or(SpawnError::ParentGone(id))
    }
}

/// A start by policy that failed: the error, the fact, and the messages that still wait.
pub(crate) struct FailedStart {
    pub(crate) error: SpawnError,
    pub(crate) exit: Option<Box<ChildExit>>,
    pub(crate) mailbox: Option<HeldMailbox>,
}

/// Starts the next incarnation of an actor that has ended, or that is stopped first. Its messages
/// go on to it.
pub(crate) async fn restart(shared: Arc<Shared>, again: Again) -> Result<Started, SpawnError> {
    // Without a next incarnation the messages become dead letters, when this is dropped.
    let by = again.by;
    let known = stop_and_hold(&shared, again.id, again.by).await;
    let (actor, plan) = follow(&shared, again, known.as_ref()).await?;
    drop(known);
    let started = bring_up::start(actor.clone(), plan).await;
    if by == StoppedBy::Operator && matches!(started, Ok(Started::Running)) {
        watch::tell_begun(&actor);
    }
    started
}

/// As [`restart`], but when the start fails the messages wait for the next attempt, and the fact is
/// in the parent's chain.
pub(crate) async fn attempt(
    shared: Arc<Shared>,
    again: Again,
    held: Option<HeldMailbox>,
) -> Result<Started, FailedStart> {
    let known = match held {
        Some(held) => Some(held),
        None => stop_and_hold(&shared, again.id, again.by).await,
    };
    let (actor, plan) = match follow(&shared, again, known.as_ref()).await {
        Ok(next) => next,
        Err(error) => return Err(FailedStart { error, exit: None, mailbox: known }),
    };
    drop(known);
    lock(&actor.inbox).keep();
    let started = bring_up::start_here(actor.clone(), plan).await;
    if matches!(started, Ok(Started::Running)) {
        return started.map_err(|error| FailedStart { error, exit: None, mailbox: None });
    }
    // It ended, and its messages wait: for good where it declined.
    let held = HeldMailbox::for_supervisor(actor.clone(), FailedSlot::default());
    let exit = actor.seldom_now().and_then(|seldom| lock(&seldom.failed_start).take());
    started.map_err(|error| match exit {
        Some(exit) => FailedStart { error, exit: Some(exit), mailbox: Some(held) },
        None => FailedStart { error, exit: None, mailbox: None },
    })
}

/// Has an actor end whose next incarnation gets its messages.
pub(crate) async fn stop_and_hold(shared: &Shared, id: TheaterId, by: StoppedBy) -> Option<HeldMailbox> {
    let actor = shared.tree.find(id)?;
    lock(&actor.inbox).keep();
    let over = lock(&actor.inbox).is_over();
    if !over {
        stop::stop(&actor, stop::default_time(&actor), by).await;
    }
    step!(actor, "restart.stopped");
    Some(HeldMailbox::for_restart(actor))
}

/// Registers the next incarnation in the place of the one before, and gives it the messages.
async fn follow(
    shared: &Arc<Shared>,
    again: Again,
    held: Option<&HeldMailbox>,
) -> Result<(Arc<Actor>, Plan), SpawnError> {
    let known = held.map(HeldMailbox::actor);
    let next = next_incarnation(shared, &again, known).await?;
    let mut adopted = redelivered(shared, &next, &again.redeliver).await?;
    let actor = Arc::new(Actor::new(next));
    step!(actor, "restart.verified");
    shared.tree.register(&actor, known)?;
    step!(actor, "restart.registered");
    let waiting = known.map(|known| take_over(known)).unwrap_or_default();
    for message in waiting {
        match &message.id {
            Some(id) if (again.undone)(id) => message::undone(&actor, message),
            _ => adopted.push_back(message),
        }
    }
    Ok((actor, Plan::new(again.from.kind(), again.parent_event, adopted)))
}

/// The messages of these calls, from the record.
async fn redelivered(shared: &Shared, next: &NewActor, calls: &[u64]) -> Result<VecDeque<Message>, SpawnError> {
    let store = shared.journal.store(next.recorder.ephemeral);
    let mut messages = VecDeque::new();
    for seq in calls {
        let damaged = |reason: &str| StoreError::Damaged(format!("event {seq} of {}: {reason}", next.id));
        let event = store.events(next.id, *seq, 1).await?.pop().ok_or_else(|| damaged("it is missing"))?;
        let call: Call = codec::decode(&event.data).map_err(|error| damaged(&error.to_string()))?;
        // The record has the interface with its version.
        let interface = call.interface.split_once('@').map_or(call.interface.as_str(), |(name, _)| name);
        let found = next.made.begins_with.component.export(interface, &call.function);
        let found = found.ok_or_else(|| damaged("the component does not export what it calls"))?;
        let payload = event.payload.ok_or_else(|| damaged("its message was erased"))?;
        let (interface, function) = (found.def.interface(), found.def.function());
        messages.push_back(Message::recorded(call, interface, function, payload));
    }
    Ok(messages)
}

/// The messages that the incarnation before had not begun.
fn take_over(actor: &Actor) -> VecDeque<Message> {
    let mut inbox = lock(&actor.inbox);
    if let Phase::Held(reason) = &inbox.phase {
        inbox.phase = Phase::Ended(reason.clone());
    }
    let queue = inbox.take_queue();
    drop(inbox);
    actor.control.notify();
    queue
}

async fn next_incarnation(
    shared: &Arc<Shared>,
    again: &Again,
    known: Option<&Arc<Actor>>,
) -> Result<NewActor, SpawnError> {
    let (id, from) = (again.id, &again.from);
    if let (Some(known), RestartFrom::Resume | RestartFrom::Custom(_)) = (known, from) {
        return continued(shared, again, known).await;
    }
    shared.journal.flushed().await?;
    let ephemeral = known.is_some_and(|actor| actor.recorder.ephemeral);
    let store = if ephemeral { shared.journal.store(true) } else { find_store(shared, id).await? };
    let unreadable = recheck::unreadable(id);
    let entry = store.actor(id).await.map_err(|error| unreadable(error.into()))?;
    let mut entry = entry.ok_or(SpawnError::NotFound(id))?;
    let parent = match entry.index.parent {
        None => None,
        Some(parent) => Some(again.parent(shared, parent)?),
    };
    let made = match known {
        Some(actor) => actor.made_now(),
        None => Arc::new(recorded(shared, &**store, &entry, parent.as_deref()).await.map_err(unreadable)?),
    };
    let recorder = loop {
        let resume = || Recorder::resume(&entry, is_ephemeral(&made), shared.journal.clone(), shared.sources.clone());
        let recorder = shared.tree.recorder(id, resume);
        // A writing end that was given up meanwhile may have left a dead letter behind the entry.
        shared.journal.flushed().await?;
        let written = recorder.durable_head();
        entry = store.actor(id).await?.ok_or(SpawnError::NotFound(id))?;
        if recorder.head() == Some(entry.head) {
            break recorder;
        }
        recheck::not_cut(id, written, entry.head)?;
    };
    let anchor = match (known, &parent) {
        (None, Some(parent)) => recheck::anchor(parent, id).await?,
        _ => None,
    };
    recheck::chain(&recorder, &**store, anchor).await?;
    if known.is_none() && entry.index.incarnation > 0 && entry.index.ended.is_none() {
        let reason = format!("its incarnation {} has not ended, going by its record", entry.index.incarnation);
        return Err(SpawnError::Rejected { actor: id, reason });
    }
    let state = match from {
        RestartFrom::Reset => match lineage::first_state(&**store, id).await? {
            Some(bytes) => Some(bytes),
            None => init_state(&made.manifest)?,
        },
        RestartFrom::Resume => recheck::state(&**store, id, entry.index.state).await?,
        RestartFrom::ResumeFrom(hash) => {
            past::check(&**store, id, *hash).await?;
            recheck::state(&**store, id, *hash).await?
        }
        RestartFrom::Custom(bytes) => bytes.clone().map(Bytes::from),
    };
    check_state(&made, state.as_ref())?;
    let incarnation = recorder.incarnation() + 1;
    let terms = terms(again, known);
    Ok(NewActor { id, parent, incarnation, made, shared: shared.clone(), recorder, state, terms })
}

/// The next incarnation of an actor that is known here: what is not on disk yet is not waited for.
async fn continued(shared: &Arc<Shared>, again: &Again, known: &Arc<Actor>) -> Result<NewActor, SpawnError> {
    let (id, made, recorder) = (again.id, known.made_now(), known.recorder.clone());
    let store = shared.journal.store(recorder.ephemeral);
    let parent = match known.parent_id {
        None => None,
        Some(parent) => Some(again.parent(shared, parent)?),
    };
    recheck::chain(&recorder, &**store, None).await?;
    let state = match &again.from {
        RestartFrom::Custom(bytes) => bytes.clone().map(Bytes::from),
        _ => {
            let committed = known.committed();
            recheck::kept_state(&**store, id, &committed).await?;
            committed.state
        }
    };
    check_state(&made, state.as_ref())?;
    let incarnation = recorder.incarnation() + 1;
    let terms = terms(again, Some(known));
    Ok(NewActor { id, parent, incarnation, made, shared: shared.clone(), recorder, state, terms })
}

fn terms(again: &Again, known: Option<&Arc<Actor>>) -> Terms {
    again.terms.or_else(|| known.map(|known| known.terms())).unwrap_or_default()
}

/// The store that knows the actor.
pub(crate) async fn find_store(shared: &Shared, id: TheaterId) -> Result<&Arc<dyn ChainStore>, StoreError> {
    let durable = shared.journal.store(false);
    let ephemeral = shared.journal.store(true);
    Ok(if durable.actor(id).await?.is_none() && ephemeral.actor(id).await?.is_some() { ephemeral } else { durable })
}

/// What an ended actor was made of, from the record.
pub(crate) async fn recorded(
    shared: &Shared,
    store: &dyn ChainStore,
    entry: &ActorEntry,
    parent: Option<&Actor>,
) -> Result<Made, SpawnError> {
    let missing = |what: &str| StoreError::Damaged(format!("the {what} of actor {} is missing", entry.id));
    let started = store.events(entry.id, entry.index.started, 1).await?.pop().ok_or_else(|| missing("start"))?;
    let started: ActorStarted = codec::decode(&started.data).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let manifest = store.manifest(started.manifest).await?.ok_or_else(|| missing("manifest"))?;
    let upgraded = entry.index.upgraded.as_ref();
    // The start of an incarnation after the upgrade names the same.
    let digest = upgraded.map_or(started.component, |upgraded| upgraded.component);
    let component = shared.binaries.stored(store, digest).await?.ok_or_else(|| missing("component"))?;
    let manifest = ManifestConfig::from_source(&entry.index.manifest_path, manifest)?;
    let mut made = prepare(shared, manifest, parent, Some(component)).await?;
    if let Some(Upgraded { seq, version, .. }) = upgraded {
        made.begins_with = Arc::new(made.begins_with.given(*seq, version.clone()));
    } else if let Some(version) = lineage::version(store, entry).await? {
        made.begins_with = Arc::new(made.begins_with.versioned(version));
    }
    Ok(made)
}

fn check_state(made: &Made, state: Option<&Bytes>) -> Result<(), SpawnError> {
    let (bytes, limit) = (state.map_or(0, Bytes::len), made.manifest.limits.state);
    if bytes <= limit {
        return Ok(());
    }
    Err(SpawnError::StateLimit { manifest: made.manifest.path.display().to_string(), bytes, limit })
}

pub(crate) fn is_ephemeral(made: &Made) -> bool {
    made.manifest.durability == Durability::Ephemeral
}
