//! Where budgets and children stand, for people.

use std::collections::BTreeMap;

use serde::Serialize;
use theater_chain::TheaterId;

use super::budget::Usage;
use super::child::{Child, Down, Phase};
use super::{Engine, Origin};

/// Where an engine stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The supervisor's budget; `None`: there is none.
    pub budget: Option<Usage>,
    /// The budgets of groups that have one.
    pub groups: BTreeMap<String, Usage>,
    /// Specified children in start order, then spawned ones by id.
    pub children: Vec<ChildStatus>,
}

/// Where a child stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChildStatus {
    /// The child.
    pub actor: TheaterId,
    /// Its id among the supervisor's specs.
    pub spec_id: Option<String>,
    /// Why it is down; `None`: it is up, or being restarted.
    pub down: Option<Down>,
    /// Its own budget.
    pub budget: Option<Usage>,
    /// The number of its last attempt; 0: none yet.
    pub attempt: u32,
    /// The delay of that attempt before jitter, in ms.
    pub delay_ms: u64,
    /// When that was decided, in ms of supervision time.
    pub decided_at_ms: Option<u64>,
}

impl Engine {
    /// Where budgets and children stand at a supervision time.
    pub fn status(&self, at_ms: u64) -> Status {
        let groups = self.group_budgets.iter().map(|(name, budget)| (name.clone(), budget.usage(at_ms)));
        let mut spawned: Vec<_> =
            self.children.iter().filter(|(_, child)| matches!(child.origin, Origin::Spawned)).collect();
        spawned.sort_by_key(|(id, _)| **id);
        let specified = self.order.values().filter_map(|id| Some((id, self.children.get(id)?)));
        Status {
            budget: self.budget.as_ref().map(|budget| budget.usage(at_ms)),
            groups: groups.collect(),
            children: specified.chain(spawned).map(|(id, child)| child_status(*id, child, at_ms)).collect(),
        }
    }
}

fn child_status(actor: TheaterId, child: &Child, at_ms: u64) -> ChildStatus {
    ChildStatus {
        actor,
        spec_id: child.spec().map(|spec| spec.id.clone()),
        down: match child.phase {
            Phase::Up | Phase::Restarting => None,
            Phase::Down(why) => Some(why),
        },
        budget: child.budget.as_ref().map(|budget| budget.usage(at_ms)),
        attempt: child.last.map_or(0, |last| last.number),
        delay_ms: child.last.map_or(0, |last| last.delay_ms),
        decided_at_ms: child.last.map(|last| last.at_ms),
    }
}
