//! Following a supervisor's chain to go on from its end: the engine as it stood when the process went
//! down, and what was left to do.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::de::IgnoredAny;
use theater_chain::data::{AskedBy, Call, ChildExited, Data, SupervisionAction, SupervisionActionKind as Action};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, codec, payload};

use super::fact::{Subject, What};
use super::life::Life;
use super::request::bare;
use crate::decision::{Decision, GuestDecision};
use crate::engine::Engine;
use crate::policy::Policy;

/// How many ends are remembered of which the guest was not told.
const MAX_OWED: usize = 1 << 12;

/// A decision, and its event.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) decision: Decision,
    pub(super) event: Digest,
    pub(super) data: SupervisionAction,
}

/// Follows the chain of a supervisor from the start of an incarnation on.
pub struct Follower {
    life: Life,
    restarts: HashMap<TheaterId, Arc<Restarted>>,
    ending: Option<(Decision, Subject)>,
    stops: bool,
    owed: VecDeque<(Digest, ChildExited, Option<u64>)>,
    heard: HashMap<String, Digest>,
    /// The running host call is a `stop-child`.
    stop_child: bool,
}

/// A restart that was decided.
#[derive(Debug)]
pub struct Restarted {
    /// The decision.
    pub decision: Decision,
    /// Its event.
    pub event: Digest,
    /// Its delay, in ms.
    pub delay_ms: u64,
    /// When it was taken, in ms of supervision time.
    pub at_ms: u64,
    /// Who is restarted, in start order.
    pub scope: Vec<TheaterId>,
    /// Who is stopped for that, in start order.
    pub stopped: Vec<TheaterId>,
}

/// A fact that was not decided on yet.
#[derive(Debug)]
pub struct Open {
    /// The fact.
    pub subject: Subject,
    /// Whether `decide` was called about it.
    pub asked: bool,
    /// What that answered, once it had.
    pub answer: Option<GuestDecision>,
}

/// Where a supervisor stood, and what was left to do.
pub struct Left {
    /// The engine.
    pub engine: Engine,
    /// By child: the newest decision that restarts it.
    pub restarts: HashMap<TheaterId, Arc<Restarted>>,
    /// Decisions that follow from a fact together with one that is recorded, and are not.
    pub due: Vec<Decision>,
    /// The fact that they follow from.
    pub deciding: Option<Subject>,
    /// Facts that were not decided on, each child's in their order.
    pub open: Vec<Open>,
    /// That the supervisor ends abnormal, and the fact on which it was decided.
    pub escalated: Option<(Decision, Subject)>,
    /// It was decided that the supervisor ends in order.
    pub stops: bool,
    /// Ends of which no callback told the guest yet, with the seq of the last event of that
    /// incarnation, where it is known.
    pub owed: Vec<(Digest, ChildExited, Option<u64>)>,
    /// By the name under which the guest hears of a child: the event that it heard of last.
    pub heard: HashMap<String, Digest>,
    /// Incarnations that somebody else stopped.
    pub stopped: HashMap<TheaterId, u32>,
    /// The child that an open host call starts.
    pub starting: Option<TheaterId>,
}

impl Follower {
    /// Of a supervisor with this policy.
    pub fn new(policy: Policy, supervisor: TheaterId) -> Self {
        Self {
            life: Life::new(policy, supervisor),
            restarts: HashMap::new(),
            ending: None,
            stops: false,
            owed: VecDeque::new(),
            heard: HashMap::new(),
            stop_child: false,
        }
    }

    /// The next event of the chain, which is taken to be right: verification is for others.
    ///
    /// # Errors
    /// The store failed, or an event cannot be read.
    pub async fn event(&mut self, store: &dyn ChainStore, event: &ChainEvent) -> Result<(), StoreError> {
        let data = Data::decode(&event.event_type, &event.data)
            .map_err(|error| StoreError::Damaged(format!("event {}: {error}", event.seq)))?;
        let Some(data) = data else { return Ok(()) };
        match &data {
            Data::HostCallBegun(begun) => {
                self.stop_child = begun.function == "stop-child";
            }
            Data::ChildExited(exited) => {
                let quiet = exited.asked_by == AskedBy::Parent && !self.stop_child;
                if !quiet && !exited.error_hash.is_zero() {
                    let to = self.life.known.get(&exited.child).and_then(|known| known.anchored);
                    self.owed.push_back((event.hash, exited.clone(), to));
                    if self.owed.len() > MAX_OWED {
                        self.owed.pop_front();
                    }
                }
            }
            Data::Call(call) => self.called(event, call),
            _ => {}
        }
        let decided = matches!(data, Data::SupervisionAction(_));
        self.life.event(store, event, &data).await?;
        if decided {
            self.decided();
        }
        Ok(())
    }

    fn called(&mut self, event: &ChainEvent, call: &Call) {
        match (bare(&call.interface), call.cause) {
            ("theater:simple/supervisor-handlers", Some(cause)) => self.owed.retain(|(fact, ..)| *fact != cause),
            ("theater:simple/supervision-events", Some(cause)) => {
                let params = event.payload.as_ref().and_then(|bytes| payload::field(bytes.bytes(), "params").ok()?);
                let name = params.and_then(|params| codec::decode::<(String, IgnoredAny)>(params).ok());
                self.heard.extend(name.map(|(name, _)| (name, cause)));
            }
            _ => {}
        }
    }

    fn decided(&mut self) {
        let Some(Recorded { decision, event, data }) = self.life.last.take() else { return };
        match decision.action {
            Action::Restart => {
                let engine = &self.life.engine;
                let (scope, stopped) = (engine.scope(decision.actor), engine.stopped_with(decision.actor));
                let (delay_ms, at_ms) = (data.delay_ms, data.at_ms);
                let restarted = Arc::new(Restarted { decision, event, delay_ms, at_ms, scope, stopped });
                for member in &restarted.scope {
                    self.restarts.insert(*member, restarted.clone());
                }
            }
            Action::Escalate => self.ending = self.life.deciding.clone().map(|subject| (decision, subject)),
            Action::Stop if decision.actor == self.life.engine.supervisor() => self.stops = true,
            _ => {}
        }
    }

    /// At the end of the chain.
    pub fn left(self) -> Left {
        let life = self.life;
        let open = life.open.into_values().flatten();
        let open = open.map(|fact| Open { subject: fact.subject(), asked: fact.asked, answer: fact.answer });
        let mut open: Vec<Open> = open.collect();
        open.sort_by_key(|open| match &open.subject.what {
            What::Exited(data) => data.at_ms,
            What::Erred(data) => data.at_ms,
        });
        let stopped = life.known.iter().filter_map(|(child, known)| Some((*child, known.stopped?)));
        Left {
            restarts: self.restarts,
            due: life.due.into_iter().collect(),
            deciding: life.deciding,
            open,
            escalated: self.ending,
            stops: self.stops,
            owed: self.owed.into(),
            heard: self.heard,
            stopped: stopped.collect(),
            starting: life.request.as_ref().and_then(super::request::Request::starts),
            engine: life.engine,
        }
    }
}
