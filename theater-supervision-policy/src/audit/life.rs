//! One incarnation of a supervisor, followed event by event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use theater_chain::data::{AskedBy, Call, ChildErred, ChildExited, Data, ReasonRecord};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, codec, payload};

use super::Seen;
use super::fact::{Fact, Subject};
use super::recover::Recorded;
use super::request::{Ended, Request, What, bare};
use super::wit::WitDecision;
use crate::decision::{Decision, GuestDecision};
use crate::engine::{Down, Engine};
use crate::policy::{Policy, RestartType, Spec, Strategy};

/// How many facts of one child are kept that no decision followed from.
const MAX_OPEN: usize = 64;

/// How many children are remembered beside those that the engine knows, so that memory is bounded.
const MAX_KNOWN: usize = 1 << 17;

pub(super) struct Life {
    pub(super) engine: Engine,
    /// The host call that runs, if it changes which children there are.
    pub(super) request: Option<Request>,
    /// The fact about which `decide` is being asked.
    asking: Option<(TheaterId, Digest)>,
    /// Facts that no decision followed from yet, in their order.
    pub(super) open: HashMap<TheaterId, VecDeque<Fact>>,
    /// What must be decided next, of a fact from which several decisions follow.
    pub(super) due: VecDeque<Decision>,
    pub(super) known: HashMap<TheaterId, Known>,
    /// When the last decision was.
    pub(super) decided_at_ms: u64,
    /// The newest decision that was recorded, with what it is about.
    pub(super) last: Option<Recorded>,
    /// The fact from which the decisions follow that are due.
    pub(super) deciding: Option<Subject>,
}

/// What the chain says of a child beside its facts.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The end of its last anchored range.
    pub(super) anchored: Option<u64>,
    /// The newest incarnation that was told of.
    pub(super) incarnation: u32,
    /// The incarnation that somebody stopped, while no later one is known.
    pub(super) stopped: Option<u32>,
    /// When the last fact of it was.
    at_ms: u64,
    /// The error that it was last decided on.
    pub(super) decided: Option<Digest>,
    /// Whether it ran when that was decided.
    pub(super) runs: bool,
    /// The last cut of its group, and the incarnation that it ended in.
    pub(super) taken_back: Option<(u64, u32)>,
}

impl Life {
    pub(super) fn new(policy: Policy, supervisor: TheaterId) -> Self {
        let declared = if policy.strategy == Strategy::Dynamic { Vec::new() } else { policy.children.clone() };
        let mut engine = Engine::new(Arc::new(policy), supervisor);
        for spec in declared {
            engine.specified(TheaterId::of_spec(&supervisor, &spec.id), spec);
        }
        Self {
            engine,
            request: None,
            asking: None,
            open: HashMap::new(),
            due: VecDeque::new(),
            known: HashMap::new(),
            decided_at_ms: 0,
            last: None,
            deciding: None,
        }
    }

    pub(super) async fn event(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &Data,
    ) -> Result<Seen, StoreError> {
        Ok(match data {
            Data::HostCallBegun(data) => match Request::begun(event, data) {
                Some(Err(_)) => Seen::Blind("supervision_action: decisions after a host call that cannot be read"),
                request => {
                    self.request = request.and_then(Result::ok);
                    Seen::RIGHT
                }
            },
            Data::HostCall(_) => self.host_call(event),
            Data::Call(data) => self.called(data),
            Data::CallReturned(_) | Data::StateUpdated(_) | Data::ActorErrorData(_) => self.call_ended(event),
            Data::ChildrenAnchored(data) => {
                for anchor in &data.entries {
                    self.anchored(store, anchor.child, anchor.incarnation, anchor.to).await?;
                }
                Seen::RIGHT
            }
            Data::ChildExited(data) => self.exited(store, event, data).await?,
            Data::ChildErred(data) => self.erred(store, event, data).await?,
            Data::SupervisionAction(data) => self.decision(store, event, data).await?,
            _ => Seen::RIGHT,
        })
    }

