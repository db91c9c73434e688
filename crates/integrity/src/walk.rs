//! The names below a root, in the order of paths, each with the folder it stands in held open. One
//! thread lists; what stands under a name is for others to look at. Not here: reading files.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, Stat, fstat, open, seek};
use rustix::io::Errno;

use crate::look::{self, Inode, Why};
use crate::path::{self, join};
use crate::{Exclude, Scope};

/// A folder that is held open, so that whatever is moved about meanwhile, names stand in it.
pub(crate) struct Folder {
    pub(crate) opened: OwnedFd,
    /// Below the root; empty for the root itself.
    pub(crate) path: Vec<u8>,
    /// What it was when it was opened.
    pub(crate) stat: Stat,
}

/// A name in a folder.
pub(crate) struct Name {
    pub(crate) folder: Arc<Folder>,
    pub(crate) bytes: CString,
    pub(crate) maybe: Maybe,
    /// The folder that it is the name of, if it could be opened.
    pub(crate) inside: Option<Arc<Folder>>,
}

impl Name {
    /// Its path below the root.
    pub(crate) fn path(&self) -> Vec<u8> {
        join(&self.folder.path, self.bytes.as_bytes())
    }
}

/// So many folders in each other are walked, each of which is held open.
pub(crate) const DEEPEST: usize = 200;
/// So many bytes of names wait at a time, in all folders that are held open: those of a million files in one
/// folder, if they are no longer than names mostly are.
const ROOM: usize = 64 << 20;
/// What a name takes beside its bytes, about.
const NAME: usize = 48;
/// Listed at once, in bytes.
const STEP: usize = 32 * 1024;

/// What comes next of a walk.
pub(crate) enum Step {
    /// Something to look at.
    Name(Name),
    /// Nothing is known of what is in this folder; of a path that is too long, not even what it is of.
    Closed { path: Vec<u8>, why: Why },
}

/// Walks below a root.
pub(crate) struct Walk {
    exclude: Exclude,
    scope: Scope,
    device: u64,
    /// From the root to where it is.
    open: Vec<Listed>,
    /// A folder that was named, and that nobody can look into.
    closed: Option<(Vec<u8>, Why)>,
    buffer: Vec<MaybeUninit<u8>>,
    /// Bytes of names that may yet wait.
    room: usize,
}

/// A folder whose names wait, the last one first.
struct Listed {
    folder: Arc<Folder>,
    names: Vec<(CString, Maybe)>,
}

/// What a name is that of, as the file system says when it lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maybe {
    Folder,
    File,
    Other,
    /// The file system does not say when it lists.
    Unknown,
}

