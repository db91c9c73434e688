//! What part of a root is looked at: everything, or some paths with all that is below them. Not here:
//! what is passed over in any case.

use std::cmp::Ordering;

use crate::path::{is_below, order};

/// So many paths at the most; more of them are everything.
pub(crate) const MOST: usize = 10_000;

/// A part of a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// In order, none within another; `None`: everything.
    paths: Option<Vec<Vec<u8>>>,
}

impl Scope {
    /// All of it.
    pub fn everything() -> Self {
        Self::default()
    }

    /// These paths below the root, each with all that is below it. The root itself, an empty path, is
    /// everything, and so are more paths than are worth looking for one by one.
    pub fn of(paths: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut all: Vec<Vec<u8>> = paths.into_iter().collect();
        if all.len() > MOST || all.iter().any(|path| !is_below(path)) {
            return Self::everything();
        }
        all.sort_unstable_by(|one, other| order(one, other));
        let mut folded: Vec<Vec<u8>> = Vec::with_capacity(all.len());
        for path in all {
            if folded.last().is_none_or(|last| !is_within(&path, last)) {
                folded.push(path);
            }
        }
        Self { paths: Some(folded) }
    }

    /// This and another one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.paths, other.paths) {
            (Some(paths), Some(others)) => Self::of(paths.into_iter().chain(others)),
            _ => Self::everything(),
        }
    }

    /// Whether it is all of the root.
    pub fn is_everything(&self) -> bool {
        self.paths.is_none()
    }

    /// Whether a path is looked at. The root itself is in any case.
    pub fn covers(&self, path: &[u8]) -> bool {
        let Some(paths) = self.paths.as_ref().filter(|_| !path.is_empty()) else { return true };
        // The last that is not behind it is the only one that it can be within.
        let behind = paths.partition_point(|scoped| order(scoped, path) != Ordering::Greater);
        let before = behind.checked_sub(1).and_then(|at| paths.get(at));
        before.is_some_and(|scoped| is_within(path, scoped))
    }

    /// Whether something that is looked at may be below a folder.
    pub(crate) fn leads_through(&self, folder: &[u8]) -> bool {
        let Some(paths) = &self.paths else { return true };
        let behind = paths.partition_point(|scoped| order(scoped, folder) != Ordering::Greater);
        self.covers(folder) || paths.get(behind).is_some_and(|scoped| is_within(scoped, folder))
    }
}

/// Whether a path is another one, or below it.
fn is_within(path: &[u8], other: &[u8]) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(paths: &[&str]) -> Scope {
        Scope::of(paths.iter().map(|path| path.as_bytes().to_vec()))
    }

    #[test]
    fn a_path_stands_for_all_that_is_below_it() {
        let scope = scope(&["b/c", "a", "a/b", "d/e/f"]);
        for path in ["a", "a/b", "a/z/z", "b/c", "b/c/d", "d/e/f"] {
            assert!(scope.covers(path.as_bytes()), "{path}");
        }
        for path in ["a-b", "b", "b/c-d", "b/d", "d", "d/e", "d/e/g", "z"] {
            assert!(!scope.covers(path.as_bytes()), "{path}");
        }
        for path in ["a", "b", "d", "d/e", "b/c/d"] {
            assert!(scope.leads_through(path.as_bytes()), "{path}");
        }
        for path in ["a-b", "b-c", "c", "d/f", "z"] {
            assert!(!scope.leads_through(path.as_bytes()), "{path}");
        }
        assert!(!scope.is_everything());
    }

    #[test]
    fn the_root_and_too_many_paths_are_everything() {
        assert!(scope(&["a", ""]).is_everything());
        assert!(scope(&["../a"]).is_everything());
        let many = (0..=MOST).map(|number| number.to_string().into_bytes());
        assert!(Scope::of(many).is_everything());
        assert!(scope(&["a"]).and(Scope::everything()).is_everything());
        assert_eq!(scope(&["a/b", "c"]).and(scope(&["a"])), scope(&["a", "c"]));
        let none = scope(&[]);
        assert!(
            !none.is_everything()
                && none.covers(b"")
                && !none.covers(b"a")
                && !none.leads_through(b"a")
        );
    }
}
