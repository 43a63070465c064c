//! Why a bundle could not be written or read.

use crate::{StoreError, TheaterId};

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The file is not a bundle, or not any more.
    #[error("this is not a whole, unchanged bundle: {0}")]
    Refused(String),
    /// It was written by a later version.
    #[error("the bundle is in format {found}, and this version reads format {known}: use a newer theater")]
    Format {
        /// The format that it says.
        found: u64,
        /// The newest format that can be read.
        known: u64,
    },
    /// What is to be exported is damaged.
    #[error("actor {actor} cannot be exported: {reason}")]
    Damaged {
        /// The actor.
        actor: TheaterId,
        /// What is wrong with its record.
        reason: String,
    },
    /// No such actor is in the store.
    #[error("actor {0} is not in the store")]
    NoActor(TheaterId),
    /// The store holds another history of an actor.
    #[error("the histories of actor {actor} part: {reason}")]
    Parted {
        /// The actor.
        actor: TheaterId,
        /// Where, and how.
        reason: String,
    },
    /// The file could not be read or written.
    #[error("the bundle's file cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BundleError {
    pub(super) fn refused<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(reason.into()))
    }
}
