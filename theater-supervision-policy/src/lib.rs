//! The decision engine of supervision: from a declared policy, the facts recorded so far and an
//! event to a decision. It has no clock, no randomness and does no I/O, so that whoever has the
//! chains can recompute each decision.

mod decision;
mod policy;

pub use decision::{Class, Decision, Exit, GuestDecision, Question, Step};
pub use policy::{
    AnchorMode, AutoShutdown, Backoff, ErrorMatch, EventFilter, Group, OnExhausted, OnNoCut, Policy, RestartType, Rule,
    RuleAction, Shutdown, Spawned, Spec, StateChoice, Strategy,
};
