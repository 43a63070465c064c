//! What a store is given when a record comes to it from elsewhere.

use bytes::Bytes;

use crate::{ActorCheckpoint, ActorEntry, Answered, ChainEvent, Digest, Head, PendingMessage, StoreError, TheaterId};

/// The pieces of a record, in an order in which they can be stored; read while they are stored, so
/// that they need not fit into memory. After an error nothing of them may be kept.
pub type ImportParts = Box<dyn Iterator<Item = Result<ImportPart, StoreError>> + Send>;

/// A piece of a record that comes from elsewhere. All hashes were checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ImportPart {
    /// The bytes of a component, by their digest.
    Component(Digest, Bytes),
    /// The bytes of a manifest, by their digest.
    Manifest(Digest, Bytes),
    /// The bytes of a state, by their hash.
    State(Digest, Bytes),
    /// An actor, before its events.
    Actor(ImportedActor),
    /// What a host signed of an actor's chain. It replaces an older one of the same key.
    Checkpoint(TheaterId, ActorCheckpoint),
    /// Events of the actor that came last, each following the one before; those of them that had a
    /// payload that was erased come without it.
    Events(Vec<ChainEvent>),
    /// A message that waits for one of the actors; without its payload, if that was erased.
    Pending(PendingMessage),
    /// A message from outside that one of the actors answered.
    Answered(Answered),
}

/// An actor that comes from elsewhere.
#[derive(Debug, Clone)]
pub struct ImportedActor {
    /// What the index says of it once its events are there. Pending messages that the store has for
    /// it are replaced by those that come.
    pub entry: ActorEntry,
    /// The head that the store must have of it now: its events follow from there. `None`: the store
    /// does not know it.
    pub expected: Option<Head>,
    /// For an actor that the store does not know: the seq of its first event.
    pub kept_from: u64,
    /// Its children that are not among the actors: their chains were left out on purpose.
    pub left_out: Vec<TheaterId>,
}

impl ImportedActor {
    /// The head after these events, which must follow `head` and each other; `head` is
    /// [`ImportedActor::expected`] before the first ones.
    ///
    /// # Errors
    /// They do not follow. Their hashes are not looked at.
    pub fn follow(&self, head: Option<Head>, events: &[ChainEvent]) -> Result<Option<Head>, StoreError> {
        let mut head = head;
        for event in events {
            let (seq, parent) = match head {
                Some(head) => (head.seq + 1, Some(head.hash)),
                // Of what was before the first kept event, nothing is known.
                None => (self.kept_from, (self.kept_from == 0).then_some(Digest::ZERO)),
            };
            if event.seq != seq || parent.is_some_and(|parent| parent != event.parent_hash) {
                let reason = format!("event {} does not follow what is here", event.seq);
                return Err(StoreError::Invalid { actor: self.entry.id, reason });
            }
            head = Some(event.head());
        }
        Ok(head)
    }

    /// Whether its events, the last of which left `head`, were all there.
    ///
    /// # Errors
    /// They were not.
    pub fn complete(&self, head: Option<Head>) -> Result<(), StoreError> {
        if head == Some(self.entry.head) {
            return Ok(());
        }
        Err(StoreError::Invalid { actor: self.entry.id, reason: "not all of its events came".into() })
    }
}
