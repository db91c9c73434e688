//! The bundle: the log as files of a tar archive in the layout of C2SP tlog-tiles (`checkpoint`,
//! `tile/…`, `tile/entries/…`), and beside them `about.json`, the `key`, and personal data with its
//! salts under `personal/`, by the same numbers as the entries. Not here: the tables.

mod archive;
pub mod check;
mod erased;
pub mod export;
pub mod leaves;

use portcullis_domain::audit::tile::{Resource, TilePath, WIDTH};
use serde::{Deserialize, Serialize};

const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "key";
const ABOUT: &str = "about.json";

/// What a bundle says of itself. Only the checkpoint is signed: this tells what to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    format: String,
    /// The first entry, a multiple of 256.
    first: u64,
    /// Behind the last entry.
    end: u64,
    /// Whether personal data is in it.
    personal: bool,
}

impl About {
    const FORMAT: &str = "portcullis audit bundle 1";

    fn new(first: u64, end: u64, personal: bool) -> Self {
        Self { format: Self::FORMAT.to_owned(), first, end, personal }
    }

    /// `None` if it is not of this format, or its range is none.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let about: Self = serde_json::from_slice(bytes).ok()?;
        let is_range = about.first.is_multiple_of(WIDTH) && about.first <= about.end;
        (about.format == Self::FORMAT && is_range).then_some(about)
    }
}

/// Where the entries of a tile are.
fn entries_path(n: u64, width: u64) -> Option<String> {
    TilePath::new(Resource::Entries(n), width).map(|path| path.to_string())
}

/// Where the personal data of the entries of a tile is.
fn personal_path(n: u64, width: u64) -> Option<String> {
    entries_path(n, width).map(|path| path.replacen("tile/entries/", "personal/", 1))
}
