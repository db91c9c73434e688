//! What is known of files from the scan before, so that one that nobody can have touched is not read
//! again. It is a shortcut, never a verdict: a store through a mapping leaves no trace in what is
//! compared here, so every file is read from time to time, and when, nobody can tell. Not here: looking.

pub(crate) mod rows;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use aws_lc_rs::hmac;
use rustix::fs::{AtFlags, Stat, StatxFlags, fstatfs, statx};
use rustix::io::Errno;

use crate::entry::Owner;
use crate::look::{Inode, Seen};
use crate::{Beginning, Content, Digest, Entry};

/// A file that is not read is read within this time all the same, unless another is chosen.
pub const WITHIN: Duration = Duration::from_hours(7 * 24);
/// What changed less than this before it was read may have changed once more at the same moment of a
/// coarse clock.
const SETTLED: i128 = 2_000_000_000;
/// ext4 (and those before it), xfs and btrfs, whose times of change can be relied on.
const RELIABLE: [i128; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];

/// How a scan may spare itself the reading of files. Times are in milliseconds since the Unix epoch.
pub struct Quick<'q, R, W> {
    /// What the scan before kept; nothing for the first.
    pub known: R,
    /// What this one keeps. It replaces what was known only if the scan comes to its end.
    pub keep: W,
    /// What is kept is authenticated with it. A secret of this root alone.
    pub key: &'q [u8; 32],
    /// When the scan begins.
    pub now: i64,
    /// A word that is another one whenever nothing that was known is to be relied on, such as the id of
    /// the boot.
    pub era: &'q str,
    /// Files that are always read, by path and mode.
    pub always: &'q (dyn Fn(&[u8], u16) -> bool + Sync),
    /// A file is read at least this often.
    pub within: Duration,
    pub file_systems: FileSystems,
}

/// On which file systems files may be spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystems {
    /// Those of which it is known that whatever is written moves the time of change.
    Reliable,
    /// Any, at the risk of whoever says so.
    Any,
}

/// How much was read, and how much was not.
#[derive(Debug)]
pub struct Coverage<W> {
    /// Files that were read.
    pub hashed: u64,
    /// Files that were not, because nothing of them changed since they were.
    pub spared: u64,
    /// When the file was read that was not read for longest.
    pub oldest: Option<i64>,
    /// Why nothing of what was known was used, or only what came before.
    pub unused: Option<Unused>,
    /// Where it was kept, if all of it could be written.
    pub kept: io::Result<W>,
}

/// Why nothing was used of what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// There is none.
    Nothing,
    /// It is not what a scan with this key has kept: nothing behind the place is used.
    Forged,
    /// It is of another boot, or whatever the word stands for.
    Era,
    /// The clock was set back since.
    Clock,
    /// What is mounted there is another file system, or mounted anew.
    Mount,
    /// The file system is not one whose times can be relied on.
    FileSystem,
}

impl Unused {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Forged => "forged",
            Self::Era => "era",
            Self::Clock => "clock",
            Self::Mount => "mount",
            Self::FileSystem => "file_system",
        }
    }
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) path: Vec<u8>,
    pub(crate) inode: Inode,
    pub(crate) mode: u16,
    pub(crate) owner: Owner,
    pub(crate) digest: Digest,
    pub(crate) begins: Beginning,
    pub(crate) attributes: Option<Digest>,
    /// When the scan began that read it.
    pub(crate) read_at: i64,
}

/// Whether a file that was looked at was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// In this scan.
    Now,
    /// In the one that began then.
    At(i64),
}

/// Judges whether what is known of a file stands for it.
pub(crate) struct Judge<'q> {
    due: hmac::Key,
    now: i64,
    within: u128,
    always: &'q (dyn Fn(&[u8], u16) -> bool + Sync),
}

impl<'q> Judge<'q> {
    pub(crate) fn new<R, W>(quick: &Quick<'q, R, W>) -> Self {
        let due = derived(quick.key, b"when a file is read again");
        Self { due, now: quick.now, within: quick.within.as_millis(), always: quick.always }
    }

    /// Whether a file is as it was when it was read, as far as can be told without reading it.
    pub(crate) fn stands(&self, known: &Known, stat: &Stat) -> bool {
        let inode = Inode::of(stat);
        let mode = u16::try_from(stat.st_mode & 0o7777).unwrap_or_default();
        let owner = Owner { uid: stat.st_uid, gid: stat.st_gid };
        let is_same = (inode, mode, owner) == (known.inode, known.mode, known.owner);
        let is_settled = inode.changed + SETTLED <= i128::from(known.read_at) * 1_000_000;
        is_same && is_settled && !(self.always)(&known.path, mode) && !self.is_due(known)
    }

    /// Whether it is time to read a file again: at a moment within the time that there is for it, which is
    /// another one for each file and each reading, and follows from the key.
    fn is_due(&self, known: &Known) -> bool {
        let mut context = hmac::Context::with_key(&self.due);
        context.update(&known.read_at.to_le_bytes());
        context.update(&known.path);
        let tag = context.sign();
        let chance = tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let delay = self.within.saturating_mul(u128::from(chance)) >> 64;
        let since = u128::try_from(self.now - known.read_at).unwrap_or(u128::MAX);
        since >= delay
    }
}

impl Known {
    /// What is to be known of a file that was looked at; `None` for anything else.
    pub(crate) fn of(entry: &Entry, inode: Inode, begins: Beginning, read_at: i64) -> Option<Self> {
        let Content::File { digest, .. } = entry.content else { return None };
        let (path, mode, owner) = (entry.path.clone(), entry.mode, entry.owner?);
        let attributes = entry.attributes;
        Some(Self { path, inode, mode, owner, digest, begins, attributes, read_at })
    }

    /// As it would be seen.
    pub(crate) fn seen(self) -> Seen {
        let Self { path, inode, mode, owner, digest, begins, attributes, .. } = self;
        let content = Content::File { size: inode.size, digest };
        let entry = Entry { path, content, mode, owner: Some(owner), attributes };
        Seen::Is(entry, inode, begins)
    }
}

/// What is mounted: its device, and which mounting of it.
pub(crate) fn mounted(root: &OwnedFd) -> Result<(u64, u64), Errno> {
    let about = statx(root, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let device = (u64::from(about.stx_dev_major) << 32) | u64::from(about.stx_dev_minor);
    Ok((device, about.stx_mnt_id))
}

/// Whether the times of what is on a file system can be relied on.
pub(crate) fn is_reliable(root: &OwnedFd, file_systems: FileSystems) -> bool {
    let is_known = || fstatfs(root).is_ok_and(|about| RELIABLE.contains(&about.f_type.into()));
    file_systems == FileSystems::Any || is_known()
}

/// A key for one purpose.
pub(crate) fn derived(key: &[u8; 32], purpose: &[u8]) -> hmac::Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, purpose).as_ref())
}
