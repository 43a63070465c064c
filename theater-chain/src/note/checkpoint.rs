//! What is signed: the size and the root of a log.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Note, NoteError, PublicKey};
use crate::Digest;
use crate::merkle::Frontier;

/// How far a log had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of the key that signs it.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// Of the log that this key signs.
    pub fn of(key: &PublicKey, tree: &Frontier) -> Self {
        Self { origin: key.name().to_owned(), size: tree.size(), root: tree.root() }
    }

    /// The checkpoint that a note has in it, if it is one of this key's log and signed with the key.
    ///
    /// # Errors
    /// It is not.
    pub fn verified(note: &Note, key: &PublicKey) -> Result<Self, NoteError> {
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin != key.name() {
            return Err(NoteError::OtherOrigin(checkpoint.origin, key.name().to_owned()));
        }
        key.verify(note)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }
}

impl FromStr for Checkpoint {
    type Err = NoteError;

    /// Reads the text of a note. Lines after the third, which others may add, are left alone.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let no = NoteError::NoCheckpoint;
        let text = text.strip_suffix('\n').ok_or(no("its text does not end with a newline"))?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(no("the first line is the origin"))?;
        let size = lines.next().and_then(decimal).ok_or(no("the second line is a size"))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
        let root = root.and_then(|root| Digest::try_from(&root[..]).ok());
        let root = root.ok_or(no("the third line is a root hash in base64"))?;
        if lines.any(str::is_empty) {
            return Err(no("an extension line is empty"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// Decimal digits without a zero in front.
fn decimal(line: &str) -> Option<u64> {
    let plain = line.bytes().all(|byte| byte.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
    if plain { line.parse().ok() } else { None }
}
