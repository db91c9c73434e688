//! An index while it is made: the file beside its place, and how far it is, so that an interrupted build
//! goes on. Both are gone when it is published.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::Context;

use super::{NotBuilt, fresh_hasher};
use crate::head::PAGE;
use crate::table::{self, CHECK, ENTRY};

/// The first line of how far it is, with the version of the form.
const FIRST: &str = "portcullis breach build 1";

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where the source goes on.
    pub(super) position: u64,
    /// Lines that were read.
    pub(super) lines: u64,
    /// When the newest of what was read was last written to.
    pub(super) newest: SystemTime,
    /// How many entries stand before each closed bucket, and before the next.
    pub(super) starts: Vec<u32>,
}

/// The file, which nobody else writes to meanwhile.
pub(super) struct Unfinished {
    file: File,
    identity: String,
    to: PathBuf,
}

impl Unfinished {
    /// Opens or makes it, with how far it is, if that was of the same source in the same state.
    pub(super) fn open(to: &Path, identity: &str) -> Result<(Self, Option<Mark>), NotBuilt> {
        let path = beside(to, ".building");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(NotBuilt::To)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NotBuilt::Busy),
            Err(TryLockError::Error(fault)) => return Err(NotBuilt::To(fault)),
        }
        let unfinished = Self { file, identity: identity.to_owned(), to: to.to_owned() };
        let mark = unfinished.mark().map_err(NotBuilt::To)?;
        Ok((unfinished, mark))
    }

    /// The file, cut off behind what the mark tells of, and a hasher of what stands there.
    pub(super) fn written(&self, mark: &Mark) -> io::Result<(File, Context)> {
        let end = end(&mark.starts);
        self.file.set_len(end)?;
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(PAGE as u64))?;
        let mut hasher = fresh_hasher();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        file.seek(SeekFrom::Start(end))?;
        Ok((file, hasher))
    }

    /// Writes down how far it is, once what was written before is on the disk.
    pub(super) fn keep(&self, mark: &Mark, written: &mut BufWriter<File>) -> io::Result<()> {
        written.flush()?;
        self.file.sync_data()?;
        let (path, next) = (self.state(), beside(&self.to, ".building-state-next"));
        let since = mark.newest.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut text = format!(
            "{FIRST}\n{}\n{} {} {}\n",
            self.identity,
            mark.position,
            mark.lines,
            since.as_nanos()
        )
        .into_bytes();
        text.extend(table::bytes(&mark.starts));
        let check = crc32fast::hash(&text);
        text.extend(check.to_le_bytes());
        fs::write(&next, text)?;
        File::open(&next)?.sync_data()?;
        fs::rename(next, path)
    }

    /// Gives it its head, and its place.
    pub(super) fn publish(&self, page: &[u8]) -> io::Result<()> {
        self.file.write_all_at(page, 0)?;
        self.file.sync_all()?;
        fs::rename(beside(&self.to, ".building"), &self.to)?;
        match fs::remove_file(self.state()) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        File::open(folder_of(&self.to))?.sync_all()
    }

    /// What was written down, if it can be gone on with.
    fn mark(&self) -> io::Result<Option<Mark>> {
        let text = match fs::read(self.state()) {
            Ok(text) => text,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mark = parse(&text, &self.identity);
        let written = self.file.metadata()?.len();
        Ok(mark.filter(|mark| end(&mark.starts) <= written))
    }

    fn state(&self) -> PathBuf {
        beside(&self.to, ".building-state")
    }
}

fn parse(text: &[u8], identity: &str) -> Option<Mark> {
    let (text, check) = text.split_last_chunk()?;
    (crc32fast::hash(text).to_le_bytes() == *check).then_some(())?;
    let mut parts = text.splitn(4, |byte| *byte == b'\n');
    (parts.next()? == FIRST.as_bytes() && parts.next()? == identity.as_bytes()).then_some(())?;
    let mut numbers = std::str::from_utf8(parts.next()?).ok()?.split(' ');
    let mut number = || numbers.next()?.parse::<u64>().ok();
    let (position, lines, since) = (number()?, number()?, number()?);
    let rows = parts.next()?.as_chunks().0;
    let starts: Vec<u32> = rows.iter().map(|row| u32::from_le_bytes(*row)).collect();
    let newest = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(since))?;
    (!starts.is_empty()).then_some(Mark { position, lines, newest, starts })
}

/// Where the closed buckets end.
fn end(starts: &[u32]) -> u64 {
    let (closed, entries) = (starts.len().saturating_sub(1), starts.last().copied());
    PAGE as u64 + (closed * CHECK) as u64 + u64::from(entries.unwrap_or_default()) * ENTRY as u64
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    PathBuf::from(name)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or_else(|| Path::new("."))
}
