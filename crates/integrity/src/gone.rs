//! Whether there is anything under a path, asked for name by name. Not here: what it ought to be.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, open, openat, statat};
use rustix::io::Errno;

use crate::path::is_below;

/// Whether it is certain that there is nothing under a path below the root.
pub fn is_gone(root: &Path, path: &[u8]) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, flags, Mode::empty());
    is_below(path) && root.is_ok_and(|root| matches!(stat(&root, path), Ok(None)))
}

/// What there is under a path, if anything. Every name of it is asked for in the folder before it, so that
/// no link leads elsewhere, and what is mounted on one says nothing of what it hides.
pub(crate) fn stat(root: &OwnedFd, path: &[u8]) -> Result<Option<Stat>, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (folders, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (&b""[..], path),
    };
    let mut folder = openat(root, c".", flags | OFlags::DIRECTORY, Mode::empty())?;
    let device = fstat(&folder)?.st_dev;
    for name in folders.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        match openat(&folder, name, flags | OFlags::DIRECTORY, Mode::empty()) {
            Ok(opened) => folder = opened,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(errno),
        }
        if fstat(&folder)?.st_dev != device {
            return Err(Errno::XDEV);
        }
    }
    match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
