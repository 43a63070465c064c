//! Merkle trees, against the vectors of Certificate Transparency and a tree as the RFC defines it.

use proptest::prelude::*;
use theater_chain::Digest;
use theater_chain::merkle::{Frontier, Prover, Range, leaf, node, verify_consistency, verify_inclusion};

/// The entries of the reference tree of Certificate Transparency (RFC 6962), and the roots of the
/// trees with the first 0, 1, 2, .. of them.
const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn digest(hex: &str) -> Digest {
    hex.parse().unwrap()
}

fn digests(hex: &[&str]) -> Vec<Digest> {
    hex.iter().map(|hex| digest(hex)).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn reference() -> Vec<Digest> {
    ENTRIES.iter().map(|entry| leaf(&[&bytes(entry)])).collect()
}

/// MTH, PATH and SUBPROOF just as RFC 9162 section 2.1 defines them.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(root(left), root(right))
        }
    }
}

fn split(len: usize) -> usize {
    len.next_power_of_two() / 2
}

fn path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) =
        if index < left.len() { (path(index, left), right) } else { (path(index - left.len(), right), left) };
    path.push(root(sibling));
    path
}

fn subproof(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(old, left, whole), right)
    } else {
        (subproof(old - left.len(), right, false), left)
    };
    proof.push(root(sibling));
    proof
}

