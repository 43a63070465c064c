//! The name of an actor for its whole life, over all its incarnations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Digest;

/// The id of an actor: 16 bytes, written as 32 lower-case hex digits.
///
/// A root's id is random. A child's is derived from what started it
/// ([`TheaterId::of_spawn`], [`TheaterId::of_spec`]), so that a spawn that a crash interrupted runs
/// again as the same child.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TheaterId([u8; 16]);

impl TheaterId {
    /// An id with these bytes, such as random ones for a root.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id of a child: the first 16 bytes of SHA-256("theater/actor/1" || `begun`), where
    /// `begun` is the hash of the event with which its spawn began.
    pub fn of_spawn(begun: &Digest) -> Self {
        Self::truncated(&Digest::of_parts(&[b"theater/actor/1", begun.as_bytes()]))
    }

    /// The id of a declared child: the first 16 bytes of
    /// SHA-256("theater/actor/1" || parent id || spec id).
    pub fn of_spec(parent: &TheaterId, spec: &str) -> Self {
        Self::truncated(&Digest::of_parts(&[b"theater/actor/1", &parent.0, spec.as_bytes()]))
    }

    fn truncated(digest: &Digest) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&digest.0[..16]);
        Self(id)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TheaterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 32];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for TheaterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an actor id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an actor id is 32 lower-case hex digits, this is {0:?}")]
pub struct ParseIdError(String);

impl FromStr for TheaterId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut out = [0; 16];
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut out) {
            Ok(()) if lower => Ok(Self(out)),
            _ => Err(ParseIdError(text.to_owned())),
        }
    }
}

impl TryFrom<&[u8]> for TheaterId {
    type Error = ParseIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let array = bytes.try_into().map_err(|_| ParseIdError(format!("{} bytes", bytes.len())))?;
        Ok(Self(array))
    }
}

impl Serialize for TheaterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TheaterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
