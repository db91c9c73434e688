//! Paths that somebody asks about, because something was wrong there once: which of them are seen to be
//! as they ought to be. Not having come by one says nothing of it.

use std::collections::HashSet;

/// Paths below a root that are asked about.
#[derive(Debug, Default)]
pub struct Asked {
    waiting: HashSet<Vec<u8>>,
    good: HashSet<Vec<u8>>,
}

impl Asked {
    /// These.
    pub fn of(paths: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { waiting: paths.into_iter().collect(), good: HashSet::new() }
    }

    /// A path was seen, and is as it ought to be.
    pub fn good(&mut self, path: &[u8]) {
        if let Some(path) = self.waiting.take(path) {
            self.good.insert(path);
        }
    }

    /// A path is not as it ought to be, or cannot be looked at, whatever was seen of it before.
    pub fn bad(&mut self, path: &[u8]) {
        self.waiting.remove(path);
        self.good.remove(path);
    }

    /// Those that are as they ought to be. Of what nobody came by these are the ones at which there ought
    /// to be nothing, and of which it is proved that there is nothing.
    pub fn finish(mut self, is_gone: impl Fn(&[u8]) -> bool) -> HashSet<Vec<u8>> {
        self.good.extend(self.waiting.into_iter().filter(|path| is_gone(path)));
        self.good
    }
}
