//! Proofs over a tree (RFC 9162, sections 2.1.3 and 2.1.4): that an entry is in it, and that a newer
//! tree continues an older one. They are made from tiles, and checked with nothing but the hashes.
//! Not here: the file that carries one.

use std::collections::BTreeSet;

use super::tile::TileId;
use super::tiles::{MissingTile, Node, Span, Tiles};
use super::tree::{Hash, empty_root, node_hash};

/// The proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold")]
pub struct WrongProof;

impl Tiles {
    /// The tiles that [`Self::inclusion`] needs.
    pub fn needed_for_inclusion(index: u64, size: u64) -> Vec<TileId> {
        tiles_of(&inclusion_path(index, size))
    }

    /// The hashes that lead from entry `index` to the root of the tree of `size` entries, from its
    /// sibling up. None for an index that is not below the size.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, MissingTile> {
        inclusion_path(index, size).into_iter().map(|span| self.span(span)).collect()
    }

    /// The tiles that [`Self::consistency`] needs.
    pub fn needed_for_consistency(old: u64, new: u64) -> Vec<TileId> {
        tiles_of(&consistency_path(old, new))
    }

    /// The hashes that lead from the root of the tree of `old` entries to that of `new`. None where
    /// there is nothing to prove: `old` is 0 or not below `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, MissingTile> {
        consistency_path(old, new).into_iter().map(|span| self.span(span)).collect()
    }
}

/// Checks that `leaf` is entry `index` of the tree of `size` entries with this root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: Hash,
    proof: &[Hash],
    root: Hash,
) -> Result<(), WrongProof> {
    let last = size.checked_sub(1).filter(|last| index <= *last).ok_or(WrongProof)?;
    let mut climb = Climb { at: index, last };
    let mut hash = leaf;
    for sibling in proof {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    (climb.last == 0 && hash == root).then_some(()).ok_or(WrongProof)
}

/// A tree by its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
}

/// Checks that the tree `new` begins with the entries of the tree `old`.
pub fn verify_consistency(old: Head, new: Head, proof: &[Hash]) -> Result<(), WrongProof> {
    if old.size > new.size {
        return Err(WrongProof);
    }
    if old.size == 0 || old.size == new.size {
        // Nothing to prove: the roots are known, and speak for themselves.
        let same = old.size != new.size || old.root == new.root;
        let empty = old.size != 0 || old.root == empty_root();
        return (same && empty && proof.is_empty()).then_some(()).ok_or(WrongProof);
    }
    let mut climb = Climb { at: old.size - 1, last: new.size - 1 };
    climb.up(climb.at.trailing_ones());
    // Where the older tree is one complete subtree, the way begins at its root.
    let (first, rest) = match proof {
        [] => return Err(WrongProof),
        whole if old.size.is_power_of_two() => (&old.root, whole),
        [first, rest @ ..] => (first, rest),
    };
    let (mut before, mut after) = (*first, *first);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                before = node_hash(sibling, &before);
                after = node_hash(sibling, &after);
            }
            Side::Right => after = node_hash(&after, sibling),
        }
    }
    let good = climb.last == 0 && before == old.root && after == new.root;
    good.then_some(()).ok_or(WrongProof)
}

/// The way from a node up to the root: the `fn` and `sn` of the RFC's algorithms.
struct Climb {
    at: u64,
    last: u64,
}

/// On which side the next sibling stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    fn step(&mut self) -> Result<Side, WrongProof> {
        if self.last == 0 {
            return Err(WrongProof);
        }
        let at_edge = self.at == self.last;
        let side = if self.at & 1 == 1 || at_edge { Side::Left } else { Side::Right };
        if at_edge {
            // The last node of an odd row has no sibling and rises until it gets one on its left.
            self.up(self.at.trailing_zeros());
        }
        self.up(1);
        Ok(side)
    }

    fn up(&mut self, levels: u32) {
        self.at = self.at.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }
}

/// `PATH` of the RFC, as spans of entries.
fn inclusion_path(index: u64, size: u64) -> Vec<Span> {
    if index >= size {
        return Vec::new();
    }
    let mut spans = Vec::new();
    let mut within = Span { start: 0, end: size };
    while within.end - within.start > 1 {
        let middle = middle(within);
        if index < middle {
            spans.push(Span { start: middle, end: within.end });
            within.end = middle;
        } else {
            spans.push(Span { start: within.start, end: middle });
            within.start = middle;
        }
    }
    spans.reverse();
    spans
}

/// `PROOF` of the RFC, as spans of entries.
fn consistency_path(old: u64, new: u64) -> Vec<Span> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let mut spans = Vec::new();
    let mut within = Span { start: 0, end: new };
    while within.end != old {
        let middle = middle(within);
        if old <= middle {
            spans.push(Span { start: middle, end: within.end });
            within.end = middle;
        } else {
            spans.push(Span { start: within.start, end: middle });
            within.start = middle;
        }
    }
    if within.start > 0 {
        spans.push(within);
    }
    spans.reverse();
    spans
}

