//! The judgement on a log, block by block from the left: do its entries, the tiles over them and what
//! was signed of it agree, and if not, which of them was touched. Bounded memory: of the tree only
//! the right edge is kept. Not here: reading, and what stands in the entries.
//!
//! Two trees grow side by side: one of the entries as they are, one of the tiles as they are kept.
//! Where the two differ, what was signed next says which of them is the log.

use super::fault::{Fault, Faults, Witness};
use super::proof::Head;
use super::tile::{TileId, WIDTH};
use super::tree::{CompactRange, Hash, root_of};

/// Up to 256 entries and the tile over them.
#[derive(Clone, Debug)]
pub struct Block {
    /// Which tile of level 0.
    pub n: u64,
    /// The hashes of the entries as they are; `None` where one is missing.
    pub entries: Vec<Option<Hash>>,
    /// The tile as it is kept; empty if there is none or it is too short.
    pub tile: Vec<Hash>,
    /// What the tile above says that this block comes to; `None` where it is not full.
    pub above: Option<Hash>,
    /// Entries that say that they belong elsewhere, with where.
    pub elsewhere: Vec<(u64, u64)>,
}

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    pub head: Head,
    pub by: Witness,
}

/// A block that was looked at.
pub enum Seen {
    /// All three agree on this root.
    Agreed { n: u64, root: Hash },
    /// They do not, or something was signed within.
    Differing(Box<Block>),
}

impl Block {
    /// Looks at it by itself. This is most of the work, and can be done for many blocks at once.
    pub fn look(self, is_signed_within: bool) -> Seen {
        let own: Option<Vec<Hash>> = self.entries.iter().copied().collect();
        let own = own.filter(|own| *own == self.tile && !is_signed_within);
        let root = own.map(|own| root_of(&own));
        match root {
            Some(root) if self.above.is_some_and(|above| above == root) => {
                Seen::Agreed { n: self.n, root }
            }
            Some(_) | None => Seen::Differing(Box::new(self)),
        }
    }

    /// The hashes of the entries; where one is missing, what the tile has.
    fn own(&self) -> Vec<Hash> {
        let kept = self.tile.iter().copied().map(Some).chain(std::iter::repeat(None));
        let own = self.entries.iter().zip(kept).map(|(entry, kept)| entry.or(kept));
        own.map(|hash| hash.unwrap_or(Hash::new([0; Hash::BYTES]))).collect()
    }

    /// The tile; where there is none, the hashes of the entries.
    fn kept(&self) -> Vec<Hash> {
        if self.tile.is_empty() { self.own() } else { self.tile.clone() }
    }

    fn first(&self) -> u64 {
        self.n * WIDTH
    }

    /// The entries that are not what the tile has.
    fn altered(&self) -> impl Iterator<Item = u64> {
        let pairs = (self.first()..).zip(self.entries.iter().zip(&self.tile));
        pairs
            .filter(|(_, (entry, kept))| entry.is_some_and(|entry| entry != **kept))
            .map(|(i, _)| i)
    }
}

/// Goes through a log from the left.
pub struct Judge {
    own: CompactRange,
    kept: CompactRange,
    /// Blocks of which it is not known yet whether entries or tiles were touched.
    open: Vec<Block>,
    faults: Faults,
    /// Up to here something that was signed agrees.
    agreed: u64,
    /// What was signed and does not agree, and nothing later has agreed yet.
    disagreed: Vec<Signed>,
    confirmed: u64,
}

/// So many doubtful blocks are kept until something signed decides.
const MOST_OPEN: usize = 64;
/// So many signed sizes that disagree are kept.
const MOST_DISAGREED: usize = 64;

/// What came of it.
pub struct Judged {
    pub faults: Faults,
    /// How many checkpoints and anchors agreed with the log.
    pub confirmed: u64,
    /// The root at the end.
    pub root: Hash,
}

impl Judge {
    /// Begins behind the entries of `before`, which are not looked at.
    pub fn new(before: CompactRange) -> Self {
        Self {
            agreed: before.size(),
            own: before.clone(),
            kept: before,
            open: Vec::new(),
            faults: Faults::default(),
            disagreed: Vec::new(),
            confirmed: 0,
        }
    }

    /// How many entries were gone through.
    pub fn size(&self) -> u64 {
        self.own.size()
    }

