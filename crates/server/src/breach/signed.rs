//! An index of breached passwords as somebody must have signed it. The signature is of its head, which has
//! the digest of all that follows: what was signed is known when all of it was read.

use std::path::Path;

use portcullis_breach::{Index, NotAnIndex};
use portcullis_domain::audit::note::{self, VerifierKey};

/// Why a file is not used. Each is a sentence about the file.
#[derive(Debug, thiserror::Error)]
pub enum NotUsed {
    #[error(transparent)]
    NotAnIndex(#[from] NotAnIndex),
    #[error("is not signed by the key {0}")]
    Unsigned(VerifierKey),
}

/// Opens an index whose head, length and table are right, and whose head this key has signed, if there is one.
pub fn open(file: &Path, key: Option<&VerifierKey>) -> Result<Index, NotUsed> {
    let index = Index::open(file)?;
    match key {
        Some(key) if note::open(index.note(), key).is_err() => Err(NotUsed::Unsigned(key.clone())),
        Some(_) | None => Ok(index),
    }
}
