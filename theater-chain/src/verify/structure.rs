//! Whether the events of one chain tell a possible life: incarnations, calls, host calls, states.
//!
//! It looks at one chain alone and at nothing outside of it; whether recorded bytes exist is
//! checked beside it.

use super::open_call::OpenCall;
use super::pruned;
use super::starts::PastStates;
use super::upgrades::Upgrades;
use crate::data::{
    ActorEnding, ActorErrorData, ActorForked, ActorStarted, ActorTerminated, CallReturned, Data, DropReason, ErrorType,
    FORMAT, HostCall, HostCallBegun, Pruned, ReasonRecord, StateUpdated,
};
use crate::{ActorIndex, ChainEvent, Digest, TheaterId};

/// What one event, or the whole, fails on.
pub(super) type Checked = Result<(), String>;

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first event.
    Empty,
    /// A fork that has not started.
    Forked,
    /// In a chain whose beginning was not kept, before the first event that says where it stands.
    Unknown,
    /// An incarnation runs.
    Live,
    /// The newest incarnation has ended.
    Ended,
}

/// The start of the newest incarnation.
#[derive(Debug, Clone, Copy)]
struct Start {
    incarnation: u32,
    seq: u64,
    parent: Option<TheaterId>,
}

/// Follows one chain, event by event. For who reads a chain and does more with it than to verify it;
/// links, hashes and payloads are not looked at.
#[derive(Debug)]
pub struct Structure {
    pub(super) actor: TheaterId,
    phase: Phase,
    start: Option<Start>,
    ended: Option<u64>,
    states: PastStates,
    failed: Option<ErrorType>,
    /// How it is said to end, by a call that ended well or between two.
    ending: Option<ReasonRecord>,
    call: Option<OpenCall>,
    upgrades: Upgrades,
    /// The chain is read from its first event on.
    whole: bool,
    /// Up to where it was pruned, by the last event that says so.
    kept_from: Option<u64>,
    /// A claim that could not be checked, as a whole sentence.
    pub(super) unchecked: Option<&'static str>,
}

impl Structure {
    /// For a chain that is read from its first event on, or (`whole` false) from a later one on.
    pub fn new(actor: TheaterId, whole: bool) -> Self {
        Self {
            actor,
            phase: if whole { Phase::Empty } else { Phase::Unknown },
            start: None,
            ended: None,
            states: PastStates::new(whole),
            failed: None,
            ending: None,
            call: None,
            upgrades: Upgrades::new(whole),
            whole,
            kept_from: None,
            unchecked: None,
        }
    }

    /// Checks the next event; `None` for one of an unknown type, which may stand anywhere but first.
    ///
    /// # Errors
    /// Why it cannot follow those before it, in a sentence.
    pub fn push(&mut self, event: &ChainEvent, data: Option<&Data>) -> Result<(), String> {
        match (self.phase, data) {
            (Phase::Empty | Phase::Forked, Some(Data::ActorStarted(_)))
            | (Phase::Empty, Some(Data::ActorForked(_)))
            | (Phase::Unknown | Phase::Live | Phase::Ended, _) => {}
            (Phase::Empty, _) => return Err("the first event is not actor_started".into()),
            (Phase::Forked, _) => return Err("a fork has not started, and this is no actor_started".into()),
        }
        match data {
            Some(Data::ActorForked(data)) => self.forked(data),
            Some(Data::ActorStarted(data)) => self.started(event, data),
            Some(Data::Call(data)) => self.call_begun(data.message_id.clone()),
            Some(Data::CallReturned(data)) => self.call_returned(data),
            Some(Data::StateUpdated(data)) => self.state_updated(data),
            Some(Data::HostCallBegun(data)) => self.host_call_begun(data),
            Some(Data::HostCall(data)) => self.host_call(data),
            Some(Data::ActorErrorData(data)) => self.error(data),
            Some(Data::ActorEnding(data)) => self.ending(data),
            Some(Data::ActorTerminated(data)) => self.terminated(event, data),
            Some(Data::InstanceDropped(data)) => self.instance_dropped(data.reason),
            Some(Data::ActorUpgraded(data)) => {
                self.exchanged(data.actor_id, data.old_state_hash, data.new_state_hash)?;
                self.upgrades.upgraded(event.seq, data)
            }
            Some(Data::ActorRolledBack(data)) => {
                self.exchanged(data.actor_id, data.old_state_hash, data.new_state_hash)?;
                self.unchecked = self.upgrades.rolled_back(event.seq, data)?.or(self.unchecked);
                Ok(())
            }
            // Appended beside a running call, or after an end, whenever they happen.
            Some(
                Data::MessageAccepted(_)
                | Data::ChildExited(_)
                | Data::ChildErred(_)
                | Data::ChildrenAnchored(_)
                | Data::SupervisionAction(_)
                | Data::HandlerError(_)
                | Data::PermissionDenied(_)
                | Data::DeadLetter(_)
                | Data::PayloadErased(_),
            )
            | None => Ok(()),
            Some(Data::Pruned(data)) => self.pruned(event.seq, data),
            Some(Data::StatesKept(data)) => self.of_this_actor(data.actor_id),
        }
    }

