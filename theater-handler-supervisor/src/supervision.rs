//! The children of one supervising actor: what its policy says of them, and which are being
//! restarted. A short mutex guards all of it; decisions are taken and recorded under it, so that
//! the chain has them in the order in which they were taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use theater::chain::data::SupervisionActionKind as Action;
use theater::{
    ActorError, ActorRef, ChildErr, ChildExit, Digest, ErrorType, HeldMailbox, StoppedBy, Subtree, TheaterId,
};
use theater_supervision_policy::{Decision, Down, Engine, Policy, RestartType, Spec, StateChoice, Step, Strategy};
use tokio::sync::Notify;

use crate::callbacks;
use crate::config::SupervisorPermissions;
use crate::decide::{self, DECIDE};
use crate::events::Followed;
use crate::facts::fact;
use crate::link::Linked;
use crate::restart::{Members, Restart};

/// What the handler keeps for one supervising actor, shared with the tasks that restart children.
pub(crate) struct Supervision {
    pub(crate) actor: ActorRef,
    pub(crate) permissions: SupervisorPermissions,
    pub(crate) policy: Arc<Policy>,
    pub(crate) followed: Followed,
    state: Mutex<State>,
    /// A start of a child by a restart is over.
    pub(crate) settled: Notify,
}

pub(crate) struct State {
    pub(crate) engine: Engine,
    /// While the declared children are started: what happens to them waits until all were.
    pub(crate) beginning: Option<Vec<Cause>>,
    /// The messages of children that are down and will be started again.
    pub(crate) held: HashMap<TheaterId, HeldMailbox>,
    /// Children that a restart has still to start.
    pub(crate) awaited: HashMap<TheaterId, Awaited>,
    /// By group: the cut that members have still to start from.
    pub(crate) linked: HashMap<String, Linked>,
    /// The last restart's number.
    pub(crate) restarts: u64,
    /// What specs that came from `start-child` say beside the policy.
    pub(crate) init: HashMap<TheaterId, Vec<u8>>,
    /// Whether a child's manifest lists the supervisor handler.
    pub(crate) supervisors: HashMap<TheaterId, bool>,
    /// Incarnations that an operator ended; a later one is up, whoever started it.
    pub(crate) stopped: HashMap<TheaterId, u32>,
}

/// A child that a restart has still to start.
#[derive(Default)]
pub(crate) struct Awaited {
    /// Which restart: the newest that concerns the child.
    pub(crate) restart: u64,
    /// The incarnation before, which ended or is to be stopped.
    pub(crate) incarnation: u32,
    /// Its start is under way.
    pub(crate) starting: bool,
    /// It was started, and ended again before that was noticed here.
    pub(crate) early: Option<ChildExit>,
}

/// What led to decisions.
pub(crate) enum Cause {
    /// An incarnation ended.
    Exit(Box<ChildExit>),
    /// A running child answered `err`.
    Err(Box<ChildErr>),
}

impl Supervision {
    pub(crate) fn new(actor: ActorRef, permissions: SupervisorPermissions, policy: Policy) -> Arc<Self> {
        let policy = Arc::new(policy);
        let state = State {
            engine: Engine::new(policy.clone(), actor.id()),
            beginning: None,
            held: HashMap::new(),
            awaited: HashMap::new(),
            linked: HashMap::new(),
            restarts: 0,
            init: HashMap::new(),
            supervisors: HashMap::new(),
            stopped: HashMap::new(),
        };
        let followed = Followed::default();
        Arc::new(Self { actor, permissions, policy, followed, state: Mutex::new(state), settled: Notify::new() })
    }

