//! Makes an index from what is published: the text file that is ordered by hash, or a folder with a file
//! for each prefix. It streams, so memory does not grow with the source; it writes beside the place of the
//! index and puts it there when it is whole; and what was interrupted is gone on with.

mod folder;
mod lines;
mod text;
mod unfinished;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::write::{Writer, Written};
use crate::{BadLine, Disorder, Head, NotARange, Progress, Sha1, head};
use unfinished::{Mark, Unfinished};

/// What is made of what.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file with a line `HASH:COUNT` for each password, ordered by hash; or a folder with files named
    /// `PREFIX` or `PREFIX.txt`, whose lines are `SUFFIX:COUNT`.
    pub from: PathBuf,
    /// Where the index goes, in the place of an older one.
    pub to: PathBuf,
    /// Passwords that were found fewer times are left out.
    pub min_count: u64,
    /// Of when the passwords are; else the day on which the source was last written to.
    pub date: Option<Date>,
    /// After so many lines it is written down how far it is.
    pub keep_every: u64,
}

impl Options {
    /// A few seconds of work.
    pub const KEEP_EVERY: u64 = 25_000_000;
}

/// An index that waits for its head.
pub struct Built {
    /// What it is of.
    pub head: Head,
    /// Lines that were read, also before it was interrupted.
    pub lines: u64,
    /// Lines that had been read before it was interrupted.
    pub lines_before: u64,
    /// Prefixes without a password. The published ones have some for each.
    pub empty_prefixes: usize,
    unfinished: Unfinished,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    #[error("the source cannot be read: {0}")]
    From(#[source] io::Error),
    #[error("the index cannot be written: {0}")]
    To(#[source] io::Error),
    #[error("the source is neither a file nor a folder")]
    NoSource,
    #[error("line {line} {why}")]
    Line { line: u64, why: BadLine },
    #[error("line {line} {why}")]
    Disorder { line: u64, why: Disorder },
    #[error("file {file}: {why}")]
    File { file: String, why: NotARange },
    #[error("file {file} {why}")]
    FileDisorder { file: String, why: Disorder },
    #[error("the folder has more than one file for the prefix {prefix}")]
    Twice { prefix: String },
    #[error("the folder has no file that is named by a prefix")]
    NoFiles,
    #[error("no password in it was found so often")]
    Empty,
    #[error("the source was written to while it was read")]
    Changed,
    #[error("another build writes to the same place")]
    Busy,
    #[error("the note is none of this index")]
    Note,
    #[error("it was stopped, and can be gone on with")]
    Stopped,
}

/// Makes an index, or goes on making it. [`Built::publish`] puts it where it belongs.
pub fn build(options: &Options, progress: &Progress) -> Result<Built, NotBuilt> {
    let source = Source::open(&options.from)?;
    let identity = format!("{} {}", source.identity()?, options.min_count.max(1));
    let (unfinished, mark) = Unfinished::open(&options.to, &identity)?;
    let mut job = Job::begin(options, progress, unfinished, mark)?;
    let lines_before = job.lines;
    match &source {
        Source::Text(file) => text::read(file, &mut job)?,
        Source::Folder(folder) => folder::read(folder, &mut job)?,
    }
    if identity != format!("{} {}", source.identity()?, options.min_count.max(1)) {
        return Err(NotBuilt::Changed);
    }
    let newest = job.newest;
    let (lines, unfinished) = (job.lines, job.unfinished);
    let Written { to, entries, empty_prefixes, digest } =
        job.writer.finish().map_err(NotBuilt::To)?;
    // All of it is written; the file itself is still open in `unfinished`.
    drop(to);
    if entries == 0 {
        return Err(NotBuilt::Empty);
    }
    let date = options.date.or_else(|| day_of(newest)).ok_or(NotBuilt::NoSource)?;
    let head = Head { date, min_count: options.min_count.max(1), entries, digest };
    Ok(Built { head, lines, lines_before, empty_prefixes, unfinished })
}

impl Built {
    /// The text to be signed.
    pub fn text(&self) -> String {
        self.head.to_string()
    }

    /// Puts the index in its place, with the signatures of a note of [`Self::text`], if it is signed.
    pub fn publish(self, note: Option<&str>) -> Result<Head, NotBuilt> {
        let page = head::write(&self.head, note).ok_or(NotBuilt::Note)?;
        self.unfinished.publish(&page).map_err(NotBuilt::To)?;
        Ok(self.head)
    }
}

enum Source {
    Text(File),
    Folder(PathBuf),
}

impl Source {
    fn open(path: &Path) -> Result<Self, NotBuilt> {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        let found = fs::metadata(path).map_err(NotBuilt::From)?;
        if found.is_dir() {
            Ok(Self::Folder(path.to_owned()))
        } else if found.is_file() {
            File::open(path).map(Self::Text).map_err(NotBuilt::From)
        } else {
            Err(NotBuilt::NoSource)
        }
    }

    /// Which file or folder it is, in which state.
    fn identity(&self) -> Result<String, NotBuilt> {
        use std::os::unix::fs::MetadataExt as _;
        let found = match self {
            Self::Text(file) => file.metadata(),
            Self::Folder(folder) => fs::metadata(folder),
        };
        let is = found.map_err(NotBuilt::From)?;
        let changed = format!("{}.{:09}", is.mtime(), is.mtime_nsec());
        Ok(format!("{} {} {} {changed}", is.dev(), is.ino(), is.len()))
    }
}

/// What is at work.
struct Job<'a> {
    options: &'a Options,
    progress: &'a Progress,
    unfinished: Unfinished,
    writer: Writer<BufWriter<File>>,
    /// Where it goes on: a byte of the text, or the number of a prefix.
    position: u64,
    lines: u64,
    kept: u64,
    /// When the newest of what was read was last written to.
    newest: SystemTime,
}

impl<'a> Job<'a> {
    fn begin(
        options: &'a Options,
        progress: &'a Progress,
        unfinished: Unfinished,
        mark: Option<Mark>,
    ) -> Result<Self, NotBuilt> {
        let mark = mark.unwrap_or_default();
        let (file, hasher) = unfinished.written(&mark).map_err(NotBuilt::To)?;
        let to = BufWriter::with_capacity(1 << 20, file);
        let Mark { position, lines, newest, starts } = mark;
        let writer = Writer::go_on(to, options.min_count, starts, hasher);
        Ok(Self { options, progress, unfinished, writer, position, lines, kept: lines, newest })
    }

