//! Who replays: an engine with the settings that the actors ran under, and components that were
//! linked before.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use theater::engine;
use theater_chain::data::{ActorStarted, Data, EngineRecord, EventData as _};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, newest};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::ReplayError;
use crate::link::Linked;
use crate::machine::{Machine, Standing, stored_state};
use crate::record::{Halt, Progress, Record};
use crate::report::{Replay, State};

/// Linked components that are kept.
const KEPT: usize = 64;

/// Replays actors. Makes one engine, and compiles each component once.
pub struct Replayer {
    engine: Engine,
    record: EngineRecord,
    linked: Mutex<HashMap<Digest, Arc<Linked>>>,
}

/// What is replayed of an actor: all of it, unless said otherwise.
#[derive(Default)]
pub struct Part {
    until: Option<u64>,
    progress: Option<Progress>,
}

impl Part {
    /// The whole record.
    pub fn whole() -> Self {
        Self::default()
    }

    /// Up to and with the event `seq`, from the last point before it at which the instance was fresh and
    /// the state is stored.
    #[must_use]
    pub fn until(self, seq: u64) -> Self {
        Self { until: Some(seq), ..self }
    }

    /// Calls `progress` with the seq of each event that is passed.
    #[must_use]
    pub fn progress(self, progress: impl FnMut(u64) + Send + Sync + 'static) -> Self {
        Self { progress: Some(Box::new(progress)), ..self }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("until", &self.until).finish_non_exhaustive()
    }
}

impl fmt::Debug for Replayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayer").field("record", &self.record).finish_non_exhaustive()
    }
}

/// How another component stands to a record.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// It does what is recorded.
    Compatible(Replay),
    /// It does something else, first at the event that the replay names.
    Diverges(Replay),
    /// It imports functions that the recorded component did not, or with other types: the record cannot
    /// answer them. As `interface#function`.
    NeedsOtherImports(Vec<String>),
}

impl Replayer {
    /// A replayer.
    ///
    /// # Errors
    /// The machine cannot run wasm.
    pub fn new() -> Result<Self, ReplayError> {
        let engine = engine::build_small().map_err(|error| ReplayError::Engine(format!("{error:#}")))?;
        let record = engine::record(&engine);
        Ok(Self { engine, record, linked: Mutex::default() })
    }

    /// Replays an actor from the store, from which it reads alone.
    ///
    /// # Errors
    /// The store cannot be read, or does not have what a replay needs. A difference is no error: it is in
    /// the report.
    pub async fn replay(
        &self,
        store: Arc<dyn ChainStore>,
        actor: TheaterId,
        part: Part,
    ) -> Result<Replay, ReplayError> {
        let entry = store.actor(actor).await?.ok_or(ReplayError::NotFound(actor))?;
        let kept = store.kept_from(actor).await?;
        let newest = entry.head.seq;
        let Some(until) = part.until else {
            let record = Record::new(store.clone(), actor, kept, newest + 1, part.progress);
            return Machine::new(self, store, actor, kept, None).run(record).await;
        };
        if until > newest || until < kept {
            return Err(ReplayError::NoSuchEvent { actor, seq: until, newest });
        }
        match self.enter(&store, actor, kept, until, None).await {
            Ok((mut machine, from)) => {
                let record = Record::new(store, actor, from, until + 1, part.progress);
                let mut replay = machine.run(record).await?;
                replay.next = machine.next_call(until + 1).await?;
                Ok(replay)
            }
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::Diverged(divergence)) => {
                let mut report = Machine::new(self, store, actor, divergence.seq, None).into_report();
                report.diverged = Some(*divergence);
                Ok(report)
            }
        }
    }

    /// Replays an actor with another component in the place of its own.
    ///
    /// # Errors
    /// As [`Replayer::replay`]; also: the component cannot be compiled.
    pub async fn against(
        &self,
        store: Arc<dyn ChainStore>,
        actor: TheaterId,
        component: &Bytes,
        part: Part,
    ) -> Result<Verdict, ReplayError> {
        let entry = store.actor(actor).await?.ok_or(ReplayError::NotFound(actor))?;
        let kept = store.kept_from(actor).await?;
        let instead = self.link(Digest::of(component), component)?;
        let newest = entry.head.seq;
        let standing = standing(&*store, actor, kept, newest).await?;
        let standing = standing.ok_or(ReplayError::NoSuchEvent { actor, seq: kept, newest })?;
        let (seq, digest) = standing.exchanged.unwrap_or((standing.event.seq, standing.started.component));
        let own = self.of_store(&*store, actor, seq, digest).await?;
        let beyond = instead.imports.beyond(&own.imports);
        if !beyond.is_empty() {
            return Ok(Verdict::NeedsOtherImports(beyond));
        }
        let end = part.until.map_or(entry.head.seq + 1, |until| until + 1);
        let record = Record::new(store.clone(), actor, kept, end, part.progress);
        let replay = Machine::new(self, store, actor, kept, Some(instead)).run(record).await?;
        Ok(if replay.is_ok() { Verdict::Compatible(replay) } else { Verdict::Diverges(replay) })
    }

    /// A machine at the last point at or before `until` at which an instance was fresh and the state is
    /// stored, and the seq of the event that comes next there.
    pub(crate) async fn enter(
        &self,
        store: &Arc<dyn ChainStore>,
        actor: TheaterId,
        kept: u64,
        until: u64,
        instead: Option<Arc<Linked>>,
    ) -> Result<(Machine<'_>, u64), Halt> {
        let mut end = until + 1;
        while let Some(point) = newest(&**store, actor, kept..end, Point::of).await? {
            let (from, state_hash) = match point {
                Point::Started(seq) => return Ok((Machine::new(self, store.clone(), actor, seq, instead), seq)),
                Point::Dropped(seq) => {
                    end = seq;
                    match newest(&**store, actor, kept..seq, Committed::of).await? {
                        Some(Committed::State(hash)) => (seq, hash),
                        Some(Committed::Open) | None => continue,
                    }
                }
            };
            let Some(bytes) = stored_state(&**store, state_hash).await? else { continue };
            let Some(standing) = standing(&**store, actor, kept, from).await? else { continue };
            let mut machine = Machine::new(self, store.clone(), actor, from, instead.clone());
            machine.enter(&standing, State { hash: state_hash, bytes }).await?;
            return Ok((machine, from));
        }
        Ok((Machine::new(self, store.clone(), actor, kept, instead), kept))
    }

    pub(crate) fn engine_record(&self) -> &EngineRecord {
        &self.record
    }

    /// A component of a store, named by the event `seq`.
    pub(crate) async fn of_store(
        &self,
        store: &dyn ChainStore,
        actor: TheaterId,
        seq: u64,
        digest: Digest,
    ) -> Result<Arc<Linked>, ReplayError> {
        if let Some(linked) = self.known(digest) {
            return Ok(linked);
        }
        let bytes = store.component(digest).await?.filter(|bytes| Digest::of(bytes) == digest);
        let bytes = bytes.ok_or(ReplayError::Missing { actor, seq, what: "component", digest })?;
        self.link(digest, &bytes)
    }

    /// A component that was linked before.
    pub(crate) fn known(&self, digest: Digest) -> Option<Arc<Linked>> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }

    /// Compiles and links a component.
    pub(crate) fn link(&self, digest: Digest, bytes: &Bytes) -> Result<Arc<Linked>, ReplayError> {
        let failed = |reason: String| ReplayError::Component { digest, reason };
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| failed(format!("it cannot be compiled: {}", error.root_cause())))?;
        let linked = Arc::new(Linked::new(&self.engine, &component).map_err(failed)?);
        let mut kept = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.retain(|_, linked| Arc::strong_count(linked) > 1);
        }
        kept.insert(digest, linked.clone());
        Ok(linked)
    }
}

