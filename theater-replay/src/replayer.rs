//! Who replays: an engine with the settings that the actors ran under, and components that were
//! linked before.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use theater::engine;
use theater_chain::data::EngineRecord;
use theater_chain::{ChainStore, Digest, TheaterId};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::entry::standing;
use crate::error::ReplayError;
use crate::link::Linked;
use crate::machine::Machine;
use crate::record::{Halt, Last, Progress, Record};
use crate::report::Replay;

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
            let record = Record::new(store.clone(), actor, kept, entry.head, part.progress);
            return Machine::new(self, store, actor, kept, None).run(record).await;
        };
        if until > newest || until < kept {
            return Err(ReplayError::NoSuchEvent { actor, seq: until, newest });
        }
        match self.enter(&store, actor, kept, until).await {
            Ok((mut machine, from)) => {
                let record = Record::new(store, actor, from, until, part.progress);
                let mut replay = machine.run(record).await?;
                replay.next = machine.next_call(until + 1).await?;
                Ok(replay)
            }
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::Diverged(divergence)) => Ok(Replay::stopped(actor, &divergence)),
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
        let last = match part.until {
            Some(seq) if seq > newest || seq < kept => return Err(ReplayError::NoSuchEvent { actor, seq, newest }),
            Some(seq) => Last::from(seq),
            None => Last::from(entry.head),
        };
        let record = Record::new(store.clone(), actor, kept, last, part.progress);
        let replay = Machine::new(self, store, actor, kept, Some(instead)).run(record).await?;
        Ok(if replay.is_ok() { Verdict::Compatible(replay) } else { Verdict::Diverges(replay) })
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
