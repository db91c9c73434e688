//! A bundle: the files of C2SP tlog-tiles in a tar archive, read where they stand. Not here: whether
//! they are good.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use tar::Archive;
use tlog_tiles::{Error, Tile, TileReader};

/// How many hashes a tile has, and how many entries a bundle of them.
pub(crate) const WIDTH: usize = 256;

/// The logarithm of [`WIDTH`].
const HEIGHT: u8 = 8;

/// More than any file in a bundle can have: 256 entries of 65,535 bytes.
const LARGEST: u64 = 256 * (2 + 65_535);

/// An archive, and where each of its files begins and how long it is.
pub(crate) struct Bundle {
    archive: File,
    files: HashMap<String, (u64, usize)>,
}

impl Bundle {
    /// Finds the files. A second one of the same name is refused: whoever looks at the other one
    /// would see another log.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let archive = File::open(path).with_context(|| format!("{}", path.display()))?;
        let mut files = HashMap::new();
        let mut reader = Archive::new(&archive);
        for entry in reader.entries_with_seek()? {
            let entry = entry.context("the bundle is no tar archive, or cut off")?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8(entry.path_bytes().into_owned())?;
            ensure!(entry.size() <= LARGEST, "{name} is too large");
            let place = (entry.raw_file_position(), usize::try_from(entry.size())?);
            let twice = files.insert(name.clone(), place).is_some();
            ensure!(!twice, "{name} is there twice");
        }
        Ok(Self { archive, files })
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, name: &str) -> Result<Vec<u8>> {
        let Some((start, length)) = self.files.get(name) else { bail!("{name} is missing") };
        let mut bytes = vec![0; *length];
        self.archive.read_exact_at(&mut bytes, *start).with_context(|| format!("{name} is cut"))?;
        Ok(bytes)
    }

    /// The entries of one bundle of them: as many as the tile above it has hashes.
    pub(crate) fn entries(&self, n: u64, width: u64) -> Result<Vec<Vec<u8>>> {
        let tile = Tile::new(HEIGHT, 0, n, u32::try_from(width)?, true);
        let name = name(&tile).replace("/data/", "/entries/");
        let bytes = self.file(&name)?;
        let entries = split(&bytes).with_context(|| format!("{name} is cut off"))?;
        ensure!(entries.len() as u64 == width, "{name} has {} entries", entries.len());
        Ok(entries)
    }
}

impl TileReader for Bundle {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile| self.file(&name(tile)).map_err(|e| Error::InvalidInput(e.to_string()));
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// The crate writes paths as Go's log has them, with the height in front; C2SP's leave it out.
fn name(tile: &Tile) -> String {
    tile.path().replacen(&format!("tile/{HEIGHT}/"), "tile/", 1)
}

/// Each entry stands behind its length in two bytes.
fn split(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk() {
        let (entry, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        entries.push(entry.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(entries)
}
