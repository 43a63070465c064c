//! What of a tree has to be kept so that it can grow.

use super::node;
use crate::Digest;

/// The roots of the perfect trees that a Merkle tree is made of, largest first ("compact range"):
/// one for each bit that is set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Of a tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// As it was kept: `peaks` are those of a tree with `size` leaves, largest first. `None` if a
    /// tree of this size has another number of them. That they are the right ones shows in the root.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its perfect trees, largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends the hash of a leaf, see [`leaf`](super::leaf).
    pub fn push(&mut self, leaf: Digest) {
        self.push_with(leaf, |_, _, _| ());
    }

    /// As [`Frontier::push`]; `joined` is told of each two trees that become one: the exponent of
    /// their size, and both roots.
    pub(super) fn push_with(&mut self, leaf: Digest, mut joined: impl FnMut(u32, Digest, Digest)) {
        let mut root = leaf;
        for exponent in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            joined(exponent, left, root);
            root = node(left, root);
        }
        self.peaks.push(root);
        self.size += 1;
    }

    /// The root of the tree; SHA-256 of nothing where there is no leaf.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(smallest) = peaks.next() else { return Digest::of(b"") };
        peaks.fold(smallest, |right, left| node(left, right))
    }
}