    /// The next block, with what was signed at sizes within it or at its end, in order.
    pub fn go_on(&mut self, seen: Seen, signed: &[Signed]) {
        match seen {
            Seen::Agreed { root, .. } => {
                push_tile(&mut self.own, root);
                push_tile(&mut self.kept, root);
                for signed in signed {
                    self.weigh(*signed, self.own.root(), self.kept.root());
                }
            }
            Seen::Differing(block) => self.differing(*block, signed),
        }
    }

    /// What is still open at the end is held against the entries.
    pub fn finish(mut self) -> Judged {
        self.settle(Blame::Entries);
        self.report_disagreed();
        Judged { faults: self.faults, confirmed: self.confirmed, root: self.own.root() }
    }

    fn differing(&mut self, block: Block, signed: &[Signed]) {
        self.report_missing(&block);
        let (own, kept) = (block.own(), block.kept());
        let root = root_of(&own);
        let above = block.above.unwrap_or_else(|| root_of(&kept));
        let (own_before, kept_before) = (self.own.clone(), self.kept.clone());
        if root != above {
            self.doubt(block);
        } else if own != kept {
            // The entries and the tile above agree: it is this tile that was touched.
            self.faults.add(Fault::Tile { tile: TileId { level: 0, n: block.n } });
        }
        let mut decided = None;
        for signed in signed {
            let count = usize::try_from(signed.head.size - own_before.size()).unwrap_or(usize::MAX);
            let own = root_at(&own_before, own.get(..count).unwrap_or(&own), root);
            let kept = root_at(&kept_before, kept.get(..count).unwrap_or(&kept), above);
            decided = self.weigh(*signed, own, kept).or(decided);
        }
        let (own, root) = match decided {
            Some(Blame::Entries) => (&kept, above),
            Some(Blame::Tiles) | None => (&own, root),
        };
        let (kept, above) = match decided {
            Some(_) => (own, root),
            None => (&kept, above),
        };
        push(&mut self.own, own, root);
        push(&mut self.kept, kept, above);
    }

    /// Both trees against what was signed: the one that agrees is the log, and the other one was
    /// touched. What is blamed, if that was decided now.
    fn weigh(&mut self, signed: Signed, own: Hash, kept: Hash) -> Option<Blame> {
        let root = signed.head.root;
        if own != root && kept != root {
            if self.disagreed.len() < MOST_DISAGREED {
                self.disagreed.push(signed);
            }
            return None;
        }
        self.agreed = signed.head.size;
        self.confirmed += 1;
        let disagreed = std::mem::take(&mut self.disagreed);
        if own == kept {
            // The log is whole up to here: what disagreed before is of another.
            for before in disagreed {
                self.faults.add(Fault::Inconsistent { size: before.head.size, by: before.by });
            }
            return None;
        }
        let blame = if own == root { Blame::Tiles } else { Blame::Entries };
        self.settle(blame);
        match blame {
            Blame::Tiles => self.kept = self.own.clone(),
            Blame::Entries => self.own = self.kept.clone(),
        }
        Some(blame)
    }

    fn doubt(&mut self, block: Block) {
        if self.open.len() >= MOST_OPEN {
            self.settle(Blame::Entries);
        }
        self.open.push(block);
    }

    fn settle(&mut self, blame: Blame) {
        for block in std::mem::take(&mut self.open) {
            match blame {
                Blame::Entries => self.blame_entries(&block),
                Blame::Tiles => self.blame_tiles(&block),
            }
        }
    }

    fn blame_entries(&mut self, block: &Block) {
        let altered: Vec<u64> = block.altered().collect();
        if altered.is_empty() && block.entries.iter().all(Option::is_some) {
            let after = block.first();
            self.faults.add(Fault::Rewritten { after, until: after + block.entries.len() as u64 });
        }
        for index in altered {
            let says = block.elsewhere.iter().find(|(at, _)| *at == index);
            self.faults.add(match says {
                Some((_, says)) => Fault::Reordered { index, says: *says },
                None => Fault::Altered { index },
            });
        }
    }

    fn blame_tiles(&mut self, block: &Block) {
        if block.altered().next().is_some() {
            self.faults.add(Fault::Tile { tile: TileId { level: 0, n: block.n } });
        }
        if block.above.is_some_and(|above| above != root_of(&block.own())) {
            self.faults.add(Fault::Tile { tile: TileId { level: 1, n: block.n / WIDTH } });
        }
    }

