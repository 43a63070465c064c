//! What the engine decides, said a second time and naively: lists that only grow, searched whole.

use theater_chain::data::{AskedBy, ErrorType, ReasonRecord, SupervisionActionKind as Action};
use theater_chain::{Digest, TheaterId};
use theater_supervision_policy::{
    AutoShutdown, Class, Decision, Down, Exit, Group, GuestDecision, OnExhausted, OnNoCut, Policy, Question,
    RestartType, RuleAction, Spec, StateChoice, Step, Strategy,
};

#[derive(Clone)]
struct Known {
    id: TheaterId,
    spec: Option<Spec>,
    down: Option<Down>,
    restarting: bool,
    previous: Option<(u32, u64)>,
    charged: Vec<u64>,
    errors: Vec<(usize, u64)>,
    asked: Option<Fact>,
    linking: Option<(Fact, String)>,
}

#[derive(Clone, Copy)]
struct Fact {
    class: Option<Class>,
    hash: Option<Digest>,
    poison: bool,
    /// `Some(true)`: ended abnormally, `None`: runs.
    abnormal: Option<bool>,
}

pub(crate) struct Model {
    policy: Policy,
    supervisor: TheaterId,
    /// In the order in which they came.
    known: Vec<Known>,
    charged: Vec<u64>,
    group_charged: Vec<(String, u64)>,
}

impl Model {
    pub(crate) fn new(policy: Policy, supervisor: TheaterId) -> Self {
        Self { policy, supervisor, known: vec![], charged: vec![], group_charged: vec![] }
    }

    pub(crate) fn add(&mut self, id: TheaterId, spec: Option<Spec>) {
        if spec.is_none() && (self.policy.spawned.is_none() || self.known.iter().any(|k| k.id == id)) {
            return;
        }
        self.forget(id);
        let known = Known {
            id,
            spec,
            down: None,
            restarting: false,
            previous: None,
            charged: vec![],
            errors: vec![],
            asked: None,
            linking: None,
        };
        self.known.push(known);
    }

    pub(crate) fn forget(&mut self, id: TheaterId) {
        self.known.retain(|k| k.id != id);
    }

    pub(crate) fn up(&mut self, id: TheaterId) {
        match self.at(id) {
            Some(k) => {
                (k.down, k.restarting, k.asked, k.linking) = (None, false, None, None);
            }
            None => self.add(id, None),
        }
    }

    pub(crate) fn down(&mut self, id: TheaterId, why: Down) {
        let Some(k) = self.at(id) else { return };
        (k.down, k.restarting, k.asked, k.linking) = (Some(why), false, None, None);
        if k.spec.is_none() || (why == Down::Declined && self.policy.strategy == Strategy::Dynamic) {
            self.forget(id);
        }
    }

    fn at(&mut self, id: TheaterId) -> Option<&mut Known> {
        self.known.iter_mut().find(|k| k.id == id)
    }

    fn get(&self, id: TheaterId) -> Option<&Known> {
        self.known.iter().find(|k| k.id == id)
    }

    fn group_of(&self, id: TheaterId) -> Option<(String, Group)> {
        let name = self.get(id)?.spec.as_ref()?.group.clone()?;
        Some((name.clone(), self.policy.groups[&name].clone()))
    }

    pub(crate) fn scope(&self, id: TheaterId) -> Vec<TheaterId> {
        let temporary = |other: &TheaterId| {
            self.get(*other).and_then(|k| k.spec.as_ref()).is_some_and(|spec| spec.restart == RestartType::Temporary)
        };
        let stopped = self.stopped_with(id);
        stopped.into_iter().filter(|other| *other == id || !temporary(other)).collect()
    }

    pub(crate) fn stopped_with(&self, id: TheaterId) -> Vec<TheaterId> {
        let Some(spec) = self.get(id).and_then(|k| k.spec.clone()) else { return vec![id] };
        let strategy = self.group_of(id).map_or(self.policy.strategy, |(_, group)| group.strategy);
        let mut scope = vec![];
        let mut after = false;
        for k in self.known.iter().filter(|k| k.spec.is_some()) {
            after |= k.id == id;
            let together = k.spec.as_ref().is_some_and(|other| other.group == spec.group);
            let temporary = k.spec.as_ref().is_some_and(|other| other.restart == RestartType::Temporary);
            let stays = !temporary && [Some(Down::Asked), Some(Down::Declined), Some(Down::Normal)].contains(&k.down);
            let wanted = match strategy {
                Strategy::OneForOne | Strategy::Dynamic => false,
                Strategy::OneForAll => together && !stays,
                Strategy::RestForOne => together && !stays && after,
            };
            if wanted || k.id == id {
                scope.push(k.id);
            }
        }
        scope
    }

