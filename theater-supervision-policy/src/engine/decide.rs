//! From an event to decisions, in the order of supervision: the rules of errors, then the guest's
//! `decide`, then the declared restart type, then the budgets.

use std::borrow::Cow;
use std::sync::Arc;

use theater_chain::data::{AskedBy, ErrorType, ReasonRecord, SupervisionActionKind as Action};
use theater_chain::{Digest, TheaterId};

use super::Engine;
use super::attempt::{Cut, NO_CUT, Plan};
use super::child::{Child, Down, Ended, Fact, Pending, Phase};
use super::rules::{self, Error};
use crate::decision::{Class, Decision, Exit, GuestDecision, Question, Step};
use crate::policy::{AutoShutdown, OnNoCut, RestartType, RuleAction, StateChoice, Strategy};

impl Engine {
    /// An incarnation of a child ended. `asks`: `decide` is exported and is to be asked.
    pub fn exited(&mut self, exit: &Exit, at_ms: u64, asks: bool) -> Step {
        let policy = Arc::clone(&self.policy);
        let Some(child) = self.children.get_mut(&exit.child) else { return Step::Nothing };
        match (exit.asked_by, exit.reason) {
            // That is how a restart of its group ends it.
            (AskedBy::Parent, _) if child.phase == Phase::Restarting => return Step::Nothing,
            (AskedBy::Parent | AskedBy::Operator, _) => {
                self.down(exit.child, Down::Asked);
                return Step::Nothing;
            }
            (AskedBy::Itself, ReasonRecord::Declined) => {
                self.leave(exit.child, Down::Declined);
                return Step::Nothing;
            }
            (AskedBy::Itself, _) => {}
        }
        child.pending = None;
        let error_hash = Some(exit.error_hash).filter(|hash| !hash.is_zero());
        let mut fact = Fact { error_hash, class: None, poison: exit.poison, ended: Ended::Normally };
        let Some(error) = Error::of(exit) else { return self.as_declared(exit.child, fact, at_ms) };
        fact.ended = Ended::Failed;
        if let Some(index) = rules::first(&policy, child, &error, at_ms) {
            match policy.errors[index].action {
                RuleAction::Class(Class::Temporary) => fact.class = Some(Class::Temporary),
                action => return self.by_rule(exit.child, fact, index, action, at_ms),
            }
        }
        if asks {
            let class = fact.class.unwrap_or(Class::Temporary);
            let attempts = self.number(exit.child, at_ms).saturating_sub(1);
            self.wait(exit.child, Pending::Answer(fact));
            return Step::Ask(Question { class, attempts });
        }
        self.as_declared(exit.child, fact, at_ms)
    }

    /// What `decide` answered after [`Step::Ask`]. Nothing follows when that no longer matters:
    /// the child was stopped or started by hand, or restarted along with another.
    pub fn answered(&mut self, child: TheaterId, answer: GuestDecision, at_ms: u64) -> Step {
        let Some(Pending::Answer(fact)) = self.take(child, |pending| matches!(pending, Pending::Answer(_))) else {
            return Step::Nothing;
        };
        let rule = "decide".to_owned();
        match answer {
            GuestDecision::Restart(state) => self.restart(child, fact, rule, Some(state), at_ms),
            GuestDecision::Stop => self.stop(child, &fact, rule, at_ms),
            GuestDecision::Escalate => self.escalate(child, &fact, rule, at_ms),
            GuestDecision::Ignore => self.ignore(child, &fact, rule, at_ms),
            GuestDecision::Policy => self.as_declared(child, fact, at_ms),
        }
    }

    /// The consistent cut after [`Step::Link`], or why there is none. Empty when that no longer
    /// matters.
    pub fn linked(&mut self, child: TheaterId, cut: Result<Cut, String>, at_ms: u64) -> Vec<Decision> {
        let Some(Pending::Cut { fact, rule }) = self.take(child, |pending| matches!(pending, Pending::Cut { .. }))
        else {
            return Vec::new();
        };
        let group = self.children.get(&child).and_then(|child| self.policy.groups.get(child.group()?));
        let plan = match (cut, group.map(|group| group.on_no_cut)) {
            (Ok(cut), _) => Plan { rule, state: StateChoice::Resume, cut: Some(cut) },
            (Err(_), Some(OnNoCut::Reset)) => Plan { rule: NO_CUT.to_owned(), state: StateChoice::Reset, cut: None },
            (Err(_), Some(OnNoCut::Escalate) | None) => {
                self.down(child, Down::Failed);
                return vec![Decision::new(child, Action::Escalate, &fact, NO_CUT.to_owned(), at_ms)];
            }
        };
        self.attempt(child, &fact, plan, at_ms)
    }

    /// A call of a running child answered `err`, and a rule speaks of it. Nothing follows from a
    /// class but `permanent`, and from `ignore`: the child runs on.
    pub fn erred(&mut self, child: TheaterId, name: &str, message: &str, error_hash: Digest, at_ms: u64) -> Step {
        let policy = Arc::clone(&self.policy);
        let error = Error { child, name, kind: ErrorType::GuestError, message: Cow::Borrowed(message) };
        let Some(known) = self.children.get_mut(&child) else { return Step::Nothing };
        let Some(index) = rules::first(&policy, known, &error, at_ms) else { return Step::Nothing };
        if matches!(known.phase, Phase::Down(_)) {
            return Step::Nothing;
        }
        let fact = Fact { error_hash: Some(error_hash), class: None, poison: false, ended: Ended::Not };
        match policy.errors[index].action {
            RuleAction::Ignore | RuleAction::Class(Class::Temporary | Class::Expected) => Step::Nothing,
            action => self.by_rule(child, fact, index, action, at_ms),
        }
    }