    fn report_missing(&mut self, block: &Block) {
        if block.tile.len() != block.entries.len() {
            self.faults.add(Fault::TileMissing { tile: TileId { level: 0, n: block.n } });
        }
        let mut run: Option<(u64, u64)> = None;
        for (index, entry) in (block.first()..).zip(&block.entries) {
            run = match (entry, run) {
                (None, Some((first, _))) => Some((first, index)),
                (None, None) => Some((index, index)),
                (Some(_), Some((first, last))) => {
                    self.faults.add(Fault::Missing { first, last });
                    None
                }
                (Some(_), None) => None,
            };
        }
        if let Some((first, last)) = run {
            self.faults.add(Fault::Missing { first, last });
        }
    }

    /// Nothing that was signed later agrees: from the last size that did, this is another log.
    fn report_disagreed(&mut self) {
        let after = self.agreed;
        if let Some(signed) = self.disagreed.first() {
            self.faults.add(Fault::Rewritten { after, until: signed.head.size });
        }
        let anchors = self.disagreed.iter().filter(|signed| signed.by == Witness::Anchor);
        for signed in anchors {
            self.faults.add(Fault::Inconsistent { size: signed.head.size, by: signed.by });
        }
    }
}

#[derive(Clone, Copy)]
enum Blame {
    Entries,
    Tiles,
}

/// The root after some more entries: those of a whole block, whose root is known, or fewer.
fn root_at(before: &CompactRange, leaves: &[Hash], root: Hash) -> Hash {
    let mut range = before.clone();
    push(&mut range, leaves, root);
    range.root()
}

/// A block by its root, or, at the end of the log, by its entries.
fn push(range: &mut CompactRange, leaves: &[Hash], root: Hash) {
    if leaves.len() as u64 == WIDTH {
        push_tile(range, root);
    } else {
        for leaf in leaves {
            range.push(*leaf);
        }
    }
}