impl Walk {
    /// Opens the root. It may be a link, which whoever named it has chosen.
    pub(crate) fn begin(root: &Path, exclude: Exclude, scope: Scope) -> Result<Self, Why> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(root, flags, Mode::empty()).map_err(Why::of)?;
        let stat = fstat(&opened).map_err(Why::of)?;
        let folder = Arc::new(Folder { opened, path: Vec::new(), stat });
        let buffer = vec![MaybeUninit::uninit(); STEP];
        let device = folder.stat.st_dev;
        let mut walk =
            Self { exclude, scope, device, open: Vec::new(), closed: None, buffer, room: ROOM };
        let names = walk.list(&folder)?;
        walk.open.push(Listed { folder, names });
        Ok(walk)
    }

    /// The root, as long as nothing was taken.
    pub(crate) fn root(&self) -> Option<&Folder> {
        self.open.first().map(|listed| &*listed.folder)
    }

    /// Goes into a folder that has a name; `None` if there is none any more.
    fn enter(&mut self, name: &Name) -> Result<Option<Arc<Folder>>, Why> {
        if self.open.len() >= DEEPEST {
            return Err(Why::TooDeep);
        }
        let opened = match look::open(&name.folder.opened, &name.bytes, OFlags::DIRECTORY) {
            Ok(opened) => opened,
            // Whoever looks at the name sees what is there now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(errno) => return Err(Why::of(errno)),
        };
        let stat = fstat(&opened).map_err(Why::of)?;
        if stat.st_dev != self.device {
            return Err(Why::OtherFileSystem);
        }
        let folder = Arc::new(Folder { opened, path: name.path(), stat });
        let names = self.list(&folder)?;
        self.open.push(Listed { folder: Arc::clone(&folder), names });
        Ok(Some(folder))
    }

    /// The names in a folder, listed once more if it changed meanwhile; the last one first.
    fn list(&mut self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Why> {
        let mut names = self.list_once(folder)?;
        let now = fstat(&folder.opened).map_err(Why::of)?;
        if Inode::of(&now) != Inode::of(&folder.stat) {
            drop(names);
            seek(&folder.opened, SeekFrom::Start(0)).map_err(Why::of)?;
            names = self.list_once(folder)?;
        }
        let taken: usize = names.iter().map(|(name, _)| weight(name)).sum();
        self.room = self.room.saturating_sub(taken);
        Ok(names)
    }

    fn list_once(&mut self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Why> {
        let (mut names, mut room) = (Vec::new(), self.room);
        let mut listing = RawDir::new(&folder.opened, &mut self.buffer);
        while let Some(found) = listing.next() {
            let found = found.map_err(Why::of)?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if !self.exclude.is_empty() || !self.scope.is_everything() {
                let path = join(&folder.path, name.to_bytes());
                if self.exclude.covers_tree(&path) || !self.scope.leads_through(&path) {
                    continue;
                }
            }
            let maybe = match found.file_type() {
                FileType::Directory => Maybe::Folder,
                FileType::Unknown => Maybe::Unknown,
                FileType::RegularFile => Maybe::File,
                FileType::Symlink
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice => Maybe::Other,
            };
            room = room.checked_sub(weight(name)).ok_or(Why::TooMany)?;
            names.push((name.to_owned(), maybe));
        }
        names.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        Ok(names)
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some((path, why)) = self.closed.take() {
                return Some(Step::Closed { path, why });
            }
            let listed = self.open.last_mut()?;
            let Some((name, maybe)) = listed.names.pop() else {
                self.open.pop();
                continue;
            };
            self.room += weight(&name);
            let folder = Arc::clone(&listed.folder);
            let mut name = Name { folder, bytes: name, maybe, inside: None };
            let path = name.path();
            if is_too_long(&path) {
                return Some(Step::Closed { path, why: Why::TooDeep });
            }
            let is_covered = self.scope.covers(&path) && !self.exclude.covers(&path);
            if matches!(maybe, Maybe::Folder | Maybe::Unknown) {
                match self.enter(&name) {
                    Ok(inside) => name.inside = inside,
                    Err(why) => self.closed = Some((path, why)),
                }
            }
            // Else it is passed over, or only on the way to what is looked at.
            if is_covered {
                return Some(Step::Name(name));
            }
        }
    }
}

/// What a name takes that waits, in bytes, about.
fn weight(name: &CStr) -> usize {
    name.count_bytes() + NAME
}

/// Whether what has this path is not looked at.
pub(crate) fn is_too_long(path: &[u8]) -> bool {
    path.len() > path::LONGEST
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is closed, and how many names come, where so many bytes of names may wait after those of the
    /// root.
    fn check(room: usize, closed: &[&str], names: usize) {
        let root = tempfile::tempdir().unwrap();
        for (folder, count) in [("a", 10), ("a/5", 10), ("b", 100), ("c", 10)] {
            for name in 0..count {
                fs::create_dir_all(root.path().join(format!("{folder}/{name}"))).unwrap();
            }
        }
        let mut walk = Walk::begin(root.path(), Exclude::default(), Scope::everything()).unwrap();
        walk.room = room;
        let (mut found, mut count) = (Vec::new(), 0);
        for step in &mut walk {
            match step {
                Step::Name(_) => count += 1,
                Step::Closed { path, why } => {
                    assert_eq!(why, Why::TooMany);
                    found.push(String::from_utf8(path).unwrap());
                }
            }
        }
        assert_eq!((found, count), (closed.iter().map(ToString::to_string).collect(), names));
        assert_eq!(walk.room, room + 3 * weight(c"a"), "all of it is given back");
    }

    #[test]
    fn a_folder_with_more_names_than_there_is_room_for_is_closed() {
        let one = weight(c"0");
        check(1 << 20, &[], 3 + 10 + 10 + 100 + 10);
        // Those that wait in the folder that it stands in take room too; those that are done with do not.
        check(13 * one, &["b"], 3 + 10 + 10 + 10);
        check(12 * one, &["a/5", "b"], 3 + 10 + 10);
        check(8 * one, &["a", "b"], 3 + 10);
        check(6 * one, &["a", "b", "c"], 3);
    }
}
