//! Writing a bundle: what is signed of the log, or a part of it, with all that proves it. Bounded
//! memory: a few tiles are read while those before are written. Not here: whether the log is good.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use portcullis_domain::audit::disclosure::Disclosure;
use portcullis_domain::audit::entries::{self, TooLong};
use portcullis_domain::audit::entry::{Entry, Person};
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::audit::personal::{AuditKeys, Part, PersonKey};
use portcullis_domain::audit::tile::{self, Resource, TileId, TilePath, WIDTH};
use portcullis_domain::audit::tree::Hash;
use portcullis_domain::time::Time;
use portcullis_store::audit::examine::{self, Kept, Sealed, Somebody};
use portcullis_store::audit::{checkpoints, tree};
use portcullis_store::{Db, Error, Tx};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::archive::Writer;
use super::{ABOUT, About, CHECKPOINT, KEY, entries_path, personal_path};
use crate::flows::audit::LogFault;

/// So many entries are read together: whole tiles.
const TOGETHER: u64 = 16 * WIDTH;
/// So many people are remembered.
const MOST_PEOPLE: usize = 50_000;
/// So many files wait to be written.
const WAITING: usize = 32;

/// What is to be written, and where.
pub struct Export<'a> {
    pub db: &'a Db,
    pub keys: &'a AuditKeys,
    pub to: &'a Path,
    /// The first and the last entry; `None`: all that was not pruned. Made larger to whole tiles.
    pub range: Option<(u64, u64)>,
    pub personal: Personal,
    pub now: Time,
}

/// Whether personal data goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    Included,
    LeftOut,
}

/// What came of it.
#[derive(Debug)]
pub enum Exported {
    Done(Bundle),
    /// Nothing was signed yet.
    NothingSigned,
    /// There are no such entries among those that are signed and not pruned: they are from `first`
    /// up to, and without, `end`.
    NoSuchEntries {
        first: u64,
        end: u64,
    },
    /// This entry is missing: the log has to be verified.
    Damaged {
        index: u64,
    },
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The name of the log.
    pub origin: String,
    /// The first entry, and behind the last.
    pub first: u64,
    pub end: u64,
    /// The size that its checkpoint is of.
    pub size: u64,
    /// Bytes of the file.
    pub length: u64,
    pub sha256: [u8; 32],
}

