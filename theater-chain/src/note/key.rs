//! Public keys and their names.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use super::text::is_name;
use super::{Note, NoteError};
use crate::{Digest, TheaterId};

/// Ed25519, in the encodings of notes.
const ED25519: u8 = 1;

/// The public key of a host, under the name of a log that it signs.
///
/// As text it is the verifier key of signed notes, `<name>+<id>+<base64>`; what is read may also be
/// the key alone, 64 hex digits, as `actor_started` records it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// A text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is written in no known way.
    #[error("a key is written NAME+ID+BASE64, or as 64 hex digits")]
    Malformed,
    /// The id is not that of the key and the name.
    #[error("the id of the key is not that of its name and bytes: something of it was changed")]
    OtherId,
    /// No such point is on the curve.
    #[error("these bytes are no Ed25519 key")]
    NoKey,
    /// A secret key whose name is not that of its host.
    #[error("a host key is named theater/<hash of the public key>, this one is not")]
    OtherName,
}

impl PublicKey {
    /// The key of a host under the name of its store log: `theater/<SHA-256 of the key in hex>`.
    ///
    /// # Errors
    /// These bytes are no Ed25519 key.
    pub fn of_host(key: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::NoKey)?;
        Ok(Self::host(key))
    }

    pub(super) fn host(key: VerifyingKey) -> Self {
        Self { name: format!("theater/{}", Digest::of(key.as_bytes())), key }
    }

    /// The same key under the name of the log that an actor's chain is: `<name of the host>/<actor>`.
    /// A name of its own, so that no checkpoint of one log passes for one of another.
    #[must_use]
    pub fn of_actor(&self, actor: TheaterId) -> Self {
        Self { name: format!("{}/{actor}", Self::host(self.key).name), key: self.key }
    }

    /// The name of the key, which is the origin of what it signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key alone, as `actor_started` records it: 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// The first 4 bytes of SHA-256(name || 0x0A || 0x01 || key).
    pub fn id(&self) -> [u8; 4] {
        let hash = Digest::of_parts(&[self.name.as_bytes(), &[b'\n', ED25519], self.as_bytes()]);
        let [a, b, c, d, ..] = hash.0;
        [a, b, c, d]
    }

    /// Whether the note is signed with this key under this name. Signatures of others are left alone.
    ///
    /// # Errors
    /// It is not.
    pub fn verify(&self, note: &Note) -> Result<(), NoteError> {
        let id = self.id();
        let mut mine = note.signatures().iter().filter(|one| one.name == self.name && one.key_id == id);
        let Some(signature) = mine.next() else { return Err(NoteError::NotSigned(self.name.clone())) };
        let signed = ed25519_dalek::Signature::from_slice(&signature.bytes)
            .and_then(|signature| self.key.verify_strict(note.text().as_bytes(), &signature));
        signed.map_err(|_| NoteError::BadSignature(self.name.clone()))
    }
}

/// The three parts of an encoded key: its name, its id in hex, and its bytes after the byte that
/// says Ed25519.
pub(super) fn parts(text: &str) -> Result<(&str, &str, zeroize::Zeroizing<Vec<u8>>), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError::Malformed)?);
    if !is_name(name) || bytes.first() != Some(&ED25519) {
        return Err(KeyError::Malformed);
    }
    Ok((name, id, zeroize::Zeroizing::new(bytes[1..].to_vec())))
}

/// Three parts as one text.
pub(super) fn joined(name: &str, id: [u8; 4], bytes: &[u8; 32]) -> String {
    let encoded = zeroize::Zeroizing::new([&[ED25519], &bytes[..]].concat());
    format!("{name}+{}+{}", hex::encode(id), STANDARD.encode(&*encoded))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.name, self.id(), self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let mut bytes = [0; 32];
        if hex::decode_to_slice(text, &mut bytes).is_ok() {
            return Self::of_host(&bytes);
        }
        let (name, id, key) = parts(text)?;
        let bytes: [u8; 32] = key[..].try_into().map_err(|_| KeyError::Malformed)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NoKey)?;
        let key = Self { name: name.to_owned(), key };
        if hex::encode(key.id()) == id { Ok(key) } else { Err(KeyError::OtherId) }
    }
}