    fn host_call(&mut self, event: &ChainEvent) -> Seen {
        const ERASED: Seen = Seen::Blind("supervision_action: decisions after a host call that was erased");
        let Some(request) = self.request.take() else { return Seen::RIGHT };
        let Ok(ended) = request.ended(event) else {
            return Seen::Blind("supervision_action: decisions after a host call that cannot be read");
        };
        let child = match &request.what {
            What::Stop(child) | What::Restart { child, .. } | What::Delete(child) => self.find(child),
            What::Start(_) | What::Spawn | What::Erased => request.starts(),
        };
        match (&request.what, ended, child) {
            (_, Ended::Erased, _) => return ERASED,
            (What::Erased, ended, _) if ended != Ended::Refused => return ERASED,
            (What::Start(Some(spec)), Ended::Done | Ended::Declined, Some(child)) => {
                if !request.anticipated {
                    self.specified(child, spec);
                }
                if ended == Ended::Declined {
                    self.down(child, Down::Declined);
                }
            }
            (What::Spawn, Ended::Done, Some(child)) if !request.anticipated => self.engine.spawned(child),
            (What::Start(_) | What::Spawn, Ended::FailedToStart | Ended::Refused, Some(child)) => {
                self.engine.forget(child);
            }
            (What::Stop(_), Ended::Done, Some(child)) => self.stopped(child),
            (What::Restart { .. }, Ended::Done, Some(child)) => self.engine.up(child),
            (What::Restart { .. }, Ended::Declined, Some(child)) => self.engine.down(child, Down::Declined),
            (What::Restart { .. }, Ended::FailedToStart | Ended::Refused, Some(child)) if request.ended => {
                self.engine.down(child, Down::Asked);
            }
            (What::Delete(_), Ended::Done, Some(child)) => self.engine.forget(child),
            _ => {}
        }
        Seen::RIGHT
    }

    /// With a dynamic strategy a child is what the template says.
    fn specified(&mut self, child: TheaterId, spec: &Spec) {
        let policy = self.engine.policy();
        let template = policy.children.first().filter(|_| policy.strategy == Strategy::Dynamic);
        let spec = match template {
            Some(template) => Spec { id: spec.id.clone(), ..template.clone() },
            None => spec.clone(),
        };
        self.engine.specified(child, spec);
    }

    fn find(&self, text: &str) -> Option<TheaterId> {
        self.engine.find(text).or_else(|| text.parse().ok())
    }

    fn down(&mut self, child: TheaterId, why: Down) {
        self.engine.down(child, why);
        if self.engine.spec(child).is_some_and(|spec| spec.restart == RestartType::Temporary) {
            self.engine.forget(child);
        }
    }

    fn stopped(&mut self, child: TheaterId) {
        self.down(child, Down::Asked);
        if self.engine.policy().strategy == Strategy::Dynamic {
            self.engine.forget(child);
        }
    }

    fn called(&mut self, data: &Call) -> Seen {
        let asks = bare(&data.interface) == "theater:simple/supervision-policy" && data.function == "decide";
        let cause = data.cause.filter(|_| asks);
        let about = cause.and_then(|cause| self.open.values_mut().flatten().find(|fact| fact.hash == cause));
        self.asking = about.map(|fact| {
            fact.asked = true;
            (fact.child(), fact.hash)
        });
        Seen::RIGHT
    }

    fn call_ended(&mut self, event: &ChainEvent) -> Seen {
        let Some((child, hash)) = self.asking.take() else { return Seen::RIGHT };
        if event.is_erased() {
            return Seen::Blind("supervision_action: decisions after an answer of decide that was erased");
        }
        let result = event.payload.as_ref().and_then(|payload| payload::field(payload.bytes(), "result").ok()?);
        let answer = result.and_then(|result| codec::decode::<Result<(WitDecision,), String>>(result).ok()?.ok());
        let fact = self.open.get_mut(&child).and_then(|facts| facts.iter_mut().find(|fact| fact.hash == hash));
        if let Some(fact) = fact {
            // What is no answer leaves it to the declared policy.
            let answer = answer.and_then(|(answer,)| answer.decision());
            fact.answer = Some(answer.unwrap_or(GuestDecision::Policy));
        }
        Seen::RIGHT
    }