/// Why it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    #[error(transparent)]
    Log(#[from] LogFault),
    #[error("the bundle cannot be written")]
    File(#[from] io::Error),
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl From<Error> for ExportFault {
    fn from(error: Error) -> Self {
        Self::Log(error.into())
    }
}

/// Writes the bundle. `progress` is told how many entries are written, and of how many.
pub async fn export(
    export: &Export<'_>,
    progress: impl Fn(u64, u64),
) -> Result<Exported, ExportFault> {
    let mut tx = export.db.read().await?;
    let tree = tree::read(&mut tx).await?;
    let newest = checkpoints::newest(&mut tx).await?;
    let (Some(tree), Some(newest)) = (tree, newest) else { return Ok(Exported::NothingSigned) };
    let (least, size) = (tree.pruned, newest.size.min(tree.size));
    let (first, end) = match export.range {
        None => (least, size),
        Some((first, last)) if first >= least && first <= last && last < size => {
            (first / WIDTH * WIDTH, size.min((last / WIDTH + 1) * WIDTH))
        }
        Some(_) => return Ok(Exported::NoSuchEntries { first: least, end: size }),
    };
    let key = SigningKey::from_seed(&tree.origin, export.keys.signing_seed());
    let key = key.map_err(LogFault::from)?.verifier().to_string();
    let about = About::new(first, end, export.personal == Personal::Included);
    let about = serde_json::to_vec(&about).map_err(io::Error::other)?;

    let (to, files) = mpsc::channel(WAITING);
    let writing = write(export.to, export.now, files)?;
    let mut course = Course { export, to, size, people: HashMap::new() };
    course.put(CHECKPOINT.to_owned(), newest.note.into_bytes()).await;
    course.put(KEY.to_owned(), format!("{key}\n").into_bytes()).await;
    course.put(ABOUT.to_owned(), about).await;
    course.tiles(examine::upper_tiles(&mut tx).await?).await;
    if end < size {
        course.edge(&mut tx).await?;
    }
    drop(tx);
    let mut from = first;
    while from < end {
        let until = from.saturating_add(TOGETHER).min(end);
        if let Some(index) = course.range(from, until).await? {
            return Ok(Exported::Damaged { index });
        }
        progress(until - first, end - first);
        from = until;
    }
    course.end().await;
    let (length, sha256) = writing.await.map_err(io::Error::other)??;
    Ok(Exported::Done(Bundle { origin: tree.origin, first, end, size, length, sha256 }))
}

/// A file of the bundle, or its end: without one, nothing is left of it.
enum Next {
    File { path: String, bytes: Vec<u8> },
    End,
}

type Writing = JoinHandle<io::Result<(u64, [u8; 32])>>;

/// Writes what comes, on a thread that may wait for the disk.
fn write(to: &Path, now: Time, mut next: mpsc::Receiver<Next>) -> io::Result<Writing> {
    let mut writer = Writer::begin(to, u64::try_from(now.secs()).unwrap_or_default())?;
    Ok(tokio::task::spawn_blocking(move || {
        while let Some(next) = next.blocking_recv() {
            match next {
                Next::File { path, bytes } => writer.add(&path, &bytes)?,
                Next::End => return writer.finish(),
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }))
}

/// A bundle on its way.
struct Course<'a> {
    export: &'a Export<'a>,
    to: mpsc::Sender<Next>,
    size: u64,
    /// People who were looked up.
    people: HashMap<i64, Owner>,
}

/// Whose personal data it is.
enum Owner {
    Known(PersonKey),
    Erased,
    /// Nobody has the number, or he stands for another user than he was made for.
    Unknown,
}

impl Course<'_> {
    /// Where nobody takes it, the writing has failed, which is told when it is waited for.
    async fn put(&self, path: String, bytes: Vec<u8>) {
        drop(self.to.send(Next::File { path, bytes }).await);
    }

    async fn end(self) {
        drop(self.to.send(Next::End).await);
    }

    /// A tile as wide as it is at the size that was signed.
    async fn tile(&self, tile: TileId, hashes: &[u8]) {
        let width = tile::width(tile, self.size);
        let length = usize::try_from(width).map_or(0, |width| width * Hash::BYTES);
        let path = TilePath::new(Resource::Hashes(tile), width);
        // One that is newer has no place; one that is too short is missed by whoever checks the bundle.
        if let (Some(path), Some(hashes)) = (path, hashes.get(..length)) {
            self.put(path.to_string(), hashes.to_vec()).await;
        }
    }

    async fn tiles(&self, tiles: Vec<(TileId, Vec<u8>)>) {
        for (tile, hashes) in tiles {
            self.tile(tile, &hashes).await;
        }
    }

    /// The last tile of the entries, where the range ends before it: the root is made of it, too.
    async fn edge(&self, tx: &mut Tx) -> Result<(), ExportFault> {
        let n = self.size / WIDTH;
        self.tiles(examine::tiles(tx, 0, n, n + 1).await?).await;
        Ok(())
    }

    /// Some whole tiles with their entries; the first entry that is missing, if one is.
    async fn range(&mut self, first: u64, end: u64) -> Result<Option<u64>, ExportFault> {
        let mut tx = self.export.db.read().await?;
        let entries = examine::entries(&mut tx, first, end).await?;
        let personal = match self.export.personal {
            Personal::Included => Some(examine::personal(&mut tx, first, end).await?),
            Personal::LeftOut => None,
        };
        let entries = entries.rows()?;
        let personal = match &personal {
            Some(personal) => personal.rows()?,
            None => Vec::new(),
        };
        let tiles = examine::tiles(&mut tx, 0, first / WIDTH, end.div_ceil(WIDTH)).await?;
        for owner in personal.iter().filter_map(|sealed| sealed.person) {
            self.look_up(&mut tx, owner).await?;
        }
        drop(tx);
        if let Some(index) = hole(first, end, &entries) {
            return Ok(Some(index));
        }
        self.tiles(tiles).await;
        for block in entries.chunk_by(|one, next| one.index / WIDTH == next.index / WIDTH) {
            let Some(first) = block.first() else { continue };
            let (n, width) = (first.index / WIDTH, block.len() as u64);
            let leaves = block.iter().map(|kept| kept.leaf);
            let bundle = entries::write(leaves)?;
            self.put(entries_path(n, width).unwrap_or_default(), bundle).await;
            if self.export.personal == Personal::Included {
                let lines = self.lines(block, &personal);
                let path = personal_path(n, width).unwrap_or_default();
                self.put(path, lines.into_bytes()).await;
            }
        }
        Ok(None)
    }

    /// The personal data of a block, a line for each part that its entries commit to. A part that cannot
    /// be read has none, and whoever checks the bundle misses it.
    fn lines(&self, block: &[Kept<'_>], personal: &[Sealed<'_>]) -> String {
        let mut lines = String::new();
        for kept in block {
            let Some(entry) = Entry::read(kept.leaf) else { continue };
            let start = personal.partition_point(|sealed| sealed.index < kept.index);
            let of_entry = personal.get(start..).unwrap_or_default();
            let of_entry: Vec<&Sealed<'_>> =
                of_entry.iter().take_while(|sealed| sealed.index == kept.index).collect();
            let parts = [(Part::From, entry.from), (Part::Texts, entry.texts)];
            for (part, _) in parts.iter().filter(|(_, commitment)| commitment.is_some()) {
                let sealed = of_entry.iter().find(|sealed| sealed.part == part.as_str());
                let line = match sealed {
                    Some(sealed) => self.disclose(*part, sealed),
                    None => Some(Disclosure::erased(kept.index, *part)),
                };
                lines.extend(line.map(|line| line.line() + "\n"));
            }
        }
        lines
    }

    fn disclose(&self, part: Part, sealed: &Sealed<'_>) -> Option<Disclosure> {
        let index = sealed.index;
        let key = match sealed.person {
            None => self.export.keys.nobody(),
            Some(person) => match self.people.get(&person)? {
                Owner::Known(key) => key,
                Owner::Erased => return Some(Disclosure::erased(index, part)),
                Owner::Unknown => return None,
            },
        };
        Disclosure::of(index, part, &key.open(index, part, sealed.sealed).ok()?)
    }

    async fn look_up(&mut self, tx: &mut Tx, number: i64) -> Result<(), Error> {
        if self.people.contains_key(&number) {
            return Ok(());
        }
        if self.people.len() >= MOST_PEOPLE {
            self.people.clear();
        }
        let found = examine::person(tx, number).await?;
        let owner = found.and_then(|found| Owner::of(&found, self.export.keys));
        self.people.insert(number, owner.unwrap_or(Owner::Unknown));
        Ok(())
    }
}

impl Owner {
    fn of(found: &Somebody, keys: &AuditKeys) -> Option<Self> {
        if found.erased_at.is_some() {
            return Some(Self::Erased);
        }
        let person = Person::from_number(found.number)?;
        keys.unwrap(person, found.user?, found.sealed_key.as_deref()?).ok().map(Self::Known)
    }
}

/// The first entry that is not there.
fn hole(first: u64, end: u64, entries: &[Kept<'_>]) -> Option<u64> {
    let there = entries.iter().map(|kept| Some(kept.index)).chain(std::iter::repeat(None));
    (first..end).zip(there).find(|(index, there)| *there != Some(*index)).map(|(index, _)| index)
}
