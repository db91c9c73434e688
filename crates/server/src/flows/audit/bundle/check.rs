//! Checking a bundle with nothing but the key of its log: signature, tree, entries, personal data, and
//! notes that were kept elsewhere. Not here: the database.

use std::io;
use std::path::Path;

use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::disclosure::Disclosure;
use portcullis_domain::audit::entries;
use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::{Fault, Faults, Witness};
use portcullis_domain::audit::judge::{Block, Judge, Signed};
use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::audit::personal::{Commitment, Part};
use portcullis_domain::audit::tile::{self, Resource, TileId, TilePath, WIDTH};
use portcullis_domain::audit::tiles::{Tiles, from_bytes};
use portcullis_domain::audit::tree::{CompactRange, Hash, leaf_hash};

use super::archive::Reader;
use super::erased::{Erasures, Told};
use super::{ABOUT, About, CHECKPOINT, entries_path, personal_path};
use crate::flows::audit::verify::{Verdict, begin};

/// Why a bundle cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum BundleFault {
    #[error("the bundle cannot be read")]
    File(#[from] io::Error),
    #[error("the bundle has no {0} that can be read")]
    Without(&'static str),
}

/// Checks a bundle. Busy for as long as it takes: 256 entries are in memory at a time.
pub fn check(
    path: &Path,
    key: &VerifierKey,
    anchors: &[String],
    progress: impl Fn(u64, u64),
) -> Result<Verdict, BundleFault> {
    let reader = Reader::open(path)?;
    let about = reader.file(ABOUT)?.and_then(|bytes| About::parse(&bytes));
    let about = about.ok_or(BundleFault::Without(ABOUT))?;
    let note = reader.file(CHECKPOINT)?.and_then(|bytes| String::from_utf8(bytes).ok());
    let note = note.ok_or(BundleFault::Without(CHECKPOINT))?;
    let mut verdict = Verdict::of_bundle(key.clone(), about.first, about.end);
    let by = Witness::Checkpoint;
    // What is not signed is not looked at: it could be of any size.
    let Ok(checkpoint) = Checkpoint::open(&note, key) else {
        let said = note.lines().nth(1).and_then(|size| size.parse().ok());
        verdict.faults.add(Fault::BadSignature { size: said.unwrap_or_default(), by });
        return Ok(verdict);
    };
    verdict.sign(checkpoint.size);
    if about.end > checkpoint.size {
        let (first, count) = (checkpoint.size, about.end - checkpoint.size);
        verdict.faults.add(Fault::Stray { first, count });
    }
    let mut signed = begin::read_anchors(anchors, key, checkpoint.size, &mut verdict.faults);
    signed.push(Signed { head: checkpoint.head(), by });
    signed.sort_by_key(|signed| signed.head.size);
    let size = checkpoint.size;
    let end = about.end.min(size);
    let tiles = Tree::read(&reader, size, end, &mut verdict.faults)?;
    let Some(before) = tiles.before(about.first, &mut verdict.faults) else { return Ok(verdict) };
    if end < size {
        tiles.root(&checkpoint, &mut verdict.faults);
    }
    let erasures = Erasures::default();
    let mut looking =
        Looking { reader: &reader, about: &about, tiles, size, signed, verdict, erasures };
    let judged = looking.entries(Judge::new(before), end, progress)?.finish();
    let Told { erased, expired, untold } = looking.erasures.told();
    let mut judged = judged;
    let mut verdict = Verdict { erased, expired, untold, ..looking.verdict };
    verdict.confirmed += judged.confirmed;
    judged.faults.append(verdict.faults);
    Ok(Verdict { faults: judged.faults, ..verdict })
}

/// The tiles of the bundle above those of the entries, and the last of those.
struct Tree(Tiles);

impl Tree {
    fn read(reader: &Reader, size: u64, end: u64, faults: &mut Faults) -> io::Result<Self> {
        let mut tiles = Tiles::new();
        let edge = TileId { level: 0, n: size / WIDTH };
        let wanted =
            tile::all(size).filter(|(tile, _)| tile.level > 0 || (*tile == edge && end < size));
        for (tile, width) in wanted {
            let bytes = file_of(reader, tile, width)?;
            if bytes.is_none_or(|bytes| tiles.insert(tile, &bytes).is_err()) {
                faults.add(Fault::TileMissing { tile });
            }
        }
        begin::hold_against_upper(&tiles, size, faults);
        Ok(Self(tiles))
    }

    /// What comes before the first entry, if the tiles tell it.
    fn before(&self, first: u64, faults: &mut Faults) -> Option<CompactRange> {
        match self.0.range(first) {
            Ok(range) => Some(range),
            Err(missing) => {
                faults.add(Fault::TileMissing { tile: missing.tile });
                None
            }
        }
    }

    /// Where the bundle ends before the log does, the tiles alone come to what was signed.
    fn root(&self, checkpoint: &Checkpoint, faults: &mut Faults) {
        match self.0.root(checkpoint.size) {
            Ok(root) if root == checkpoint.root => {}
            Ok(_) => {
                let by = Witness::Checkpoint;
                faults.add(Fault::Inconsistent { size: checkpoint.size, by });
            }
            Err(missing) => faults.add(Fault::TileMissing { tile: missing.tile }),
        }
    }

    fn above(&self, n: u64, size: u64) -> Option<Hash> {
        let is_full = (n + 1).checked_mul(WIDTH).is_some_and(|end| end <= size);
        let hashes = self.0.get(TileId { level: 1, n: n / WIDTH }).filter(|_| is_full)?;
        hashes.get(usize::try_from(n % WIDTH).ok()?).copied()
    }
}

fn file_of(reader: &Reader, tile: TileId, width: u64) -> io::Result<Option<Vec<u8>>> {
    match TilePath::new(Resource::Hashes(tile), width) {
        Some(path) => reader.file(&path.to_string()),
        None => Ok(None),
    }
}

struct Looking<'a> {
    reader: &'a Reader,
    about: &'a About,
    tiles: Tree,
    size: u64,
    signed: Vec<Signed>,
    verdict: Verdict,
    erasures: Erasures,
}

