//! One event of a chain, and how it is hashed.

use std::borrow::Cow;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// The largest seq: what a signed integer of 64 bits can say, as stores have them.
pub(crate) const MAX_SEQ: u64 = i64::MAX as u64;

/// What guests or the outside supplied with an event, kept apart from the event so that it can be
/// erased while the chain still verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    commit: Digest,
    salt: [u8; 16],
    bytes: Bytes,
}

impl Payload {
    /// A payload and its commit: SHA-256("theater/payload/1" || salt || bytes). The salt is 16
    /// random bytes, so that a guess at an erased payload cannot be tested against the commit.
    pub fn new(salt: [u8; 16], bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let commit = Self::commit_of(&salt, &bytes);
        Self { commit, salt, bytes }
    }

    /// The commit of these bytes under this salt.
    pub fn commit_of(salt: &[u8; 16], bytes: &[u8]) -> Digest {
        Digest::of_parts(&[b"theater/payload/1", salt, bytes])
    }

    /// A payload as a store gives it back: nothing is computed, verification hashes it later.
    pub fn from_stored(commit: Digest, salt: [u8; 16], bytes: impl Into<Bytes>) -> Self {
        Self { commit, salt, bytes: bytes.into() }
    }

    /// The commit that the event's hash covers.
    pub fn commit(&self) -> Digest {
        self.commit
    }

    /// The salt, erased together with the bytes.
    pub fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// The bytes: a MessagePack map of the event's payload fields.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether the commit is that of salt and bytes.
    pub fn is_intact(&self) -> bool {
        Self::commit_of(&self.salt, &self.bytes) == self.commit
    }
}

/// The place of the newest event of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The seq of the newest event.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

/// One event of an actor's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEvent {
    /// Its place, from 0.
    pub seq: u64,
    /// The hash of the event before; [`Digest::ZERO`] at seq 0.
    pub parent_hash: Digest,
    /// What happened, such as `call`: see [`crate::data`].
    pub event_type: Cow<'static, str>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// The structural part: a MessagePack map, never erased.
    pub data: Bytes,
    /// The commit of the payload, if the event has one.
    pub payload_commit: Option<Digest>,
    /// The payload; `None` with a commit means that it was erased.
    pub payload: Option<Payload>,
    /// The hash over all of the above.
    pub hash: Digest,
}

impl ChainEvent {
    /// The event that follows `head` (`None`: the first of its chain).
    pub fn following(
        head: Option<&Head>,
        event_type: impl Into<Cow<'static, str>>,
        timestamp: u64,
        data: impl Into<Bytes>,
        payload: Option<Payload>,
    ) -> Self {
        let mut event = Self {
            seq: head.map_or(0, |head| head.seq + 1),
            parent_hash: head.map_or(Digest::ZERO, |head| head.hash),
            event_type: event_type.into(),
            timestamp,
            data: data.into(),
            payload_commit: payload.as_ref().map(Payload::commit),
            payload,
            hash: Digest::ZERO,
        };
        event.hash = event.computed_hash();
        event
    }

    /// SHA-256("theater/event/1" || seq u64be || parent_hash || timestamp u64be || len u32be ||
    /// event_type || len u32be || data || payload_commit, 32 zero bytes for none).
    pub fn computed_hash(&self) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(b"theater/event/1");
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.parent_hash.as_bytes());
        hasher.update(self.timestamp.to_be_bytes());
        for part in [self.event_type.as_bytes(), &self.data[..]] {
            hasher.update((part.len() as u32).to_be_bytes());
            hasher.update(part);
        }
        hasher.update(self.payload_commit.unwrap_or(Digest::ZERO).as_bytes());
        Digest(hasher.finalize().into())
    }

    /// The head of a chain that ends with this event.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// How many bytes its data and its payload have together: what an event takes in memory, but
    /// for a little that is the same for each.
    pub fn content_len(&self) -> usize {
        self.data.len() + self.payload.as_ref().map_or(0, |payload| payload.bytes().len())
    }

    /// Whether the event had a payload that was erased.
    pub fn is_erased(&self) -> bool {
        self.payload_commit.is_some() && self.payload.is_none()
    }
}