    /// A panic while it was held is the actor's failure; what is left is plain data.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tree(&self) -> Option<Subtree> {
        self.actor.tree()
    }

    /// The hook of exits: decides, where that needs nobody's answer.
    pub(crate) fn exited(self: &Arc<Self>, mut exit: ChildExit) {
        let mut state = self.lock();
        self.revive(&mut state);
        if exit.stopped_by == StoppedBy::Operator {
            // Also where a restart was to take it along.
            state.cancel(exit.child);
            if state.leaves_when_stopped(exit.child) && !exit.restarting {
                // As its parent's terminate-child.
                state.engine.forget(exit.child);
                state.forget_if_gone(exit.child);
            } else {
                state.note_stopped(exit.child, exit.incarnation);
            }
        }
        if exit.stopped_by == StoppedBy::Itself {
            if let Some(waiting) = &mut state.beginning {
                return waiting.push(Cause::Exit(Box::new(exit)));
            }
            // One that an operator started meanwhile ended: that restart is no more.
            if state.awaited.get(&exit.child).is_some_and(|known| known.is_overtaken(&exit)) {
                state.cancel(exit.child);
                state.engine.up(exit.child);
            }
            if let Some(awaited) = state.awaited.get_mut(&exit.child) {
                if awaited.starting {
                    // The guest may wait for it meanwhile, unless it will be the one that decides.
                    if self.actor.exports(&DECIDE)
                        && let Some(mailbox) = &exit.mailbox
                    {
                        mailbox.wait_for_guest();
                    }
                    awaited.early = Some(exit);
                    return;
                }
                // It would have been stopped for the restart that is under way.
                if let Some(mailbox) = exit.mailbox.take() {
                    mailbox.expect_restart();
                    state.held.insert(exit.child, mailbox);
                }
                drop(state);
                return callbacks::tell(&self.actor, exit);
            }
            if !exit.poison
                && exit.reason.error().is_some()
                && state.redelivers(exit.child, &self.policy)
                && let Some(mailbox) = &exit.mailbox
            {
                mailbox.redeliver();
            }
        }
        self.judge(state, exit);
    }

    /// The hook of errs.
    pub(crate) fn erred(self: &Arc<Self>, erred: ChildErr) {
        let mut state = self.lock();
        if let Some(waiting) = &mut state.beginning {
            return waiting.push(Cause::Err(Box::new(erred)));
        }
        // One that is about to be stopped for a restart is not decided on again.
        let is_followed = |awaited: &Awaited| !awaited.starting && erred.incarnation <= awaited.incarnation;
        if state.awaited.get(&erred.child).is_some_and(is_followed)
            || !state.engine.speaks_of(erred.child, &erred.name, &erred.message)
        {
            return;
        }
        self.revive(&mut state);
        let Some(at_ms) = self.actor.record_erred(&erred) else { return };
        let step = state.engine.erred(erred.child, &erred.name, &erred.message, erred.error_hash, at_ms);
        self.follow(state, step, Cause::Err(Box::new(erred)));
    }

    /// What follows from an exit whose child nobody restarts yet.
    pub(crate) fn judge(self: &Arc<Self>, mut state: MutexGuard<'_, State>, exit: ChildExit) {
        let asks = exit.reason.error().is_some() && self.actor.exports(&DECIDE);
        // What the guest decides is decided later; the rules have spoken by then.
        let at_ms = if asks { exit.at_ms } else { self.actor.at_ms() };
        let step = state.engine.exited(&fact(&exit), at_ms, asks);
        self.follow(state, step, Cause::Exit(Box::new(exit)));
    }

    /// Does what follows; callbacks come last, when the outcome is known.
    pub(crate) fn follow(self: &Arc<Self>, state: MutexGuard<'_, State>, step: Step, cause: Cause) {
        self.follow_and(state, step, cause, true);
    }

    /// As [`Supervision::follow`]; `tell`: whether the guest has still to be told.
    pub(crate) fn follow_and(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        step: Step,
        mut cause: Cause,
        tell: bool,
    ) {
        match step {
            // What was to be decided no longer is. Where that is since a restart takes it along:
            Step::Nothing if state.awaited.get(&cause.child()).is_some_and(|awaited| !awaited.starting) => {
                state.hold_from(&mut cause);
            }
            Step::Nothing => {}
            Step::Ask(question) => {
                drop(state);
                if let Cause::Exit(exit) = cause {
                    decide::ask(self, exit, question);
                }
                return;
            }
            Step::Link(scope) => {
                let members = state.members(cause.child(), scope);
                let number = self.begin(&mut state, &members.scope);
                state.hold_from(&mut cause);
                drop(state);
                return crate::link::restart_together(self, members, number, cause, tell);
            }
            Step::Decided(decisions) => {
                if let Some(restart) = self.carry_out(&mut state, &decisions, &mut cause) {
                    restart.spawn(self);
                }
            }
        }
        drop(state);
        if let (true, Cause::Exit(exit)) = (tell, cause) {
            callbacks::tell(&self.actor, *exit);
        }
    }

    /// Records decisions and does what can be done at once; a restart is returned.
    pub(crate) fn carry_out(
        self: &Arc<Self>,
        state: &mut State,
        decisions: &[Decision],
        cause: &mut Cause,
    ) -> Option<Restart> {
        let (mut restart, mut down) = (None, Vec::new());
        for decision in decisions {
            let (hash, delay_ms) = self.record(decision);
            match decision.action {
                Action::Restart => {
                    let scope = state.engine.scope(decision.actor);
                    let number = self.begin(state, &scope);
                    state.hold_from(cause);
                    let members = state.members(decision.actor, scope);
                    restart = Some(Restart::new(members, number, decision, hash, delay_ms));
                }
                Action::Stop if decision.actor == self.actor.id() => self.actor.stop(),
                Action::Stop => {
                    state.cancel(decision.actor);
                    state.forget_if_gone(decision.actor);
                    down.push(decision.actor);
                }
                Action::Escalate => self.actor.fail(self.escalation(state, decision, cause)),
                Action::Ignore | Action::Reject | Action::Warn => {}
            }
        }
        self.leave_down(down);
        restart
    }

    /// A new restart of these children; an older one leaves them to it.
    pub(crate) fn begin(&self, state: &mut State, scope: &[TheaterId]) -> u64 {
        state.restarts += 1;
        let tree = self.tree();
        for child in scope {
            let incarnation = tree.as_ref().and_then(|tree| tree.incarnation(*child));
            let awaited = state.awaited.entry(*child).or_default();
            (awaited.restart, awaited.incarnation) = (state.restarts, incarnation.unwrap_or(awaited.incarnation));
        }
        state.restarts
    }

    /// The declared children are started; what ended meanwhile is judged now.
    pub(crate) fn all_started(self: &Arc<Self>) {
        let waiting = self.lock().beginning.take();
        for cause in waiting.into_iter().flatten() {
            match cause {
                Cause::Exit(exit) => self.exited(*exit),
                Cause::Err(erred) => self.erred(*erred),
            }
        }
    }

    /// The hook of restarts by operators.
    pub(crate) fn operator_restarted(self: &Arc<Self>, child: TheaterId) {
        self.revive(&mut self.lock());
        self.follow_events(child);
    }

    /// The record of a child that was to be restarted by hand does not verify.
    pub(crate) fn reject(self: &Arc<Self>, child: TheaterId) {
        let known = self.tree().and_then(|tree| tree.child(child));
        let name = known.map_or_else(|| child.to_string(), |known| known.name);
        let error = ActorError::new(ErrorType::InstantiateFailed, "its record was rejected");
        let reason = theater::ExitReason::Abnormal(error);
        let exit = ChildExit::of_failed_start(child, name, 0, reason, self.actor.at_ms(), Digest::ZERO);
        let mut state = self.lock();
        let decisions = state.engine.rejected(child, None, self.actor.at_ms());
        self.carry_out(&mut state, &decisions, &mut Cause::Exit(Box::new(exit)));
    }

    fn record(&self, decision: &Decision) -> (Option<Digest>, u64) {
        let state_hash = match &decision.state {
            _ if decision.action != Action::Restart => None,
            StateChoice::Reset => None,
            StateChoice::Resume => self.tree().and_then(|tree| tree.state_hash(decision.actor)),
            StateChoice::ResumeFrom(hash) => Some(*hash),
            StateChoice::Custom(bytes) => Some(Digest::of(bytes)),
        };
        let of_cut = decision.cut.iter().flatten().find(|(child, ..)| *child == decision.actor);
        let state_hash = of_cut.map(|(.., hash)| *hash).or(state_hash);
        let mut delay_ms = 0;
        let hash = self.actor.record_decision(|parent_hash| {
            let record = decision.record(self.policy.backoff.as_ref(), parent_hash, state_hash);
            delay_ms = record.delay_ms;
            record
        });
        (hash, delay_ms)
    }

    /// Has children that decisions leave down stopped, one after the other. Most have ended.
    pub(crate) fn leave_down(&self, down: Vec<TheaterId>) {
        let Some(tree) = self.tree() else { return };
        let up = |child: &TheaterId| tree.child(*child).is_some_and(|known| known.is_alive());
        let down: Vec<TheaterId> = down.into_iter().filter(up).collect();
        if down.is_empty() {
            return;
        }
        let tree = tree.clone();
        let recovered = self.actor.recovered();
        self.actor.spawn(async move {
            recovered.await;
            for child in down {
                // One that has ended meanwhile is stopped.
                let _ = tree.stop(child, None, StoppedBy::ParentQuietly).await;
            }
        });
    }

    /// The error with which the supervisor ends: the child, and what became of it unchanged.
    pub(crate) fn escalation(&self, state: &State, decision: &Decision, cause: &Cause) -> ActorError {
        let (name, error) = match cause {
            Cause::Exit(exit) => (&exit.name, exit.reason.error()),
            Cause::Err(erred) => (&erred.name, Some(ActorError::new(ErrorType::GuestError, erred.message.clone()))),
        };
        let label = state.engine.spec(decision.actor).map_or(name.as_str(), |spec| &spec.id).to_owned();
        let why = match decision.rule.as_str() {
            "budget" | "child-budget" | "group-budget" => format!(
                "needed more restarts than its {} of {} attempts within {} ms has",
                decision.rule,
                decision.window.saturating_sub(1),
                self.policy.within_ms
            ),
            "no-cut" => "cannot be restarted together with its group, whose states have no consistent cut".to_owned(),
            "verify" => "cannot be restarted from its record".to_owned(),
            rule => format!("is escalated ({rule})"),
        };
        let ended = || ActorError::new(ErrorType::GuestError, "it ended normally");
        let error = error.unwrap_or_else(ended);
        let message = format!("child `{label}` ({}) {why}: {}", decision.actor, error.message);
        let mut escalated = ActorError::new(error.kind, message);
        (escalated.data, escalated.deterministic) = (error.data, false);
        escalated
    }
}

