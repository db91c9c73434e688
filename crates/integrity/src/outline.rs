//! What is known of something without reading it: enough to tell who may do what with it, and that it is
//! another one now. Not here: what is in it.

use std::fmt;

use rustix::fs::{FileType, Stat};

use crate::entry::Owner;
use crate::look::Inode;

/// What stands under a path that could not be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    pub kind: Type,
    /// Twelve bits, as an entry has them.
    pub mode: u16,
    pub owner: Owner,
    /// The number of the inode.
    pub number: u64,
    /// `None`: it is no file, or one that never rests. Those are other ones at every look.
    pub state: Option<State>,
}

/// What tells one content of a file from another as long as nobody reads it. Times are in nanoseconds
/// since the Unix epoch; that of the change cannot be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub size: u64,
    pub modified: i128,
    pub changed: i128,
}

/// What a path is that of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    File,
    Folder,
    Link,
    Pipe,
    Socket,
    CharacterDevice,
    BlockDevice,
}

impl Type {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "link",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::CharacterDevice => "char",
            Self::BlockDevice => "block",
        }
    }

    fn of(stat: &Stat) -> Option<Self> {
        Some(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Pipe,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice => Self::CharacterDevice,
            FileType::BlockDevice => Self::BlockDevice,
            FileType::Unknown => return None,
        })
    }
}

impl Outline {
    /// Of something that rests.
    pub(crate) fn of(stat: &Stat) -> Option<Self> {
        let kind = Type::of(stat)?;
        let Inode { number, size, modified, changed, .. } = Inode::of(stat);
        let state = (kind == Type::File).then_some(State { size, modified, changed });
        let owner = Owner { uid: stat.st_uid, gid: stat.st_gid };
        Some(Self { kind, mode: mode(stat), owner, number, state })
    }
}

/// The twelve bits of the rights.
pub(crate) fn mode(stat: &Stat) -> u16 {
    u16::try_from(stat.st_mode & 0o7777).unwrap_or_default()
}

/// Type, mode in four octal digits, user, group, number, size and times, with single spaces between them;
/// `-` where there is none.
impl fmt::Display for Outline {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, mode, owner: Owner { uid, gid }, number, state } = self;
        write!(out, "{} {mode:04o} {uid} {gid} {number} ", kind.as_str())?;
        match state {
            Some(State { size, modified, changed }) => write!(out, "{size} {modified} {changed}"),
            None => out.write_str("- - -"),
        }
    }
}
