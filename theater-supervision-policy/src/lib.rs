//! The decision engine of supervision: from a declared policy, the facts recorded so far and an
//! event to a decision. It has no clock, no randomness and does no I/O, so that whoever has the
//! chains can recompute each decision.
//!
//! ```
//! use std::sync::Arc;
//! use theater_chain::data::{AskedBy, ErrorType, ReasonRecord};
//! use theater_chain::{Digest, TheaterId};
//! use theater_supervision_policy::{Engine, Exit, Step, read};
//!
//! let entry = r#"
//!     max_restarts = 1
//!     children = [{ id = "ledger", manifest = "ledger.toml" }]
//! "#;
//! let entry = toml::from_str(entry)?;
//! let (policy, _warnings) = read(&entry).map_err(|faults| faults[0].clone())?;
//!
//! let supervisor = TheaterId::from_bytes([0; 16]);
//! let ledger = TheaterId::of_spec(&supervisor, "ledger");
//! let spec = policy.children[0].clone();
//! let mut engine = Engine::new(Arc::new(policy), supervisor);
//! engine.specified(ledger, spec);
//!
//! let exit = Exit {
//!     child: ledger,
//!     name: "ledger".into(),
//!     incarnation: 0,
//!     reason: ReasonRecord::Abnormal(ErrorType::Trap),
//!     asked_by: AskedBy::Itself,
//!     poison: false,
//!     message: "unreachable".into(),
//!     error_hash: Digest::of(b"the actor_error in its chain"),
//! };
//! let mut rules = Vec::new();
//! for at_ms in [0, 5_000] {
//!     if let Step::Decided(decisions) = engine.exited(&exit, at_ms, false) {
//!         rules.extend(decisions.into_iter().map(|decision| (decision.action, decision.rule)));
//!     }
//! }
//! // The second within five seconds is one too many.
//! use theater_chain::data::SupervisionActionKind::{Escalate, Restart, Warn};
//! let expected = [(Restart, "permanent"), (Warn, "budget"), (Escalate, "budget")];
//! assert_eq!(rules, expected.map(|(action, rule)| (action, rule.to_owned())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
pub mod cut;
mod decision;
mod engine;
pub mod pattern;
mod policy;
mod read;
mod record;

pub use audit::{DecisionAudit, Follower, Left, Open, Restarted, Subject, What};
pub use decision::{Class, Decision, Exit, GuestDecision, Question, Step};
pub use engine::{ChildStatus, Down, Engine, Standing, Status, Usage};
pub use policy::{
    AnchorMode, AutoShutdown, Backoff, ErrorMatch, EventFilter, Group, OnExhausted, OnNoCut, Policy, RestartType, Rule,
    RuleAction, Shutdown, Spawned, Spec, StateChoice, Strategy,
};
pub use read::{Fault, Warning, of_manifest, read};