    pub(crate) fn exited(&mut self, exit: &Exit, at: u64, asks: bool) -> Step {
        let Some(known) = self.get(exit.child).cloned() else { return Step::Nothing };
        if exit.asked_by == AskedBy::Parent && known.restarting {
            return Step::Nothing;
        }
        if exit.asked_by != AskedBy::Itself {
            self.down(exit.child, Down::Asked);
            return Step::Nothing;
        }
        let temporary = known.spec.as_ref().is_some_and(|s| s.restart == RestartType::Temporary);
        if exit.reason == ReasonRecord::Declined {
            self.down(exit.child, Down::Declined);
            if temporary {
                self.forget(exit.child);
            }
            return Step::Nothing;
        }
        if let Some(k) = self.at(exit.child) {
            (k.asked, k.linking) = (None, None);
        }
        let (kind, message) = match exit.reason {
            ReasonRecord::Abnormal(kind) => (Some(kind), exit.message.clone()),
            ReasonRecord::Killed(_) => (Some(ErrorType::Killed), "killed: deadline".to_owned()),
            _ => (None, String::new()),
        };
        let hash = Some(exit.error_hash).filter(|hash| *hash != Digest::ZERO);
        let mut fact = Fact { class: None, hash, poison: exit.poison, abnormal: Some(kind.is_some()) };
        if let Some((index, action)) = kind.and_then(|kind| self.rule(exit.child, &exit.name, kind, &message, at)) {
            if action != RuleAction::Class(Class::Temporary) {
                return self.ruled(exit.child, fact, index, action, at);
            }
            fact.class = Some(Class::Temporary);
        }
        if asks && kind.is_some() {
            let attempts = self.number(exit.child, at) - 1;
            let class = fact.class.unwrap_or(Class::Temporary);
            self.at(exit.child).unwrap().asked = Some(fact);
            return Step::Ask(Question { class, attempts });
        }
        self.declared(exit.child, fact, at)
    }

    pub(crate) fn answered(&mut self, id: TheaterId, answer: GuestDecision, at: u64) -> Step {
        let Some(fact) = self.at(id).and_then(|k| k.asked.take()) else { return Step::Nothing };
        match answer {
            GuestDecision::Policy => self.declared(id, fact, at),
            GuestDecision::Restart(state) => self.restart(id, fact, "decide".into(), Some(state), at),
            GuestDecision::Stop => Step::Decided(self.stop(id, fact, "decide".into(), at)),
            GuestDecision::Escalate => self.left(id, &fact, Action::Escalate, "decide".into(), at),
            GuestDecision::Ignore => self.left(id, &fact, Action::Ignore, "decide".into(), at),
        }
    }

    pub(crate) fn linked(
        &mut self,
        id: TheaterId,
        cut: Option<Vec<(TheaterId, u64, Digest)>>,
        at: u64,
    ) -> Vec<Decision> {
        let Some((fact, rule)) = self.at(id).and_then(|k| k.linking.take()) else { return vec![] };
        match (cut, self.group_of(id).unwrap().1.on_no_cut) {
            (Some(cut), _) => self.attempt(id, fact, &rule, StateChoice::Resume, Some(cut), at),
            (None, OnNoCut::Reset) => self.attempt(id, fact, "no-cut", StateChoice::Reset, None, at),
            (None, OnNoCut::Escalate) => {
                let Step::Decided(decisions) = self.left(id, &fact, Action::Escalate, "no-cut".into(), at) else {
                    panic!("a decision")
                };
                decisions
            }
        }
    }

    pub(crate) fn erred(&mut self, id: TheaterId, name: &str, message: &str, hash: Digest, at: u64) -> Step {
        if self.get(id).is_none() {
            return Step::Nothing;
        }
        let Some((index, action)) = self.rule(id, name, ErrorType::GuestError, message, at) else {
            return Step::Nothing;
        };
        let nothing = [RuleAction::Ignore, RuleAction::Class(Class::Temporary), RuleAction::Class(Class::Expected)];
        if nothing.contains(&action) || self.get(id).unwrap().down.is_some() {
            return Step::Nothing;
        }
        self.ruled(id, Fact { class: None, hash: Some(hash), poison: false, abnormal: None }, index, action, at)
    }

    /// Texts of the model's tests are plain, and their patterns `*` or plain, too.
    fn rule(&mut self, id: TheaterId, name: &str, kind: ErrorType, text: &str, at: u64) -> Option<(usize, RuleAction)> {
        let known = self.get(id)?.clone();
        for (index, rule) in self.policy.errors.clone().into_iter().enumerate() {
            let same = |pattern: &String, text: &str| pattern == "*" || pattern == text;
            let m = &rule.matches;
            let names =
                [name.to_owned(), id.to_string(), known.spec.as_ref().map(|s| s.id.clone()).unwrap_or_default()];
            let child = m.children.is_empty() || m.children.iter().any(|p| names.iter().any(|name| same(p, name)));
            if !child || !same(&m.error, text) || !(m.types.is_empty() || m.types.contains(&kind)) {
                continue;
            }
            self.at(id)?.errors.push((index, at));
            let seen = &self.get(id)?.errors;
            let count = seen.iter().filter(|(i, then)| *i == index && then + m.within_ms >= at).count();
            if count >= m.times as usize {
                return Some((index, rule.action));
            }
        }
        None
    }

