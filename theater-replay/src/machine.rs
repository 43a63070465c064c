//! The replay of one actor, event by event: lives, instances and states between the calls.

use std::sync::Arc;

use bytes::Bytes;
use theater::{Limits, ManifestConfig};
use theater_chain::data::{ActorStarted, ActorUpgraded, Call, Data, RestartStateKind};
use theater_chain::{ChainEvent, ChainStore, Digest, TheaterId, payload};

use crate::Replayer;
use crate::answer::field;
use crate::call::{self, Maker, Ran};
use crate::error::ReplayError;
use crate::guest::{Engines, Live};
use crate::link::Linked;
use crate::migrate;
use crate::record::{Halt, Record, Step, damaged};
use crate::report::{NextCall, Replay, State, Unreplayed};
use crate::text;

/// Gaps that a report lists.
const MAX_GAPS: usize = 100;

/// Why calls of an incarnation that began in dropped events are not made.
const NOT_KEPT: &str = "the start of its incarnation is not kept";

/// An incarnation.
pub(crate) struct Life {
    limits: Limits,
    linked: Arc<Linked>,
    engines: Engines,
}

/// The incarnation at a point of a chain.
pub(crate) struct Standing {
    /// Its start.
    pub(crate) event: ChainEvent,
    pub(crate) started: ActorStarted,
    /// The last exchange of its component since, if there was one.
    pub(crate) exchanged: Option<(u64, Digest)>,
}

