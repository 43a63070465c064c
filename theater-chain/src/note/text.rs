//! The text of a signed note, and its signatures.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest note that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// How many signatures a note may have.
const MAX_SIGNATURES: usize = 100;

/// A note as it was read: well-formed, its signatures not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// A signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: String,
    /// The id of the key, see [`PublicKey::id`](super::PublicKey::id).
    pub key_id: [u8; 4],
    /// The signature itself; 64 bytes where it is one of Ed25519.
    pub bytes: Vec<u8>,
}

/// Why a note or a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is no signed note.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// It has no signature of the key.
    #[error("it is not signed by {0}")]
    NotSigned(String),
    /// It has a signature with the name and id of the key that another key made, or for other text.
    #[error("the signature of {0} does not fit the text")]
    BadSignature(String),
    /// Its text is no checkpoint.
    #[error("this is no checkpoint: {0}")]
    NoCheckpoint(&'static str),
    /// It is a checkpoint of another log than the key is for.
    #[error("it is a checkpoint of {0}, and the key is for {1}")]
    OtherOrigin(String, String),
}

impl Note {
    pub(super) fn new(text: String, signature: Signature) -> Self {
        Self { text, signatures: vec![signature] }
    }

    /// What is signed; it ends with a newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

/// Whether this can name a key.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, key_id, bytes } in &self.signatures {
            writeln!(f, "\u{2014} {name} {}", STANDARD.encode([&key_id[..], bytes].concat()))?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        let no = |why| Err(NoteError::Malformed(why));
        if note.len() > MAX_BYTES {
            return no("it has over 1 MiB");
        }
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return no("it has a control character");
        }
        let Some(end) = note.rfind("\n\n") else {
            return no("no blank line parts the text from the signatures");
        };
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        let Some(lines) = lines.strip_suffix('\n') else {
            return no("it does not end with a signature line");
        };
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return no("it has over 100 signatures");
            }
            signatures.push(signature(line)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

fn signature(line: &str) -> Result<Signature, NoteError> {
    let malformed = NoteError::Malformed("a signature line is a dash (U+2014), the key's name and base64");
    let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
    let (name, encoded) = parts.filter(|(name, _)| is_name(name)).ok_or(malformed.clone())?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
    let (key_id, bytes) = bytes.split_first_chunk::<4>().filter(|(_, rest)| !rest.is_empty()).ok_or(malformed)?;
    Ok(Signature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
}
