//! The decision engine of supervision: from a declared policy, the facts recorded so far and an
//! event to a decision. It has no clock, no randomness and does no I/O, so that whoever has the
//! chains can recompute each decision.

mod audit;
pub mod cut;
mod decision;
mod engine;
pub mod pattern;
mod policy;
mod read;
mod record;

pub use audit::DecisionAudit;
pub use decision::{Class, Decision, Exit, GuestDecision, Question, Step};
pub use engine::{ChildStatus, Down, Engine, Status, Usage};
pub use policy::{
    AnchorMode, AutoShutdown, Backoff, ErrorMatch, EventFilter, Group, OnExhausted, OnNoCut, Policy, RestartType, Rule,
    RuleAction, Shutdown, Spawned, Spec, StateChoice, Strategy,
};
pub use read::{Fault, Warning, of_manifest, read};
