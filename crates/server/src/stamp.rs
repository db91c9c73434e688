//! What changes when a file is written or replaced, so that whoever holds what it said looks again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// That of a file: where it is, how long, and since when, in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Looks; `None`: there is no file.
    pub fn of(file: &Path) -> Option<Self> {
        let is = fs::metadata(file).ok()?;
        let modified = (is.mtime(), is.mtime_nsec());
        Some(Self { device: is.dev(), number: is.ino(), size: is.size(), modified })
    }
}