    fn pruned(&mut self, seq: u64, data: &Pruned) -> Checked {
        let before = self.kept_from.replace(data.kept_from).or(self.whole.then_some(0));
        pruned::counts(seq, before, data)
    }

    fn forked(&mut self, data: &ActorForked) -> Checked {
        if self.phase != Phase::Empty {
            return Err("a fork begins in the middle of a chain".into());
        }
        self.of_this_actor(data.actor_id)?;
        if data.of == data.actor_id {
            return Err("it is a fork of itself".into());
        }
        self.phase = Phase::Forked;
        Ok(())
    }

    fn started(&mut self, event: &ChainEvent, data: &ActorStarted) -> Checked {
        match self.phase {
            Phase::Live => {
                return Err("an incarnation starts before the one before has ended".into());
            }
            Phase::Empty | Phase::Forked if data.incarnation != 1 => {
                return Err(format!("the first incarnation is numbered {}", data.incarnation));
            }
            Phase::Forked if data.parent.is_some() => return Err("a fork has a parent".into()),
            Phase::Empty | Phase::Forked | Phase::Unknown | Phase::Ended => {}
        }
        if data.actor_id != self.actor {
            return Err(format!("it is the start of another actor, {}", data.actor_id));
        }
        if data.format != FORMAT {
            return Err(format!("it is in format {}, and format {FORMAT} is the one that can be read", data.format));
        }
        if let Some(before) = self.start {
            if before.incarnation.checked_add(1) != Some(data.incarnation) {
                return Err(format!("incarnation {} follows incarnation {}", data.incarnation, before.incarnation));
            }
            if before.parent != data.parent {
                return Err("its parent is not that of the incarnation before".into());
            }
        }
        self.states.start(event, data, &mut self.unchecked)?;
        self.upgrades.started(data.component)?;
        self.phase = Phase::Live;
        self.start = Some(Start { incarnation: data.incarnation, seq: event.seq, parent: data.parent });
        self.ended = None;
        self.failed = None;
        self.ending = None;
        self.call = None;
        self.states.install(data.state_hash);
        Ok(())
    }

    fn call_begun(&mut self, message_id: Option<String>) -> Checked {
        match self.phase {
            Phase::Ended => return Err("a call after the incarnation has ended".into()),
            Phase::Live if self.call.is_some() => {
                return Err("a call while another one runs".into());
            }
            Phase::Live if self.failed.is_some() => {
                return Err("a call after the incarnation has failed".into());
            }
            Phase::Live if self.ending.is_some() => {
                return Err("a call after the incarnation has begun to end".into());
            }
            _ => self.phase = Phase::Live,
        }
        self.call = Some(OpenCall::new(message_id));
        Ok(())
    }

    /// The call that an event belongs to; `None` where it may lie in the part that was not kept.
    fn open_call(&mut self) -> Result<Option<&mut OpenCall>, String> {
        if self.call.is_none() && self.phase != Phase::Unknown {
            return Err("there is no call that it could belong to".into());
        }
        Ok(self.call.as_mut())
    }

    fn host_call_begun(&mut self, data: &HostCallBegun) -> Checked {
        self.open_call()?.map_or(Ok(()), |call| call.host_call_begun(data))
    }

    fn host_call(&mut self, data: &HostCall) -> Checked {
        self.open_call()?.map_or(Ok(()), |call| call.host_call(data))
    }

    /// Ends the open call; its message id, unless the call began before the kept part.
    fn end_call(&mut self) -> Result<Option<Option<String>>, String> {
        self.open_call()?.map_or(Ok(()), |call| call.may_end())?;
        // From here on the chain says where it stands: between calls of a live incarnation.
        self.phase = Phase::Live;
        Ok(self.call.take().map(|call| call.message_id))
    }

    fn call_returned(&mut self, data: &CallReturned) -> Checked {
        self.end_call()?;
        self.holds_state(data.state_hash)
    }

    fn state_updated(&mut self, data: &StateUpdated) -> Checked {
        self.of_this_actor(data.actor_id)?;
        let message_id = self.end_call()?;
        if message_id.is_some_and(|id| id != data.transition_message) {
            return Err("its message is not that of the call".into());
        }
        self.holds_state(data.old_state_hash)?;
        self.states.install(data.new_state_hash);
        Ok(())
    }