fn push_tile(range: &mut CompactRange, root: Hash) {
    let pushed = range.push_subtree(WIDTH.trailing_zeros(), root);
    debug_assert!(pushed.is_ok(), "blocks come one after the other");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tiles::tests::Stored;
    use super::super::tiles::{Tiles, from_bytes};
    use super::super::tree::leaf_hash;
    use super::super::tree::tests::{leaves, naive_root};
    use super::*;

    /// A log of 700 entries, signed at these sizes, which somebody can touch.
    struct Log {
        entries: Vec<Option<Hash>>,
        tiles: BTreeMap<TileId, Vec<u8>>,
        signed: Vec<Signed>,
        elsewhere: Vec<(u64, u64)>,
    }

    const SIZE: usize = 700;
    const SIGNED: [usize; 5] = [100, 256, 300, 600, 650];

    impl Log {
        fn new() -> Self {
            let leaves = leaves(SIZE as u64);
            let signed = SIGNED.map(|size| signed(size, &leaves[..size]));
            Self {
                tiles: Stored::of(&leaves, 100).tiles,
                entries: leaves.into_iter().map(Some).collect(),
                signed: signed.to_vec(),
                elsewhere: Vec::new(),
            }
        }

        fn judge(&self) -> Judged {
            let mut judge = Judge::new(CompactRange::new());
            let above = from_bytes(&self.tiles[&TileId { level: 1, n: 0 }]).unwrap();
            for (n, entries) in (0..).zip(self.entries.chunks(256)) {
                let (first, end) = (n * WIDTH, n * WIDTH + entries.len() as u64);
                let within = |signed: &&Signed| (first + 1..=end).contains(&signed.head.size);
                let signed: Vec<Signed> = self.signed.iter().filter(within).copied().collect();
                let tile = self.tiles.get(&TileId { level: 0, n });
                let block = Block {
                    n,
                    entries: entries.to_vec(),
                    tile: tile.map(|bytes| from_bytes(bytes).unwrap()).unwrap_or_default(),
                    above: above.get(usize::try_from(n).unwrap()).copied(),
                    elsewhere: self.elsewhere.clone(),
                };
                let is_signed_within = signed.iter().any(|signed| signed.head.size < end);
                judge.go_on(block.look(is_signed_within), &signed);
            }
            judge.finish()
        }

        /// Somebody who writes valid tiles, and has no key.
        fn rewrite(&mut self, from: usize) {
            for entry in &mut self.entries[from..] {
                *entry = entry.map(|hash| leaf_hash(hash.as_bytes()));
            }
            let leaves: Vec<Hash> = self.entries.iter().copied().flatten().collect();
            self.tiles = Stored::of(&leaves, 100).tiles;
        }

        fn flip(&mut self, level: u8, n: u64, byte: usize) {
            self.tiles.get_mut(&TileId { level, n }).unwrap()[byte] ^= 1;
        }
    }

    fn signed(size: usize, leaves: &[Hash]) -> Signed {
        let head = Head { size: size as u64, root: naive_root(leaves) };
        Signed { head, by: Witness::Checkpoint }
    }

    fn check(what: &str, touch: impl FnOnce(&mut Log), expected: &[Fault]) {
        let mut log = Log::new();
        touch(&mut log);
        assert_eq!(log.judge().faults.first(), expected, "{what}");
    }

    #[test]
    fn an_untouched_log_is_clean() {
        check("untouched", |_| {}, &[]);
        let judged = Log::new().judge();
        assert_eq!(judged.confirmed, 5);
        assert_eq!(judged.root, naive_root(&leaves(SIZE as u64)));
        let tiles = Stored::of(&leaves(SIZE as u64), 100).load(&Tiles::edge(512));
        let judged = Judge::new(tiles.range(512).unwrap()).finish();
        assert_eq!(judged.root, naive_root(&leaves(512)));
    }

    #[test]
    fn altered_entries_are_named() {
        for index in [0, 99, 255, 256, 299, 511, 512, 649, 699] {
            let altered = Fault::Altered { index: index as u64 };
            check("altered", |log| log.entries[index] = Some(leaf_hash(b"other")), &[altered]);
        }
        let two = [50, 150].map(|index| Fault::Altered { index });
        let touch = |log: &mut Log| {
            log.entries[50] = Some(leaf_hash(b"other"));
            log.entries[150] = Some(leaf_hash(b"other"));
        };
        check("two in one block", touch, &two);
        let touch = |log: &mut Log| {
            log.entries.swap(10, 600);
            log.elsewhere = vec![(10, 600), (600, 10)];
        };
        let swapped = [(10, 600), (600, 10)].map(|(index, says)| Fault::Reordered { index, says });
        check("swapped", touch, &swapped);
    }

    #[test]
    fn missing_entries_are_named() {
        let missing = |first, last| Fault::Missing { first, last };
        check("one", |log| log.entries[3] = None, &[missing(3, 3)]);
        let touch = |log: &mut Log| log.entries[254..258].fill(None);
        check("across tiles", touch, &[missing(254, 255), missing(256, 257)]);
        check("the end", |log| log.entries[690..].fill(None), &[missing(690, 699)]);
    }

    #[test]
    fn tiles_are_blamed_where_the_entries_are_what_was_signed() {
        let tile = |level, n| Fault::Tile { tile: TileId { level, n } };
        check("full", |log| log.flip(0, 0, 40), &[tile(0, 0)]);
        check("partial", |log| log.flip(0, 2, 40), &[tile(0, 2)]);
        check("above", |log| log.flip(1, 0, 40), &[tile(1, 0)]);
        let gone = Fault::TileMissing { tile: TileId { level: 0, n: 1 } };
        check("gone", |log| drop(log.tiles.remove(&TileId { level: 0, n: 1 })), &[gone]);
    }

    #[test]
    fn a_rewritten_tail_is_found_by_what_was_signed() {
        let rewritten = |after, until| Fault::Rewritten { after, until };
        check("early", |log| log.rewrite(20), &[rewritten(0, 100)]);
        check("later", |log| log.rewrite(400), &[rewritten(300, 600)]);
        check("not signed yet", |log| log.rewrite(660), &[]);
        let with_tile = |log: &mut Log| {
            log.entries[5] = Some(leaf_hash(b"other"));
            let bytes = *leaf_hash(b"other").as_bytes();
            log.tiles.get_mut(&TileId { level: 0, n: 0 }).unwrap()[160..192]
                .copy_from_slice(&bytes);
        };
        check("an entry and its tile, not those above", with_tile, &[rewritten(0, 256)]);
    }

    #[test]
    fn a_signed_head_of_another_log_is_inconsistent() {
        let touch = |log: &mut Log| log.signed[2].head.root = leaf_hash(b"other");
        let by = Witness::Checkpoint;
        check("between", touch, &[Fault::Inconsistent { size: 300, by }]);
        let anchor = |log: &mut Log| {
            log.signed[4] =
                Signed { by: Witness::Anchor, head: Head { size: 650, root: leaf_hash(b"other") } };
        };
        let expected = [
            Fault::Rewritten { after: 600, until: 650 },
            Fault::Inconsistent { size: 650, by: Witness::Anchor },
        ];
        check("at the end", anchor, &expected);
    }
}
