//! What there is under one name of a folder that is held open. Names are never followed, nothing but
//! regular files and folders is opened, and what changes while it is read is read again. Not here: which
//! names there are.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, SeekFrom, Stat, fstat, major, minor, openat, readlinkat, seek,
    statat,
};
use rustix::io::{Errno, pread, read};

use crate::digest::Hasher;
use crate::entry::Owner;
use crate::links::ReadOnce;
use crate::outline::mode;
use crate::pace::{Pace, Spent};
use crate::power::power;
use crate::quick::{Judge, Known, Read};
use crate::scan::Progress;
use crate::walk::{Maybe, Name};
use crate::{Beginning, Content, Digest, Entry, Outline};

/// So often a file is read that changes meanwhile.
pub(crate) const TRIES: u32 = 3;
/// How long it is left alone after each.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Read at once.
const STEP: usize = 128 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
/// A file that is not larger is not asked where it has holes.
const SMALL: u64 = 64 * 1024;

/// What was found under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// With how it begins, if it is a file.
    Is(Entry, Inode, Beginning),
    /// It could not be checked. What is known of it all the same stands beside it.
    Unverifiable { path: Vec<u8>, why: Why, outline: Option<Outline> },
    /// Nothing is known of what is in this folder.
    Closed { path: Vec<u8>, why: Why },
}

impl Seen {
    /// Where.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Is(entry, ..) => &entry.path,
            Self::Unverifiable { path, .. } | Self::Closed { path, .. } => path,
        }
    }
}

/// Why something could not be checked. It is never taken to be as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// This process may not read it.
    Denied,
    /// The file system gave an error.
    Unreadable,
    /// It changed again and again while it was read.
    Unstable,
    /// It is larger than what is read.
    TooLarge,
    /// A folder on which another file system is mounted.
    OtherFileSystem,
    /// Folders in folders, more of them than anybody makes on purpose, or longer names of them.
    TooDeep,
    /// A folder with more names in it than are kept in memory.
    TooMany,
    /// It could not be read in the time that it has.
    Slow,
    /// There are more holes in files than are worth hashing.
    Holes,
    /// It is there, and the scan did not come by: it is passed over now, or came back meanwhile.
    Unseen,
}

impl Why {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Unreadable => "unreadable",
            Self::Unstable => "unstable",
            Self::TooLarge => "too_large",
            Self::OtherFileSystem => "other_file_system",
            Self::TooDeep => "too_deep",
            Self::TooMany => "too_many",
            Self::Slow => "slow",
            Self::Holes => "holes",
            Self::Unseen => "unseen",
        }
    }

    pub(crate) fn of(errno: Errno) -> Self {
        match errno {
            Errno::ACCESS | Errno::PERM => Self::Denied,
            _ => Self::Unreadable,
        }
    }
}

/// What this machine knows of a path beside its entry. Times are in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    pub device: u64,
    pub number: u64,
    /// Names that it has.
    pub links: u32,
    pub size: u64,
    pub modified: i128,
    pub changed: i128,
}

impl Inode {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            number: stat.st_ino,
            links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }
}

fn nanoseconds(seconds: i128, rest: i128) -> i128 {
    seconds * 1_000_000_000 + rest
}

/// Looks at names, one after the other, on one thread.
pub(crate) struct Looker<'s> {
    /// Files that are larger are not read, in bytes.
    pub(crate) max_bytes: u64,
    pub(crate) linked: &'s ReadOnce,
    pace: &'s Pace,
    progress: &'s Progress,
    judge: Option<&'s Judge<'s>>,
    buffer: Vec<u8>,
    /// Bytes that were read since it was last asked.
    read: u64,
}

/// What a look came to.
type Looked = (Entry, Inode, Beginning);

/// What a file that was read is.
pub(crate) type Whole = (Digest, Beginning);

/// Why a look came to nothing.
enum Not {
    /// It changed meanwhile.
    Quiet,
    Given(Why),
    Readable(Errno),
}

impl From<Errno> for Not {
    fn from(errno: Errno) -> Self {
        match errno {
            // A link where a file or a folder was a moment ago.
            Errno::LOOP | Errno::NOTDIR => Self::Quiet,
            errno => Self::Readable(errno),
        }
    }
}

impl<'s> Looker<'s> {
    pub(crate) fn new(
        max_bytes: u64,
        linked: &'s ReadOnce,
        pace: &'s Pace,
        progress: &'s Progress,
        judge: Option<&'s Judge<'s>>,
    ) -> Self {
        Self { max_bytes, linked, pace, progress, judge, buffer: vec![0; STEP], read: 0 }
    }

    /// The bytes that were read since it was last asked.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// Looks at a name, and reads the file, unless what is known stands for it. `None`: it is not there
    /// any more.
    pub(crate) fn look(&mut self, name: &Name, known: Option<Box<Known>>) -> Option<(Seen, Read)> {
        if let Some(known) = known.filter(|known| self.stands(name, known)) {
            let read = Read::At(known.read_at);
            return Some((known.seen(), read));
        }
        let seen = if self.pace.is_over() {
            Some(unverifiable(name, Why::Slow))
        } else {
            self.look_in_full(name)
        };
        seen.map(|seen| (seen, Read::Now))
    }

