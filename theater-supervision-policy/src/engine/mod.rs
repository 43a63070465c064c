//! The engine: one for each incarnation of a supervisor, fed with what happens in the order in
//! which it is recorded.
//!
//! Here is which children there are and where they stand; `decide` has the decisions. A child's
//! phase follows from decisions and facts as far as decisions depend on it: [`Engine::up`] after
//! a restart that a decision began changes nothing of what is decided next, so that who has the
//! chain alone decides the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use theater_chain::TheaterId;

use crate::policy::{Policy, Spec, StateChoice, Strategy};

mod attempt;
mod budget;
mod child;
mod decide;
pub(crate) mod delay;
mod ring;
mod rules;
mod status;
#[cfg(test)]
mod tests;

pub use budget::Usage;
pub use child::Down;
pub use status::{ChildStatus, Status};

use budget::Budget;
use child::{Child, Origin, Phase};

/// Where a child stands, as far as decisions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was decided since it was started.
    Up,
    /// A decision restarts it.
    Restarting,
    /// Nobody restarts it.
    Down(Down),
}

/// The decision engine.
#[derive(Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    supervisor: TheaterId,
    children: HashMap<TheaterId, Child>,
    /// Specified children in start order.
    order: BTreeMap<u64, TheaterId>,
    spec_ids: HashMap<String, TheaterId>,
    next_order: u64,
    budget: Option<Budget>,
    group_budgets: HashMap<String, Budget>,
}

impl Engine {
    /// An engine that knows no child yet.
    pub fn new(policy: Arc<Policy>, supervisor: TheaterId) -> Self {
        let within_ms = policy.within_ms;
        let groups = policy.groups.iter();
        let group_budgets =
            groups.filter_map(|(name, group)| Some((name.clone(), Budget::new(group.max_restarts, within_ms)?)));
        Self {
            group_budgets: group_budgets.collect(),
            budget: Budget::new(policy.max_restarts, within_ms),
            policy,
            supervisor,
            children: HashMap::new(),
            order: BTreeMap::new(),
            spec_ids: HashMap::new(),
            next_order: 0,
        }
    }

    /// The supervisor.
    pub(crate) fn supervisor(&self) -> TheaterId {
        self.supervisor
    }

    /// The policy.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// A child with a spec, declared or by `start-child`: the youngest, and up.
    pub fn specified(&mut self, child: TheaterId, spec: Spec) {
        self.forget(child);
        let order = self.next_order;
        self.next_order += 1;
        self.order.insert(order, child);
        self.spec_ids.insert(spec.id.clone(), child);
        self.children.insert(child, Child::specified(spec, order, &self.policy));
    }

    /// A child made by `spawn` or `resume`. Without a policy of spawned children it is none of the
    /// engine's.
    pub fn spawned(&mut self, child: TheaterId) {
        if self.policy.spawned.is_some() && !self.children.contains_key(&child) {
            self.children.insert(child, Child::spawned(&self.policy));
        }
    }

    /// A child's spec is gone, or the child itself.
    pub fn forget(&mut self, child: TheaterId) {
        let Some(gone) = self.children.remove(&child) else { return };
        if let Origin::Specified { spec, order } = gone.origin {
            self.order.remove(&order);
            if self.spec_ids.get(&spec.id) == Some(&child) {
                self.spec_ids.remove(&spec.id);
            }
        }
    }

    /// The spec of a child that has one.
    pub fn spec(&self, child: TheaterId) -> Option<&Spec> {
        self.children.get(&child)?.spec()
    }

    /// Where a child stands that is known.
    pub fn standing(&self, child: TheaterId) -> Option<Standing> {
        Some(match self.children.get(&child)?.phase {
            Phase::Up => Standing::Up,
            Phase::Restarting => Standing::Restarting,
            Phase::Down(why) => Standing::Down(why),
        })
    }

    /// All children that are known, those with a spec in start order first.
    pub fn known(&self) -> Vec<TheaterId> {
        let spawned = self.children.iter().filter(|(_, child)| matches!(child.origin, Origin::Spawned));
        self.order.values().copied().chain(spawned.map(|(id, _)| *id)).collect()
    }

    /// The child with this spec id.
    pub fn find(&self, spec_id: &str) -> Option<TheaterId> {
        self.spec_ids.get(spec_id).copied()
    }

    /// The children with a spec, in start order.
    pub fn children(&self) -> impl Iterator<Item = (TheaterId, &Spec)> {
        self.order.values().filter_map(|child| Some((*child, self.spec(*child)?)))
    }

    /// A child was started again: by policy, by hand or by an operator. What was to be decided
    /// about its last end no longer is. A spawned child that was down begins anew.
    pub fn up(&mut self, child: TheaterId) {
        match self.children.get_mut(&child) {
            Some(known) => {
                known.phase = Phase::Up;
                known.pending = None;
            }
            None => self.spawned(child),
        }
    }

    /// A child is down, and nothing restarts it: what a restart of its group leaves alone, but for
    /// failed ones. Says so of a child that was being restarted, too. Nothing is kept of a spawned
    /// child, nor of a dynamic supervisor's that declined.
    pub fn down(&mut self, child: TheaterId, why: Down) {
        let Some(known) = self.children.get_mut(&child) else { return };
        known.phase = Phase::Down(why);
        known.pending = None;
        let spawned = matches!(known.origin, Origin::Spawned);
        if spawned || (why == Down::Declined && self.policy.strategy == Strategy::Dynamic) {
            self.forget(child);
        }
    }

    /// The children that are restarted when this one is, in start order, itself included.
    /// Ungrouped ones obey the supervisor's strategy, grouped ones their group's; those that are
    /// down for another reason than a failure stay so, and temporary ones are only stopped.
    pub fn scope(&self, child: TheaterId) -> Vec<TheaterId> {
        self.together(child, |other| !other.is_temporary() && !other.stays_down())
    }

    /// The children that are stopped when this one is restarted, in start order: its scope, and
    /// temporary ones, whose specs are then gone.
    pub fn stopped_with(&self, child: TheaterId) -> Vec<TheaterId> {
        self.together(child, |other| other.is_temporary() || !other.stays_down())
    }

    /// The child, and those like this that its restart reaches.
    fn together(&self, child: TheaterId, like_this: impl Fn(&Child) -> bool) -> Vec<TheaterId> {
        let Some((known, order)) = self.children.get(&child).and_then(|known| match &known.origin {
            Origin::Specified { order, .. } => Some((known, *order)),
            Origin::Spawned => None,
        }) else {
            return vec![child];
        };
        let from = match self.strategy(known.group()) {
            Strategy::OneForOne | Strategy::Dynamic => return vec![child],
            Strategy::OneForAll => 0,
            Strategy::RestForOne => order,
        };
        let members = self.order.range(from..).filter(|(_, other)| {
            **other == child
                || self.children.get(other).is_some_and(|other| other.group() == known.group() && like_this(other))
        });
        members.map(|(_, member)| *member).collect()
    }

    /// The state with which a child restarts that is restarted along with another, or by hand:
    /// its group's, else its own.
    pub fn declared_state(&self, child: TheaterId) -> StateChoice {
        self.children.get(&child).map(|child| child.declared_state(&self.policy)).unwrap_or_default()
    }

    fn strategy(&self, group: Option<&str>) -> Strategy {
        match group {
            None => self.policy.strategy,
            Some(group) => self.policy.groups.get(group).map_or(Strategy::OneForOne, |group| group.strategy),
        }
    }
}
