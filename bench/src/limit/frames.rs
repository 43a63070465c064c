//! A chain by hand: the bytes of an event in a frame, two SHA-256, kept in memory.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use theater::chain::ChainEvent;

/// What is written for one message, again and again: the bytes of events that a real chain had for it.
#[derive(Clone, Default)]
pub(crate) struct Frames {
    script: Arc<[ChainEvent]>,
    place: usize,
    seq: u64,
    head: [u8; 32],
    kept: Vec<Vec<u8>>,
}

impl Frames {
    /// Of the events of one message, in their order.
    pub(crate) fn new(message: &[ChainEvent]) -> Self {
        Self { script: message.into(), ..Self::default() }
    }

    /// Events of the message that are left to be written.
    pub(crate) fn left(&self) -> usize {
        self.script.len() - self.place
    }

    /// Writes the next of them; nothing where there is no script.
    pub(crate) fn next(&mut self) {
        if let Some(event) = self.script.get(self.place).cloned() {
            self.place += 1;
            self.append(&event);
        }
    }

    /// Writes what is left of the message; the next one begins.
    pub(crate) fn rest(&mut self) {
        while self.left() > 0 {
            self.next();
        }
        self.place = 0;
    }

    /// Encodes an event, hashes and keeps it.
    fn append(&mut self, event: &ChainEvent) {
        let payload = event.payload.as_ref();
        let mut hasher = Sha256::new();
        let mut frame = Vec::with_capacity(160 + event.content_len());
        let mut commit = [0; 32];
        if let Some(payload) = payload {
            hasher.update(b"theater/payload/1");
            hasher.update(payload.salt());
            hasher.update(payload.bytes());
            commit = hasher.finalize_reset().into();
        }
        frame.extend_from_slice(b"theater/event/1");
        frame.extend_from_slice(&self.seq.to_be_bytes());
        frame.extend_from_slice(&self.head);
        frame.extend_from_slice(&event.timestamp.to_be_bytes());
        for part in [event.event_type.as_bytes(), &event.data[..]] {
            frame.extend_from_slice(&(part.len() as u32).to_be_bytes());
            frame.extend_from_slice(part);
        }
        frame.extend_from_slice(&commit);
        hasher.update(&frame);
        self.head = hasher.finalize().into();
        if let Some(payload) = payload {
            frame.extend_from_slice(payload.salt());
            frame.extend_from_slice(payload.bytes());
        }
        self.seq += 1;
        self.kept.push(frame);
    }
}
