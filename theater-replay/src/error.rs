//! Why a replay could not be done at all: it then says nothing about the record.

use theater_chain::{Digest, StoreError, TheaterId};

/// A replay could not be done, or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has no such actor.
    #[error("actor {0} is not in the store")]
    NotFound(TheaterId),
    /// Bytes that the chain names by their digest are not in the store.
    #[error("actor {actor}: the {what} with digest {digest}, named by event {seq}, is not in the store")]
    Missing {
        /// The actor.
        actor: TheaterId,
        /// The event that names it.
        seq: u64,
        /// A component, a manifest or a state.
        what: &'static str,
        /// Its digest.
        digest: Digest,
    },
    /// A component cannot be compiled, or is of a kind that no actor is.
    #[error("component {digest}: {reason}")]
    Component {
        /// Its digest.
        digest: Digest,
        /// Why, and what to do.
        reason: String,
    },
    /// A recorded manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] theater::ManifestError),
    /// The seq that was asked for is not in the chain.
    #[error("actor {actor} has no event {seq}: its newest is {newest}")]
    NoSuchEvent {
        /// The actor.
        actor: TheaterId,
        /// What was asked for.
        seq: u64,
        /// The newest event.
        newest: u64,
    },
    /// The component of an upgrade makes no state of a recorded one.
    #[error("the state that actor {actor} had at event {seq} cannot be migrated: {reason}")]
    Migrate {
        /// The actor.
        actor: TheaterId,
        /// The event from which on its calls were to be made again.
        seq: u64,
        /// Why, in a sentence.
        reason: String,
    },
    /// The engine cannot run wasm on this machine.
    #[error("the wasm engine: {0}")]
    Engine(String),
}