impl State {
    /// Who is restarted together, and who is stopped for that.
    pub(crate) fn members(&self, child: TheaterId, scope: Vec<TheaterId>) -> Members {
        Members { child, scope, stopped: self.engine.stopped_with(child) }
    }

    /// Whether this restart has still to start the child.
    pub(crate) fn awaits(&self, child: TheaterId, restart: u64) -> bool {
        self.awaited.get(&child).is_some_and(|awaited| awaited.restart == restart)
    }

    /// Keeps the messages of the child that ended until it is started again.
    pub(crate) fn hold_from(&mut self, cause: &mut Cause) {
        if let Cause::Exit(exit) = cause
            && let Some(mailbox) = exit.mailbox.take()
        {
            mailbox.expect_restart();
            self.held.insert(exit.child, mailbox);
        }
    }

    /// No restart is to start the child any more; whether one was.
    pub(crate) fn cancel(&mut self, child: TheaterId) -> bool {
        self.held.remove(&child);
        self.awaited.remove(&child).is_some()
    }

    /// Its `init` declined: a spec is kept without an instance, but that of a temporary child.
    pub(crate) fn declined(&mut self, child: TheaterId) {
        self.engine.down(child, Down::Declined);
        if self.engine.spec(child).is_some_and(|spec| spec.restart == RestartType::Temporary) {
            self.engine.forget(child);
        }
        self.forget_if_gone(child);
    }