fn frontier(leaves: &[Digest]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

fn proof(mut prover: Prover, leaves: &[Digest]) -> Option<Vec<Digest>> {
    leaves.iter().for_each(|leaf| prover.push(*leaf));
    prover.finish()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves = reference();
    for (size, expected) in ROOTS.iter().enumerate() {
        assert_eq!(frontier(&leaves[..size]).root(), digest(expected), "{size}");
    }
}

#[test]
fn inclusion_proofs_are_those_of_certificate_transparency() {
    let check = |index: u64, size: usize, expected: &[&str]| {
        let leaves = &reference()[..size];
        let (expected, root) = (digests(expected), digest(ROOTS[size]));
        assert_eq!(proof(Prover::inclusion(index), leaves), Some(expected.clone()), "{index} of {size}");
        assert!(verify_inclusion(leaves[index as usize], index, size as u64, &expected, root));
    };
    check(0, 1, &[]);
    check(
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4],
        ],
    );
    check(2, 3, &[ROOTS[2]]);
    check(
        1,
        5,
        &[
            ROOTS[1],
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

#[test]
fn consistency_proofs_are_those_of_certificate_transparency() {
    let check = |old: usize, new: usize, expected: &[&str]| {
        let (expected, leaves) = (digests(expected), &reference()[..new]);
        let prover = Prover::consistency(old as u64).unwrap();
        assert_eq!(proof(prover, leaves), Some(expected.clone()), "{old} to {new}");
        assert!(verify_consistency(old as u64, digest(ROOTS[old]), new as u64, digest(ROOTS[new]), &expected));
    };
    check(1, 1, &[]);
    check(
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            ROOTS[4],
        ],
    );
    check(
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|n| leaf(&[&n.to_be_bytes()])).collect()
}

#[test]
fn every_proof_of_small_trees_is_the_one_that_the_rfc_defines() {
    let all = leaves(70);
    for size in 0..=all.len() {
        let leaves = &all[..size];
        let root_now = root(leaves);
        assert_eq!(frontier(leaves).root(), root_now);
        for index in 0..size {
            let made = proof(Prover::inclusion(index as u64), leaves).unwrap();
            assert_eq!(made, path(index, leaves), "{index} of {size}");
            assert!(verify_inclusion(leaves[index], index as u64, size as u64, &made, root_now));
        }
        assert_eq!(proof(Prover::inclusion(size as u64), leaves), None);
        for old in 1..=size {
            let made = proof(Prover::consistency(old as u64).unwrap(), leaves).unwrap();
            assert_eq!(made, subproof(old, leaves, true), "{old} to {size}");
            assert!(verify_consistency(old as u64, root(&leaves[..old]), size as u64, root_now, &made));
        }
        assert_eq!(proof(Prover::consistency(size as u64 + 1).unwrap(), leaves), None);
    }
    assert!(Prover::consistency(0).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What was kept of a prefix is enough to go on, and to prove everything that comes after it.
    #[test]
    fn a_frontier_stands_for_the_leaves_before_it(size in 1usize..600, from in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let from = from.index(size);
        let at = from + at.index(size - from);
        let before = frontier(&all[..from]);
        let kept = Frontier::from_peaks(before.size(), before.peaks().to_vec()).unwrap();
        let mut grown = kept.clone();
        all[from..].iter().for_each(|leaf| grown.push(*leaf));
        prop_assert_eq!(grown.root(), root(&all));
        let mut prover = Prover::inclusion(at as u64).after(kept.clone()).unwrap();
        all[from..].iter().for_each(|leaf| prover.push(*leaf));
        prop_assert_eq!(prover.root(), root(&all));
        prop_assert_eq!(prover.finish().unwrap(), path(at, &all));
        if from > 0 {
            prop_assert!(Prover::inclusion(from as u64 - 1).after(kept).is_none());
        }
    }

    /// Nothing that differs in one place is accepted.
    #[test]
    fn a_changed_proof_is_refused(size in 2usize..200, at in any::<prop::sample::Index>(), bit in 0usize..256, place in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let (index, now) = (at.index(size), root(&all));
        let flip = |digest: Digest| { let mut bytes = digest.0; bytes[bit / 8] ^= 1 << (bit % 8); Digest(bytes) };
        let good = path(index, &all);
        let (leaf, i, n) = (all[index], index as u64, size as u64);
        let mut bad = good.clone();
        let changed = place.index(bad.len());
        bad[changed] = flip(bad[changed]);
        prop_assert!(!verify_inclusion(leaf, i, n, &bad, now));
        prop_assert!(!verify_inclusion(flip(leaf), i, n, &good, now));
        prop_assert!(!verify_inclusion(leaf, i, n, &good, flip(now)));
        prop_assert!(!verify_inclusion(leaf, i, n, &good[1..], now));
        prop_assert!(!verify_inclusion(leaf, i, n, &[good.clone(), vec![now]].concat(), now));
        prop_assert!(!verify_inclusion(leaf, i + 1, n, &good, now));
        let old = index.max(1);
        let (good, before) = (subproof(old, &all, true), root(&all[..old]));
        let mut bad = good.clone();
        if let Some(hash) = bad.first_mut() { *hash = flip(*hash); }
        prop_assert!(bad.is_empty() || !verify_consistency(old as u64, before, n, now, &bad));
        prop_assert!(!verify_consistency(old as u64, flip(before), n, now, &good));
        prop_assert!(!verify_consistency(old as u64, before, n, flip(now), &good));
    }

    /// Numbers and proofs that no tree has are refused and nothing else.
    #[test]
    fn nothing_panics(index: u64, old: u64, size: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<_> = hashes.into_iter().map(Digest).collect();
        prop_assert!(!verify_inclusion(Digest([1; 32]), index, size, &proof, Digest([2; 32])));
        prop_assert!(!verify_consistency(old, Digest([1; 32]), size, Digest([2; 32]), &proof));
        let _ = Frontier::from_peaks(size, proof);
        for prover in [Some(Prover::inclusion(index)), Prover::consistency(old)].into_iter().flatten() {
            let _ = prover.finish();
        }
    }
}

/// A tree is the same whether all of its leaves were there or only those from one of them on.
#[test]
fn a_range_goes_on_from_any_frontier() {
    let leaves: Vec<_> = (0..70u8).map(|n| leaf(&[&[n]])).collect();
    for start in 0..=leaves.len() {
        let (mut before, mut whole) = (Frontier::new(), Frontier::new());
        leaves[..start].iter().for_each(|leaf| before.push(*leaf));
        leaves[..start].iter().for_each(|leaf| whole.push(*leaf));
        let mut range = Range::starting_at(start as u64);
        for leaf in &leaves[start..] {
            assert_eq!(range.after(&before), Some(whole.clone()));
            range.push(*leaf);
            whole.push(*leaf);
        }
        assert_eq!(range.after(&before), Some(whole));
        before.push(leaves[0]);
        assert_eq!(range.after(&before), None);
    }
}