    /// What is known of a child.
    pub(super) fn of(&mut self, child: TheaterId) -> &mut Known {
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&child) {
            let engine = &self.engine;
            self.known.retain(|child, _| engine.spec(*child).is_some());
        }
        self.known.entry(child).or_default()
    }

    async fn anchored(
        &mut self,
        store: &dyn ChainStore,
        child: TheaterId,
        incarnation: u32,
        to: u64,
    ) -> Result<(), StoreError> {
        let first = self.of(child).anchored.replace(to).is_none();
        self.lives(child, incarnation);
        let by_hand = self.target() == Some(child);
        if (first || by_hand) && self.engine.spec(child).is_some() && self.has_declined(store, child, to).await? {
            self.down(child, Down::Declined);
        }
        Ok(())
    }

    /// The child that the running host call stops or restarts.
    fn target(&self) -> Option<TheaterId> {
        match &self.request.as_ref()?.what {
            What::Stop(child) | What::Restart { child, .. } => self.find(child),
            _ => None,
        }
    }

    /// A declared child that declined when its supervisor started, or one that was restarted by
    /// hand: nothing else may tell of it.
    async fn has_declined(&self, store: &dyn ChainStore, child: TheaterId, to: u64) -> Result<bool, StoreError> {
        let last = store.events(child, to, 1).await?;
        let data = last.first().and_then(|event| Data::decode(&event.event_type, &event.data).ok()?);
        Ok(matches!(data, Some(Data::ActorTerminated(end)) if end.reason == ReasonRecord::Declined))
    }

    /// There is such an incarnation: one that came after somebody stopped the child.
    fn lives(&mut self, child: TheaterId, incarnation: u32) {
        let known = self.of(child);
        known.incarnation = known.incarnation.max(incarnation);
        if known.stopped.is_some_and(|stopped| stopped < incarnation) {
            known.stopped = None;
            self.engine.up(child);
        }
    }

    async fn exited(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &ChildExited,
    ) -> Result<Seen, StoreError> {
        let child = data.child;
        if let Some(seen) = self.told(child, data.at_ms) {
            return Ok(seen);
        }
        self.lives(child, data.incarnation);
        match data.asked_by {
            // Unless its guest asked, it is how a decision ends it, or a restart of its group.
            AskedBy::Parent => self.stopped_by_parent(child),
            AskedBy::Operator => {
                // Without an error hash it had not begun. A temporary one may be started again.
                let before = u32::from(data.error_hash.is_zero());
                self.of(child).stopped = Some(data.incarnation.saturating_sub(before));
                self.engine.down(child, Down::Asked);
            }
            AskedBy::Itself => {
                self.anticipate(child);
                if data.reason != ReasonRecord::Declined {
                    return self.keep(store, Fact::exited(event, data)).await;
                }
                self.down(child, Down::Declined);
            }
        }
        Ok(Seen::RIGHT)
    }

    fn stopped_by_parent(&mut self, child: TheaterId) {
        let target = self.target();
        let Some(request) = self.request.as_mut().filter(|_| target == Some(child)) else { return };
        request.ended = true;
        if matches!(request.what, What::Stop(_)) {
            self.stopped(child);
        }
    }

    async fn erred(
        &mut self,
        store: &dyn ChainStore,
        event: &ChainEvent,
        data: &ChildErred,
    ) -> Result<Seen, StoreError> {
        if let Some(seen) = self.told(data.child, data.at_ms) {
            return Ok(seen);
        }
        self.anticipate(data.child);
        self.keep(store, Fact::erred(event, data)).await
    }

    /// The facts of a child come in the order of time.
    fn told(&mut self, child: TheaterId, at_ms: u64) -> Option<Seen> {
        let before = std::mem::replace(&mut self.of(child).at_ms, at_ms);
        let gone_back = at_ms < before;
        gone_back
            .then(|| Seen::wrong(format!("its at_ms is {at_ms}, before that of an earlier fact of {child}, {before}")))
    }

    /// What the running host call starts is there as soon as something is told of it.
    fn anticipate(&mut self, child: TheaterId) {
        let target = self.target();
        let Some(request) = self.request.as_mut().filter(|request| !request.anticipated) else { return };
        let starts = request.starts();
        match &request.what {
            What::Start(Some(spec)) if starts == Some(child) => {
                let spec = spec.clone();
                request.anticipated = true;
                self.specified(child, &spec);
            }
            What::Spawn if starts == Some(child) => {
                request.anticipated = true;
                self.engine.spawned(child);
            }
            What::Restart { .. } if target == Some(child) => {
                request.anticipated = true;
                self.engine.up(child);
            }
            _ => {}
        }
    }

    async fn keep(&mut self, store: &dyn ChainStore, fact: Fact) -> Result<Seen, StoreError> {
        let child = fact.child();
        if self.engine.spec(child).is_none() && self.engine.policy().spawned.is_none() {
            return Ok(Seen::RIGHT); // no policy speaks of it
        }
        let facts = self.open.entry(child).or_default();
        facts.push_back(fact);
        let oldest = if facts.len() > MAX_OPEN { facts.pop_front() } else { None };
        match oldest {
            Some(oldest) => self.absorb(store, &oldest).await,
            None => Ok(Seen::RIGHT),
        }
    }
}
