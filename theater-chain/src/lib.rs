//! Hash chains of actor events: their format, their hashes, how they are verified and where they
//! are kept.
//!
//! An event is `seq`, `parent_hash`, `event_type`, `timestamp`, `data` and at most one `payload`.
//! Its hash covers all of it and the hash of the event before, the payload by a salted commit, so
//! that a payload can be erased and the chain still verifies. This crate knows neither wasm nor
//! running actors and can be used alone:
//!
//! ```
//! use theater_chain::data::{Call, CallReturned, Lane};
//! use theater_chain::{Digest, Payload, StateChain, payload};
//!
//! // Build a chain. The clock and the salts (16 random bytes each) are the caller's.
//! let mut chain = StateChain::new();
//! let call = Call {
//!     lane: Lane::Mailbox,
//!     interface: "example:greeter/greet".into(),
//!     function: "hello".into(),
//!     message_id: Some("cli/1".into()),
//!     cause: None,
//! };
//! let params = payload::text("world");
//! let bytes = payload::encode(&[("params", Some(&params))]).unwrap_or_default();
//! chain.append(1_700_000_000_000, &call, Some(Payload::new([7; 16], bytes)));
//! chain.append(1_700_000_000_001, &CallReturned { ok: true, state_hash: Digest::ZERO }, None);
//!
//! // Verify it.
//! assert_eq!(chain.verify(), Ok(()));
//! assert_eq!(chain.head().map(|head| head.seq), Some(1));
//!
//! // Flip one bit, anywhere: verification names the event.
//! let mut events = chain.into_events();
//! events[1].timestamp ^= 1;
//! let fault = StateChain::from_events(events).verify().unwrap_err();
//! assert_eq!(fault.seq, 1);
//! assert_eq!(fault.to_string(), "event 1: its content does not hash to its hash");
//! ```
//!
//! [`ChainStore`] is what a store implements, [`MemoryStore`] is one; [`verify_actor`] and
//! [`verify_store`] verify what a store holds. [`data`] has a type for each kind of event,
//! [`payload`] the part that can be erased, and [`document`] what people and guests see of both.
//! [`merkle`] has the trees that proofs are made of, [`note`] what of them is signed.

mod actor_checkpoint;
pub mod bundle;
pub mod codec;
pub mod data;
pub mod diff;
mod digest;
pub mod document;
pub mod erase;
mod event;
mod head_log;
mod id;
mod import;
mod initial;
mod keeping;
mod kept;
mod linked;
mod memory;
pub mod merkle;
pub mod note;
pub mod payload;
pub mod proof;
pub mod prune;
mod read;
pub mod scan;
mod signed_log;
mod standing;
mod state_chain;
mod store;
#[doc(hidden)]
pub mod testing;
pub mod verify;

pub use actor_checkpoint::ActorCheckpoint;
pub use digest::{Digest, ParseDigestError};
pub use event::{ChainEvent, Head, Payload};
pub use head_log::{HeadLog, LogEnd, LoggedHead, TreeHead, TreeUpdate};
pub use id::{ParseIdError, TheaterId};
pub use import::{ImportPart, ImportParts, ImportedActor};
pub use initial::{InitialState, initial_state};
pub use keeping::{Keeping, SMALL_STATE, Says};
pub use memory::MemoryStore;
pub use read::newest;
pub use signed_log::SignedLog;
pub use standing::{Doing, Standing};
pub use state_chain::StateChain;
pub use store::{
    ActorEntry, ActorIndex, ActorUpdate, Answered, ChainStore, Commit, DroppedEvents, PAGE_BYTES, PassingState,
    PendingMessage, StoreError, Upgraded,
};
pub use verify::{
    ActorReport, Audit, Auditor, ChainCheckpoint, CheckpointReport, Fault, KeyFrom, Level, LogReport, StoreReport,
    Trust, Verdict, Verification, Verifier, verify_actor, verify_store,
};
