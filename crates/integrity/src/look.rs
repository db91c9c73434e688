//! What there is under one name of a folder that is held open. Names are never followed, nothing but
//! regular files and folders is opened, and what changes while it is read is read again. Not here: which
//! names there are.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fgetxattr, flistxattr, fstat, major, minor, openat,
    readlinkat, statat,
};
use rustix::io::{Errno, read};

use crate::digest::Hasher;
use crate::entry::Owner;
use crate::{Content, Digest, Entry};

/// So often a file is read that changes meanwhile.
pub(crate) const TRIES: u32 = 3;
/// How long it is left alone after each.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Read at once.
const STEP: usize = 128 * 1024;
/// How many files with several names are remembered, so that they are read once.
const MOST_LINKED: usize = 100_000;

/// What was found under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Is(Entry, Inode),
    /// It could not be checked.
    Unverifiable {
        path: Vec<u8>,
        why: Why,
    },
    /// Nothing is known of what is in this folder.
    Closed {
        path: Vec<u8>,
        why: Why,
    },
}

impl Seen {
    /// Where.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Is(entry, _) => &entry.path,
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
    /// Folders in folders, more of them than anybody makes on purpose.
    TooDeep,
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
    pub(crate) linked: &'s Linked,
    buffer: Vec<u8>,
    /// Bytes that were read since it was last asked.
    read: u64,
}

/// Files with several names that were read already.
#[derive(Default)]
pub(crate) struct Linked(Mutex<HashMap<(u64, u64), (Inode, Digest)>>);

/// Why a look came to nothing.
enum Not {
    /// It changed meanwhile.
    Quiet,
    TooLarge,
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
    pub(crate) fn new(max_bytes: u64, linked: &'s Linked) -> Self {
        Self { max_bytes, linked, buffer: vec![0; STEP], read: 0 }
    }

    /// The bytes that were read since it was last asked.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// Looks at a name; `path` is what it is in the whole. `None`: it is not there any more.
    pub(crate) fn look(&mut self, folder: &OwnedFd, name: &CStr, path: Vec<u8>) -> Option<Seen> {
        let mut why = Why::Unstable;
        for number in 0..TRIES {
            match self.once(folder, name) {
                Ok((entry, inode)) => return Some(Seen::Is(Entry { path, ..entry }, inode)),
                Err(Not::Readable(Errno::NOENT)) => return None,
                Err(Not::Quiet) => thread::sleep(PAUSE * number),
                Err(Not::TooLarge) => {
                    why = Why::TooLarge;
                    break;
                }
                Err(Not::Readable(errno)) => {
                    why = Why::of(errno);
                    break;
                }
            }
        }
        Some(Seen::Unverifiable { path, why })
    }

    fn once(&mut self, folder: &OwnedFd, name: &CStr) -> Result<(Entry, Inode), Not> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mut attributes = None;
        let content = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                if Inode::of(&stat).size > self.max_bytes {
                    return Err(Not::TooLarge);
                }
                let file = open(folder, name, OFlags::NONBLOCK)?;
                attributes = power(&file)?;
                self.file(&file, &stat)?
            }
            FileType::Directory => {
                let opened = open(folder, name, OFlags::DIRECTORY)?;
                if !is_same(&stat, &fstat(&opened)?) {
                    return Err(Not::Quiet);
                }
                attributes = power(&opened)?;
                Content::Folder
            }
            FileType::Symlink => {
                Content::Link { target: readlinkat(folder, name, Vec::new())?.into_bytes() }
            }
            FileType::Fifo => Content::Pipe,
            FileType::Socket => Content::Socket,
            FileType::CharacterDevice => {
                Content::CharacterDevice { major: major(stat.st_rdev), minor: minor(stat.st_rdev) }
            }
            FileType::BlockDevice => {
                Content::BlockDevice { major: major(stat.st_rdev), minor: minor(stat.st_rdev) }
            }
            FileType::Unknown => return Err(Not::Readable(Errno::NOTSUP)),
        };
        let mode = u16::try_from(stat.st_mode & 0o7777).unwrap_or_default();
        let owner = Some(Owner { uid: stat.st_uid, gid: stat.st_gid });
        let entry = Entry { path: Vec::new(), content, mode, owner, attributes };
        Ok((entry, Inode::of(&stat)))
    }

    /// Reads a file, if it is the one that was looked at, and nobody changes it while it is read.
    fn file(&mut self, file: &OwnedFd, before: &Stat) -> Result<Content, Not> {
        if !is_same(before, &fstat(file)?) {
            return Err(Not::Quiet);
        }
        let inode = Inode::of(before);
        if let Some(digest) = self.linked.get(&inode) {
            return Ok(Content::File { size: inode.size, digest });
        }
        let (mut hasher, mut size) = (Hasher::default(), 0_u64);
        loop {
            let count = match read(file, &mut self.buffer[..]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            hasher.update(self.buffer.get(..count).unwrap_or_default());
            size += u64::try_from(count).unwrap_or_default();
            self.read += u64::try_from(count).unwrap_or_default();
            // It grows as fast as it is read.
            if size > inode.size {
                return Err(Not::Quiet);
            }
        }
        if size != inode.size || !is_same(before, &fstat(file)?) {
            return Err(Not::Quiet);
        }
        let digest = hasher.finish();
        self.linked.put(inode, digest);
        Ok(Content::File { size, digest })
    }
}

impl Linked {
    fn get(&self, inode: &Inode) -> Option<Digest> {
        if inode.links < 2 {
            return None;
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, digest) = known.get(&(inode.device, inode.number))?;
        (of == inode).then_some(*digest)
    }

    fn put(&self, inode: Inode, digest: Digest) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inode.links > 1 && known.len() < MOST_LINKED {
            known.insert((inode.device, inode.number), (inode, digest));
        }
    }
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

/// The digest of the attributes that give power; `None` if there are none.
fn power(opened: &OwnedFd) -> Result<Option<Digest>, Errno> {
    const COUNTED: [&str; 3] =
        ["security.capability", "system.posix_acl_access", "system.posix_acl_default"];
    let mut names = [0; 4096];
    let length = match flistxattr(opened, &mut names[..]) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(None),
        Ok(length) => length,
        Err(errno) => return Err(errno),
    };
    let names = names.get(..length).unwrap_or_default();
    let (mut hasher, mut is_any) = (Hasher::default(), false);
    for counted in COUNTED {
        if !names.split(|byte| *byte == 0).any(|name| name == counted.as_bytes()) {
            continue;
        }
        let mut value = [0; 4096];
        let length = fgetxattr(opened, counted, &mut value[..])?;
        let value = value.get(..length).unwrap_or_default();
        hasher.update(format!("{counted} {length} ").as_bytes());
        hasher.update(value);
        is_any = true;
    }
    Ok(is_any.then(|| hasher.finish()))
}