    fn ruled(&mut self, id: TheaterId, mut fact: Fact, index: usize, action: RuleAction, at: u64) -> Step {
        let rule = format!("errors[{index}]");
        if let RuleAction::Class(class) = action {
            fact.class = Some(class);
        }
        match action {
            RuleAction::Restart => self.restart(id, fact, rule, None, at),
            RuleAction::Stop => Step::Decided(self.stop(id, fact, rule, at)),
            RuleAction::Escalate | RuleAction::Class(Class::Permanent) => {
                self.left(id, &fact, Action::Escalate, rule, at)
            }
            RuleAction::Ignore | RuleAction::Class(_) => self.left(id, &fact, Action::Ignore, rule, at),
        }
    }

    fn declared(&mut self, id: TheaterId, fact: Fact, at: u64) -> Step {
        let spec = self.get(id).unwrap().spec.clone();
        let (restart, prefix) = match &spec {
            Some(spec) => (spec.restart, ""),
            None => (self.policy.spawned.as_ref().unwrap().restart, "spawned-"),
        };
        let rule = format!("{prefix}{restart:?}").to_lowercase();
        let again =
            restart == RestartType::Permanent || (restart == RestartType::Transient && fact.abnormal == Some(true));
        if again { self.restart(id, fact, rule, None, at) } else { Step::Decided(self.stop(id, fact, rule, at)) }
    }

    fn restart(&mut self, id: TheaterId, fact: Fact, rule: String, state: Option<StateChoice>, at: u64) -> Step {
        let known = self.get(id).unwrap();
        let own = match &known.spec {
            Some(spec) => spec.restart_state.clone(),
            None => self.policy.spawned.as_ref().unwrap().restart_state.clone(),
        };
        let group_state = self.group_of(id).and_then(|(_, group)| group.restart_state);
        let state = state.or(group_state.clone()).unwrap_or(own);
        let scope = self.scope(id);
        if state == StateChoice::Resume && group_state == Some(StateChoice::Resume) && scope.len() > 1 {
            self.take_along(id);
            self.at(id).unwrap().linking = Some((fact, rule));
            return Step::Link(scope);
        }
        Step::Decided(self.attempt(id, fact, &rule, state, None, at))
    }

    fn take_along(&mut self, child: TheaterId) {
        let again = self.scope(child);
        for id in self.stopped_with(child) {
            let k = self.at(id).unwrap();
            (k.asked, k.linking) = (None, None);
            (k.down, k.restarting) = if again.contains(&id) { (None, true) } else { (Some(Down::Asked), false) };
        }
    }

    fn number(&self, id: TheaterId, at: u64) -> u32 {
        let reset_after = self.policy.backoff.map_or(self.policy.within_ms, |backoff| backoff.reset_after_ms);
        match self.get(id).unwrap().previous {
            Some((number, start)) if at < start + reset_after => number + 1,
            _ => 1,
        }
    }

