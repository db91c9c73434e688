//! Loaded tiles of a tree: appends to them, takes roots and nodes from them. Whoever stores tiles
//! asks which ones are needed, loads them with one query, and writes back the ones that changed.
//! Not here: proofs (`proof`), and how tiles are named (`tile`).

use std::collections::{BTreeMap, BTreeSet};

use super::tile::{HEIGHT, TileId, WIDTH, edge};
use super::tree::{CompactRange, Hash, joined, root_of};

/// Some tiles of one tree.
#[derive(Clone, Debug, Default)]
pub struct Tiles {
    loaded: BTreeMap<TileId, Vec<Hash>>,
    changed: BTreeSet<TileId>,
}

/// The tile is not loaded, or does not have the hashes that a tree of the size has there. To
/// whoever loaded all that was asked for, the stored tree is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {} of level {} is missing or has another width", tile.n, tile.level)]
pub struct MissingTile {
    pub tile: TileId,
}

/// These bytes are no tile: a tile is 1 to 256 times 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are no tile")]
pub struct MalformedTile {
    pub length: usize,
}

impl Tiles {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tiles that one needs to append to a tree of this size, or to take its root.
    pub fn edge(size: u64) -> Vec<TileId> {
        edge(size)
    }

    /// Takes in a tile as it was stored.
    pub fn insert(&mut self, tile: TileId, bytes: &[u8]) -> Result<(), MalformedTile> {
        let hashes = from_bytes(bytes).ok_or(MalformedTile { length: bytes.len() })?;
        self.loaded.insert(tile, hashes);
        Ok(())
    }

    /// The hashes of a tile, if it is loaded.
    pub fn get(&self, tile: TileId) -> Option<&[Hash]> {
        self.loaded.get(&tile).map(Vec::as_slice)
    }

    /// Adds an entry to a tree of `size`, whose edge is loaded. After an error the tiles are good
    /// for nothing any more.
    pub fn append(&mut self, size: u64, leaf: Hash) -> Result<(), MissingTile> {
        let mut hash = leaf;
        let mut hashes_before = size;
        for level in 0.. {
            let tile = TileId { level, n: hashes_before / WIDTH };
            let hashes = self.loaded.entry(tile).or_default();
            if hashes.len() as u64 != hashes_before % WIDTH {
                return Err(MissingTile { tile });
            }
            hashes.push(hash);
            self.changed.insert(tile);
            if (hashes.len() as u64) < WIDTH {
                break;
            }
            hash = root_of(hashes);
            hashes_before /= WIDTH;
        }
        Ok(())
    }

    /// The tiles that were appended to since the last call, as they are to be stored.
    pub fn take_changed(&mut self) -> Vec<(TileId, Vec<u8>)> {
        let changed = std::mem::take(&mut self.changed);
        let stored = |tile| Some((tile, to_bytes(self.loaded.get(&tile)?)));
        changed.into_iter().filter_map(stored).collect()
    }

    /// The root of the tree of the first `size` entries. Its edge must be loaded.
    pub fn root(&self, size: u64) -> Result<Hash, MissingTile> {
        Ok(self.range(size)?.root())
    }

    /// The tree of the first `size` entries, to be continued.
    pub fn range(&self, size: u64) -> Result<CompactRange, MissingTile> {
        let mut range = CompactRange::new();
        for node in (Span { start: 0, end: size }).nodes() {
            let grown = range.push_subtree(node.height, self.node(node)?);
            debug_assert!(grown.is_ok(), "from the largest to the smallest, each fits");
        }
        Ok(range)
    }

    /// The root over the entries of a span.
    pub(super) fn span(&self, span: Span) -> Result<Hash, MissingTile> {
        let nodes: Vec<Hash> =
            span.nodes().map(|node| self.node(node)).collect::<Result<_, _>>()?;
        Ok(joined(&nodes).unwrap_or_else(super::tree::empty_root))
    }

    /// A node is not stored itself unless its height is a multiple of 8: it is the root over some
    /// of the hashes of one tile.
    fn node(&self, node: Node) -> Result<Hash, MissingTile> {
        let tile = node.tile();
        let count = 1 << (node.height % HEIGHT);
        let first = usize::try_from((node.index << (node.height % HEIGHT)) % WIDTH).unwrap_or(0);
        self.loaded
            .get(&tile)
            .and_then(|hashes| hashes.get(first..first + count))
            .map(root_of)
            .ok_or(MissingTile { tile })
    }
}

/// Hashes one after the other; `None` if these are not 1 to 256.
pub fn from_bytes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<{ Hash::BYTES }>();
    let good = rest.is_empty() && (1..=WIDTH).contains(&(hashes.len() as u64));
    good.then(|| hashes.iter().copied().map(Hash::new).collect())
}

/// The bytes of a tile.
pub fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// Entries from `start` up to and without `end`, such as the definitions of the RFC split a tree
/// into: `start` is a multiple of a power of two that is not less than their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Span {
    /// The complete subtrees that it consists of, the largest, on the left, first.
    pub(super) fn nodes(self) -> impl Iterator<Item = Node> {
        let count = self.end.saturating_sub(self.start);
        (0..u64::BITS).rev().filter(move |height| count >> height & 1 == 1).scan(
            self.start,
            |at, height| {
                let node = Node { height, index: *at >> height };
                *at += 1 << height;
                Some(node)
            },
        )
    }
}

