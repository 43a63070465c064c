//! Making proofs while the leaves pass by.

use super::Frontier;
use crate::Digest;

/// Makes one proof from the leaves of a tree, read once and in order, and holds nothing but a
/// frontier and the proof.
///
/// Both kinds of proof are the siblings on the way from a perfect tree up to the root: from a leaf
/// for inclusion, from the last (smallest) perfect tree of the old size for consistency.
#[derive(Debug, Clone)]
pub struct Prover {
    frontier: Frontier,
    /// Where the proof begins: the first leaf of that perfect tree, and the exponent of its size.
    start: u64,
    exponent: u32,
    /// For consistency: that tree's root comes first, unless it is the whole old tree, whose root
    /// the verifier has.
    with_start: bool,
    path: Vec<Digest>,
}

impl Prover {
    /// Proves that a leaf is in the tree: the one with this index, from 0.
    pub fn inclusion(index: u64) -> Self {
        Self { frontier: Frontier::new(), start: index, exponent: 0, with_start: false, path: Vec::new() }
    }

    /// Proves that the tree with the first `old` leaves is the beginning of this one. `None` for 0:
    /// there is nothing to prove of a tree without leaves.
    pub fn consistency(old: u64) -> Option<Self> {
        if old == 0 {
            return None;
        }
        let exponent = old.trailing_zeros();
        let (start, with_start) = (old - (1 << exponent), !old.is_power_of_two());
        Some(Self { frontier: Frontier::new(), start, exponent, with_start, path: Vec::new() })
    }

    /// Goes on from a frontier: its leaves are not pushed. `None` if the proof needs one of them.
    pub fn after(self, frontier: Frontier) -> Option<Self> {
        let untouched = self.frontier.size() == 0 && frontier.size() <= self.start;
        untouched.then_some(Self { frontier, ..self })
    }

    /// The hash of the next leaf, see [`leaf`](super::leaf).
    pub fn push(&mut self, leaf: Digest) {
        let Self { frontier, start, exponent, with_start, path } = self;
        let index = frontier.size();
        if *with_start && *exponent == 0 && index == *start {
            path.push(leaf);
        }
        frontier.push_with(leaf, |joining, left, right| {
            let side = 1u64 << joining;
            let first = (index + 1) - 2 * side;
            if joining >= *exponent {
                // The tree in which the proof stands joins with its sibling.
                if (first..first + side).contains(start) {
                    path.push(right);
                } else if (first + side..first + 2 * side).contains(start) {
                    path.push(left);
                }
            } else if *with_start && joining + 1 == *exponent && first == *start {
                path.push(super::node(left, right));
            }
        });
    }

    /// How many leaves the tree has so far.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree so far.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The proof for the tree as it is now; `None` if it does not reach that far.
    pub fn finish(mut self) -> Option<Vec<Digest>> {
        let last = self.start.checked_add((1 << self.exponent) - 1)?;
        if last >= self.frontier.size() {
            return None;
        }
        if self.with_start && last + 1 == self.frontier.size() {
            return Some(Vec::new()); // the old tree is the whole tree
        }
        // The perfect trees are folded from the smallest on, as for the root.
        let mut end = self.frontier.size();
        let mut folded: Option<Digest> = None;
        let mut inside = false;
        let mut exponents = (0..u64::BITS).filter(|bit| end >> bit & 1 == 1).collect::<Vec<_>>().into_iter();
        for (peak, exponent) in self.frontier.peaks().iter().rev().zip(&mut exponents) {
            let begin = end - (1 << exponent);
            let here = (begin..end).contains(&self.start);
            match folded {
                Some(right) if here => self.path.push(right),
                Some(_) if inside => self.path.push(*peak),
                _ => {}
            }
            inside |= here;
            folded = Some(folded.map_or(*peak, |right| super::node(*peak, right)));
            end = begin;
        }
        Some(self.path)
    }
}
