//! An actor of a bundle whose events are read, held against what is signed of them.

use super::layout::Kind;
use super::{BundleError, BundledActor};
use crate::data::Pruned;
use crate::merkle::{Frontier, Range, leaf};
use crate::note::{Checkpoint, PublicKey};
use crate::{ActorCheckpoint, ChainEvent, TheaterId, Verifier, kept};

/// How many checkpoints one chain may come with, so that memory is bounded.
const MAX_CHECKPOINTS: usize = 1 << 10;

/// An actor whose events are read.
pub(super) struct OpenActor {
    pub(super) actor: BundledActor,
    pub(super) verifier: Verifier,
    /// What is signed of its chain, by ascending keys.
    signed: Vec<Signed>,
    /// The events so far, from the first one that is here.
    leaves: Range,
    /// The leaves at the size of each checkpoint, to be held against it once it is known what was before.
    at: Vec<(u64, Range)>,
    /// What the chain says of the events before the first one that is here.
    claim: Option<Pruned>,
}

/// A checkpoint, to be held against the events that follow.
struct Signed {
    key: [u8; 32],
    checkpoint: Checkpoint,
}

impl OpenActor {
    pub(super) fn new(actor: BundledActor) -> Self {
        let (verifier, leaves) = (Verifier::starting_at(actor.kept_from), Range::starting_at(actor.kept_from));
        Self { actor, verifier, signed: Vec::new(), leaves, at: Vec::new(), claim: None }
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

    /// Takes note of the next event for what is signed of the chain.
    pub(super) fn note(&mut self, event: &ChainEvent) {
        if self.signed.is_empty() {
            return;
        }
        let kept_from = self.actor.kept_from;
        if self.at.is_empty() {
            self.at.push((kept_from, self.leaves.clone()));
        }
        if kept_from > 0 && self.claim.is_none() {
            self.claim = kept::of_event(event, kept_from);
        }
        self.leaves.push(leaf(&[event.hash.as_bytes()]));
        let size = self.leaves.end();
        if self.signed.iter().any(|signed| signed.checkpoint.size == size) {
            self.at.push((size, self.leaves.clone()));
        }
    }

    /// After the last event: whether the chain ends with its head, and is the one that is signed. What is
    /// signed of events before the first one that is here alone cannot be told.
    pub(super) fn close(self) -> Result<BundledActor, BundleError> {
        let Self { actor, verifier, signed, at, claim, .. } = self;
        let id = actor.entry.id;
        if verifier.head() != Some(actor.entry.head) {
            return BundleError::refused(format!("the chain of actor {id} does not end with its head"));
        }
        let before = match (actor.kept_from, claim) {
            (0, _) => Some(Frontier::new()),
            (kept_from, Some(claim)) => Frontier::from_peaks(kept_from, claim.frontier),
            // Nothing says what was before: that is for verification.
            (_, None) => return Ok(actor),
        };
        let Some(before) = before else {
            return BundleError::refused(format!("the `pruned` of actor {id} says of dropped events what cannot be"));
        };
        for Signed { checkpoint: Checkpoint { origin, size, root }, .. } in &signed {
            let found = at.iter().find(|(at, _)| at == size).and_then(|(_, leaves)| leaves.after(&before));
            if found.as_ref().is_some_and(|found: &Frontier| found.root() != *root) {
                return BundleError::refused(format!("the chain of actor {id} is not the one that {origin} signed"));
            }
        }
        Ok(actor)
    }
}
