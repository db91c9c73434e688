//! Folders that have come in a burst, each to be watched once when it is over, however often it came and
//! went. Not here: watching them.

use std::collections::BTreeSet;

/// So many are kept. If there are more, everything is dirty, as after an overflow.
const MOST: usize = 10_000;

/// Paths of folders, none of them below another.
#[derive(Debug, Default)]
pub(super) struct Come(BTreeSet<Vec<u8>>);

/// There are more of them than are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Come {
    /// One more, unless a folder that it stands in is there already.
    pub(super) fn add(&mut self, path: &[u8]) -> Result<(), TooMany> {
        if self.has_around(path) || self.0.contains(path) {
            return Ok(());
        }
        if self.0.len() >= MOST {
            return Err(TooMany);
        }
        self.0.insert(path.to_owned());
        Ok(())
    }

    /// Those that stand in no other of them.
    pub(super) fn outermost(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice).filter(|path| !self.has_around(path))
    }

    fn has_around(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut around = ends.filter_map(|(end, _)| path.get(..end));
        around.any(|folder| self.0.contains(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_another_is_not_named_beside_it() {
        let mut come = Come::default();
        for path in ["a/b/c", "a-b/c", "a", "a/d", "ab", "a"] {
            assert_eq!(come.add(path.as_bytes()), Ok(()));
        }
        assert_eq!(come.outermost().collect::<Vec<_>>(), [&b"a"[..], b"a-b/c", b"ab"]);
    }

    #[test]
    fn there_is_a_bound() {
        let mut come = Come::default();
        for number in 0..MOST {
            assert_eq!(come.add(number.to_string().as_bytes()), Ok(()));
        }
        assert_eq!(come.add(b"7"), Ok(()), "which is there");
        assert_eq!(come.add(b"7/below"), Ok(()));
        assert_eq!(come.add(b"other"), Err(TooMany));
    }
}
