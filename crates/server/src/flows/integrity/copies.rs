//! Copies of good text files, one file each under the digest of its content, sealed. They are there to
//! show differences with and are no backup: what is lost of them is only not shown.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use portcullis_domain::integrity::{NONCE_LEN, WatchKeys};
use portcullis_integrity::diff::is_secret;
use portcullis_integrity::{Content, Digest, Entry, read_whole};

use crate::random::Random;

/// Whether there was room for all of them.
enum Room {
    Enough,
    Full,
}

/// What is to be kept, and where.
pub(super) struct Keeping {
    pub(super) root: PathBuf,
    /// Where the copies of all roots are.
    pub(super) all: PathBuf,
    pub(super) to: PathBuf,
    pub(super) keys: WatchKeys,
    pub(super) max_bytes: u64,
    /// For all roots together, in bytes.
    pub(super) most: u64,
    pub(super) random: Random,
}

/// The file that says so where there was no room for all of them.
const FULL: &str = "full";

/// Whether there was no room for all copies of a root when they were last kept.
pub(super) fn are_incomplete(data_dir: &Path, root: &str) -> bool {
    of_root(data_dir, root).join(FULL).exists()
}

/// Where the copies of all roots are.
pub(super) fn of_all(data_dir: &Path) -> PathBuf {
    data_dir.join("integrity/copies")
}

/// Where the copies of a root are.
pub(super) fn of_root(data_dir: &Path, root: &str) -> PathBuf {
    of_all(data_dir).join(root)
}

/// Keeps a copy of each small text file of a baseline that is still as the baseline has it, and removes
/// the others.
pub(super) fn keep(keeping: &Keeping, entries: impl Iterator<Item = Entry>) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(&keeping.to)?;
    let (mut wanted, mut taken, mut room) = (HashSet::new(), bytes_in(&keeping.all)?, Room::Enough);
    for entry in entries {
        let Content::File { size, digest } = &entry.content else { continue };
        if *size > keeping.max_bytes || is_secret(&entry.path) || !wanted.insert(*digest) {
            continue;
        }
        if file_of(&keeping.to, digest).exists() {
            continue;
        }
        if taken + size > keeping.most {
            room = Room::Full;
            continue;
        }
        let Ok((bytes, now)) = read_whole(&keeping.root, &entry.path, keeping.max_bytes) else {
            continue;
        };
        // Of what is no text nothing could be shown.
        if now == *digest && std::str::from_utf8(&bytes).is_ok() {
            taken += write(keeping, digest, &bytes)?;
        }
    }
    remove_others(&keeping.to, &wanted)?;
    match room {
        Room::Full => fs::write(keeping.to.join(FULL), [])?,
        Room::Enough => {
            fs::remove_file(keeping.to.join(FULL)).or_else(unless_missing)?;
        }
    }
    Ok(())
}

/// The copy of a content, if there is one that is whole.
pub(super) fn read(folder: &Path, keys: &WatchKeys, digest: &Digest) -> Option<Vec<u8>> {
    let sealed = fs::read(file_of(folder, digest)).ok()?;
    Some(keys.open(&place(digest), &sealed)?.to_vec())
}

fn write(keeping: &Keeping, digest: &Digest, bytes: &[u8]) -> io::Result<u64> {
    let nonce: [u8; NONCE_LEN] = keeping.random.bytes();
    let Some(sealed) = keeping.keys.seal(&place(digest), nonce, bytes) else { return Ok(0) };
    let path = file_of(&keeping.to, digest);
    let folder = path.parent().unwrap_or(&keeping.to);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Made with mode 0600, and there as a whole or not at all.
    let mut file: tempfile::NamedTempFile<File> = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&sealed)?;
    file.persist(&path).map_err(|fault| fault.error)?;
    Ok(u64::try_from(sealed.len()).unwrap_or(u64::MAX))
}

/// Under the first two digits, so that no folder has very many files.
fn file_of(folder: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(name.get(..2).unwrap_or_default()).join(name)
}

fn place(digest: &Digest) -> Vec<u8> {
    format!("copy {digest}").into_bytes()
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        let kind = file.file_type()?;
        if kind.is_dir() {
            sum += bytes_in(&file.path())?;
        } else if kind.is_file() {
            sum += file.metadata()?.len();
        }
    }
    Ok(sum)
}

fn unless_missing(fault: io::Error) -> io::Result<()> {
    if fault.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(fault) }
}

fn remove_others(folder: &Path, wanted: &HashSet<Digest>) -> io::Result<()> {
    for part in fs::read_dir(folder)? {
        let part = part?.path();
        if !part.is_dir() {
            continue;
        }
        for file in fs::read_dir(&part)? {
            let file = file?;
            let digest = file.file_name().to_str().and_then(|name| name.parse::<Digest>().ok());
            if digest.is_none_or(|digest| !wanted.contains(&digest)) {
                fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}
