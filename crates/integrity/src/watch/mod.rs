//! A watch over a root: the system tells what may have changed, and whoever watches looks there. What it
//! tells is a hint and never a finding. Not here: looking, and judging what is seen.

mod arm;
mod budget;
mod come;
mod dirty;
mod folders;
mod uncovered;
mod wake;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags};
use rustix::io::Errno;

use crate::look::Why;
use crate::path::join;
use crate::{Exclude, Scope};

use self::arm::{Arm, Armed, Rooted};
pub use self::budget::Budget;
use self::budget::Share;
use self::come::{Come, TooMany};
use self::dirty::{Dirty, Heard, read};
use self::folders::Folders;
pub use self::uncovered::Uncovered;
pub use self::wake::Stop;
use self::wake::{Timer, Woken, wait};

/// A burst has ended when nothing was told for this long.
const QUIET: Duration = Duration::from_millis(100);
/// A burst that does not end is given in parts.
const LONGEST: Duration = Duration::from_millis(500);
/// So long it may take to watch what came in a burst. If it takes longer, everything is said to be dirty, and
/// watched after that: whoever moves large trees about keeps nothing from being told.
const ARMING: Duration = Duration::from_secs(5);
/// So often it is looked whether the root is still the same folder, of which nothing is told when a link
/// to it, or a folder above it, is changed.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks and bursts, folders that were not watched are tried again.
const TRY_AGAIN: u32 = 300;

/// Watches the folders of a root through inotify, each of them for itself.
///
/// It is not told of everything: writing through a mapping (`mmap`), through a name that a file has
/// outside of the root, to what is mounted in the root, and to the disk below the file system go by
/// without a word. A watch makes a finding early; that nothing is missed is for the checks of the
/// whole.
#[derive(Debug)]
pub struct Watch {
    root: Rooted,
    exclude: Exclude,
    inotify: OwnedFd,
    folders: Folders,
    share: Share,
    uncovered: Uncovered,
    burst: Timer,
    /// It was told that everything is dirty before all that came was watched.
    is_behind: bool,
    /// Looks and bursts since the folders were walked.
    since: u32,
}

/// What a burst came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where to look; nothing below the root, when only the root itself or what is uncovered has changed.
    pub dirty: Scope,
    /// The system had more to tell than it keeps, or more folders came than are watched in time. What is
    /// dirty is everything then.
    pub overflowed: bool,
    /// The root was moved, deleted or unmounted, or its path leads to another folder now. Nothing more
    /// is told of it: whoever goes on arms a new watch.
    pub root_gone: bool,
}

/// Why there is no watch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWatched {
    #[error("the root cannot be opened ({})", .0.as_str())]
    Root(Why),
    #[error("the system gives no watch: {0}")]
    System(String),
}

/// Why there is no next batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the watch was stopped")]
    Stopped,
    #[error("the watch has failed: {0}")]
    Failed(String),
}

impl From<Errno> for NotWatched {
    fn from(errno: Errno) -> Self {
        Self::System(errno.to_string())
    }
}

impl From<Errno> for Ended {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno.to_string())
    }
}

impl Watch {
    /// Watches every folder of a root that is not passed over, as far as the budget goes. What is
    /// changed from now on is told, so that whoever looks at the whole after this misses nothing.
    pub fn arm(root: &Path, exclude: &Exclude, budget: &Budget) -> Result<Self, NotWatched> {
        let (root, opened) =
            Rooted::open(root).map_err(|errno| NotWatched::Root(Why::of(errno)))?;
        let mut watch = Self {
            root,
            exclude: exclude.clone(),
            inotify: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
            folders: Folders::default(),
            share: Share::of(budget),
            uncovered: Uncovered::default(),
            burst: Timer::new()?,
            is_behind: false,
            since: 0,
        };
        watch.arming().tree(opened, Vec::new());
        Ok(watch)
    }

    /// Waits until something may have changed, gathers what is told in one burst, and gives it. It is
    /// for a thread of its own.
    pub fn next(&mut self, stop: &Stop) -> Result<Batch, Ended> {
        loop {
            let mut dirty = Dirty::default();
            if std::mem::take(&mut self.is_behind) {
                // Of what was done meanwhile in folders that were not watched, nothing was told.
                dirty.overflowed();
            } else {
                match wait(stop, &self.inotify, None, LOOK)? {
                    Woken::Stopped => return Err(Ended::Stopped),
                    Woken::Heard => self.gather(stop, &mut dirty)?,
                    Woken::InTime => {}
                }
            }
            self.look_after(&mut dirty);
            if let Some(batch) = dirty.into_batch() {
                return Ok(batch);
            }
        }
    }

    /// The folders that are not watched; `None`: all of them are.
    pub fn uncovered(&self) -> Option<&Uncovered> {
        (self.uncovered.folders > 0).then_some(&self.uncovered)
    }

    /// How many folders are watched.
    pub fn watched(&self) -> usize {
        self.folders.watches()
    }

