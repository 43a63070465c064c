//! An actor with those below it, as `theater tree` shows it.

use std::collections::HashMap;

use serde::Serialize;
use theater::chain::data::SupervisionActionKind;
use theater::{ActorStatus, TheaterId};

use super::facts::{Decided, Facts, LastError, Quarantined, kebab};

/// How an actor stands.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: TheaterId,
    pub(super) name: String,
    pub(super) parent: Option<TheaterId>,
    pub(super) status: ActorStatus,
    /// Whether it serves without an instance.
    pub(super) parked: bool,
    pub(super) incarnation: u32,
    /// Whether it runs, or was running when the record ended.
    pub(super) is_up: bool,
    /// Whether the process says that a next incarnation is on its way; `None`: nothing runs.
    pub(super) is_restarting: Option<bool>,
    /// What is to be said beside the status.
    pub(super) remark: Option<String>,
    /// Its error, where its chain is not in the record.
    pub(super) error: Option<LastError>,
}

/// The budget of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Budget {
    pub(super) used: u32,
    /// `None`: no budget.
    pub(super) max: Option<u32>,
    pub(super) within_ms: u64,
}

/// The last decision about an actor, a warning aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LastDecision {
    pub(super) action: String,
    pub(super) rule: String,
    pub(super) class: Option<String>,
    pub(super) attempt: u32,
    pub(super) window: u32,
    pub(super) delay_ms: u64,
    /// Supervision time.
    pub(super) at_ms: u64,
}

/// An actor with those below it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Node {
    pub(super) id: TheaterId,
    pub(super) name: String,
    pub(super) spec_id: Option<String>,
    pub(super) status: ActorStatus,
    pub(super) parked: bool,
    pub(super) incarnation: u32,
    pub(super) restarts: u32,
    pub(super) strategy: Option<&'static str>,
    pub(super) budget: Option<Budget>,
    pub(super) backoff_left_ms: Option<u64>,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) last_error: Option<LastError>,
    pub(super) last_decision: Option<LastDecision>,
    pub(super) restart_rate_per_min: u64,
    pub(super) transition_rate_per_min: u64,
    pub(super) escalations: u64,
    pub(super) children: Vec<Node>,
    #[serde(skip)]
    pub(super) remark: Option<String>,
    /// Whether a policy is declared, so that strategy and budget mean something to a person.
    #[serde(skip)]
    pub(super) is_policy: bool,
}

impl Node {
    /// What makes it another tree than before: not the time that goes by, nor who was parked meanwhile.
    pub(super) fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.settle();
        settled
    }

    /// Recursive: a tree is at most as deep as the runtime lets it grow.
    fn settle(&mut self) {
        self.backoff_left_ms = self.backoff_left_ms.map(|_| 0);
        (self.restart_rate_per_min, self.transition_rate_per_min) = (0, 0);
        self.parked = false;
        self.children.iter_mut().for_each(Self::settle);
    }

    /// Whether anything in it changes as time goes by.
    pub(super) fn is_waiting(&self) -> bool {
        self.backoff_left_ms.is_some() || self.children.iter().any(Self::is_waiting)
    }
}

/// The roots, with everything else below them. Parents stand before their children in `actors`.
pub(super) fn nested(actors: Vec<Known>, facts: &HashMap<TheaterId, Facts>, now_ms: u64) -> Vec<Node> {
    let up: HashMap<TheaterId, bool> = actors.iter().map(|actor| (actor.id, actor.is_up)).collect();
    let nothing = Facts::default();
    let mut below: HashMap<TheaterId, Vec<Node>> = HashMap::new();
    let mut roots = Vec::new();
    // From the end, so that an actor's children are complete when it is its turn.
    for actor in actors.into_iter().rev() {
        let mut children = below.remove(&actor.id).unwrap_or_default();
        children.reverse();
        let above = actor.parent.and_then(|parent| facts.get(&parent));
        let is_parent_up = actor.parent.is_some_and(|parent| up.get(&parent).copied().unwrap_or(false));
        let parent = actor.parent;
        let own = facts.get(&actor.id).unwrap_or(&nothing);
        let node = node(actor, children, own, above, is_parent_up, now_ms);
        match parent {
            Some(parent) => below.entry(parent).or_default().push(node),
            None => roots.push(node),
        }
    }
    roots.reverse();
    roots
}

fn node(
    actor: Known,
    children: Vec<Node>,
    own: &Facts,
    above: Option<&Facts>,
    is_parent_up: bool,
    now_ms: u64,
) -> Node {
    let decided = above.and_then(|above| above.decisions.get(&actor.id)).or_else(|| own.decisions.get(&actor.id));
    Node {
        spec_id: above.and_then(|above| spec_id(above, &actor)),
        strategy: own.declared.as_ref().map(|declared| declared.strategy),
        budget: budget(own, now_ms),
        is_policy: own.declared.as_ref().is_some_and(|declared| declared.is_policy),
        backoff_left_ms: decided.filter(|_| is_parent_up).and_then(|decided| backoff_left(&actor, decided, now_ms)),
        quarantined: own.quarantined(),
        last_error: own.last_error().cloned().or(actor.error),
        last_decision: decided.map(last_decision),
        restart_rate_per_min: own.restarts.per_minute(now_ms),
        transition_rate_per_min: own.transitions.per_minute(now_ms),
        escalations: own.escalations,
        id: actor.id,
        name: actor.name,
        status: actor.status,
        parked: actor.parked,
        incarnation: actor.incarnation,
        restarts: actor.incarnation.saturating_sub(1),
        children,
        remark: actor.remark,
    }
}

fn spec_id(above: &Facts, actor: &Known) -> Option<String> {
    let parent = actor.parent?;
    let declared = above.declared.iter().flat_map(|declared| &declared.children);
    let declared = declared.into_iter().find(|spec| TheaterId::of_spec(&parent, spec) == actor.id);
    declared.or_else(|| above.specs.get(&actor.id)).cloned()
}

fn budget(own: &Facts, now_ms: u64) -> Option<Budget> {
    let declared = own.declared.as_ref()?;
    let within_ms = declared.within_ms;
    Some(Budget { used: own.attempts(now_ms, within_ms), max: declared.max_restarts, within_ms })
}

/// What is left of the delay of a restart that was decided and has not begun.
fn backoff_left(actor: &Known, decided: &Decided, now_ms: u64) -> Option<u64> {
    let action = &decided.action;
    let is_due = action.action == SupervisionActionKind::Restart && action.delay_ms > 0;
    let is_pending = is_due && decided.incarnation == actor.incarnation;
    let left = decided.timestamp.saturating_add(action.delay_ms).saturating_sub(now_ms);
    // That an operator stopped it meanwhile is not in the record; one that is overdue was stopped.
    (is_pending && actor.is_restarting.unwrap_or(left > 0)).then_some(left)
}

fn last_decision(decided: &Decided) -> LastDecision {
    let action = &decided.action;
    LastDecision {
        action: kebab(&action.action),
        rule: action.rule.clone(),
        class: action.class.clone(),
        attempt: action.attempt,
        window: action.window,
        delay_ms: action.delay_ms,
        at_ms: action.at_ms,
    }
}
