//! Forks: new actors that begin where another one stood, and take another course from there.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use theater_chain::data::{ActorForked, Call, EventData, HostCall, HostCallBegun, Lane, RestartStateKind};
use theater_chain::{ActorEntry, ChainEvent, ChainStore, Digest, Doing, Payload, Standing, StoreError, TheaterId};

use crate::actor::{Actor, Made, NewActor, Terms};
use crate::binary::Binary;
use crate::bring_up::{self, Plan, Started};
use crate::entry::IndexFixed;
use crate::error::SpawnError;
use crate::exit::ExitReason;
use crate::handle::ActorHandle;
use crate::lineage;
use crate::manifest::ManifestConfig;
use crate::message::Message;
use crate::prepare::prepare;
use crate::recorder::Recorder;
use crate::reentry::{Reentry, unversioned};
use crate::runtime::TheaterRuntime;
use crate::spawn::{find_store, is_ephemeral};

/// Events read at once.
const PAGE: usize = 256;

/// What a fork is made of.
#[derive(Debug, Clone)]
pub struct Fork {
    /// The actor that is forked, alive or ended.
    pub of: TheaterId,
    /// The seq of the newest of its events that happened for the fork, too.
    pub at: u64,
    /// An answer in the place of a recorded one.
    pub answer: Option<ForkAnswer>,
    /// A component in the place of the recorded one.
    pub component: Option<ForkComponent>,
    /// The state that the actor had there, where the store has thinned it out; its hash is checked.
    pub state: Option<Bytes>,
}

/// Another answer to a host call that had ended.
#[derive(Debug, Clone)]
pub struct ForkAnswer {
    /// The seq of its `host_call`: the last one of the call that is open at [`Fork::at`].
    pub seq: u64,
    /// The results, encoded as in the `result` of such an event. One that is not of the function's
    /// type ends the call.
    pub results: Bytes,
}

/// Another component.
#[derive(Debug, Clone)]
pub struct ForkComponent {
    /// Its file, as messages name it.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Why an actor could not be forked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// There is no such actor.
    #[error("there is no actor {0}")]
    NotFound(TheaterId),
    /// Its chain has no such event.
    #[error("the chain of actor {actor} ends with event {newest}, so there is no event {at} to fork it at")]
    NoSuchEvent {
        /// The actor.
        actor: TheaterId,
        /// What was asked for.
        at: u64,
        /// The newest event.
        newest: u64,
    },
    /// Events that are needed were dropped.
    #[error("event {at} of actor {actor}, or the start of its incarnation, is no longer kept")]
    NotKept {
        /// The actor.
        actor: TheaterId,
        /// What was asked for.
        at: u64,
    },
    /// What was supplied with an event of the open call was erased.
    #[error(
        "the payload of event {seq} was erased, so the call that it belongs to cannot begin again; fork the actor before event {call}"
    )]
    Erased {
        /// The event.
        seq: u64,
        /// The `call` event.
        call: u64,
    },
    /// The state there is not stored.
    #[error("the state {hash} that the actor had at event {at} is not stored")]
    NoState {
        /// The event.
        at: u64,
        /// The hash of the state.
        hash: Digest,
    },
    /// The answer is for something else than the last host call.
    #[error("event {seq} cannot get another answer: {reason}")]
    Answer {
        /// The event that was named.
        seq: u64,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The component does not export the function whose call is open.
    #[error(
        "the call that is open at event {at} is of {function}, which the component does not export; fork the actor before event {call}"
    )]
    NotExported {
        /// The event of the fork.
        at: u64,
        /// The `call` event.
        call: u64,
        /// The function, as `interface#function`.
        function: String,
    },
    /// It cannot start: the component does not link, a handler is missing or fails, `init` fails.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a fork takes over, beside its state.
pub(crate) struct Branch {
    pub(crate) forked: ActorForked,
    /// The answer that was exchanged.
    pub(crate) payload: Option<Payload>,
    /// The call of a message or a callback that begins again.
    pub(crate) open: Option<Message>,
}

