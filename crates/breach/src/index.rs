//! An index at work. An answer reads one bucket, of about 12 KB in an index of all passwords, and believes
//! it only if its checksum is right. The file is not mapped: what is mapped fills the memory of the process
//! with each page that is looked at, and a file that somebody cuts off ends the process. The table of the
//! buckets, 4 MB, is all that is kept.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::bucket::Bucket;
use crate::head::{BadPage, PAGE, Page};
use crate::table::{TABLE, Table, begins};
use crate::{Count, Damage, Head, Prefix, Progress, Sha1, Statistics, verify};

/// Bytes that are read at once where all of it is read.
const STEP: usize = 1 << 20;

/// A file with breached passwords, ready to answer.
pub struct Index {
    file: File,
    page: Page,
    table: Table,
}

/// Why a file is not used. Each is a sentence about the file.
#[derive(Debug, thiserror::Error)]
pub enum NotAnIndex {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("is not a file")]
    NotAFile,
    #[error("is no index of breached passwords")]
    Foreign,
    #[error("is an index of a form that this version does not know")]
    Version,
    #[error("is damaged: its head cannot be read")]
    Head,
    #[error("is not whole: it has {found} bytes of {expected}")]
    Truncated {
        /// Bytes that an index of so many entries has.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    #[error("is damaged: it has {found} bytes, and {expected} would be right")]
    TooLong {
        /// Bytes that an index of so many entries has.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    #[error("is damaged: its table is out of order")]
    Table,
    #[error("is damaged: {0}")]
    Damaged(Damage),
    #[error("was not looked at to its end")]
    Stopped,
}

/// Why there is no answer. Where it was looked is not said: it would tell something of the password.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("the index cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("a part of the index is damaged")]
    Damaged,
}

/// One entry of a prefix: the first ten of the 35 digits behind it are known.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    rest: u64,
    /// How often it was found.
    pub count: Count,
}

impl Index {
    /// Opens a file whose head, length and table are right. What stands in the buckets is checked when it
    /// is read; [`Self::open_whole`] does so at once.
    pub fn open(path: &Path) -> Result<Self, NotAnIndex> {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(NotAnIndex::NotAFile);
        }
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        let page = read_page(&file)?;
        let begins = begins(page.head.entries).ok_or(NotAnIndex::Head)?;
        let expected = begins.checked_add(TABLE as u64).ok_or(NotAnIndex::Head)?;
        if found < expected {
            return Err(NotAnIndex::Truncated { expected, found });
        }
        if found > expected {
            return Err(NotAnIndex::TooLong { expected, found });
        }
        let mut bytes = vec![0; TABLE];
        file.read_exact_at(&mut bytes, begins)?;
        let table = Table::parse(&bytes, page.head.entries).ok_or(NotAnIndex::Table)?;
        Ok(Self { file, page, table })
    }

    /// Opens a file of which every byte is right, which takes as long as reading it.
    pub fn open_whole(path: &Path, progress: &Progress) -> Result<(Self, Statistics), NotAnIndex> {
        let index = Self::open(path)?;
        let statistics = index.verify(progress)?;
        Ok((index, statistics))
    }

    /// Reads all of it: that it is what the head says, and what is in it.
    pub fn verify(&self, progress: &Progress) -> Result<Statistics, NotAnIndex> {
        verify::whole(self, progress)
    }

    /// What it is of.
    pub fn head(&self) -> &Head {
        &self.page.head
    }

    /// The head with its signatures: a signed note, if anybody signed it.
    pub fn note(&self) -> &str {
        &self.page.note
    }

    /// How often a password was found, if it was.
    pub fn lookup(&self, hash: &Sha1) -> Result<Option<Count>, Unread> {
        Ok(self.bucket(hash.prefix())?.find(hash.rest()))
    }

    /// Everything that has a prefix.
    pub fn below(&self, prefix: Prefix) -> Result<Vec<Found>, Unread> {
        let bucket = self.bucket(prefix)?;
        let found = bucket
            .entries()
            .filter_map(|(rest, count)| Count::from_byte(count).map(|count| Found { rest, count }));
        Ok(found.collect())
    }

    fn bucket(&self, prefix: Prefix) -> Result<Bucket, Unread> {
        let place = self.table.place(prefix).ok_or(Unread::Damaged)?;
        let mut bytes = vec![0; place.bytes];
        self.file.read_exact_at(&mut bytes, place.position)?;
        Bucket::read(prefix, bytes).ok_or(Unread::Damaged)
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The bytes behind the head, one after the other.
    pub(crate) fn behind_head(&self) -> impl Read {
        BufReader::with_capacity(STEP, At { file: &self.file, position: PAGE as u64 })
    }
}

impl Found {
    /// The digits of a hash that are known of it, behind the prefix: ten, in upper case.
    pub fn digits(&self) -> String {
        format!("{:010X}", self.rest)
    }
}

/// A file from a position on. Others read the same file meanwhile, so its own position is left alone.
struct At<'f> {
    file: &'f File,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

fn read_page(file: &File) -> Result<Page, NotAnIndex> {
    let mut bytes = Vec::with_capacity(PAGE);
    At { file, position: 0 }.take(PAGE as u64).read_to_end(&mut bytes)?;
    Page::parse(&bytes).map_err(|fault| match fault {
        BadPage::Foreign => NotAnIndex::Foreign,
        BadPage::Version => NotAnIndex::Version,
        // One that is cut off within the text of its head.
        BadPage::Damaged => NotAnIndex::Head,
    })
}