    fn error(&mut self, data: &ActorErrorData) -> Checked {
        self.of_this_actor(data.actor_id)?;
        can_be(data)?;
        if self.phase == Phase::Ended {
            return Err("an error after the incarnation has ended".into());
        }
        if self.call.is_some() {
            let message_id = self.end_call()?;
            if message_id.is_some_and(|id| id != data.message_id) {
                return Err("its message is not that of the call".into());
            }
        }
        self.phase = Phase::Live;
        self.failed = Some(data.error);
        // The call that was to end the actor ended it otherwise, such as when it began again.
        self.ending = self.ending.filter(|ending| *ending == ReasonRecord::Abnormal(data.error));
        self.holds_state(data.state_hash)
    }

    fn ending(&mut self, data: &ActorEnding) -> Checked {
        self.of_this_actor(data.actor_id)?;
        if self.phase == Phase::Ended {
            return Err("it begins to end after it has ended".into());
        }
        if self.call.is_none() && self.ending.is_some() {
            return Err("it begins to end a second time".into());
        }
        self.ending = Some(data.reason);
        Ok(())
    }

    fn terminated(&mut self, event: &ChainEvent, data: &ActorTerminated) -> Checked {
        self.of_this_actor(data.actor_id)?;
        if self.phase == Phase::Ended {
            return Err("the incarnation ends a second time".into());
        }
        if self.call.is_some() {
            return Err("the incarnation ends while a call runs".into());
        }
        if let ReasonRecord::Abnormal(error) = data.reason
            && self.failed != Some(error)
            && self.phase == Phase::Live
        {
            return Err("it ends abnormally, and the actor_error before does not say so".into());
        }
        if self.ending.is_some_and(|ending| ending != data.reason) {
            return Err("it ends otherwise than it had begun to".into());
        }
        self.holds_state(data.final_state_hash)?;
        self.phase = Phase::Ended;
        self.ended = Some(event.seq);
        Ok(())
    }

    fn instance_dropped(&self, reason: DropReason) -> Checked {
        match self.phase {
            Phase::Ended => Err("an instance is dropped after the incarnation has ended".into()),
            _ if self.call.is_some() && reason != DropReason::Recovered => {
                Err("an instance is dropped while a call runs".into())
            }
            _ => Ok(()),
        }
    }

    /// The component is exchanged, and with it the state.
    fn exchanged(&mut self, actor: TheaterId, old: Digest, new: Digest) -> Checked {
        self.of_this_actor(actor)?;
        if self.call.is_some() {
            return Err("the component is exchanged while a call runs".into());
        }
        if self.failed.is_some() && self.phase != Phase::Ended {
            return Err("the component is exchanged after the incarnation has failed".into());
        }
        self.holds_state(old)?;
        self.states.install(new);
        Ok(())
    }

    fn of_this_actor(&self, actor: TheaterId) -> Checked {
        if actor == self.actor { Ok(()) } else { Err(format!("it is of another actor, {actor}")) }
    }

    fn holds_state(&mut self, claimed: Digest) -> Checked {
        match self.states.last {
            Some(state) if state != claimed => Err("its state hash is not that of the last committed state".into()),
            Some(_) => Ok(()),
            None => {
                self.states.install(claimed);
                Ok(())
            }
        }
    }

    /// Whether the index entry says of the newest incarnation what the chain says.
    pub(super) fn matches(&self, index: &ActorIndex) -> Checked {
        let differs = |what: &str| Err(format!("the index entry's {what} is not what the chain says"));
        if let Some(start) = self.start {
            if index.parent != start.parent {
                return differs("parent");
            }
            if index.incarnation != start.incarnation {
                return differs("incarnation");
            }
            if index.started != start.seq {
                return differs("start");
            }
        }
        if (self.start.is_some() || self.ended.is_some()) && index.ended != self.ended {
            return differs("end");
        }
        if self.states.last.is_some_and(|state| index.state != state) {
            return differs("state");
        }
        if !self.upgrades.matches(index) {
            return differs("upgrade");
        }
        Ok(())
    }
}

/// Whether the fields of an error go together.
fn can_be(error: &ActorErrorData) -> Checked {
    let traps = matches!(error.error, ErrorType::Trap | ErrorType::MemoryLimit);
    // A supervisor that escalates fails as its child did, with the kind of that error alone.
    if error.trap_code.is_none() && !error.deterministic {
        return Ok(());
    }
    if (error.trap_code.is_some() && !traps) || (error.trap_code.is_none() && error.error == ErrorType::Trap) {
        return Err("it has the code of a trap and is none, or the other way round".into());
    }
    // How deep a stack goes depends on the machine.
    let overflow = error.trap_code.as_deref() == Some("stack-overflow");
    if error.deterministic != (error.error.is_deterministic() && !overflow) {
        return Err("whether it is deterministic is not what follows from its kind".into());
    }
    Ok(())
}