impl TheaterRuntime {
    /// Makes a new root actor that begins where another one stood at an event of its chain, with the
    /// state of that moment. A call that was open there begins again: host calls that had ended are
    /// answered as they had been, but for the one whose answer is exchanged, and are recorded in the
    /// fork's chain; from there on the fork goes its own way, with the handlers of this runtime. The
    /// other actor and its chain stay as they are. The fork has no children, and its messages reach
    /// only actors that are alive in this runtime.
    ///
    /// Returns when the fork runs; the call that was open may not have ended.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub async fn fork_actor(&self, fork: Fork) -> Result<ActorHandle, ForkError> {
        let (shared, of, at) = (&self.shared, fork.of, fork.at);
        shared.journal.flushed().await?;
        let store = find_store(shared, of).await?.clone();
        let entry = store.actor(of).await?.ok_or(ForkError::NotFound(of))?;
        if at > entry.head.seq {
            return Err(ForkError::NoSuchEvent { actor: of, at, newest: entry.head.seq });
        }
        let standing = Standing::read(&*store, of, at).await?.ok_or(ForkError::NotKept { actor: of, at })?;
        let state = state_at(&*store, &fork, &standing).await?;
        let made = Arc::new(self.made(&*store, &entry, &fork, &standing).await?);
        let mut id = [0; 16];
        shared.sources.fill_random(&mut id);
        let id = TheaterId::from_bytes(id);
        let fixed = IndexFixed {
            parent: None,
            name: format!("{}@{at}", entry.index.name),
            manifest_path: entry.index.manifest_path.clone(),
        };
        let open = open_call(&*store, &fork, &standing, &made).await?;
        let recorder = shared.tree.recorder(id, || {
            Recorder::new(id, fixed, is_ephemeral(&made), shared.journal.clone(), shared.sources.clone())
        });
        let forked = ActorForked {
            actor_id: id,
            of,
            at,
            head: standing.event.hash,
            answer: fork.answer.as_ref().map(|answer| answer.seq),
            component: fork.component.as_ref().map(|_| made.begins_with.digest),
        };
        let payload = recorder.payload(&[("result", fork.answer.as_ref().map(|answer| &*answer.results))]);
        let name = made.manifest.name.clone();
        let init = match &standing.doing {
            Doing::Starting => true,
            Doing::Calling { call, .. } => is_init(call, &standing),
            Doing::Nothing => false,
        };
        let kind = if init { RestartStateKind::Reset } else { RestartStateKind::ResumeFrom };
        let new = NewActor {
            id,
            parent: None,
            incarnation: 1,
            made,
            shared: shared.clone(),
            recorder,
            state,
            terms: Terms::default(),
        };
        let actor = Arc::new(Actor::new(new));
        shared.tree.register(&actor, None)?;
        let mut plan = Plan::new(kind, None, VecDeque::new());
        let mut branch = Branch { forked, payload, open: None };
        match open {
            Some(message) if message.lane == Lane::Start => plan.open = Some(Box::new(message)),
            open => branch.open = open,
        }
        plan.branch = Some(Box::new(branch));
        match bring_up::start(actor, plan).await? {
            Started::Running => Ok(self.handle(id)),
            Started::Declined => Err(SpawnError::Ended { id, name, reason: ExitReason::Declined }.into()),
        }
    }

    /// The recorded manifest with the recorded component, or the one in its place.
    async fn made(
        &self,
        store: &dyn ChainStore,
        entry: &ActorEntry,
        fork: &Fork,
        standing: &Standing,
    ) -> Result<Made, ForkError> {
        let missing = |what: &str| StoreError::Damaged(format!("the {what} of actor {} is missing", entry.id));
        let manifest = store.manifest(standing.start.manifest).await?.ok_or_else(|| missing("manifest"))?;
        let mut manifest =
            ManifestConfig::from_source(&entry.index.manifest_path, manifest).map_err(SpawnError::from)?;
        let component = match &fork.component {
            Some(other) => {
                // Joined to the manifest's folder it stays what it is.
                manifest.component = std::path::absolute(&other.file).unwrap_or_else(|_| other.file.clone());
                Binary::new(other.bytes.clone())
            }
            None => {
                let stored = self.shared.binaries.stored(store, standing.component).await?;
                stored.ok_or_else(|| missing("component"))?
            }
        };
        let mut made = prepare(&self.shared, manifest, None, Some(component)).await?;
        let version = match lineage::version_at(store, entry, fork.at).await? {
            None => lineage::version(store, entry).await?,
            own => own,
        };
        if let Some(version) = version {
            made.begins_with = Arc::new(made.begins_with.versioned(version));
        }
        Ok(made)
    }
}