    /// What the root is: as it was named.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    fn gather(&mut self, stop: &Stop, dirty: &mut Dirty) -> Result<(), Ended> {
        let mut come = Come::default();
        self.burst.start(LONGEST)?;
        loop {
            for heard in read(&self.inotify)? {
                self.apply(heard, dirty, &mut come);
            }
            match wait(stop, &self.inotify, Some(&self.burst), QUIET)? {
                Woken::Stopped => return Err(Ended::Stopped),
                Woken::InTime => break,
                Woken::Heard => {}
            }
        }
        // After an overflow all of the root is walked over anyway.
        if !dirty.is_overflowed() && self.arm_all(&come)? == Armed::TooLate {
            self.is_behind = true;
            dirty.overflowed();
        }
        Ok(())
    }

    /// Takes in one thing that was told.
    fn apply(&mut self, heard: Heard, dirty: &mut Dirty, come: &mut Come) {
        let Heard { watch, what, name } = heard;
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            dirty.overflowed();
            return;
        }
        let folders = self.folders.paths(watch);
        let is_root = folders.iter().any(|folder| folder.is_empty());
        let is_end = ReadFlags::IGNORED | ReadFlags::UNMOUNT;
        if what.intersects(is_end) {
            self.folders.forget(watch);
            self.share.settle(self.folders.watches());
        }
        if is_root && what.intersects(is_end | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF) {
            dirty.root_gone();
        } else if let Some(name) = name {
            for folder in folders {
                self.changed(join(&folder, &name), what, dirty, come);
            }
        } else if is_root && what.contains(ReadFlags::ATTRIB) {
            // Nothing below it has changed by that.
            dirty.told_anew();
        }
    }

    /// Something has happened to what is, or was, under a path.
    fn changed(&mut self, path: Vec<u8>, what: ReadFlags, dirty: &mut Dirty, come: &mut Come) {
        let is_passed_over = if what.contains(ReadFlags::ISDIR) {
            self.exclude.covers_tree(&path)
        } else {
            self.exclude.covers(&path)
        };
        if is_passed_over {
            return;
        }
        if what.contains(ReadFlags::ISDIR) {
            // The paths of what was in it are wrong from now on, wherever it is.
            let has_left = what.intersects(ReadFlags::MOVED_FROM | ReadFlags::DELETE);
            if has_left {
                self.arming().forget(&path);
            }
            let has_come = what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            // What could not be opened may be open now.
            let may_open = what.contains(ReadFlags::ATTRIB) && !self.folders.has(&path);
            // Where two change places, what has come is told before what has left.
            if (has_come || has_left || may_open) && come.add(&path) == Err(TooMany) {
                dirty.overflowed();
            }
        }
        // All that is in it with it: what was made there before it was watched is told by nobody.
        dirty.add(path);
    }

    /// Watches what came in a burst.
    fn arm_all(&mut self, come: &Come) -> Result<Armed, Errno> {
        self.burst.start(ARMING)?;
        for path in come.outermost() {
            let armed = match self.root.open_below(path) {
                Ok(Some(opened)) => self.arming().tree_in_time(opened, path.to_vec()),
                Ok(None) => Armed::All,
                Err(_) => {
                    self.uncovered.add(path);
                    Armed::All
                }
            };
            if armed == Armed::TooLate {
                return Ok(armed);
            }
        }
        Ok(Armed::All)
    }

    /// What is looked at between bursts, and after each: nothing of it is told.
    fn look_after(&mut self, dirty: &mut Dirty) {
        self.since += 1;
        let Some(opened) = self.root.open_again() else {
            dirty.root_gone();
            return;
        };
        let try_again = self.uncovered.folders > 0 && self.since >= TRY_AGAIN;
        if !self.is_behind && (dirty.is_overflowed() || try_again) {
            let before = std::mem::take(&mut self.uncovered);
            self.since = 0;
            self.arming().all_again(opened);
            if before != self.uncovered {
                dirty.told_anew();
            }
        }
    }

    fn arming(&mut self) -> Arm<'_> {
        Arm {
            inotify: &self.inotify,
            device: self.root.device(),
            timer: &self.burst,
            exclude: &self.exclude,
            folders: &mut self.folders,
            share: &mut self.share,
            uncovered: &mut self.uncovered,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Everything is told before all of it is watched, and once more when it is.
    #[test]
    fn what_takes_too_long_to_watch_is_told_at_once_and_watched_after_that() {
        let (root, stop) = (tempfile::tempdir().unwrap(), Stop::new().unwrap());
        let mut watch =
            Watch::arm(root.path(), &Exclude::default(), &Budget::of(usize::MAX)).unwrap();
        fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        let mut in_time = |long| {
            watch.burst.start(long).unwrap();
            while !long.is_zero() && !watch.burst.is_over() {}
            let opened = watch.root.open_below(b"a").unwrap().unwrap();
            (watch.arming().tree_in_time(opened, b"a".to_vec()), watch.watched())
        };
        assert_eq!(in_time(Duration::from_nanos(1)), (Armed::TooLate, 2));
        assert_eq!(in_time(Duration::ZERO), (Armed::All, 4), "control: the timer is off");
        watch.arming().forget(b"a");
        watch.is_behind = true;
        let batch = watch.next(&stop).unwrap();
        assert!(batch.overflowed && batch.dirty.is_everything(), "{batch:?}");
        assert_eq!((watch.watched(), watch.is_behind), (4, false));
    }
}
