//! Which watch stands for which folder. One folder may have several paths, as what is mounted a second
//! time has. Not here: setting watches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Watches and the paths of their folders.
#[derive(Debug, Default)]
pub(super) struct Folders {
    by_watch: BTreeSet<(i32, Arc<[u8]>)>,
    by_path: BTreeMap<Arc<[u8]>, Held>,
    watches: usize,
    /// The walk that is under way, or was the last.
    walk: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    watch: i32,
    /// The walk that came by last.
    walk: u64,
}

impl Folders {
    pub(super) fn watches(&self) -> usize {
        self.watches
    }

    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.by_path.contains_key(path)
    }

    /// The paths of a watch: mostly one; none, when it stands for nothing any more.
    pub(super) fn paths(&self, watch: i32) -> Vec<Arc<[u8]>> {
        self.of(watch).cloned().collect()
    }

    /// A watch stands for a path. Gives the one that stood for it, if it is good for nothing now.
    pub(super) fn put(&mut self, watch: i32, path: &[u8]) -> Option<i32> {
        let path: Arc<[u8]> = path.into();
        let held = Held { watch, walk: self.walk };
        let former = self.by_path.insert(Arc::clone(&path), held);
        self.watches += usize::from(!self.knows(watch));
        self.by_watch.insert((watch, Arc::clone(&path)));
        let former = former.filter(|former| former.watch != watch)?;
        self.unlink(former.watch, path)
    }

    /// Forgets a path with all that is below it. Gives the watches that are good for nothing now.
    pub(super) fn take_tree(&mut self, path: &[u8]) -> Vec<i32> {
        let below = [path, b"/"].concat();
        let behind = (Bound::Included(&below[..]), Bound::Unbounded);
        let within = self.by_path.range::<[u8], _>(behind).map(|(path, _)| path);
        let within = within.take_while(|path| path.starts_with(&below));
        let mut paths: Vec<Arc<[u8]>> = within.cloned().collect();
        paths.push(path.into());
        self.take(paths)
    }

    /// A walk over all of the root begins.
    pub(super) fn begin_walk(&mut self) {
        self.walk += 1;
    }

    /// Forgets what the walk did not come by. Gives the watches that are good for nothing now.
    pub(super) fn end_walk(&mut self) -> Vec<i32> {
        let missed = self.by_path.iter().filter(|(_, held)| held.walk != self.walk);
        let paths = missed.map(|(path, _)| Arc::clone(path)).collect();
        self.take(paths)
    }

    /// Forgets a watch that the system has ended.
    pub(super) fn forget(&mut self, watch: i32) {
        for path in self.paths(watch) {
            self.by_path.remove(&path);
            self.unlink(watch, path);
        }
    }

    fn take(&mut self, paths: Vec<Arc<[u8]>>) -> Vec<i32> {
        let mut idle = Vec::new();
        for path in paths {
            if let Some(held) = self.by_path.remove(&path) {
                idle.extend(self.unlink(held.watch, path));
            }
        }
        idle
    }

    /// Gives the watch, if it has no path left.
    fn unlink(&mut self, watch: i32, path: Arc<[u8]>) -> Option<i32> {
        let is_known = self.by_watch.remove(&(watch, path));
        let is_idle = is_known && !self.knows(watch);
        self.watches -= usize::from(is_idle);
        is_idle.then_some(watch)
    }

    fn knows(&self, watch: i32) -> bool {
        self.of(watch).next().is_some()
    }

    fn of(&self, watch: i32) -> impl Iterator<Item = &Arc<[u8]>> {
        let first: (i32, Arc<[u8]>) = (watch, Arc::default());
        let behind = self.by_watch.range(first..);
        behind.take_while(move |(of, _)| *of == watch).map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(paths: &[(i32, &str)]) -> Folders {
        let mut folders = Folders::default();
        for (watch, path) in paths {
            assert_eq!(folders.put(*watch, path.as_bytes()), None);
        }
        folders
    }

    fn paths(folders: &Folders, watch: i32) -> Vec<String> {
        let text = |path: &Arc<[u8]>| String::from_utf8(path.to_vec()).unwrap();
        folders.paths(watch).iter().map(text).collect()
    }

    #[test]
    fn a_tree_is_taken_with_all_that_is_below_it_and_nothing_else() {
        let all =
            [(1, ""), (2, "a"), (3, "a/b"), (4, "a/b/c"), (5, "a-b"), (6, "ab"), (7, "a.b/a")];
        let mut folders = folders(&all);
        let mut taken = folders.take_tree(b"a");
        taken.sort_unstable();
        assert_eq!((taken, folders.watches()), (vec![2, 3, 4], 4));
        assert!(!folders.has(b"a/b/c") && folders.has(b"a-b") && folders.has(b""));
        assert_eq!(folders.take_tree(b"a"), [0; 0]);
    }

    #[test]
    fn a_folder_with_two_paths_is_watched_until_both_are_gone() {
        let mut folders = folders(&[(1, ""), (2, "a"), (2, "b")]);
        assert_eq!((paths(&folders, 2), folders.watches()), (vec!["a".into(), "b".into()], 2));
        assert_eq!(folders.take_tree(b"a"), [0; 0]);
        assert_eq!((paths(&folders, 2), folders.watches()), (vec!["b".into()], 2));
        assert_eq!((folders.take_tree(b"b"), folders.watches()), (vec![2], 1));
    }

    #[test]
    fn another_folder_under_a_path_takes_its_place() {
        let mut folders = folders(&[(1, ""), (2, "a"), (3, "b"), (3, "c")]);
        assert_eq!(folders.put(4, b"a"), Some(2));
        assert_eq!(folders.put(4, b"a"), None);
        assert_eq!(folders.put(5, b"b"), None, "c is left to it");
        assert_eq!((paths(&folders, 3), folders.watches()), (vec!["c".into()], 4));
        folders.forget(3);
        folders.forget(3);
        assert_eq!((folders.has(b"c"), folders.watches()), (false, 3));
    }

    #[test]
    fn what_a_walk_does_not_come_by_is_forgotten() {
        let mut folders = folders(&[(1, ""), (2, "a"), (3, "a/b")]);
        folders.begin_walk();
        assert_eq!((folders.put(1, b""), folders.put(3, b"c")), (None, None));
        assert_eq!((folders.end_walk(), folders.watches()), (vec![2], 2));
        assert_eq!(paths(&folders, 3), ["c"]);
    }
}
