//! The replay of one actor, event by event: lives, instances and states between the calls.

use std::sync::Arc;

use bytes::Bytes;
use theater::ProposedUpgrade;
use theater_chain::data::{Call, Data, Lane};
use theater_chain::{ChainEvent, ChainStore, Digest, TheaterId};

use crate::Replayer;
use crate::answer::field;
use crate::call::{self, Maker, Ran, is_init};
use crate::error::ReplayError;
use crate::guest::Live;
use crate::link::{Linked, unversioned};
use crate::lives::Life;
use crate::record::{Halt, Record, Step, damaged};
use crate::report::{NextCall, Replay, State};
use crate::text;

/// Why calls of an incarnation that began in dropped events are not made.
const NOT_KEPT: &str = "the start of its incarnation is not kept";

/// The replay of one actor.
pub(crate) struct Machine<'a> {
    pub(crate) replayer: &'a Replayer,
    pub(crate) actor: TheaterId,
    pub(crate) store: Arc<dyn ChainStore>,
    /// The component that takes the place of the recorded ones.
    pub(crate) instead: Option<Arc<Linked>>,
    pub(crate) life: Option<Life>,
    pub(crate) live: Option<Live>,
    /// The incarnation has begun with a reset, and `init` has not been called.
    pub(crate) init_due: bool,
    /// The hash of the last committed state, where the record has said it.
    pub(crate) state_hash: Option<Digest>,
    /// Its bytes; none while they are not known.
    pub(crate) state: Option<Option<Bytes>>,
    /// What makes the states that are stored those of the component that takes the place of the
    /// recorded ones. From then on states are not compared, since they are another component's; nor is
    /// what that logs.
    pub(crate) upgrade: Option<&'a ProposedUpgrade>,
    /// Calls cannot be made, until an instance is dropped whose state is stored.
    pub(crate) lost: bool,
    pub(crate) report: Replay,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        replayer: &'a Replayer,
        store: Arc<dyn ChainStore>,
        actor: TheaterId,
        from: u64,
        instead: Option<Arc<Linked>>,
    ) -> Self {
        Self {
            replayer,
            actor,
            store,
            instead,
            life: None,
            live: None,
            init_due: false,
            state_hash: None,
            state: None,
            upgrade: None,
            lost: false,
            report: Replay::new(actor, from),
        }
    }

    /// As one that checks this upgrade.
    pub(crate) fn upgrading(self, upgrade: Option<&'a ProposedUpgrade>) -> Self {
        Self { upgrade, ..self }
    }

    /// Goes through the record to its end, or to the first difference.
    pub(crate) async fn run(&mut self, mut record: Record) -> Result<Replay, ReplayError> {
        record.loose = self.upgrade.is_some();
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
        let Step { event, data, .. } = &step;
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
            Some(Data::InstanceDropped(_)) => self.dropped(event.seq).await?,
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

    async fn call(&mut self, record: Record, event: &ChainEvent, call: &Call) -> Result<Record, Halt> {
        let (Some(life), Some(state), Some(state_hash)) = (&self.life, &self.state, self.state_hash) else {
            self.lose(event.seq, NOT_KEPT);
            return Ok(record);
        };
        if is_init(call) != std::mem::take(&mut self.init_due) {
            let (expected, actual) = match is_init(call) {
                true => ("no `init`: the incarnation did not begin with a reset, or had it before", "a call of it"),
                false => ("a call of `init`, since the incarnation began with a reset", "another call"),
            };
            return Err(Halt::Diverged(Box::new(damaged(event, expected, actual))));
        }
        let begins = is_init(call) || unversioned(&call.interface) == "theater:simple/resumed";
        if begins != (call.lane == Lane::Start) {
            let expected = if begins { "a part of the start" } else { "no part of the start" };
            let actual = format!("a call in the lane {:?}", call.lane);
            return Err(Halt::Diverged(Box::new(damaged(event, expected, &actual))));
        }
        let maker = Maker {
            actor: self.actor,
            linked: &life.linked,
            limits: &life.limits,
            engines: life.engines,
            moved: self.instead.is_some(),
            migrated: self.upgrade.is_some(),
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
            Some(Data::CallReturned(returned)) if step.is_exit() => self.holds(&step.event, returned.state_hash),
            _ => Err(Halt::Diverged(Box::new(damaged(&step.event, "the end of the call", &step.event.event_type)))),
        }
    }
}
