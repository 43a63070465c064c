//! Merkle trees as RFC 6962 and RFC 9162 (section 2.1) have them: roots, inclusion proofs and
//! consistency proofs over a list that only grows.
//!
//! Nothing here holds a tree. A [`Frontier`] is what of one has to be kept to go on (at most 64
//! hashes), and a [`Prover`] reads the leaves once, in order. So a list of any length is hashed, and
//! proved from, in bounded memory; and where the frontier before the first kept leaf is known, the
//! leaves before it are not needed.
//!
//! ```
//! use theater_chain::merkle::{Frontier, Prover, leaf, verify_inclusion};
//!
//! let entries = ["a", "b", "c", "d", "e"].map(|entry| leaf(&[entry.as_bytes()]));
//! let (mut tree, mut prover) = (Frontier::new(), Prover::inclusion(2));
//! for entry in entries {
//!     tree.push(entry);
//!     prover.push(entry);
//! }
//! let proof = prover.finish().unwrap_or_default();
//! assert!(verify_inclusion(entries[2], 2, tree.size(), &proof, tree.root()));
//! ```

mod frontier;
mod proof;
mod prover;
mod range;

pub use frontier::Frontier;
pub use proof::{verify_consistency, verify_inclusion};
pub use prover::Prover;
pub use range::Range;

use crate::Digest;

/// The hash of a leaf: SHA-256(0x00 || its bytes, given in parts).
pub fn leaf(parts: &[&[u8]]) -> Digest {
    let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
    all.push(&[0]);
    all.extend_from_slice(parts);
    Digest::of_parts(&all)
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
pub fn node(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}