async fn state_at(store: &dyn ChainStore, fork: &Fork, standing: &Standing) -> Result<Option<Bytes>, ForkError> {
    let hash = standing.state;
    if hash.is_zero() {
        return Ok(None);
    }
    let stored = store.state(hash).await?.or_else(|| fork.state.clone());
    let state = stored.filter(|bytes| Digest::of(bytes) == hash);
    Ok(Some(state.ok_or(ForkError::NoState { at: fork.at, hash })?))
}

/// Whether a call is the `init` of an incarnation that begins with it.
fn is_init(call: &Call, standing: &Standing) -> bool {
    call.lane == Lane::Start && standing.start.restart_state == RestartStateKind::Reset && call.function == "init"
}

/// The call that was open, to begin again.
async fn open_call(
    store: &dyn ChainStore,
    fork: &Fork,
    standing: &Standing,
    made: &Made,
) -> Result<Option<Message>, ForkError> {
    let Doing::Calling { seq, call } = &standing.doing else {
        return match &fork.answer {
            Some(answer) => Err(no_host_call(store, fork, answer.seq).await?),
            None => Ok(None),
        };
    };
    let events = call_events(store, fork, *seq).await?;
    if let Some(erased) = events.iter().find(|event| event.is_erased()) {
        return Err(ForkError::Erased { seq: erased.seq, call: *seq });
    }
    if let Some(answer) = &fork.answer {
        check_answer(store, fork, answer.seq, &events).await?;
    }
    let interface = unversioned(&call.interface);
    let found = made.begins_with.component.export(interface, &call.function).ok_or_else(|| ForkError::NotExported {
        at: fork.at,
        call: *seq,
        function: format!("{}#{}", call.interface, call.function),
    })?;
    let damaged = |reason: &str| StoreError::Damaged(format!("event {seq} of {}: {reason}", fork.of));
    let event = events.first().ok_or_else(|| damaged("it is missing"))?;
    let payload = event.payload.clone().ok_or_else(|| damaged("a call without params"))?;
    let lane = call.lane;
    let mut message = Message::recorded(call.clone(), found.def.interface(), found.def.function(), payload);
    message.lane = lane;
    let answer = fork.answer.as_ref().map(|answer| (answer.seq, answer.results.clone()));
    message.again = Some(Box::new(Reentry::taken_over(&events[1..], answer.as_ref())?));
    Ok(Some(message))
}

/// The events from the open call up to the one of the fork.
async fn call_events(store: &dyn ChainStore, fork: &Fork, call: u64) -> Result<Vec<ChainEvent>, StoreError> {
    let (mut events, mut next) = (Vec::new(), call);
    while next <= fork.at {
        let page = store.events(fork.of, next, PAGE).await?;
        let Some(last) = page.last() else {
            return Err(StoreError::Damaged(format!("event {next} of {} is missing", fork.of)));
        };
        next = last.seq + 1;
        let counts = [Call::TYPE, HostCallBegun::TYPE, HostCall::TYPE];
        events.extend(page.into_iter().filter(|event| event.seq <= fork.at && counts.contains(&&*event.event_type)));
    }
    Ok(events)
}

async fn check_answer(store: &dyn ChainStore, fork: &Fork, seq: u64, events: &[ChainEvent]) -> Result<(), ForkError> {
    if !events.iter().any(|event| event.seq == seq && event.event_type == HostCall::TYPE) {
        return Err(no_host_call(store, fork, seq).await?);
    }
    match events.iter().find(|event| event.seq > seq) {
        Some(later) => Err(ForkError::Answer {
            seq,
            reason: format!(
                "event {} follows it in the call, and with another answer it need not; fork the actor at event {seq}",
                later.seq
            ),
        }),
        None => Ok(()),
    }
}

/// What is said of an event that is none of a host call that ended in the open call.
async fn no_host_call(store: &dyn ChainStore, fork: &Fork, seq: u64) -> Result<ForkError, ForkError> {
    let event = store.events(fork.of, seq, 1).await?.pop().filter(|event| event.seq == seq);
    let reason = match event {
        None => "there is no such event".to_owned(),
        Some(event) if event.event_type == HostCall::TYPE => {
            format!("it is not in the call that is open at event {}; fork the actor at event {seq}", fork.at)
        }
        Some(event) if event.event_type == HostCallBegun::TYPE => {
            "it is the beginning of a host call; the answer is in the `host_call` after it".to_owned()
        }
        Some(event) => format!("it is `{}`, and answers are in events of type `host_call`", event.event_type),
    };
    Ok(ForkError::Answer { seq, reason })
}