/// The replay of one actor.
pub(crate) struct Machine<'a> {
    replayer: &'a Replayer,
    actor: TheaterId,
    store: Arc<dyn ChainStore>,
    /// The component that takes the place of the recorded ones.
    instead: Option<Arc<Linked>>,
    life: Option<Life>,
    live: Option<Live>,
    /// The hash of the last committed state, where the record has said it.
    state_hash: Option<Digest>,
    /// Its bytes; none while they are not known.
    state: Option<Option<Bytes>>,
    /// The states are not the recorded ones: those of another component, which its `migrate` made.
    migrated: bool,
    /// Calls cannot be made, until an instance is dropped whose state is stored.
    lost: bool,
    report: Replay,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        replayer: &'a Replayer,
        store: Arc<dyn ChainStore>,
        actor: TheaterId,
        from: u64,
        instead: Option<Arc<Linked>>,
    ) -> Self {
        let report = Replay {
            actor,
            from,
            events: 0,
            replayed: 0,
            environmental: 0,
            diverged: None,
            unreplayed: Vec::new(),
            failure: None,
            state: None,
            next: None,
        };
        Self {
            replayer,
            actor,
            store,
            instead,
            life: None,
            live: None,
            state_hash: None,
            state: None,
            migrated: false,
            lost: false,
            report,
        }
    }

    /// Nothing done so far.
    pub(crate) fn into_report(self) -> Replay {
        self.report
    }

    /// Puts the machine where an incarnation stood between two calls.
    ///
    /// # Errors
    /// As of a start.
    pub(crate) async fn enter(&mut self, from: &Standing, state: State) -> Result<(), Halt> {
        let mut life = self.life(&from.event, &from.started).await?;
        if let Some((seq, component)) = from.exchanged {
            life.linked = self.linked(seq, component).await?;
        }
        self.life = Some(life);
        (self.state_hash, self.state) = (Some(state.hash), Some(state.bytes));
        Ok(())
    }

    /// Goes through the record to its end, or to the first difference.
    pub(crate) async fn run(&mut self, mut record: Record) -> Result<Replay, ReplayError> {
        loop {
            match self.step(record).await {
                Ok(Some(back)) => record = back,
                Ok(None) => break,
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Diverged(divergence)) => {
                    self.report.events = divergence.seq.saturating_sub(self.report.from);
                    self.report.diverged = Some(*divergence);
                    return Ok(self.report.clone());
                }
            }
        }
        self.report.state = match (self.state_hash, &self.state) {
            (Some(hash), Some(bytes)) => Some(State { hash, bytes: bytes.clone() }),
            _ => None,
        };
        Ok(self.report.clone())
    }

    /// The first call from the event `from` on.
    ///
    /// # Errors
    /// The store could not be read.
    pub(crate) async fn next_call(&self, mut from: u64) -> Result<Option<NextCall>, ReplayError> {
        loop {
            let page = self.store.events(self.actor, from, 64).await?;
            let Some(last) = page.last() else { return Ok(None) };
            from = last.seq + 1;
            let found = page.iter().find_map(|event| match Data::decode(&event.event_type, &event.data) {
                Ok(Some(Data::Call(call))) => Some((event, call)),
                _ => None,
            });
            if let Some((event, call)) = found {
                let params = field(event, "params").ok().flatten().unwrap_or(&[0xc0]);
                let export = self.life.as_ref().and_then(|life| life.linked.export(&call.interface, &call.function));
                let params = match export {
                    _ if event.is_erased() => "(erased)".to_owned(),
                    Some(export) => text::value(params, &export.params),
                    None => text::raw(params),
                };
                return Ok(Some(NextCall { seq: event.seq, function: call::name(&call), params }));
            }
        }
    }

    /// Takes one event, and with a `call` all that belong to it.
    async fn step(&mut self, mut record: Record) -> Result<Option<Record>, Halt> {
        let Some(step) = record.take().await? else { return Ok(None) };
        let Step { event, data } = &step;
        let of_call = matches!(
            data,
            Some(Data::StateUpdated(_) | Data::CallReturned(_) | Data::HostCall(_) | Data::HostCallBegun(_))
        );
        if of_call && self.life.is_none() && !self.lost {
            self.lose(event.seq, NOT_KEPT); // its call was dropped
        }
        match data {
            Some(Data::ActorStarted(started)) => self.started(event, started).await?,
            Some(Data::Call(call)) if !self.lost => record = self.call(record, event, call).await?,
            Some(Data::InstanceDropped(_)) => self.dropped().await?,
            Some(Data::ActorUpgraded(data)) => {
                let before = self.state.clone();
                self.exchanged(event, data.new_component, (data.old_state_hash, data.new_state_hash)).await?;
                if let Some(before) = before.filter(|_| self.instead.is_none()) {
                    self.migrates_again(event, data, before).await?;
                }
            }
            Some(Data::ActorRolledBack(data)) => {
                self.exchanged(event, data.new_component, (data.old_state_hash, data.new_state_hash)).await?;
            }
            Some(Data::StateUpdated(updated)) if self.lost => {
                (self.state_hash, self.state) = (Some(updated.new_state_hash), None);
            }
            Some(Data::Call(_) | Data::CallReturned(_) | Data::HostCall(_) | Data::HostCallBegun(_)) if self.lost => {}
            Some(Data::StateUpdated(_) | Data::CallReturned(_) | Data::HostCall(_) | Data::HostCallBegun(_)) => {
                let found = format!("{} without one", event.event_type);
                return Err(Halt::Diverged(Box::new(damaged(event, "a call that it belongs to", &found))));
            }
            Some(Data::ActorErrorData(error)) => {
                self.holds(event, error.state_hash)?;
                self.live = None;
            }
            Some(Data::ActorTerminated(ended)) => {
                self.holds(event, ended.final_state_hash)?;
                self.live = None;
            }
            _ => {}
        }
        if let Some(gap) = self.report.unreplayed.last_mut().filter(|_| self.lost) {
            gap.to = event.seq;
        }
        self.report.events = record.at() - self.report.from;
        Ok(Some(record))
    }

    fn holds(&self, event: &ChainEvent, claimed: Digest) -> Result<(), Halt> {
        match self.state_hash {
            Some(hash) if hash != claimed && !self.migrated => {
                let expected = format!("the state {hash}, the last one committed");
                Err(Halt::Diverged(Box::new(damaged(event, &expected, &format!("the state {claimed}")))))
            }
            _ => Ok(()),
        }
    }

    async fn started(&mut self, event: &ChainEvent, started: &ActorStarted) -> Result<(), Halt> {
        self.live = None;
        self.life = Some(self.life(event, started).await?);
        self.lost = false;
        match started.restart_state {
            RestartStateKind::Reset => self.initial(event, started)?,
            RestartStateKind::Resume if self.state_hash.is_some() => {
                self.holds(event, started.state_hash)?;
                if self.state.is_none() {
                    self.install(event.seq, started.state_hash).await?;
                }
            }
            _ => self.install(event.seq, started.state_hash).await?,
        }
        self.state_hash = Some(started.state_hash);
        Ok(())
    }

    async fn life(&self, event: &ChainEvent, started: &ActorStarted) -> Result<Life, Halt> {
        let missing = |what, digest| ReplayError::Missing { actor: self.actor, seq: event.seq, what, digest };
        let manifest = self.store.manifest(started.manifest).await?;
        let manifest = manifest
            .filter(|bytes| Digest::of(bytes) == started.manifest)
            .ok_or_else(|| missing("manifest", started.manifest))?;
        let manifest = ManifestConfig::from_source("manifest.toml", manifest).map_err(ReplayError::from)?;
        let linked = self.linked(event.seq, started.component).await?;
        let engines = Engines::of(&started.engine, self.replayer.engine_record());
        Ok(Life { limits: manifest.limits, linked, engines })
    }

    /// A component: the one that takes the place of all, or the recorded one.
    async fn linked(&self, seq: u64, digest: Digest) -> Result<Arc<Linked>, Halt> {
        match &self.instead {
            Some(instead) => Ok(instead.clone()),
            None => Ok(self.replayer.of_store(&*self.store, self.actor, seq, digest).await?),
        }
    }

    /// The actor got another component, and a state for it.
    async fn exchanged(&mut self, event: &ChainEvent, to: Digest, (old, new): (Digest, Digest)) -> Result<(), Halt> {
        self.holds(event, old)?;
        self.live = None;
        let linked = self.linked(event.seq, to).await?;
        if let Some(life) = &mut self.life {
            life.linked = linked;
        }
        self.state_hash = Some(new);
        self.install(event.seq, new).await
    }

    /// The state with which it was put where an incarnation stood, if it was.
    pub(crate) fn entered(&self) -> Option<Option<Bytes>> {
        self.state.clone()
    }

    /// It goes on from this one.
    pub(crate) fn set_state(&mut self, state: State) {
        (self.state_hash, self.state) = (Some(state.hash), Some(state.bytes));
    }

    /// From here on states are not compared any more, since they are another component's; nor is what
    /// that logs.
    pub(crate) fn set_migrated(&mut self, record: &mut Record) {
        self.migrated = true;
        record.loose = true;
    }

    /// Whether the new component makes the recorded state of the one before.
    async fn migrates_again(
        &self,
        event: &ChainEvent,
        data: &ActorUpgraded,
        before: Option<Bytes>,
    ) -> Result<(), Halt> {
        let Some(life) = &self.life else { return Ok(()) };
        if migrate::is_exported(&life.linked) != data.migrated {
            let (expected, actual) = match data.migrated {
                true => ("an upgrade with a migrate", "a component that exports none"),
                false => ("an upgrade without a migrate", "a component that exports one"),
            };
            return Err(Halt::Diverged(Box::new(damaged(event, expected, actual))));
        }
        let made = match data.migrated {
            true => migrate::run(&life.linked, &life.limits, before, &data.old_version).await,
            false => Ok(before.map(Into::into)),
        };
        let actual = match made {
            Ok(state) if Digest::of_state(state.as_deref()) == data.new_state_hash => return Ok(()),
            Ok(state) => format!("the state {}", state.as_deref().map_or_else(|| "none".to_owned(), text::bytes)),
            Err(reason) => format!("it failed: {reason}"),
        };
        let mut divergence = damaged(event, &format!("the state {}", data.new_state_hash), &actual);
        (divergence.function, divergence.actual) = (migrate::NAME.to_owned(), actual);
        Err(Halt::Diverged(Box::new(divergence)))
    }

    fn initial(&mut self, event: &ChainEvent, started: &ActorStarted) -> Result<(), Halt> {
        if event.is_erased() {
            self.lose(event.seq, "its initial state was erased");
            return Ok(());
        }
        let unlike = |what: &str| Halt::Diverged(Box::new(damaged(event, "an initial state of its hash", what)));
        let state = match field(event, "initial_state")? {
            Some(bytes) => Some(payload::read_bin(bytes).map_err(|error| unlike(&error.to_string()))?),
            None => None,
        };
        if Digest::of_state(state) != started.state_hash {
            return Err(unlike("another"));
        }
        self.state = Some(state.map(Bytes::copy_from_slice));
        Ok(())
    }

    /// Takes a state from the store.
    async fn install(&mut self, seq: u64, hash: Digest) -> Result<(), Halt> {
        self.state = stored_state(&*self.store, hash).await?;
        self.lost = self.state.is_none();
        if self.lost {
            self.lose(seq, "the state that it begins with is not stored");
        }
        Ok(())
    }

    fn lose(&mut self, seq: u64, reason: &str) {
        (self.lost, self.live, self.state) = (true, None, None);
        if self.report.unreplayed.len() < MAX_GAPS {
            self.report.unreplayed.push(Unreplayed { seq, to: seq, reason: reason.to_owned() });
        }
    }

    async fn dropped(&mut self) -> Result<(), Halt> {
        self.live = None;
        if self.lost
            && self.life.is_some()
            && let Some(hash) = self.state_hash
        {
            self.state = stored_state(&*self.store, hash).await?;
            self.lost = self.state.is_none();
        }
        Ok(())
    }

    async fn call(&mut self, record: Record, event: &ChainEvent, call: &Call) -> Result<Record, Halt> {
        let (Some(life), Some(state), Some(state_hash)) = (&self.life, &self.state, self.state_hash) else {
            self.lose(event.seq, NOT_KEPT);
            return Ok(record);
        };
        let maker = Maker {
            actor: self.actor,
            linked: &life.linked,
            limits: &life.limits,
            engines: life.engines,
            moved: self.instead.is_some(),
            migrated: self.migrated,
            state: state.as_deref(),
            state_hash,
        };
        let (mut record, ran) = maker.make(&mut self.live, record, event, call).await?;
        match ran {
            Ran::Ended(state) => {
                self.report.replayed += 1;
                self.state_hash = Some(Digest::of_state(state.as_deref()));
                self.state = Some(state.map(Bytes::from));
            }
            Ran::Failed(failure) => {
                self.report.replayed += 1;
                self.report.failure = Some(failure);
                self.live = None;
            }
            Ran::Cut => {
                self.live = None;
                // At the end of the record the call is open.
                if let Some(step) = record.take().await? {
                    self.cut(&step)?;
                }
            }
            Ran::Unreplayable(reason) => self.lose(event.seq, &reason),
        }
        Ok(record)
    }

    /// What ended a call that the guest did not end.
    fn cut(&mut self, step: &Step) -> Result<(), Halt> {
        match &step.data {
            Some(Data::ActorErrorData(error)) => {
                self.report.environmental += 1;
                self.holds(&step.event, error.state_hash)
            }
            // The guest exited.
            Some(Data::CallReturned(returned)) if !returned.ok => self.holds(&step.event, returned.state_hash),
            _ => Err(Halt::Diverged(Box::new(damaged(&step.event, "the end of the call", &step.event.event_type)))),
        }
    }
}

/// A state by its hash: none where the store does not have it, or has other bytes.
pub(crate) async fn stored_state(store: &dyn ChainStore, hash: Digest) -> Result<Option<Option<Bytes>>, Halt> {
    if hash.is_zero() {
        return Ok(Some(None));
    }
    let bytes = store.state(hash).await?;
    Ok(bytes.filter(|bytes| Digest::of(bytes) == hash).map(Some))
}