/// Where the RFC splits a span of at least two entries: after the largest power of two that is
/// less than their number.
fn middle(span: Span) -> u64 {
    let most = span.end - span.start - 1;
    span.start + (1 << (u64::BITS - 1 - most.leading_zeros()))
}

fn tiles_of(spans: &[Span]) -> Vec<TileId> {
    let tiles: BTreeSet<TileId> =
        spans.iter().flat_map(|span| span.nodes()).map(Node::tile).collect();
    tiles.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tiles::tests::Stored;
    use super::super::tree::tests::{ROOTS, hash, leaves, naive_root, reference_leaves};
    use super::*;

    const L0: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    const L1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const L4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const L6: &str = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f";
    const L01: &str = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
    const L23: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const L45: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    const L67: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const L0123: &str = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
    const L4567: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

    fn head(size: u64) -> Head {
        Head { size, root: hash(ROOTS[usize::try_from(size).unwrap()]) }
    }

    #[test]
    fn inclusion_proofs_are_those_of_the_reference_trees() {
        let leaves = reference_leaves();
        let check = |index: u64, size: u64, expected: &[&str]| {
            let tiles = Stored::of(&leaves, 8).load(&Tiles::needed_for_inclusion(index, size));
            let proof = tiles.inclusion(index, size).unwrap();
            let expected: Vec<Hash> = expected.iter().map(|text| hash(text)).collect();
            assert_eq!(proof, expected, "entry {index} of {size}");
            let leaf = leaves[usize::try_from(index).unwrap()];
            let root = head(size).root;
            assert_eq!(verify_inclusion(index, size, leaf, &proof, root), Ok(()));
            for proof in &spoilt(&proof, &[root]) {
                assert_eq!(verify_inclusion(index, size, leaf, proof, root), Err(WrongProof));
            }
            for (index, size) in [(index + 1, size), (index ^ 2, size), (index, size * 2)] {
                assert_eq!(verify_inclusion(index, size, leaf, &proof, root), Err(WrongProof));
            }
            assert_eq!(verify_inclusion(index, size, root, &proof, leaf), Err(WrongProof));
        };
        check(0, 8, &[L1, L23, L4567]);
        check(5, 8, &[L4, L67, L0123]);
        check(2, 3, &[L01]);
        check(1, 5, &[L0, L23, L4]);
        assert_eq!(verify_inclusion(0, 1, leaves[0], &[], leaves[0]), Ok(()));
        for (index, size) in [(0, 0), (1, 0), (1, 1), (2, 1)] {
            let any = empty_root();
            assert_eq!(verify_inclusion(index, size, any, &[], any), Err(WrongProof));
        }
    }

    #[test]
    fn consistency_proofs_are_those_of_the_reference_trees() {
        let leaves = reference_leaves();
        let check = |old: u64, new: u64, expected: &[&str]| {
            let tiles = Stored::of(&leaves, 8).load(&Tiles::needed_for_consistency(old, new));
            let proof = tiles.consistency(old, new).unwrap();
            let expected: Vec<Hash> = expected.iter().map(|text| hash(text)).collect();
            assert_eq!(proof, expected, "from {old} to {new}");
            let (old, new) = (head(old), head(new));
            assert_eq!(verify_consistency(old, new, &proof), Ok(()));
            for proof in &spoilt(&proof, &[old.root, new.root]) {
                assert_eq!(verify_consistency(old, new, proof), Err(WrongProof));
            }
            for other in [old.size - 1, old.size + 1, old.size ^ 2] {
                let other = Head { size: other, ..old };
                assert_eq!(verify_consistency(other, new, &proof), Err(WrongProof), "{other:?}");
            }
            assert_eq!(verify_consistency(new, old, &proof), Err(WrongProof));
            let swapped = (Head { root: new.root, ..old }, Head { root: old.root, ..new });
            assert_eq!(verify_consistency(swapped.0, swapped.1, &proof), Err(WrongProof));
        };
        check(1, 8, &[L1, L23, L4567]);
        check(6, 8, &[L45, L67, L0123]);
        check(2, 5, &[L23, L4]);
        check(6, 7, &[L45, L6, L0123]);
    }

    /// A proof with every kind of mistake that the reference implementation tests for.
    fn spoilt(proof: &[Hash], strangers: &[Hash]) -> Vec<Vec<Hash>> {
        let mut all = vec![Vec::new(), proof[1..].to_vec(), proof[..proof.len() - 1].to_vec()];
        let strangers = strangers.iter().chain(&proof[..1]);
        for stranger in strangers {
            all.push([proof, &[*stranger]].concat());
            all.push([&[*stranger], proof].concat());
        }
        for place in 0..proof.len() {
            let mut flipped = proof.to_vec();
            let mut bytes = *flipped[place].as_bytes();
            bytes[0] ^= 8;
            flipped[place] = Hash::new(bytes);
            all.push(flipped);
        }
        all
    }

    #[test]
    fn what_needs_no_proof_has_none() {
        let check = |old: Head, new: Head, proof: &[Hash], good: bool| {
            assert_eq!(verify_consistency(old, new, proof).is_ok(), good, "{old:?} {new:?}");
        };
        let extra = [head(3).root];
        check(head(0), head(0), &[], true);
        check(head(0), head(5), &[], true);
        check(head(4), head(4), &[], true);
        check(head(0), head(5), &extra, false);
        check(head(4), head(4), &extra, false);
        check(Head { root: head(1).root, ..head(0) }, head(5), &[], false);
        check(head(4), Head { root: head(3).root, ..head(4) }, &[], false);
        check(head(5), head(4), &[], false);
        check(head(1), head(2), &[], false);
        assert_eq!(Tiles::new().consistency(0, 5), Ok(vec![]));
        assert_eq!(Tiles::new().consistency(5, 5), Ok(vec![]));
        assert_eq!(Tiles::new().inclusion(5, 5), Ok(vec![]));
    }

    #[test]
    fn the_largest_sizes_are_no_trouble() {
        let needed = Tiles::needed_for_inclusion(u64::MAX - 1, u64::MAX);
        assert!(!needed.is_empty());
        assert!(!Tiles::needed_for_consistency(u64::MAX / 2, u64::MAX).is_empty());
        let any = empty_root();
        let proof = [any; 64];
        assert!(verify_inclusion(u64::MAX - 1, u64::MAX, any, &proof, any).is_err());
        let (old, new) = (Head { size: 1 << 63, root: any }, Head { size: u64::MAX, root: any });
        assert!(verify_consistency(old, new, &proof).is_err());
    }

    /// RFC 9162, section 2.1.3.1, word for word.
    fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(k);
        if index < k {
            [naive_path(index, left), vec![naive_root(right)]].concat()
        } else {
            [naive_path(index - k, right), vec![naive_root(left)]].concat()
        }
    }

    /// RFC 9162, section 2.1.4.1, word for word.
    fn naive_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(k);
        if old <= k {
            [naive_subproof(old, left, whole), vec![naive_root(right)]].concat()
        } else {
            [naive_subproof(old - k, right, false), vec![naive_root(left)]].concat()
        }
    }

    #[test]
    fn small_trees_are_proven_as_defined() {
        let all = leaves(40);
        for size in 1..=40_u64 {
            let leaves = &all[..usize::try_from(size).unwrap()];
            let (stored, root) = (Stored::of(leaves, 7), naive_root(leaves));
            for index in 0..size {
                let tiles = stored.load(&Tiles::needed_for_inclusion(index, size));
                let at = usize::try_from(index).unwrap();
                let proof = tiles.inclusion(index, size).unwrap();
                assert_eq!(proof, naive_path(at, leaves));
                assert_eq!(verify_inclusion(index, size, leaves[at], &proof, root), Ok(()));
            }
            for old in 1..=size {
                let tiles = stored.load(&Tiles::needed_for_consistency(old, size));
                let at = usize::try_from(old).unwrap();
                let proof = tiles.consistency(old, size).unwrap();
                assert_eq!(proof, naive_subproof(at, leaves, true));
                let older = Head { size: old, root: naive_root(&leaves[..at]) };
                assert_eq!(verify_consistency(older, Head { size, root }, &proof), Ok(()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn larger_trees_are_proven_as_defined(size in 1_usize..1400, any: usize) {
            let (at, leaves) = (any % size, leaves(size as u64));
            let (index, size) = (at as u64, size as u64);
            let stored = Stored::of(&leaves, 500);
            let root = naive_root(&leaves);

            let tiles = stored.load(&Tiles::needed_for_inclusion(index, size));
            let proof = tiles.inclusion(index, size).unwrap();
            prop_assert_eq!(&proof, &naive_path(at, &leaves));
            prop_assert_eq!(verify_inclusion(index, size, leaves[at], &proof, root), Ok(()));

            let old = index + 1;
            let tiles = stored.load(&Tiles::needed_for_consistency(old, size));
            let proof = tiles.consistency(old, size).unwrap();
            prop_assert_eq!(&proof, &naive_subproof(at + 1, &leaves, true));
            let older = Head { size: old, root: naive_root(&leaves[..=at]) };
            prop_assert_eq!(verify_consistency(older, Head { size, root }, &proof), Ok(()));
        }

        #[test]
        fn no_random_proof_holds(index: u64, size: u64, hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70)) {
            let proof: Vec<Hash> = hashes.into_iter().map(Hash::new).collect();
            let any = empty_root();
            prop_assert!(size == 1 && index == 0 && proof.is_empty()
                || verify_inclusion(index, size, any, &proof, any).is_err());
        }
    }
}
