//! Where a crate above this one checks what this one cannot: that recorded decisions follow from
//! the recorded facts. This crate knows no policy.

use async_trait::async_trait;

use crate::data::Data;
use crate::{ActorEntry, ChainEvent, ChainStore, StoreError};

/// Makes an [`Auditor`] for each actor that is verified.
pub trait Audit: Send + Sync {
    /// The auditor of this actor; its chain is kept from the seq `first` on.
    fn auditor(&self, actor: &ActorEntry, first: u64) -> Box<dyn Auditor>;
}

/// Follows the chain of one actor beside the verification at [`Level::Full`](super::Level::Full).
#[async_trait]
pub trait Auditor: Send {
    /// The next event: it links to the one before, hashes to its hash, and its data, its states, its
    /// manifest and what it says of children was found right.
    ///
    /// # Errors
    /// The store could not be read. What is wrong with what is stored is a [`Verdict`].
    async fn event(&mut self, store: &dyn ChainStore, event: &ChainEvent, data: &Data) -> Result<Verdict, StoreError>;
}

/// What an auditor says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It follows, or there is nothing that it had to follow from.
    Right,
    /// It could not be checked: why, as a sentence, the same one wherever the reason is the same.
    Unchecked(String),
    /// It does not follow: why, in lower case and without a full stop.
    Wrong(String),
}
