//! What the engine knows of one child.

use std::collections::HashMap;

use theater_chain::Digest;

use super::budget::Budget;
use super::ring::Ring;
use crate::decision::Class;
use crate::policy::{Policy, RestartType, Spec, StateChoice};

/// Why a child is down and stays so until somebody starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    /// It was stopped on purpose: by its parent, by an operator, or by a decision.
    Asked,
    /// Its `init` declined.
    Declined,
    /// It ended normally.
    Normal,
    /// It failed and was left so. A group restart takes it along.
    Failed,
}

/// Where a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Up,
    /// A decision restarts it: its end, if it still has to end for that, was decided.
    Restarting,
    Down(Down),
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) origin: Origin,
    pub(super) phase: Phase,
    /// Its own.
    pub(super) budget: Option<Budget>,
    pub(super) last: Option<Attempt>,
    pub(super) pending: Option<Pending>,
    /// The errors that came as far as a rule with `times`, by the rule's index.
    pub(super) counts: HashMap<usize, Ring>,
}

#[derive(Debug)]
pub(super) enum Origin {
    Specified { spec: Spec, order: u64 },
    Spawned,
}

/// The last attempt to restart a child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) at_ms: u64,
    pub(super) delay_ms: u64,
}

/// What an event is decided on.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) error_hash: Option<Digest>,
    pub(super) class: Option<Class>,
    pub(super) poison: bool,
    pub(super) ended: Ended,
}

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Normally,
    Failed,
    /// It runs: one of its calls answered `err`.
    Not,
}

/// What waits for an answer.
#[derive(Debug)]
pub(super) enum Pending {
    Answer(Fact),
    Cut { fact: Fact, rule: String },
}

impl Child {
    pub(super) fn specified(spec: Spec, order: u64, policy: &Policy) -> Self {
        let budget = Budget::new(spec.max_restarts, policy.within_ms);
        Self::new(Origin::Specified { spec, order }, budget)
    }

    pub(super) fn spawned(policy: &Policy) -> Self {
        let max = policy.spawned.as_ref().and_then(|spawned| spawned.max_restarts);
        Self::new(Origin::Spawned, Budget::new(max, policy.within_ms))
    }

    fn new(origin: Origin, budget: Option<Budget>) -> Self {
        Self { origin, phase: Phase::Up, budget, last: None, pending: None, counts: HashMap::new() }
    }

    pub(super) fn spec(&self) -> Option<&Spec> {
        match &self.origin {
            Origin::Specified { spec, .. } => Some(spec),
            Origin::Spawned => None,
        }
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.spec().is_some_and(|spec| spec.restart == RestartType::Temporary)
    }

    /// Whether a restart of its group leaves it alone.
    pub(super) fn stays_down(&self) -> bool {
        matches!(self.phase, Phase::Down(why) if why != Down::Failed)
    }

    pub(super) fn group(&self) -> Option<&str> {
        self.spec()?.group.as_deref()
    }

    /// When it is restarted, and what a decision says of that.
    pub(super) fn restart_type(&self, policy: &Policy) -> (RestartType, &'static str) {
        match (&self.origin, &policy.spawned) {
            (Origin::Specified { spec, .. }, _) => (spec.restart, name(spec.restart)),
            (Origin::Spawned, spawned) => {
                let restart = spawned.as_ref().map_or(RestartType::Temporary, |spawned| spawned.restart);
                (restart, spawned_name(restart))
            }
        }
    }

    /// The state that it restarts with, where nobody chooses another.
    pub(super) fn declared_state(&self, policy: &Policy) -> StateChoice {
        let group = self.group().and_then(|group| policy.groups.get(group)?.restart_state.clone());
        let own = || match &self.origin {
            Origin::Specified { spec, .. } => spec.restart_state.clone(),
            Origin::Spawned => policy.spawned.as_ref().map(|spawned| spawned.restart_state.clone()).unwrap_or_default(),
        };
        group.unwrap_or_else(own)
    }

    /// The number of an attempt now: one after that of the last, unless the child was up for so
    /// long that it begins anew.
    pub(super) fn next_attempt(&self, policy: &Policy, at_ms: u64) -> u32 {
        let reset_after_ms = policy.backoff.map_or(policy.within_ms, |backoff| backoff.reset_after_ms);
        match self.last {
            Some(last) => {
                let up_since = last.at_ms.saturating_add(last.delay_ms);
                let begins_anew = at_ms >= up_since.saturating_add(reset_after_ms);
                if begins_anew { 1 } else { last.number.saturating_add(1) }
            }
            None => 1,
        }
    }
}

fn name(restart: RestartType) -> &'static str {
    match restart {
        RestartType::Permanent => "permanent",
        RestartType::Transient => "transient",
        RestartType::Temporary => "temporary",
    }
}

fn spawned_name(restart: RestartType) -> &'static str {
    match restart {
        RestartType::Permanent => "spawned-permanent",
        RestartType::Transient => "spawned-transient",
        RestartType::Temporary => "spawned-temporary",
    }
}