    fn stands(&self, name: &Name, known: &Known) -> bool {
        let stat = || statat(&name.folder.opened, &name.bytes, AtFlags::SYMLINK_NOFOLLOW);
        let is_file = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        known.inode.size <= self.max_bytes
            && self.judge.is_some_and(|judge| {
                stat().is_ok_and(|stat| is_file(&stat) && judge.stands(known, &stat))
            })
    }

    fn look_in_full(&mut self, name: &Name) -> Option<Seen> {
        let mut why = Why::Unstable;
        for number in 0..TRIES {
            let looked = if number == 0 { self.as_listed(name) } else { self.once(name) };
            match looked {
                Ok((entry, inode, begins)) => {
                    return Some(Seen::Is(Entry { path: name.path(), ..entry }, inode, begins));
                }
                Err(Not::Readable(Errno::NOENT)) => return None,
                Err(Not::Quiet) => thread::sleep(PAUSE * number),
                Err(Not::Given(given)) => {
                    why = given;
                    break;
                }
                Err(Not::Readable(errno)) => {
                    why = Why::of(errno);
                    break;
                }
            }
        }
        Some(unverifiable(name, why))
    }

    /// Looks at once at what the listing said it is, and from the beginning if it is something else.
    fn as_listed(&mut self, name: &Name) -> Result<Looked, Not> {
        if let Some(folder) = &name.inside {
            let attributes = power(&folder.opened)?;
            return Ok(looked(&folder.stat, Content::Folder, attributes));
        }
        if name.maybe == Maybe::File
            && let Ok(file) = open(&name.folder.opened, &name.bytes, OFlags::NONBLOCK)
        {
            let stat = fstat(&file)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                return self.file(&file, &stat);
            }
        }
        self.once(name)
    }

    fn once(&mut self, name: &Name) -> Result<Looked, Not> {
        let (folder, name) = (&name.folder.opened, &name.bytes);
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let number = || (major(stat.st_rdev), minor(stat.st_rdev));
        let content = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let file = open(folder, name, OFlags::NONBLOCK)?;
                if !is_same(&stat, &fstat(&file)?) {
                    return Err(Not::Quiet);
                }
                return self.file(&file, &stat);
            }
            FileType::Directory => {
                let opened = open(folder, name, OFlags::DIRECTORY)?;
                if !is_same(&stat, &fstat(&opened)?) {
                    return Err(Not::Quiet);
                }
                return Ok(looked(&stat, Content::Folder, power(&opened)?));
            }
            FileType::Symlink => {
                Content::Link { target: readlinkat(folder, name, Vec::new())?.into_bytes() }
            }
            FileType::Fifo => Content::Pipe,
            FileType::Socket => Content::Socket,
            FileType::CharacterDevice => {
                let (major, minor) = number();
                Content::CharacterDevice { major, minor }
            }
            FileType::BlockDevice => {
                let (major, minor) = number();
                Content::BlockDevice { major, minor }
            }
            FileType::Unknown => return Err(Not::Readable(Errno::NOTSUP)),
        };
        Ok(looked(&stat, content, None))
    }

    /// What an open file is, if nobody changes it while it is read.
    fn file(&mut self, file: &OwnedFd, before: &Stat) -> Result<Looked, Not> {
        let inode = Inode::of(before);
        if inode.size > self.max_bytes {
            return Err(Not::Given(Why::TooLarge));
        }
        let attributes = power(file)?;
        let whole = match self.linked.get(&inode) {
            Some(whole) => whole,
            None if is_sparse(before) => self.read_sparse(file, inode.size)?,
            None => self.read(file, inode.size)?,
        };
        if !is_same(before, &fstat(file)?) {
            return Err(Not::Quiet);
        }
        self.linked.put(inode, whole);
        let (digest, begins) = whole;
        let (entry, inode, _) =
            looked(before, Content::File { size: inode.size, digest }, attributes);
        Ok((entry, inode, begins))
    }

    /// Reads so many bytes. Whether that is all of it now, its size tells afterwards; that of a file
    /// without any may be a lie, so those are asked for more.
    fn read(&mut self, file: &OwnedFd, expected: u64) -> Result<Whole, Not> {
        let (mut hasher, mut size, mut begins) = (Hasher::default(), 0_u64, Beginning::default());
        let mut spent = self.pace.begin_file();
        loop {
            let part = self.part(&mut spent, |buffer| read(file, buffer))?;
            size += u64::try_from(part.len()).unwrap_or_default();
            begins.extend(part);
            if size == expected {
                return Ok((hasher.finish_with(part), begins));
            }
            // It grows as fast as it is read, or was cut off.
            if size > expected || part.is_empty() {
                return Err(Not::Quiet);
            }
            hasher.update(part);
        }
    }

    /// The same for a file with holes, which are not read: they are zeros. They are hashed, which takes
    /// its time, so there are bounds on how many of them a scan has.
    fn read_sparse(&mut self, file: &OwnedFd, expected: u64) -> Result<Whole, Not> {
        let (mut hasher, mut at, mut begins) = (Hasher::default(), 0, Beginning::default());
        let (mut spent, mut holes) = (self.pace.begin_file(), 0);
        while at < expected {
            let data = match seek(file, SeekFrom::Data(at)) {
                Ok(data) => data.clamp(at, expected),
                Err(Errno::NXIO) => expected,
                Err(errno) => return Err(errno.into()),
            };
            if !self.pace.take_holes(data - at, holes) {
                return Err(Not::Given(Why::Holes));
            }
            holes += data - at;
            let zeros = usize::try_from(data - at).unwrap_or(usize::MAX).min(ZEROS.len());
            begins.extend(ZEROS.get(..zeros).unwrap_or_default());
            self.zeros(&mut hasher, data - at, &mut spent)?;
            at = data;
            let end =
                if at < expected { seek(file, SeekFrom::Hole(at))?.min(expected) } else { at };
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(usize::MAX);
                let part = self.part(&mut spent, |buffer| {
                    let length = buffer.len().min(most);
                    pread(file, buffer.get_mut(..length).unwrap_or_default(), at)
                })?;
                if part.is_empty() {
                    return Err(Not::Quiet);
                }
                hasher.update(part);
                begins.extend(part);
                at += u64::try_from(part.len()).unwrap_or_default();
            }
        }
        Ok((hasher.finish(), begins))
    }

    /// What one read gave.
    fn part(
        &mut self,
        spent: &mut Spent,
        read: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    ) -> Result<&[u8], Not> {
        let length = loop {
            match read(&mut self.buffer) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        let count = u64::try_from(length).unwrap_or_default();
        self.read += count;
        self.pay(count, spent)?;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    fn zeros(&self, hasher: &mut Hasher, count: u64, spent: &mut Spent) -> Result<(), Not> {
        let mut rest = count;
        while rest > 0 {
            let length = usize::try_from(rest).unwrap_or(usize::MAX).min(ZEROS.len());
            let part = ZEROS.get(..length).unwrap_or_default();
            hasher.update(part);
            let count = u64::try_from(part.len()).unwrap_or(rest);
            rest -= count;
            self.pay(count, spent)?;
        }
        Ok(())
    }

    /// Waits until so many bytes of a file are paid for. What is told of a file when the scan is stopped
    /// is heard by nobody.
    fn pay(&self, count: u64, spent: &mut Spent) -> Result<(), Not> {
        if spent.is_over() {
            return Err(Not::Given(Why::Slow));
        }
        self.pace.bytes(count, spent, self.progress);
        if self.progress.is_stopped() { Err(Not::Given(Why::Unseen)) } else { Ok(()) }
    }
}

/// What the root itself is, with an empty path. It may be a link, which whoever named it has chosen.
pub fn look_at_root(root: &Path) -> Result<Entry, Why> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(root, flags, Mode::empty()).map_err(Why::of)?;
    let stat = fstat(&opened).map_err(Why::of)?;
    let (entry, ..) = looked(&stat, Content::Folder, power(&opened).map_err(Why::of)?);
    Ok(entry)
}

