//! The recorded chain, read event by event: each is checked to be the successor of the one before, and
//! no more than a page of them is in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use theater::EXITED;
use theater_chain::data::{ActorErrorData, Data, DropReason, InstanceDropped};
use theater_chain::verify::Structure;
use theater_chain::{ChainEvent, ChainStore, Digest, Head, Payload, TheaterId, codec};

use crate::answer::field;
use crate::error::ReplayError;
use crate::link::unversioned;
use crate::report::Divergence;

/// Events read at a time.
const PAGE: usize = 256;

/// What ends a replay before the end of its record.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The record and the replay differ.
    Diverged(Box<Divergence>),
    /// It cannot go on.
    Failed(ReplayError),
}

impl<E: Into<ReplayError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// An event, and what its data says; `None` for a type that this version does not know.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) event: ChainEvent,
    pub(crate) data: Option<Data>,
    /// The event right before it says that the actor begins to end.
    ending: bool,
}

impl Step {
    /// Whether it ends a call in which the guest exited, with an `err` that the guest did not answer.
    pub(crate) fn is_exit(&self) -> bool {
        let is_err = matches!(&self.data, Some(Data::CallReturned(returned)) if !returned.ok);
        let text = || {
            let result = field(&self.event, "result").ok().flatten();
            result.and_then(|result| codec::decode::<Result<(), String>>(result).ok()?.err())
        };
        self.ending && is_err && (self.event.is_erased() || text().is_some_and(|text| text == EXITED))
    }
}

/// The last event that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    seq: u64,
    /// Its hash, where something else says it.
    hash: Option<Digest>,
}

impl From<Head> for Last {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, hash: Some(head.hash) }
    }
}

impl From<u64> for Last {
    fn from(seq: u64) -> Self {
        Self { seq, hash: None }
    }
}

/// Called with the seq of events as they are passed.
pub(crate) type Progress = Box<dyn FnMut(u64) + Send + Sync>;

/// The reading end of a chain.
pub(crate) struct Record {
    store: Arc<dyn ChainStore>,
    actor: TheaterId,
    last: Last,
    /// The next event to read from the store.
    next: u64,
    page: VecDeque<ChainEvent>,
    ahead: Option<Step>,
    /// The hash of the event before the one to read, where that was read.
    before: Option<Digest>,
    /// The last event that was read says that the actor begins to end.
    ending: bool,
    /// What the events tell so far, up to the one before `told`.
    structure: Structure,
    told: u64,
    /// Recoveries up to here were passed in the open call.
    passed: Option<u64>,
    /// The seq after the last event that was taken.
    at: u64,
    progress: Option<Progress>,
    /// What the guest logs is left out: another component may log something else.
    pub(crate) loose: bool,
}

impl Record {
    pub(crate) fn new(
        store: Arc<dyn ChainStore>,
        actor: TheaterId,
        from: u64,
        last: impl Into<Last>,
        progress: Option<Progress>,
    ) -> Self {
        Self {
            store,
            actor,
            last: last.into(),
            next: from,
            page: VecDeque::new(),
            ahead: None,
            before: (from == 0).then_some(Digest::ZERO),
            ending: false,
            structure: Structure::new(actor, from == 0),
            told: from,
            passed: None,
            at: from,
            progress,
            loose: false,
        }
    }

