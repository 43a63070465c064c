//! The limit: SHA-256, with nothing of Theater.

use sha2::{Digest as _, Sha256};
use theater::chain::ChainEvent;

/// Hashes what the hash of each event and the commit of its payload cover.
pub(super) fn sha256(events: &[ChainEvent]) -> [u8; 32] {
    let mut last = [0; 32];
    for event in events {
        let mut hasher = Sha256::new();
        if let Some(payload) = &event.payload {
            hasher.update(b"theater/payload/1");
            hasher.update(payload.salt());
            hasher.update(payload.bytes());
            last = hasher.finalize_reset().into();
        }
        hasher.update([0; 15 + 8 + 8 + 4 + 4]);
        hasher.update(event.parent_hash.as_bytes());
        hasher.update(event.event_type.as_bytes());
        hasher.update(&event.data);
        hasher.update(last);
        last = hasher.finalize().into();
    }
    last
}
