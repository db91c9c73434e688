//! Sets watches on a folder and all that are in it. Each is set through the folder as it is held open,
//! so that no link and nothing that is moved meanwhile leads out of the root. Not here: what is told.

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, WatchFlags};
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use super::budget::Share;
use super::folders::Folders;
use super::uncovered::Uncovered;
use super::wake::Timer;
use crate::Exclude;
use crate::look;
use crate::path::join;
use crate::walk::{DEEPEST, is_too_long};

/// What is told of a folder. `CLOSE_WRITE` tells of some who write through a mapping; of names that are
/// gone nothing is told.
const TOLD: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

/// A root, and which folder it was. It is not held open: then nobody could unmount it.
#[derive(Debug)]
pub(super) struct Rooted {
    path: PathBuf,
    device: u64,
    number: u64,
}

impl Rooted {
    /// It may be a link, which whoever named it has chosen.
    pub(super) fn open(path: &Path) -> Result<(Self, OwnedFd), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(path, flags, Mode::empty())?;
        let stat = fstat(&opened)?;
        Ok((Self { path: path.to_owned(), device: stat.st_dev, number: stat.st_ino }, opened))
    }

    /// `None`: there is no folder any more, or another one.
    pub(super) fn open_again(&self) -> Option<OwnedFd> {
        let (now, opened) = Self::open(&self.path).ok()?;
        (now.device == self.device && now.number == self.number).then_some(opened)
    }

    /// Opens a folder below it, name by name. `None`: there is none.
    pub(super) fn open_below(&self, path: &[u8]) -> Result<Option<OwnedFd>, Errno> {
        let Some(mut folder) = self.open_again() else { return Ok(None) };
        for name in path.split(|byte| *byte == b'/') {
            let name = CString::new(name).map_err(|_| Errno::INVAL)?;
            match look::open(&folder, &name, OFlags::DIRECTORY) {
                Ok(opened) => folder = opened,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
        Ok(Some(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }
}

/// Sets and takes away watches.
pub(super) struct Arm<'w> {
    pub(super) inotify: &'w OwnedFd,
    pub(super) device: u64,
    /// Says when there is no time left.
    pub(super) timer: &'w Timer,
    pub(super) exclude: &'w Exclude,
    pub(super) folders: &'w mut Folders,
    pub(super) share: &'w mut Share,
    pub(super) uncovered: &'w mut Uncovered,
}

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    All,
    /// The time was over before that.
    TooLate,
}

/// A folder whose folders wait.
struct Level {
    opened: OwnedFd,
    path: Vec<u8>,
    is_watched: bool,
    names: Vec<CString>,
}

impl Arm<'_> {
    /// Watches a folder and all that are in it.
    pub(super) fn tree(&mut self, opened: OwnedFd, path: Vec<u8>) {
        let mut levels = Vec::from_iter(self.enter(opened, path, true));
        while !levels.is_empty() {
            self.step(&mut levels);
        }
    }

    /// The same, until the timer says that it is enough.
    pub(super) fn tree_in_time(&mut self, opened: OwnedFd, path: Vec<u8>) -> Armed {
        let mut levels = Vec::from_iter(self.enter(opened, path, true));
        while !levels.is_empty() {
            if self.timer.is_over() {
                return Armed::TooLate;
            }
            self.step(&mut levels);
        }
        Armed::All
    }

    /// Walks over all of the root again, after something was not told. What is watched stays so
    /// throughout.
    pub(super) fn all_again(&mut self, root: OwnedFd) {
        self.folders.begin_walk();
        self.tree(root, Vec::new());
        let idle = self.folders.end_walk();
        self.end(idle);
    }

    /// Takes away the watches of a folder and of all that are in it.
    pub(super) fn forget(&mut self, path: &[u8]) {
        let idle = self.folders.take_tree(path);
        self.end(idle);
    }

    /// Goes into the next folder, or back from one that is done with.
    fn step(&mut self, levels: &mut Vec<Level>) {
        let Some(level) = levels.last_mut() else { return };
        let Some(name) = level.names.pop() else {
            levels.pop();
            return;
        };
        let (path, is_named) = (join(&level.path, name.as_bytes()), level.is_watched);
        if self.exclude.covers_tree(&path) {
            return;
        }
        let opened = look::open(&level.opened, &name, OFlags::DIRECTORY);
        let is_too_deep = levels.len() >= DEEPEST || is_too_long(&path);
        match opened {
            Ok(opened) if !is_too_deep => levels.extend(self.enter(opened, path, is_named)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Ok(_) | Err(_) => self.leave_out(&path, is_named),
        }
    }

    /// The watch comes before the list: a folder that is made between them is in the one or in the
    /// other.
    fn enter(&mut self, opened: OwnedFd, path: Vec<u8>, is_named: bool) -> Option<Level> {
        if fstat(&opened).ok()?.st_dev != self.device {
            return None;
        }
        let is_watched = self.watch(&opened, &path);
        let names = folders_in(&opened);
        if !is_watched || names.is_err() {
            self.leave_out(&path, is_named);
        }
        Some(Level { opened, path, is_watched, names: names.ok()? })
    }

    fn leave_out(&mut self, path: &[u8], is_named: bool) {
        if is_named {
            self.uncovered.add(path);
        } else {
            self.uncovered.add_within();
        }
    }

    /// Whether it is watched now.
    fn watch(&mut self, opened: &OwnedFd, path: &[u8]) -> bool {
        if !self.folders.has(path) && !self.share.has_room() {
            return false;
        }
        // What is held open, wherever its names lead by now.
        let held = format!("/proc/self/fd/{}", opened.as_raw_fd());
        let Ok(watch) = inotify::add_watch(self.inotify, held, TOLD) else { return false };
        let idle = self.folders.put(watch, path);
        self.end(idle);
        true
    }

    fn end(&mut self, idle: impl IntoIterator<Item = i32>) {
        for watch in idle {
            // It may have ended by itself.
            inotify::remove_watch(self.inotify, watch).unwrap_or_default();
        }
        self.share.settle(self.folders.watches());
    }
}

fn folders_in(opened: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for found in Dir::read_from(opened)? {
        let found = found?;
        let is_other = matches!(found.file_name().to_bytes(), b"." | b"..");
        let may_be = matches!(found.file_type(), FileType::Directory | FileType::Unknown);
        if may_be && !is_other {
            names.push(found.file_name().to_owned());
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}
