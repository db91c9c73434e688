//! The names below a root, in the order of paths, each with the folder it stands in held open. One
//! thread lists; what stands under a name is for others to look at. Not here: reading files.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use globset::GlobSet;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use crate::Scope;
use crate::look::{self, Inode, Why};
use crate::path::{as_path, join};

/// A folder that is held open, so that whatever is moved about meanwhile, names stand in it.
pub(crate) struct Folder {
    pub(crate) opened: OwnedFd,
    /// Below the root; empty for the root itself.
    pub(crate) path: Vec<u8>,
}

/// A name in a folder.
pub(crate) struct Name {
    pub(crate) folder: Arc<Folder>,
    pub(crate) name: CString,
}

impl Name {
    /// Its path below the root.
    pub(crate) fn path(&self) -> Vec<u8> {
        join(&self.folder.path, self.name.as_bytes())
    }
}

/// So many folders in each other are walked, each of which is held open.
const DEEPEST: usize = 200;

/// What comes next of a walk.
pub(crate) enum Step {
    /// Something to look at.
    Name(Name),
    /// Nothing is known of what is in this folder.
    Closed { path: Vec<u8>, why: Why },
}

/// Walks below a root.
pub(crate) struct Walk {
    exclude: GlobSet,
    scope: Scope,
    device: u64,
    /// From the root to where it is.
    open: Vec<Listed>,
    /// A folder that was named and is to be listed.
    enter: Option<Name>,
}

/// A folder whose names wait, the last one first.
struct Listed {
    folder: Arc<Folder>,
    names: Vec<(CString, Maybe)>,
}

/// Whether a name is that of a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maybe {
    Folder,
    Other,
    /// The file system does not say when it lists.
    Unknown,
}

impl Walk {
    /// Opens the root. It may be a link, which whoever named it has chosen.
    pub(crate) fn begin(root: &Path, exclude: GlobSet, scope: Scope) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(root, flags, Mode::empty())?;
        let device = fstat(&opened)?.st_dev;
        let folder = Arc::new(Folder { opened, path: Vec::new() });
        let mut walk = Self { exclude, scope, device, open: Vec::new(), enter: None };
        let names = walk.list(&folder)?;
        walk.open.push(Listed { folder, names });
        Ok(walk)
    }

    /// Goes into a folder that was named.
    fn enter(&mut self, name: &Name) -> Result<(), Why> {
        if self.open.len() >= DEEPEST {
            return Err(Why::TooDeep);
        }
        let opened = match look::open(&name.folder.opened, &name.name, OFlags::DIRECTORY) {
            Ok(opened) => opened,
            // Gone, or none any more: whoever looks at the name sees it.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(Why::of(errno)),
        };
        if fstat(&opened).map_err(Why::of)?.st_dev != self.device {
            return Err(Why::OtherFileSystem);
        }
        let folder = Arc::new(Folder { opened, path: name.path() });
        let names = self.list(&folder).map_err(Why::of)?;
        self.open.push(Listed { folder, names });
        Ok(())
    }

    /// The names in a folder, listed once more if it changed meanwhile; the last one first.
    fn list(&self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Errno> {
        let before = Inode::of(&fstat(&folder.opened)?);
        let names = self.list_once(folder)?;
        let is_quiet = Inode::of(&fstat(&folder.opened)?) == before;
        if is_quiet { Ok(names) } else { self.list_once(folder) }
    }

    fn list_once(&self, folder: &Folder) -> Result<Vec<(CString, Maybe)>, Errno> {
        let mut names = Vec::new();
        for found in Dir::read_from(&folder.opened)? {
            let found = found?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if !self.exclude.is_empty() || !self.scope.is_everything() {
                let path = join(&folder.path, name.to_bytes());
                if self.exclude.is_match(as_path(&path)) || !self.scope.leads_through(&path) {
                    continue;
                }
            }
            let maybe = match found.file_type() {
                FileType::Directory => Maybe::Folder,
                FileType::Unknown => Maybe::Unknown,
                FileType::RegularFile
                | FileType::Symlink
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
            if let Some(name) = self.enter.take()
                && let Err(why) = self.enter(&name)
            {
                return Some(Step::Closed { path: name.path(), why });
            }
            let listed = self.open.last_mut()?;
            let Some((name, maybe)) = listed.names.pop() else {
                self.open.pop();
                continue;
            };
            let folder = Arc::clone(&listed.folder);
            if maybe != Maybe::Other {
                self.enter = Some(Name { folder: Arc::clone(&folder), name: name.clone() });
            }
            let name = Name { folder, name };
            // Else it is only on the way to what is looked at.
            if self.scope.is_everything() || self.scope.covers(&name.path()) {
                return Some(Step::Name(name));
            }
        }
    }
}
