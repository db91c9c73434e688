//! The folders of a root that are not watched. Not here: why one is not.

/// So many are named.
const NAMED: usize = 5;

/// Folders that are not watched: their number would be too large, or they cannot be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// All of them, those in others too.
    pub folders: u64,
    /// The first few below the root, those in others not.
    pub named: Vec<Vec<u8>>,
}

impl Uncovered {
    /// One whose name is to be told.
    pub(super) fn add(&mut self, path: &[u8]) {
        self.folders += 1;
        if self.named.len() < NAMED {
            self.named.push(path.to_vec());
        }
    }

    /// One in another.
    pub(super) fn add_within(&mut self) {
        self.folders += 1;
    }
}