    /// The record that a child is to be restarted from does not verify: it is rejected, and the
    /// supervisor ends.
    pub fn rejected(&mut self, child: TheaterId, error_hash: Option<Digest>, at_ms: u64) -> Vec<Decision> {
        let fact = Fact { error_hash, class: None, poison: false, ended: Ended::Failed };
        self.down(child, Down::Failed);
        let decide = |action| Decision::new(child, action, &fact, "verify".to_owned(), at_ms);
        vec![decide(Action::Reject), decide(Action::Escalate)]
    }

    fn by_rule(&mut self, child: TheaterId, mut fact: Fact, index: usize, action: RuleAction, at_ms: u64) -> Step {
        let rule = format!("errors[{index}]");
        if let RuleAction::Class(class) = action {
            fact.class = Some(class);
        }
        match action {
            RuleAction::Class(Class::Permanent) | RuleAction::Escalate => self.escalate(child, &fact, rule, at_ms),
            RuleAction::Class(Class::Expected) | RuleAction::Ignore => self.ignore(child, &fact, rule, at_ms),
            RuleAction::Class(Class::Temporary) => self.as_declared(child, fact, at_ms),
            RuleAction::Restart => self.restart(child, fact, rule, None, at_ms),
            RuleAction::Stop => self.stop(child, &fact, rule, at_ms),
        }
    }

    fn as_declared(&mut self, child: TheaterId, fact: Fact, at_ms: u64) -> Step {
        let Some(known) = self.children.get(&child) else { return Step::Nothing };
        let (restart, rule) = known.restart_type(&self.policy);
        let again = match restart {
            RestartType::Permanent => true,
            RestartType::Transient => fact.ended == Ended::Failed,
            RestartType::Temporary => false,
        };
        if again {
            self.restart(child, fact, rule.to_owned(), None, at_ms)
        } else {
            self.stop(child, &fact, rule.to_owned(), at_ms)
        }
    }

    /// Restarts a child; one whose group resumes together, once there is a cut.
    fn restart(&mut self, child: TheaterId, fact: Fact, rule: String, state: Option<StateChoice>, at_ms: u64) -> Step {
        let state = state.unwrap_or_else(|| self.declared_state(child));
        if state == StateChoice::Resume && self.resumes_together(child) {
            let scope = self.scope(child);
            if scope.len() > 1 {
                self.restarting_with(child);
                self.wait(child, Pending::Cut { fact, rule });
                return Step::Link(scope);
            }
        }
        Step::Decided(self.attempt(child, &fact, Plan { rule, state, cut: None }, at_ms))
    }

    fn resumes_together(&self, child: TheaterId) -> bool {
        let group = self.children.get(&child).and_then(|child| self.policy.groups.get(child.group()?));
        group.is_some_and(|group| group.resumes_together())
    }

    fn escalate(&mut self, child: TheaterId, fact: &Fact, rule: String, at_ms: u64) -> Step {
        self.down(child, Down::Failed);
        Step::Decided(vec![Decision::new(child, Action::Escalate, fact, rule, at_ms)])
    }

    fn ignore(&mut self, child: TheaterId, fact: &Fact, rule: String, at_ms: u64) -> Step {
        self.down(child, Down::Failed);
        Step::Decided(vec![Decision::new(child, Action::Ignore, fact, rule, at_ms)])
    }

    fn stop(&mut self, child: TheaterId, fact: &Fact, rule: String, at_ms: u64) -> Step {
        let mut decisions = vec![Decision::new(child, Action::Stop, fact, rule, at_ms)];
        self.stopped(child, fact, &mut decisions);
        Step::Decided(decisions)
    }

    /// A child that a decision leaves down. One that still runs ends later, because it was asked
    /// to; the supervisor follows significant ones that ended by themselves.
    pub(super) fn stopped(&mut self, child: TheaterId, fact: &Fact, decisions: &mut Vec<Decision>) {
        let significant = self.spec(child).is_some_and(|spec| spec.significant);
        match fact.ended {
            Ended::Normally => self.leave(child, Down::Normal),
            Ended::Failed => self.leave(child, Down::Asked),
            Ended::Not => return self.down(child, Down::Asked),
        }
        let follows = match self.policy.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.children.values().any(|other| {
                other.spec().is_some_and(|spec| spec.significant) && !matches!(other.phase, Phase::Down(_))
            }),
        };
        if let Some(at_ms) = decisions.last().map(|decision| decision.at_ms).filter(|_| significant && follows) {
            let rule = "auto-shutdown".to_owned();
            decisions.push(Decision::new(self.supervisor, Action::Stop, fact, rule, at_ms));
        }
    }

    /// A child ended for good: the spec of a temporary one is gone, and that of a template's.
    fn leave(&mut self, child: TheaterId, why: Down) {
        self.down(child, why);
        let temporary = self.spec(child).is_some_and(|spec| spec.restart == RestartType::Temporary);
        if temporary || self.policy.strategy == Strategy::Dynamic {
            self.forget(child);
        }
    }

    fn wait(&mut self, child: TheaterId, pending: Pending) {
        if let Some(child) = self.children.get_mut(&child) {
            child.pending = Some(pending);
        }
    }

    fn take(&mut self, child: TheaterId, wanted: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let Child { pending, .. } = self.children.get_mut(&child)?;
        if pending.as_ref().is_some_and(wanted) { pending.take() } else { None }
    }
}

impl Decision {
    /// One that makes no attempt.
    pub(super) fn new(actor: TheaterId, action: Action, fact: &Fact, rule: String, at_ms: u64) -> Self {
        Self {
            actor,
            action,
            class: fact.class,
            rule,
            attempt: 0,
            window: 0,
            delay_ms: 0,
            state: StateChoice::Reset,
            error_hash: fact.error_hash,
            cut: None,
            at_ms,
        }
    }
}