/// What is known of a name that could not be checked. A file that never rests is another one at every look.
fn unverifiable(name: &Name, why: Why) -> Seen {
    let stat = statat(&name.folder.opened, &name.bytes, AtFlags::SYMLINK_NOFOLLOW).ok();
    let mut outline = stat.as_ref().and_then(Outline::of);
    if why == Why::Unstable {
        outline = outline.map(|outline| Outline { state: None, ..outline });
    }
    Seen::Unverifiable { path: name.path(), why, outline }
}

/// Whether a file takes less room than it has bytes.
fn is_sparse(stat: &Stat) -> bool {
    // Blocks are of 512 bytes, whatever those of the file system are.
    let room = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    Inode::of(stat).size > room.max(SMALL)
}

/// What a look came to, but for the beginning of a file; its path is for whoever has all of it.
fn looked(stat: &Stat, content: Content, attributes: Option<Digest>) -> Looked {
    let mode = mode(stat);
    let owner = Some(Owner { uid: stat.st_uid, gid: stat.st_gid });
    let entry = Entry { path: Vec::new(), content, mode, owner, attributes };
    (entry, Inode::of(stat), Beginning::default())
}

/// Opens what is there, and never what a link leads to. Whether anybody sees that it was read is the
/// owner's affair: only he may ask for that not to be written down.
pub(crate) fn open(folder: &OwnedFd, name: &CStr, how: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | how;
    match openat(folder, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(folder, name, flags, Mode::empty()),
        opened => opened,
    }
}

/// Whether two looks saw one thing that nobody has changed between them.
pub(crate) fn is_same(one: &Stat, other: &Stat) -> bool {
    let of = |stat: &Stat| (Inode::of(stat), stat.st_mode, stat.st_uid, stat.st_gid);
    of(one) == of(other)
}
