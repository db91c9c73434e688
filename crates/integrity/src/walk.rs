//! The names below a root, in the order of paths, each with the folder it stands in held open. One
//! thread lists; what stands under a name is for others to look at. Not here: reading files.

use std::ffi::CString;
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
    pub(crate) fn begin(root: &Path, exclude: Exclude, scope: Scope) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(root, flags, Mode::empty())?;
        let stat = fstat(&opened)?;
        let folder = Arc::new(Folder { opened, path: Vec::new(), stat });
        let buffer = vec![MaybeUninit::uninit(); STEP];
        let device = folder.stat.st_dev;
        let mut walk = Self { exclude, scope, device, open: Vec::new(), closed: None, buffer };
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
        let names = self.list(&folder).map_err(Why::of)?;
        self.open.push(Listed { folder: Arc::clone(&folder), names });
        Ok(Some(folder))
    }

    /// The names in a folder, listed once more if it changed meanwhile; the last one first.
    fn list(&mut self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Errno> {
        let names = self.list_once(folder)?;
        let is_quiet = Inode::of(&fstat(&folder.opened)?) == Inode::of(&folder.stat);
        if is_quiet {
            return Ok(names);
        }
        seek(&folder.opened, SeekFrom::Start(0))?;
        self.list_once(folder)
    }

    fn list_once(&mut self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Errno> {
        let mut names = Vec::new();
        let mut listing = RawDir::new(&folder.opened, &mut self.buffer);
        while let Some(found) = listing.next() {
            let found = found?;
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

/// Whether what has this path is not looked at.
pub(crate) fn is_too_long(path: &[u8]) -> bool {
    path.len() > path::LONGEST
}
