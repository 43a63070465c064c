//! The leaves of a tree from one of them on, while those before are not known.

use super::{Frontier, node};
use crate::Digest;

/// The roots of the perfect trees that some leaves in the middle of a Merkle tree are made of ("compact
/// range"). With the frontier of those before it becomes that of the whole.
#[derive(Debug, Clone)]
pub struct Range {
    /// The index of the first leaf, and that of the next one.
    start: u64,
    next: u64,
    /// From left to right: the exponent of the tree's size, which tree of that size it is, and its root.
    trees: Vec<(u32, u64, Digest)>,
}

impl Range {
    /// Without leaves; the next one has this index.
    pub fn starting_at(start: u64) -> Self {
        Self { start, next: start, trees: Vec::new() }
    }

    /// Appends the hash of a leaf, see [`leaf`](super::leaf).
    pub fn push(&mut self, leaf: Digest) {
        append(&mut self.trees, (0, self.next, leaf));
        self.next += 1;
    }

    /// The index of the next leaf.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// The frontier of the whole, after that of the leaves before; `None` where that is of other leaves.
    pub fn after(&self, before: &Frontier) -> Option<Frontier> {
        if before.size() != self.start {
            return None;
        }
        let (mut trees, mut from) = (Vec::new(), 0u64);
        let exponents = (0..u64::BITS).rev().filter(|bit| before.size() >> bit & 1 == 1);
        for (exponent, peak) in exponents.zip(before.peaks()) {
            trees.push((exponent, from >> exponent, *peak));
            from += 1 << exponent;
        }
        self.trees.iter().for_each(|tree| append(&mut trees, *tree));
        Frontier::from_peaks(self.next, trees.into_iter().map(|(.., root)| root).collect())
    }
}

/// Appends a perfect tree; each two that make a larger one are joined.
fn append(trees: &mut Vec<(u32, u64, Digest)>, tree: (u32, u64, Digest)) {
    let (mut exponent, mut index, mut root) = tree;
    while let Some((_, _, left)) =
        trees.pop_if(|(size, place, _)| *size == exponent && index % 2 == 1 && *place + 1 == index)
    {
        root = node(left, root);
        (exponent, index) = (exponent + 1, index / 2);
    }
    trees.push((exponent, index, root));
}
