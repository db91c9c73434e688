//! Files with several names: whether all of those are below the root. A name outside is a way to change
//! the file that nobody watches. Not here: whether that was so on purpose, which no baseline tells.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::look::{Inode, Whole};
use crate::{Content, Entry};

/// So many files with several names are remembered, and as many again of those that the baseline has:
/// nobody hides one of them behind files that he made.
const MOST: usize = 100_000;

/// Files of the baseline that have more names than were seen: outside of the root, or in what is passed
/// over. Nothing is said of them where only a part of a root was scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedElsewhere {
    /// By path, one for each file.
    pub files: Vec<Linked>,
    /// How many files with several names nothing is known of, because there are too many.
    pub unknown: u64,
}

/// A file with names that were not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The first of its names that the baseline has.
    pub path: Vec<u8>,
    /// All names that it has.
    pub names: u32,
    /// Those that were seen.
    pub seen: u32,
}

/// The names of files that have several.
#[derive(Debug, Default)]
pub(crate) struct Names {
    files: HashMap<(u64, u64), Linked>,
    unknown: u64,
}

impl Names {
    /// A name that was seen, and whether the baseline has it.
    pub(crate) fn seen(&mut self, entry: &Entry, inode: &Inode, is_known: bool) {
        if inode.links < 2 || !matches!(entry.content, Content::File { .. }) {
            return;
        }
        let file = (inode.device, inode.number);
        let most = if is_known { 2 * MOST } else { MOST };
        if self.files.len() >= most && !self.files.contains_key(&file) {
            self.unknown += 1;
            return;
        }
        let none = Linked { path: Vec::new(), names: 0, seen: 0 };
        let linked = self.files.entry(file).or_insert(none);
        linked.names = inode.links;
        linked.seen += 1;
        if is_known && linked.path.is_empty() {
            linked.path.clone_from(&entry.path);
        }
    }

    /// Those that have names that nobody saw, as many as `names_now` says that they have by now: what is
    /// put in its place by a second name has one more for a moment.
    pub(crate) fn elsewhere(self, names_now: impl Fn(&[u8]) -> Option<u32>) -> NamedElsewhere {
        let is_elsewhere = |file: &Linked| {
            file.seen < file.names
                && !file.path.is_empty()
                && names_now(&file.path).is_some_and(|names| file.seen < names)
        };
        let mut files: Vec<Linked> = self.files.into_values().filter(is_elsewhere).collect();
        files.sort_unstable_by(|one, other| crate::path::order(&one.path, &other.path));
        NamedElsewhere { files, unknown: self.unknown }
    }
}

/// Files with several names that were read already.
#[derive(Default)]
pub(crate) struct ReadOnce(Mutex<HashMap<(u64, u64), (Inode, Whole)>>);

impl ReadOnce {
    pub(crate) fn get(&self, inode: &Inode) -> Option<Whole> {
        if inode.links < 2 {
            return None;
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, whole) = known.get(&(inode.device, inode.number))?;
        (of == inode).then_some(*whole)
    }

    pub(crate) fn put(&self, inode: Inode, whole: Whole) {
        if inode.links < 2 {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.insert((inode.device, inode.number), (inode, whole));
        }
    }
}