/// Where an instance is fresh.
enum Point {
    Started(u64),
    Dropped(u64),
}

impl Point {
    fn of(event: &ChainEvent) -> Option<Self> {
        match Data::decode(&event.event_type, &event.data) {
            Ok(Some(Data::ActorStarted(_))) => Some(Self::Started(event.seq)),
            Ok(Some(Data::InstanceDropped(_) | Data::ActorUpgraded(_) | Data::ActorRolledBack(_))) => {
                Some(Self::Dropped(event.seq))
            }
            _ => None,
        }
    }
}

/// What the newest event about calls says of a point in a chain.
enum Committed {
    /// Between calls, with this state.
    State(Digest),
    /// A call is open.
    Open,
}

impl Committed {
    fn of(event: &ChainEvent) -> Option<Self> {
        Some(match Data::decode(&event.event_type, &event.data).ok()?? {
            Data::ActorStarted(data) => Self::State(data.state_hash),
            Data::CallReturned(data) => Self::State(data.state_hash),
            Data::StateUpdated(data) => Self::State(data.new_state_hash),
            Data::ActorErrorData(data) => Self::State(data.state_hash),
            Data::ActorTerminated(data) => Self::State(data.final_state_hash),
            Data::ActorUpgraded(data) => Self::State(data.new_state_hash),
            Data::ActorRolledBack(data) => Self::State(data.new_state_hash),
            Data::Call(_) | Data::HostCall(_) | Data::HostCallBegun(_) => Self::Open,
            _ => return None,
        })
    }
}

/// The incarnation that stands right before the event `seq`, or begins with it.
async fn standing(
    store: &dyn ChainStore,
    actor: TheaterId,
    kept: u64,
    seq: u64,
) -> Result<Option<Standing>, StoreError> {
    let exchanged = newest(store, actor, kept..seq, |event| match Data::decode(&event.event_type, &event.data) {
        Ok(Some(Data::ActorStarted(_))) => Some(None),
        Ok(Some(Data::ActorUpgraded(data))) => Some(Some((event.seq, data.new_component))),
        Ok(Some(Data::ActorRolledBack(data))) => Some(Some((event.seq, data.new_component))),
        _ => None,
    })
    .await?;
    newest(store, actor, kept..seq + 1, |event| {
        if event.event_type != ActorStarted::TYPE {
            return None;
        }
        let started = ActorStarted::decode(&event.data).ok()?;
        let exchanged = exchanged.flatten().filter(|(seq, _)| *seq > event.seq);
        Some(Standing { event: event.clone(), started, exchanged })
    })
    .await
}