    /// Forgets what is kept of a child whose spec is gone.
    pub(crate) fn forget_if_gone(&mut self, child: TheaterId) {
        if self.engine.spec(child).is_none() {
            self.init.remove(&child);
            self.stopped.remove(&child);
            self.supervisors.remove(&child);
        }
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.engine.policy().strategy == Strategy::Dynamic
    }

    /// Whether its spec goes with it.
    pub(crate) fn leaves_when_stopped(&self, child: TheaterId) -> bool {
        let temporary = |spec: &Spec| spec.restart == RestartType::Temporary;
        self.engine.spec(child).is_some_and(|spec| temporary(spec) || self.is_dynamic())
    }

    fn redelivers(&self, child: TheaterId, policy: &Policy) -> bool {
        let of_spec = self.engine.spec(child).map(|spec: &Spec| spec.redeliver);
        of_spec.unwrap_or_else(|| policy.spawned.as_ref().is_some_and(|spawned| spawned.redeliver))
    }
}

impl Awaited {
    /// Whether a newer incarnation ended than the one that is to be followed, and it was not this
    /// restart that started it.
    fn is_overtaken(&self, exit: &ChildExit) -> bool {
        !self.starting && exit.incarnation > self.incarnation
    }
}

impl Cause {
    pub(crate) fn child(&self) -> TheaterId {
        match self {
            Self::Exit(exit) => exit.child,
            Self::Err(erred) => erred.child,
        }
    }
}