impl Looking<'_> {
    fn entries(
        &mut self,
        mut judge: Judge,
        end: u64,
        progress: impl Fn(u64, u64),
    ) -> io::Result<Judge> {
        let first = self.about.first;
        for n in first / WIDTH..end.div_ceil(WIDTH) {
            let block = self.block(n)?;
            let (from, until) = (n * WIDTH, n * WIDTH + block.entries.len() as u64);
            let is_within = |at: &&Signed| at.head.size > from && at.head.size <= until;
            let within: Vec<Signed> = self.signed.iter().filter(is_within).copied().collect();
            let is_signed_within = within.iter().any(|at| at.head.size < until);
            judge.go_on(block.look(is_signed_within), &within);
            progress(until - first, end - first);
        }
        Ok(judge)
    }

    fn block(&mut self, n: u64) -> io::Result<Block> {
        let id = TileId { level: 0, n };
        let (first, width) = (n * WIDTH, tile::width(id, self.size));
        let tile = file_of(self.reader, id, width)?.and_then(|bytes| from_bytes(&bytes));
        let bundle = entries_path(n, width).map(|path| self.reader.file(&path)).transpose()?;
        let bundle = bundle.flatten().unwrap_or_default();
        let leaves = entries::read(&bundle).unwrap_or_default();
        if leaves.len() as u64 > width {
            let count = leaves.len() as u64 - width;
            self.verdict.faults.add(Fault::Stray { first: first + width, count });
        }
        let mut personal = self.personal(n, width)?;
        let mut block = Block {
            n,
            entries: Vec::new(),
            tile: tile.filter(|tile| tile.len() as u64 == width).unwrap_or_default(),
            above: self.tiles.above(n, self.size),
            elsewhere: Vec::new(),
        };
        let there = leaves.into_iter().map(Some).chain(std::iter::repeat(None));
        for (index, leaf) in (first..first + width).zip(there) {
            block.entries.push(leaf.map(leaf_hash));
            let Some(leaf) = leaf else { continue };
            match Entry::read(leaf) {
                Some(entry) if entry.index != index => block.elsewhere.push((index, entry.index)),
                Some(entry) => self.entry(&entry, &mut personal),
                None => self.verdict.faults.add(Fault::Unreadable { index }),
            }
        }
        let is_missing = |index: u64| {
            let place = index.checked_sub(first).and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| block.entries.get(place)).is_some_and(Option::is_none)
        };
        // What belongs to an entry that is missing is no fault of its own.
        for stray in personal.iter().filter(|stray| !is_missing(stray.index)) {
            let part = stray.part().map_or("another", Part::as_str);
            self.verdict.faults.add(Fault::PersonalStray { index: stray.index, part });
        }
        Ok(block)
    }

    /// The personal data of a block; a line that cannot be read is none.
    fn personal(&self, n: u64, width: u64) -> io::Result<Vec<Disclosure>> {
        let path = personal_path(n, width).filter(|_| self.about.personal);
        let file = path.map(|path| self.reader.file(&path)).transpose()?.flatten();
        let text = String::from_utf8(file.unwrap_or_default()).unwrap_or_default();
        Ok(text.lines().filter_map(Disclosure::parse).collect())
    }

    /// Takes what the entry commits to out of the personal data.
    fn entry(&mut self, entry: &Entry, personal: &mut Vec<Disclosure>) {
        let index = entry.index;
        self.erasures.read(entry);
        for (part, commitment) in [(Part::From, entry.from), (Part::Texts, entry.texts)] {
            let Some(commitment) = commitment.filter(|_| self.about.personal) else { continue };
            let is_it = |found: &Disclosure| found.index == index && found.part() == Some(part);
            let found = personal.iter().position(is_it).map(|place| personal.swap_remove(place));
            if found.as_ref().is_some_and(Disclosure::is_erased) {
                self.erasures.say(entry, part);
            } else {
                self.part(index, part, commitment, found.as_ref());
            }
        }
    }

    fn part(&mut self, index: u64, part: Part, commitment: Commitment, found: Option<&Disclosure>) {
        let part = part.as_str();
        match found {
            Some(found) if found.matches(&commitment) => {}
            Some(_) => self.verdict.faults.add(Fault::PersonalAltered { index, part }),
            None => self.verdict.faults.add(Fault::PersonalMissing { index, part }),
        }
    }
}
