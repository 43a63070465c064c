//! What a host signed of one actor's chain, as it travels with the chain.

use crate::TheaterId;
use crate::note::{Checkpoint, Note, NoteError, PublicKey};

/// A signed checkpoint of an actor's chain: how many events it had, and the root over them. The newest
/// of each key is kept beside a chain that came from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorCheckpoint {
    /// The key of the host that signed, under the name of its store log. Whose it is, nothing here says.
    pub key: PublicKey,
    /// How many events the chain had.
    pub size: u64,
    /// The signed note, see [`note`](crate::note).
    pub note: String,
}

impl ActorCheckpoint {
    /// Takes a note that this host signed of this actor's chain.
    ///
    /// # Errors
    /// It is no such note.
    pub fn new(key: PublicKey, actor: TheaterId, note: String) -> Result<Self, NoteError> {
        let size = verified(&key, actor, &note)?.size;
        Ok(Self { key, size, note })
    }

    /// What is signed; the signature is checked once more.
    ///
    /// # Errors
    /// It is not signed so.
    pub fn checkpoint(&self, actor: TheaterId) -> Result<Checkpoint, NoteError> {
        verified(&self.key, actor, &self.note)
    }
}

fn verified(key: &PublicKey, actor: TheaterId, note: &str) -> Result<Checkpoint, NoteError> {
    Checkpoint::verified(&note.parse::<Note>()?, &key.of_actor(actor))
}
