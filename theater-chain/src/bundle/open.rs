//! An actor of a bundle whose events are read, held against what is signed of them.

use super::layout::Kind;
use super::{BundleError, BundledActor};
use crate::merkle::{Frontier, leaf};
use crate::note::{Checkpoint, PublicKey};
use crate::{ActorCheckpoint, ChainEvent, TheaterId, Verifier};

/// How many checkpoints one chain may come with, so that memory is bounded.
const MAX_CHECKPOINTS: usize = 1 << 10;

/// An actor whose events are read.
pub(super) struct OpenActor {
    pub(super) actor: BundledActor,
    pub(super) verifier: Verifier,
    /// What is signed of its chain, by ascending keys.
    signed: Vec<Signed>,
    /// Of the events so far, from the first one on.
    tree: Frontier,
}

/// A checkpoint, to be held against the events that follow.
struct Signed {
    key: [u8; 32],
    checkpoint: Checkpoint,
}

impl OpenActor {
    pub(super) fn new(actor: BundledActor) -> Self {
        let verifier = Verifier::starting_at(actor.kept_from);
        Self { actor, verifier, signed: Vec::new(), tree: Frontier::new() }
    }

    /// Whether what this key signed of this actor's chain may come now: before the events, one of each
    /// key, in their order.
    pub(super) fn awaits(&self, id: TheaterId, key: [u8; 32]) -> bool {
        self.actor.entry.id == id
            && self.verifier.next_seq() == self.actor.kept_from
            && self.signed.last().is_none_or(|last| last.key < key)
            && self.signed.len() < MAX_CHECKPOINTS
    }

    /// Takes what the host with this key signed of the chain. That the chain is that one is seen when
    /// its events come.
    pub(super) fn checkpoint(&mut self, key: [u8; 32], note: Vec<u8>) -> Result<ActorCheckpoint, BundleError> {
        let id = self.actor.entry.id;
        let refused = |error: &dyn std::fmt::Display| {
            BundleError::Refused(format!("{} is not signed so: {error}", Kind::Checkpoint(id, key).name()))
        };
        let public = PublicKey::of_host(&key).map_err(|error| refused(&error))?;
        let note = String::from_utf8(note).map_err(|error| refused(&error))?;
        let kept = ActorCheckpoint::new(public, id, note).map_err(|error| refused(&error))?;
        let checkpoint = kept.checkpoint(id).map_err(|error| refused(&error))?;
        if checkpoint.size == 0 || checkpoint.size - 1 > self.actor.entry.head.seq {
            let events = self.actor.entry.head.seq.saturating_add(1);
            let reason = format!("it is of {} events, and the chain has {events}", checkpoint.size);
            return Err(refused(&reason));
        }
        self.signed.push(Signed { key, checkpoint });
        Ok(kept)
    }

    /// Holds the chain, as it is after this event, against what is signed of it.
    pub(super) fn hold(&mut self, event: &ChainEvent) -> Result<(), BundleError> {
        // Of a chain whose older events are not here, the root is not known: that is for verification.
        if self.signed.is_empty() || self.actor.kept_from > 0 {
            return Ok(());
        }
        self.tree.push(leaf(&[event.hash.as_bytes()]));
        let size = self.tree.size();
        if !self.signed.iter().any(|signed| signed.checkpoint.size == size) {
            return Ok(());
        }
        let root = self.tree.root();
        let other = |signed: &&Signed| signed.checkpoint.size == size && signed.checkpoint.root != root;
        match self.signed.iter().find(other) {
            None => Ok(()),
            Some(Signed { checkpoint: Checkpoint { origin, .. }, .. }) => {
                BundleError::refused(format!("the chain is not the one that {origin} signed"))
            }
        }
    }
}
