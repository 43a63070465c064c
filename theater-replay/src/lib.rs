//! Replays recorded actors: the component and the chain are all it takes. No handler, no network, no
//! secret and no clock: what the guest asks of the host is answered from the record.
//!
//! ```no_run
//! # async fn example(store: std::sync::Arc<dyn theater_chain::ChainStore>, actor: theater_chain::TheaterId)
//! # -> Result<(), theater_replay::ReplayError> {
//! use theater_replay::{Part, Replayer};
//!
//! let replay = Replayer::new()?.replay(store, actor, Part::whole()).await?;
//! match &replay.diverged {
//!     None => println!("{} calls did again what they had done", replay.replayed),
//!     Some(at) => println!("event {}: {}, but now {}", at.seq, at.expected, at.actual),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Of each call the params of its host calls are compared before they are answered, and its result and
//! state when it has ended; the first difference stops the replay. What the guest does by itself happens
//! again: a trap is the same trap at the same place, a limit of the manifest is exceeded again. What the
//! host did to it (a kill, a time limit, a failure of a host function) is cut where the record says so,
//! after the same host calls, and counted apart. Instances are dropped where they were dropped.
//!
//! Events are checked to be a chain as they are read, a page at a time; `theater_chain::verify_actor`
//! checks more of a record, and runs nothing.

mod answer;
mod call;
mod decode;
mod describe;
mod encode;
mod entry;
mod error;
mod guest;
mod json;
#[cfg(test)]
mod kinds;
mod link;
mod lives;
mod machine;
mod migrate;
mod names;
mod outcome;
mod range;
mod record;
mod replayer;
mod report;
mod shape;
mod tail;
mod text;
mod typed;

pub use error::ReplayError;
pub use json::AnswerError;
pub use replayer::{Part, Replayer, Verdict};
pub use report::{Divergence, Failure, NextCall, Replay, State, Unreplayed};
pub use tail::TailCheck;
