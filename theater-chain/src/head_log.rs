//! The log of changed heads, over all actors of a store: what a host signs.

use async_trait::async_trait;

use crate::merkle::{self, Frontier};
use crate::note::{Checkpoint, HostKey};
use crate::{Digest, Head, StoreError, TheaterId};

/// A leaf of the log: an actor's head as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedHead {
    /// The actor.
    pub actor: TheaterId,
    /// Its newest event then.
    pub head: Head,
}

impl LoggedHead {
    /// The hash of the leaf: SHA-256(0x00 || actor id, 16 bytes || seq u64be || hash, 32 bytes).
    pub fn leaf(&self) -> Digest {
        merkle::leaf(&[self.actor.as_bytes(), &self.head.seq.to_be_bytes(), self.head.hash.as_bytes()])
    }
}

/// A signed checkpoint of the log ("store tree head").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// The origin of the checkpoint: the name of the key, one of each is kept.
    pub origin: String,
    /// How many entries the log had.
    pub size: u64,
    /// The signed note, see [`note`](crate::note).
    pub note: String,
}

/// What a commit appends to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeUpdate {
    /// The heads that changed since the update before, this commit's among them; an actor once.
    pub entries: Vec<LoggedHead>,
    /// The log's tree with them.
    pub tree: Frontier,
    /// The checkpoint of that tree. It replaces the one of the same origin.
    pub head: TreeHead,
}

impl TreeUpdate {
    /// These entries after the tree so far, signed.
    pub fn signed(key: &HostKey, mut tree: Frontier, entries: Vec<LoggedHead>) -> Self {
        entries.iter().for_each(|entry| tree.push(entry.leaf()));
        let checkpoint = Checkpoint::of(key.public(), &tree);
        let note = key.sign(&checkpoint);
        let head = TreeHead { origin: checkpoint.origin, size: checkpoint.size, note };
        Self { entries, tree, head }
    }

    /// Whether a store whose log has `stored` entries may append this.
    pub(crate) fn check(&self, stored: u64) -> Result<(), StoreError> {
        let expected = self.tree.size().checked_sub(self.entries.len() as u64);
        if expected == Some(stored) && self.head.size == self.tree.size() {
            return Ok(());
        }
        Err(StoreError::OtherLog { expected: expected.unwrap_or_default(), stored })
    }
}

/// The end of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The tree over all entries.
    pub tree: Frontier,
    /// The newest checkpoint of each key that signed it.
    pub heads: Vec<TreeHead>,
}

/// Reading the log of changed heads; it is written with [`Commit::tree`](crate::Commit::tree).
#[async_trait]
pub trait HeadLog: Send + Sync {
    /// Its end: what is needed to go on.
    async fn end(&self) -> Result<LogEnd, StoreError>;

    /// Up to `max` entries from the index `from` on, in their order. Where there is one and `max`
    /// is not 0, at least one; none is the end.
    async fn entries(&self, from: u64, max: usize) -> Result<Vec<LoggedHead>, StoreError>;

    /// Every actor with events after the newest update of the log, with its head as it is now: what
    /// a crash left unlogged. Bounded by what is recorded in one interval of signing, except where
    /// nothing was ever logged.
    async fn unlogged(&self) -> Result<Vec<LoggedHead>, StoreError>;
}
