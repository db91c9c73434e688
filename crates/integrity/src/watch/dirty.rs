//! What the system tells, and what of it is gathered in one burst. Not here: what becomes of the watches.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{ReadFlags, Reader};
use rustix::io::Errno;

use super::Batch;
use crate::Scope;
use crate::scope::MOST;

/// Read at once.
const STEP: usize = 16 * 1024;

/// One thing that was told.
pub(super) struct Heard {
    pub(super) watch: i32,
    pub(super) what: ReadFlags,
    /// Of what is in the folder; `None`: of the folder itself.
    pub(super) name: Option<Vec<u8>>,
}

/// What waits, as much as is read at once.
pub(super) fn read(inotify: &OwnedFd) -> Result<Vec<Heard>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); STEP];
    let mut reader = Reader::new(inotify, &mut buffer);
    let mut all = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| name.to_bytes().to_vec());
                all.push(Heard { watch: event.wd(), what: event.events(), name });
            }
            Err(Errno::AGAIN | Errno::INTR) => return Ok(all),
            Err(errno) => return Err(errno),
        }
        if reader.is_buffer_empty() {
            return Ok(all);
        }
    }
}

/// Where to look, as it is gathered.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    place: Place,
    told_anew: bool,
    overflowed: bool,
    root_gone: bool,
}

/// It does not grow with the burst for ever.
#[derive(Debug)]
enum Place {
    Paths(BTreeSet<Vec<u8>>),
    Everything,
}

impl Default for Place {
    fn default() -> Self {
        Self::Paths(BTreeSet::new())
    }
}

impl Dirty {
    pub(super) fn add(&mut self, path: Vec<u8>) {
        match &mut self.place {
            Place::Paths(paths) if paths.len() < MOST => {
                paths.insert(path);
            }
            place @ Place::Paths(_) => *place = Place::Everything,
            Place::Everything => {}
        }
    }

    pub(super) fn overflowed(&mut self) {
        (self.place, self.overflowed) = (Place::Everything, true);
    }

    pub(super) fn root_gone(&mut self) {
        (self.place, self.root_gone) = (Place::Everything, true);
    }

    /// What is not watched, or the root itself, is to be looked at, though nothing below it is.
    pub(super) fn told_anew(&mut self) {
        self.told_anew = true;
    }

    pub(super) fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// `None`: there is nothing to tell.
    pub(super) fn into_batch(self) -> Option<Batch> {
        let dirty = match self.place {
            Place::Paths(paths) if paths.is_empty() && !self.told_anew => return None,
            Place::Paths(paths) => Scope::of(paths),
            Place::Everything => Scope::everything(),
        };
        Some(Batch { dirty, overflowed: self.overflowed, root_gone: self.root_gone })
    }
}
