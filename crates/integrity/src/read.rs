//! One file below a root, read whole: no name on the way to it is followed, and it is the same file, and
//! the same content, from the first byte to the last. Not here: what is in it.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, open, openat, statat};
use rustix::io::{Errno, read};

use crate::look::{self, Inode, PAUSE, TRIES, is_same};
use crate::path::is_below;
use crate::{Digest, Why};

const STEP: usize = 128 * 1024;

/// Reads a regular file below the root, of `max` bytes at most. The root may be a link, which whoever
/// named it has chosen.
pub fn read_whole(root: &Path, path: &[u8], max: u64) -> Result<(Vec<u8>, Digest), Why> {
    if !is_below(path) {
        return Err(Why::Unreadable);
    }
    let (folder, name) = folder_of(root, path)?;
    for number in 0..TRIES {
        match once(&folder, &name, max) {
            Err(Why::Unstable) => thread::sleep(PAUSE * number),
            Ok(bytes) => {
                let digest = Digest::of_reader(&bytes[..]).map_err(|_| Why::Unreadable)?;
                return Ok((bytes, digest));
            }
            Err(why) => return Err(why),
        }
    }
    Err(Why::Unstable)
}

/// Opens folder by folder, each in the one before, all on the file system of the root.
fn folder_of(root: &Path, path: &[u8]) -> Result<(OwnedFd, CString), Why> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = open(root, flags, Mode::empty()).map_err(Why::of)?;
    let device = fstat(&folder).map_err(Why::of)?.st_dev;
    let mut names = path.split(|byte| *byte == b'/');
    let name = names.next_back().and_then(|name| CString::new(name).ok()).ok_or(Why::Unreadable)?;
    for name in names {
        folder = openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(Why::of)?;
        if fstat(&folder).map_err(Why::of)?.st_dev != device {
            return Err(Why::OtherFileSystem);
        }
    }
    Ok((folder, name))
}

fn once(folder: &OwnedFd, name: &CString, max: u64) -> Result<Vec<u8>, Why> {
    let before = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(Why::of)?;
    if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
        return Err(Why::Unreadable);
    }
    let size = Inode::of(&before).size;
    if size > max {
        return Err(Why::TooLarge);
    }
    // Whatever stands there now instead of it is not waited for.
    let file = look::open(folder, name, OFlags::NONBLOCK).map_err(Why::of)?;
    if !is_same(&before, &fstat(&file).map_err(Why::of)?) {
        return Err(Why::Unstable);
    }
    let bytes = read_to_end(&file, size)?;
    let is_quiet = is_same(&before, &fstat(&file).map_err(Why::of)?);
    if is_quiet { Ok(bytes) } else { Err(Why::Unstable) }
}

/// Reads as many bytes as it is said to have; more or fewer, and it has changed.
fn read_to_end(file: &OwnedFd, size: u64) -> Result<Vec<u8>, Why> {
    let size = usize::try_from(size).map_err(|_| Why::TooLarge)?;
    let (mut bytes, mut step) = (Vec::with_capacity(size), vec![0; STEP]);
    loop {
        match read(file, &mut step[..]) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(step.get(..count).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Why::of(errno)),
        }
        if bytes.len() > size {
            return Err(Why::Unstable);
        }
    }
    if bytes.len() == size { Ok(bytes) } else { Err(Why::Unstable) }
}
