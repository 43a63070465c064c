//! Verification: offline, from what a store holds and nothing else.
//!
//! It proves that what is stored was not changed since it was recorded, and that it tells a
//! possible life. It does not run guests: whether they would do the same again is for replay.

mod actor;
mod anchors;
mod audit;
mod child;
mod exits;
mod facts;
mod fork;
mod links;
mod missing;
mod open_call;
mod pruned;
mod report;
mod signed;
mod starts;
mod states;
mod store;
mod structure;
mod upgrades;

pub use actor::{Verification, verify_actor};
pub use audit::{Audit, Auditor, Verdict};
pub use links::Verifier;
pub use report::{ActorReport, Fault, Level, StoreReport};
pub use signed::{ChainCheckpoint, CheckpointReport, KeyFrom, LogReport, Trust};
pub use store::verify_store;
pub use structure::Structure;
