//! Signed checkpoints: [C2SP signed notes](https://c2sp.org/signed-note) and
//! [checkpoints](https://c2sp.org/tlog-checkpoint), signed with Ed25519.
//!
//! A host signs the size and the root of a [Merkle tree](crate::merkle): whoever keeps that one text
//! can tell later, without trusting anybody, whether a longer history is a continuation of it.
//!
//! ```
//! use theater_chain::merkle::Frontier;
//! use theater_chain::note::{Checkpoint, HostKey, Note};
//!
//! let key = HostKey::from_seed(&[7; 32]); // 32 random bytes, elsewhere
//! let checkpoint = Checkpoint::of(key.public(), &Frontier::new());
//! let text = key.sign(&checkpoint);
//!
//! let note: Note = text.parse()?;
//! assert_eq!(Checkpoint::verified(&note, key.public())?, checkpoint);
//! # Ok::<(), theater_chain::note::NoteError>(())
//! ```

mod checkpoint;
mod key;
mod secret;
mod text;

pub use checkpoint::Checkpoint;
pub use key::{KeyError, PublicKey};
pub use secret::HostKey;
pub use text::{Note, NoteError, Signature};