    /// Takes the next hash, if it can follow.
    fn push(&mut self, hash: Sha1, count: u64) -> Result<Result<(), Disorder>, NotBuilt> {
        self.lines += 1;
        self.writer.push(hash, count).map_err(NotBuilt::To)
    }

    /// Says that everything below the prefix of this number is there, and where it would go on; writes that
    /// down if it is time to.
    fn passed(&mut self, number: u32, position: u64) -> Result<(), NotBuilt> {
        let is_stopped = self.progress.is_stopped();
        if self.lines - self.kept < self.options.keep_every && !is_stopped {
            return Ok(());
        }
        self.writer.close_below(number).map_err(NotBuilt::To)?;
        let starts = self.writer.starts().to_vec();
        let mark = Mark { position, lines: self.lines, newest: self.newest, starts };
        self.unfinished.keep(&mark, self.writer.target()).map_err(NotBuilt::To)?;
        self.kept = self.lines;
        if is_stopped { Err(NotBuilt::Stopped) } else { Ok(()) }
    }

    fn read_until(&mut self, modified: io::Result<SystemTime>) -> Result<(), NotBuilt> {
        self.newest = self.newest.max(modified.map_err(NotBuilt::From)?);
        Ok(())
    }
}

/// Nothing was read yet.
impl Default for Mark {
    fn default() -> Self {
        Self { position: 0, lines: 0, newest: SystemTime::UNIX_EPOCH, starts: vec![0] }
    }
}

fn fresh_hasher() -> Context {
    Context::new(&SHA256)
}

fn day_of(time: SystemTime) -> Option<Date> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}