    /// The seq after the last event that was taken.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<dyn ChainStore> {
        &self.store
    }

    /// The next event, which stays the next.
    pub(crate) async fn peek(&mut self) -> Result<Option<&Step>, Halt> {
        if self.ahead.is_none() {
            self.ahead = self.read().await?;
        }
        Ok(self.ahead.as_ref())
    }

    /// The next event; [`Record::peek`] found one.
    pub(crate) async fn take(&mut self) -> Result<Option<Step>, Halt> {
        self.peek().await?;
        let step = self.ahead.take();
        if let Some(step) = &step {
            self.at = step.event.seq + 1;
            if let Some(progress) = &mut self.progress {
                progress(step.event.seq);
            }
        }
        Ok(step)
    }

    async fn read(&mut self) -> Result<Option<Step>, Halt> {
        if self.page.is_empty() && self.next <= self.last.seq {
            let left = usize::try_from(self.last.seq - self.next).unwrap_or(usize::MAX).saturating_add(1);
            self.page = self.store.events(self.actor, self.next, left.min(PAGE)).await?.into();
            if self.page.is_empty() {
                return Err(Halt::Diverged(Box::new(missing(self.next, self.last.seq))));
            }
        }
        let Some(event) = self.page.pop_front() else { return Ok(None) };
        if let Some(fault) = self.fault_of(&event) {
            return Err(Halt::Diverged(Box::new(fault)));
        }
        let diverged = |fault| Halt::Diverged(Box::new(fault));
        let data = Data::decode(&event.event_type, &event.data)
            .map_err(|error| diverged(damaged(&event, "data that can be read", &error.to_string())))?;
        if event.seq == self.told {
            self.structure
                .push(&event, data.as_ref())
                .map_err(|reason| diverged(damaged(&event, "an event that can follow those before it", &reason)))?;
            self.told += 1;
        }
        (self.next, self.before) = (event.seq + 1, Some(event.hash));
        let ending = std::mem::replace(&mut self.ending, matches!(data, Some(Data::ActorEnding(_))));
        Ok(Some(Step { event, data, ending }))
    }

    /// What is wrong with an event itself.
    fn fault_of(&self, event: &ChainEvent) -> Option<Divergence> {
        if event.seq != self.next {
            return Some(damaged(event, &format!("event {}", self.next), &format!("event {}", event.seq)));
        }
        if let Some(hash) = self.before.filter(|hash| event.parent_hash != *hash) {
            return Some(damaged(event, &format!("the parent hash {hash}"), &event.parent_hash.to_string()));
        }
        let computed = event.computed_hash();
        if computed != event.hash {
            let expected = format!("content with the hash {}", event.hash);
            return Some(damaged(event, &expected, &format!("the hash {computed}")));
        }
        if let Some(head) = self.last.hash.filter(|head| event.seq == self.last.seq && event.hash != *head) {
            return Some(damaged(event, &format!("the head {head}"), &format!("the hash {computed}")));
        }
        let intact = event
            .payload
            .as_ref()
            .is_none_or(|payload| Some(payload.commit()) == event.payload_commit && Payload::is_intact(payload));
        (!intact).then(|| damaged(event, "the payload of its commit", "another payload"))
    }

    /// The next event that belongs to the open call. Those on the way, which have nothing to do with
    /// it, are taken.
    pub(crate) async fn peek_in_call(&mut self) -> Result<Option<&Step>, Halt> {
        loop {
            let (passed, loose) = (self.passed, self.loose);
            let Some(step) = self.peek().await? else { return Ok(None) };
            let beside = match &step.data {
                Some(Data::HostCall(call)) => loose && is_log(&call.interface, &call.function),
                Some(Data::InstanceDropped(dropped)) => {
                    dropped.reason == DropReason::Recovered && passed >= Some(step.event.seq)
                }
                Some(
                    Data::ActorStarted(_)
                    | Data::Call(_)
                    | Data::HostCallBegun(_)
                    | Data::CallReturned(_)
                    | Data::StateUpdated(_)
                    | Data::ActorErrorData(_)
                    | Data::ActorTerminated(_)
                    | Data::ActorUpgraded(_)
                    | Data::ActorRolledBack(_),
                ) => false,
                // Appended beside a running call, whenever they happen.
                _ => true,
            };
            if !beside {
                break;
            }
            self.take().await?;
        }
        Ok(self.ahead.as_ref())
    }

    /// Goes back to the event after `call`, which began the open call; the recovery at `passed` is not
    /// met again.
    pub(crate) fn call_again(&mut self, call: &ChainEvent, passed: u64) {
        (self.page, self.ahead) = (VecDeque::new(), None);
        self.next = call.seq + 1;
        (self.before, self.ending) = (Some(call.hash), false);
        self.passed = Some(passed);
    }

    /// Whether what comes next in the open call cannot be reached by running the guest: the host ended
    /// it there, the process went down, or the record ends.
    pub(crate) async fn is_cut(&mut self, reproducible: impl Fn(&ActorErrorData) -> bool) -> Result<bool, Halt> {
        Ok(match self.peek_in_call().await? {
            None => true,
            Some(Step { data: Some(Data::ActorErrorData(error)), .. }) => !reproducible(error),
            Some(Step { data: Some(Data::InstanceDropped(InstanceDropped { reason })), .. }) => {
                *reason == DropReason::Recovered
            }
            Some(_) => false,
        })
    }

    /// Whether the call ends here since the guest exited in it.
    pub(crate) async fn is_exit(&mut self) -> Result<bool, Halt> {
        Ok(self.peek_in_call().await?.is_some_and(Step::is_exit))
    }
}

/// Whether this is the host function through which guests say what they do.
pub(crate) fn is_log(interface: &str, function: &str) -> bool {
    unversioned(interface) == "theater:simple/runtime" && function == "log"
}

/// The store has no events from this one on.
fn missing(seq: u64, last: u64) -> Divergence {
    Divergence {
        seq,
        function: String::new(),
        expected: format!("events up to {last}"),
        actual: "nothing; the record is damaged: see `theater verify`".to_owned(),
        backtrace: Vec::new(),
        failed: false,
    }
}

/// An event that is not one of a chain as it was written.
pub(crate) fn damaged(event: &ChainEvent, expected: &str, actual: &str) -> Divergence {
    Divergence {
        seq: event.seq,
        function: String::new(),
        expected: expected.to_owned(),
        actual: format!("{actual}; the record is damaged: see `theater verify`"),
        backtrace: Vec::new(),
        failed: false,
    }
}