/// The root of a complete subtree: of `2^height` entries from `index * 2^height` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) height: u32,
    pub(super) index: u64,
}

impl Node {
    /// The tile that has what it is made of.
    pub(super) fn tile(self) -> TileId {
        let level = u8::try_from(self.height / HEIGHT).unwrap_or(u8::MAX);
        TileId { level, n: self.index >> (HEIGHT - self.height % HEIGHT) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::tile;
    use super::super::tree::tests::{ROOTS, hash, leaves, naive_root, reference_leaves};
    use super::*;

    /// What a store does: loads the edge, appends some entries, writes what changed.
    #[derive(Default)]
    pub(in crate::audit) struct Stored {
        pub(in crate::audit) tiles: BTreeMap<TileId, Vec<u8>>,
        size: u64,
    }

    impl Stored {
        pub(in crate::audit) fn of(leaves: &[Hash], batch: usize) -> Self {
            let mut stored = Self::default();
            for batch in leaves.chunks(batch) {
                stored.append(batch);
            }
            stored
        }

        fn append(&mut self, batch: &[Hash]) {
            let mut tiles = self.load(&Tiles::edge(self.size));
            for leaf in batch {
                tiles.append(self.size, *leaf).unwrap();
                self.size += 1;
            }
            self.tiles.extend(tiles.take_changed());
            assert!(tiles.take_changed().is_empty());
        }

        pub(in crate::audit) fn load(&self, ids: &[TileId]) -> Tiles {
            let mut tiles = Tiles::new();
            for id in ids {
                tiles.insert(*id, &self.tiles[id]).unwrap();
            }
            tiles
        }
    }

    #[test]
    fn roots_are_those_of_the_reference_trees() {
        for (size, root) in ROOTS.iter().enumerate() {
            let stored = Stored::of(&reference_leaves()[..size], 3);
            let tiles = stored.load(&Tiles::edge(size as u64));
            assert_eq!(tiles.root(size as u64), Ok(hash(root)), "{size} entries");
        }
    }

    #[test]
    fn tiles_are_those_that_the_specification_wants() {
        let size = 70_000;
        let stored = Stored::of(&leaves(size), 1000);
        let expected: BTreeMap<_, _> = tile::all(size).collect();
        let found: BTreeMap<_, _> =
            stored.tiles.iter().map(|(id, bytes)| (*id, bytes.len() as u64 / 32)).collect();
        assert_eq!(found, expected);
        assert_eq!(
            stored.load(&Tiles::edge(size)).root(size),
            Ok(naive_root(&leaves(size))),
            "the root over three levels of tiles"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let stored = Stored::of(&leaves(300), 300);
        let level = |level| TileId { level, n: 0 };
        let edge = TileId { level: 0, n: 1 };
        assert_eq!(Tiles::edge(300), [edge, level(1)]);
        let mut tiles = stored.load(&[edge]);
        assert_eq!(tiles.root(300), Err(MissingTile { tile: level(1) }));
        assert_eq!(tiles.append(301, leaves(1)[0]), Err(MissingTile { tile: edge }));
        assert_eq!(Tiles::new().append(300, leaves(1)[0]), Err(MissingTile { tile: edge }));
        assert_eq!(Tiles::new().root(0), Ok(super::super::tree::empty_root()));
    }

    #[test]
    fn other_lengths_are_no_tiles() {
        let id = TileId { level: 0, n: 0 };
        for length in [0, 1, 31, 33, 257 * 32] {
            let fault = Tiles::new().insert(id, &vec![0; length]);
            assert_eq!(fault, Err(MalformedTile { length }));
        }
        for length in [32, 256 * 32] {
            assert_eq!(Tiles::new().insert(id, &vec![0; length]), Ok(()));
        }
    }

    #[test]
    fn nodes_of_every_height_have_a_tile() {
        let check = |height, index, level, n| {
            assert_eq!(Node { height, index }.tile(), TileId { level, n }, "{height} {index}");
        };
        check(0, 255, 0, 0);
        check(0, 256, 0, 1);
        check(7, 1, 0, 0);
        check(7, 2, 0, 1);
        check(8, 0, 1, 0);
        check(63, 1, 7, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_batches_come_to_the_same_root(size in 0_u64..1500, batch in 1_usize..600) {
            let leaves = leaves(size);
            let stored = Stored::of(&leaves, batch);
            let tiles = stored.load(&Tiles::edge(size));
            prop_assert_eq!(tiles.root(size).unwrap(), naive_root(&leaves));
            prop_assert_eq!(tiles.range(size).unwrap().size(), size);
        }

        /// Older roots come from newer tiles: a checkpoint can be checked later.
        #[test]
        fn older_roots_are_in_the_tiles(size in 1_usize..1500, any: usize) {
            let older = any % (size + 1);
            let leaves = leaves(size as u64);
            let tiles = Stored::of(&leaves, 100).load(&Tiles::edge(older as u64));
            prop_assert_eq!(tiles.root(older as u64).unwrap(), naive_root(&leaves[..older]));
        }
    }
}
