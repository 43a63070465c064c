//! The links of one chain: seqs, parent hashes, event hashes, payload commits.

use super::Fault;
use crate::event::MAX_SEQ;
use crate::{ChainEvent, Digest, Head};

/// Checks a chain event by event, in constant memory.
///
/// It checks that the chain is one, not that what it says is sound: see
/// [`verify_actor`](super::verify_actor) for that.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    next: u64,
    /// The parent hash that the next event must have; `None` where the event before is not known.
    parent: Option<Digest>,
    head: Option<Head>,
    erased: u64,
}

impl Verifier {
    /// For a chain from its first event on.
    pub fn new() -> Self {
        Self { parent: Some(Digest::ZERO), ..Self::default() }
    }

    /// For the events after `head`, which was verified before.
    pub fn after(head: Head) -> Self {
        Self { next: head.seq.saturating_add(1), parent: Some(head.hash), head: Some(head), erased: 0 }
    }

    /// For a chain of which the events before `seq` were not kept: what the first event says of
    /// its parent cannot be checked.
    pub fn starting_at(seq: u64) -> Self {
        if seq == 0 { Self::new() } else { Self { next: seq, ..Self::default() } }
    }

    /// Checks the next event. After a fault the verifier stands where it was.
    pub fn push(&mut self, event: &ChainEvent) -> Result<(), Fault> {
        let fault = |reason: &str| Err(Fault { seq: self.next, reason: reason.to_owned() });
        if event.seq != self.next {
            return fault(&format!("the next event has the seq {}", event.seq));
        }
        if event.seq > MAX_SEQ {
            return fault("no chain is as long as that");
        }
        if self.parent.is_some_and(|parent| event.parent_hash != parent) {
            return fault("its parent hash is not the hash of the event before");
        }
        match &event.payload {
            Some(payload) if Some(payload.commit()) != event.payload_commit => {
                return fault("its payload is not the one that it commits to");
            }
            Some(payload) if !payload.is_intact() => {
                return fault("its payload does not hash to the payload commit");
            }
            _ => {}
        }
        if event.computed_hash() != event.hash {
            return fault("its content does not hash to its hash");
        }
        self.next += 1;
        self.parent = Some(event.hash);
        self.head = Some(event.head());
        self.erased += u64::from(event.is_erased());
        Ok(())
    }

    /// The newest event that was accepted.
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The seq that the next event must have.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// How many of the accepted events had a payload that was erased.
    pub fn erased(&self) -> u64 {
        self.erased
    }
}
