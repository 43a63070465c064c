//! What a replay found.

use bytes::Bytes;
use theater_chain::{Digest, TheaterId};

/// Where the replay of an actor ended, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Replay {
    /// The actor.
    pub actor: TheaterId,
    /// The first event that was looked at: 0, unless the replay was of a part or old events were
    /// dropped from the store.
    pub from: u64,
    /// Events that were looked at.
    pub events: u64,
    /// Calls that were made again and ended as recorded: in the same state, with the same result or
    /// the same failure.
    pub replayed: u64,
    /// Calls that the host had ended, by a kill, a time limit or a failure of its own: cut where the
    /// record says, after the same host calls.
    pub environmental: u64,
    /// The first difference, where the replay stopped.
    pub diverged: Option<Divergence>,
    /// Calls that could not be made again.
    pub unreplayed: Vec<Unreplayed>,
    /// The last call that failed again as it had failed.
    pub failure: Option<Failure>,
    /// The state after the last event that was looked at, where it is known.
    pub state: Option<State>,
    /// The call that comes next in the record, where a part of it was replayed.
    pub next: Option<NextCall>,
}

/// A recorded call that was not made again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextCall {
    /// Its event.
    pub seq: u64,
    /// The guest's function, `interface#function`.
    pub function: String,
    /// Its params as WIT text, without the state.
    pub params: String,
}

impl Replay {
    /// Nothing done so far.
    pub(crate) fn new(actor: TheaterId, from: u64) -> Self {
        Self {
            actor,
            from,
            events: 0,
            replayed: 0,
            environmental: 0,
            diverged: None,
            unreplayed: Vec::new(),
            failure: None,
            state: None,
            next: None,
        }
    }

    /// Stopped before the first event.
    pub(crate) fn stopped(actor: TheaterId, at: &Divergence) -> Self {
        Self { diverged: Some(at.clone()), ..Self::new(actor, at.seq) }
    }

    /// Whether nothing differed. What could not be replayed is not said to differ.
    pub fn is_ok(&self) -> bool {
        self.diverged.is_none()
    }
}

/// The first difference between the record and the replay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The event of the record that differs.
    pub seq: u64,
    /// The function that was called, `interface#function`: of the host where a host call differs, else
    /// of the guest. Empty where an event outside of a call differs.
    pub function: String,
    /// What the record says, values as WIT text.
    pub expected: String,
    /// What the replay did, values as WIT text.
    pub actual: String,
    /// The guest's functions at that point, the innermost first; empty outside of the guest.
    pub backtrace: Vec<String>,
    /// Whether the guest failed there, by a trap or beyond a limit, where it had not or otherwise.
    pub failed: bool,
}

/// A failure of the guest that happened again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The event that records it.
    pub seq: u64,
    /// The guest's function that was called, `interface#function`.
    pub function: String,
    /// What happened, such as `trap unreachable`.
    pub what: String,
    /// The guest's functions at that point, the innermost first.
    pub backtrace: Vec<String>,
}

/// Calls that could not be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreplayed {
    /// The event with which they begin.
    pub seq: u64,
    /// The last event of theirs; after it the replay went on from a stored state.
    pub to: u64,
    /// Why.
    pub reason: String,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// Its hash.
    pub hash: Digest,
    /// Its bytes; none where there is no state.
    pub bytes: Option<Bytes>,
}
