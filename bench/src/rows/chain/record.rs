//! Signing.

use theater::HostKey;
use theater::chain::merkle::Frontier;
use theater::chain::{Digest, Head, LoggedHead, TheaterId, TreeUpdate};

/// Heads of as many actors.
pub(super) fn heads(count: usize) -> Vec<LoggedHead> {
    let head = |n: usize| {
        let hash = Digest::of(&n.to_be_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.0[..16]);
        LoggedHead { actor: TheaterId::from_bytes(id), head: Head { seq: n as u64, hash } }
    };
    (0..count).map(head).collect()
}

/// What a runtime does once an interval.
pub(super) fn sign(heads: Vec<LoggedHead>) -> TreeUpdate {
    TreeUpdate::signed(&HostKey::from_seed(&[1; 32]), Frontier::new(), heads)
}
