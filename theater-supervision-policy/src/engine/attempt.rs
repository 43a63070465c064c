//! An attempt to restart a child: its number, its delay, what it costs, and the decisions that it
//! makes. *Whether* a child is to be restarted is decided before, in `decide`.

use theater_chain::data::SupervisionActionKind as Action;
use theater_chain::{Digest, TheaterId};

use super::child::{Attempt, Down, Fact, Phase};
use super::{Engine, delay};
use crate::decision::Decision;
use crate::policy::{OnExhausted, StateChoice};

/// Children with their places in their chains and their states.
pub(super) type Cut = Vec<(TheaterId, u64, Digest)>;

/// How a child is to be restarted.
pub(super) struct Plan {
    pub(super) rule: String,
    pub(super) state: StateChoice,
    pub(super) cut: Option<Cut>,
}

/// What the budgets say of an attempt, and the rule that says it.
enum Verdict {
    Allowed { window: u32, crossed: Vec<(&'static str, u32)> },
    Exhausted { rule: &'static str, window: u32 },
}

const SUPERVISORS: &str = "budget";
const GROUPS: &str = "group-budget";
const CHILDS: &str = "child-budget";

impl Engine {
    pub(super) fn attempt(&mut self, child: TheaterId, fact: &Fact, plan: Plan, at_ms: u64) -> Vec<Decision> {
        let number = self.number(child, at_ms);
        let delay_ms = delay::delay_ms(self.policy.backoff.as_ref(), number);
        let made = |rule: &str, action, window| Decision {
            attempt: number,
            window,
            ..Decision::new(child, action, fact, rule.to_owned(), at_ms)
        };
        let restart = |rule: String, window| Decision {
            delay_ms,
            rule,
            state: plan.state,
            cut: plan.cut,
            ..made("", Action::Restart, window)
        };
        if fact.poison {
            let window = self.budget.as_ref().map_or(0, |budget| budget.usage(at_ms).used);
            self.restarting(child, Attempt { number, at_ms, delay_ms });
            // The warning says that it is poison; a restart without a cut says that instead.
            let rule = if plan.rule == NO_CUT { NO_CUT } else { POISON };
            return vec![made(POISON, Action::Warn, window), restart(rule.to_owned(), window)];
        }
        match self.charge(child, at_ms) {
            Verdict::Allowed { window, crossed } => {
                self.restarting(child, Attempt { number, at_ms, delay_ms });
                let warnings = crossed.into_iter().map(|(rule, window)| made(rule, Action::Warn, window));
                let warnings: Vec<_> = warnings.collect();
                std::iter::once(restart(plan.rule, window)).chain(warnings).collect()
            }
            Verdict::Exhausted { rule, window } => {
                self.attempted(child, Attempt { number, at_ms, delay_ms: 0 });
                if rule == SUPERVISORS || self.policy.on_exhausted == OnExhausted::Escalate {
                    self.down(child, Down::Failed);
                    return vec![made(rule, Action::Escalate, window)];
                }
                let others = if rule == GROUPS { self.group_goes_down(child) } else { Vec::new() };
                let stop = made(rule, Action::Stop, window);
                let others =
                    others.into_iter().map(|other| Decision { actor: other, error_hash: None, ..stop.clone() });
                let others: Vec<_> = others.collect();
                let mut decisions = vec![stop];
                decisions.extend(others);
                self.stopped(child, fact, &mut decisions);
                decisions
            }
        }
    }

    /// The number that an attempt has now.
    pub(super) fn number(&self, child: TheaterId, at_ms: u64) -> u32 {
        self.children.get(&child).map_or(1, |child| child.next_attempt(&self.policy, at_ms))
    }

    /// Whom a restart of this child takes along is no longer waited for, and its end is not a stop.
    /// Temporary ones are stopped for good.
    pub(super) fn restarting_with(&mut self, child: TheaterId) {
        for member in self.stopped_with(child) {
            let Some(known) = self.children.get_mut(&member) else { continue };
            known.pending = None;
            known.phase =
                if member != child && known.is_temporary() { Phase::Down(Down::Asked) } else { Phase::Restarting };
        }
    }

    fn restarting(&mut self, child: TheaterId, attempt: Attempt) {
        self.attempted(child, attempt);
        self.restarting_with(child);
    }

    fn attempted(&mut self, child: TheaterId, attempt: Attempt) {
        if let Some(child) = self.children.get_mut(&child) {
            child.last = Some(attempt);
        }
    }

    /// Asks the budgets, the nearest first; what one refuses costs those after it nothing.
    fn charge(&mut self, child: TheaterId, at_ms: u64) -> Verdict {
        let known = self.children.get_mut(&child);
        let group = known.as_ref().and_then(|child| child.group().map(str::to_owned));
        let budgets = [
            (CHILDS, known.and_then(|child| child.budget.as_mut())),
            (GROUPS, group.and_then(|group| self.group_budgets.get_mut(&group))),
            (SUPERVISORS, self.budget.as_mut()),
        ];
        let (mut crossed, mut window) = (Vec::new(), 0);
        for (rule, budget) in budgets {
            let Some(budget) = budget else { continue };
            let charge = budget.charge(at_ms);
            if charge.exhausted {
                return Verdict::Exhausted { rule, window: charge.window };
            }
            if charge.crossed {
                crossed.push((rule, charge.window));
            }
            if rule == SUPERVISORS {
                window = charge.window;
            }
        }
        Verdict::Allowed { window, crossed }
    }

    /// Takes the other members of a child's group down, and names those that were not: the
    /// youngest first, as they are stopped.
    fn group_goes_down(&mut self, child: TheaterId) -> Vec<TheaterId> {
        let group = self.children.get(&child).and_then(|child| child.group().map(str::to_owned));
        let members = self.order.values().rev().filter(|other| {
            let Some(other_child) = self.children.get(other) else { return false };
            **other != child
                && other_child.group() == group.as_deref()
                && matches!(other_child.phase, Phase::Up | Phase::Restarting)
        });
        let members: Vec<_> = members.copied().collect();
        for member in &members {
            self.down(*member, Down::Asked);
        }
        members
    }
}

pub(super) const NO_CUT: &str = "no-cut";
const POISON: &str = "poison";