    fn attempt(
        &mut self,
        id: TheaterId,
        fact: Fact,
        rule: &str,
        state: StateChoice,
        cut: Option<Vec<(TheaterId, u64, Digest)>>,
        at: u64,
    ) -> Vec<Decision> {
        let attempt = self.number(id, at);
        // The model's factors are whole, so that a loop is exact.
        let delay_ms = self.policy.backoff.map_or(0, |backoff| {
            (1..attempt)
                .fold(backoff.initial_ms, |delay, _| (delay * backoff.factor as u64).min(backoff.max_ms))
                .min(backoff.max_ms)
        });
        let within = self.policy.within_ms;
        let in_window = |list: &[u64]| list.iter().filter(|then| **then + within >= at).count() as u32;
        let decide = |action, rule: &str, window| Decision {
            attempt,
            window,
            ..decision(id, action, &fact, rule.to_owned(), at)
        };
        if fact.poison {
            let window = if self.policy.max_restarts.is_some() { in_window(&self.charged) } else { 0 };
            let window = window.min(self.policy.max_restarts.map_or(0, |max| max + 1));
            self.made(id, attempt, at + delay_ms);
            let rule = if rule == "no-cut" { "no-cut" } else { "poison" };
            let restart = Decision { delay_ms, state, cut, ..decide(Action::Restart, rule, window) };
            return vec![decide(Action::Warn, "poison", window), restart];
        }
        let group = self.group_of(id);
        let known = self.get(id).unwrap();
        let own_max = match &known.spec {
            Some(spec) => spec.max_restarts,
            None => self.policy.spawned.as_ref().unwrap().max_restarts,
        };
        let mut counted = vec![];
        for (name, max) in [
            ("child-budget", own_max),
            ("group-budget", group.as_ref().and_then(|(_, group)| group.max_restarts)),
            ("budget", self.policy.max_restarts),
        ] {
            let Some(max) = max else { continue };
            let window = match name {
                "child-budget" => {
                    self.at(id).unwrap().charged.push(at);
                    in_window(&self.get(id).unwrap().charged)
                }
                "group-budget" => {
                    let group = group.clone().unwrap().0;
                    self.group_charged.push((group.clone(), at));
                    let of_group: Vec<u64> =
                        self.group_charged.iter().filter(|(name, _)| *name == group).map(|(_, at)| *at).collect();
                    in_window(&of_group)
                }
                _ => {
                    self.charged.push(at);
                    in_window(&self.charged)
                }
            };
            if window > max {
                return self.exhausted(id, fact, decide(Action::Stop, name, max + 1));
            }
            counted.push((name, window, max));
        }
        self.made(id, attempt, at + delay_ms);
        let window = counted.iter().find(|(name, ..)| *name == "budget").map_or(0, |(_, window, _)| *window);
        let mut decisions = vec![Decision { delay_ms, state, cut, ..decide(Action::Restart, rule, window) }];
        for (name, window, max) in counted {
            if 2 * window > max && 2 * (window - 1) <= max {
                decisions.push(decide(Action::Warn, name, window));
            }
        }
        decisions
    }

    fn made(&mut self, id: TheaterId, attempt: u32, start: u64) {
        self.at(id).unwrap().previous = Some((attempt, start));
        self.take_along(id);
    }

    fn exhausted(&mut self, id: TheaterId, fact: Fact, stop: Decision) -> Vec<Decision> {
        self.at(id).unwrap().previous = Some((stop.attempt, stop.at_ms));
        if stop.rule == "budget" || self.policy.on_exhausted == OnExhausted::Escalate {
            self.down(id, Down::Failed);
            return vec![Decision { action: Action::Escalate, ..stop }];
        }
        let mut decisions = vec![stop.clone()];
        if stop.rule == "group-budget" {
            let group = self.group_of(id).unwrap().0;
            let members: Vec<TheaterId> = self
                .known
                .iter()
                .filter(|k| k.id != id && k.down.is_none())
                .filter(|k| k.spec.as_ref().is_some_and(|spec| spec.group.as_ref() == Some(&group)))
                .map(|k| k.id)
                .collect();
            for member in members.into_iter().rev() {
                self.down(member, Down::Asked);
                decisions.push(Decision { actor: member, error_hash: None, ..stop.clone() });
            }
        }
        decisions.extend(self.ended(id, &fact, stop.at_ms));
        decisions
    }

    fn left(&mut self, id: TheaterId, fact: &Fact, action: Action, rule: String, at: u64) -> Step {
        self.down(id, Down::Failed);
        Step::Decided(vec![decision(id, action, fact, rule, at)])
    }

    fn stop(&mut self, id: TheaterId, fact: Fact, rule: String, at: u64) -> Vec<Decision> {
        let mut decisions = vec![decision(id, Action::Stop, &fact, rule, at)];
        decisions.extend(self.ended(id, &fact, at));
        decisions
    }

    fn ended(&mut self, id: TheaterId, fact: &Fact, at: u64) -> Option<Decision> {
        let spec = self.get(id).unwrap().spec.clone();
        self.down(id, if fact.abnormal == Some(false) { Down::Normal } else { Down::Asked });
        let spec = spec?;
        fact.abnormal?;
        if spec.restart == RestartType::Temporary || self.policy.strategy == Strategy::Dynamic {
            self.forget(id);
        }
        let others = self
            .known
            .iter()
            .any(|k| k.id != id && k.down.is_none() && k.spec.as_ref().is_some_and(|spec| spec.significant));
        let follows = match self.policy.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !others,
        };
        let auto = decision(self.supervisor, Action::Stop, fact, "auto-shutdown".into(), at);
        (spec.significant && follows).then_some(auto)
    }
}

fn decision(actor: TheaterId, action: Action, fact: &Fact, rule: String, at_ms: u64) -> Decision {
    Decision {
        actor,
        action,
        class: fact.class,
        rule,
        attempt: 0,
        window: 0,
        delay_ms: 0,
        state: StateChoice::Reset,
        error_hash: fact.hash,
        cut: None,
        at_ms,
    }
}
