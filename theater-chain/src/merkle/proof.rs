//! Checking proofs, as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say.

use super::node;
use crate::Digest;

/// Whether `leaf` is the hash of the leaf with this index (from 0) in the tree of `size` leaves with
/// this root.
pub fn verify_inclusion(leaf: Digest, index: u64, size: u64, proof: &[Digest], root: Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(*sibling, hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(hash, *sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether the tree of `old` leaves with the root `old_root` is the beginning of the tree of `new`
/// leaves with the root `new_root`. Of a tree without leaves every tree is a continuation.
pub fn verify_consistency(old: u64, old_root: Digest, new: u64, new_root: Digest, proof: &[Digest]) -> bool {
    if old > new {
        return false;
    }
    if old == 0 || old == new {
        let roots = if old == 0 { old_root == Digest::of(b"") } else { old_root == new_root };
        return proof.is_empty() && roots;
    }
    let (mut place, mut last) = (old - 1, new - 1);
    let trailing = place.trailing_ones();
    (place, last) = (place >> trailing, last >> trailing);
    // The whole old tree is perfect: the proof begins at its root.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_hash = node(*sibling, old_hash);
            new_hash = node(*sibling, new_hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node(new_hash, *sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}
