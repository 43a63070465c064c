//! The states that are there only while they are the newest of their actors.

use std::collections::HashMap;

use bytes::Bytes;

use super::inner::Inner;
use crate::{Digest, PassingState, TheaterId};

/// The states that are there only while they are the newest of their actors.
#[derive(Debug, Default)]
pub(super) struct Passing {
    of: HashMap<TheaterId, Digest>,
    /// With how many actors have it.
    bytes: HashMap<Digest, (Bytes, usize)>,
    /// How many of each actor are gone, of those that had any; `None`: it is not known.
    pub(super) thinned: HashMap<TheaterId, Option<u64>>,
}

impl Passing {
    pub(super) fn get(&self, hash: Digest) -> Option<&Bytes> {
        self.bytes.get(&hash).map(|(bytes, _)| bytes)
    }

    pub(super) fn put(&mut self, actor: TheaterId, hash: Digest, bytes: Bytes) {
        self.of.insert(actor, hash);
        self.bytes.entry(hash).or_insert((bytes, 0)).1 += 1;
    }

    pub(super) fn take(&mut self, actor: TheaterId) -> Option<(Digest, Bytes)> {
        let hash = self.of.remove(&actor)?;
        let (bytes, holders) = self.bytes.get_mut(&hash)?;
        let taken = bytes.clone();
        *holders -= 1;
        if *holders == 0 {
            self.bytes.remove(&hash);
        }
        Some((hash, taken))
    }
}

impl Inner {
    pub(super) fn state(&self, hash: Digest) -> Option<Bytes> {
        self.states.get(&hash).or_else(|| self.passing.get(hash)).cloned()
    }

    pub(super) fn pass(&mut self, PassingState { actor, before_stays, left_out, now }: PassingState) {
        let before = self.passing.take(actor);
        let dropped = left_out + u64::from(before.is_some() && !before_stays);
        if dropped > 0
            && let Some(thinned) = self.passing.thinned.entry(actor).or_insert(Some(0))
        {
            *thinned += dropped;
        }
        self.states.extend(before.filter(|_| before_stays));
        if let Some((hash, bytes)) = now {
            self.passing.put(actor, hash, bytes);
        }
    }
}
