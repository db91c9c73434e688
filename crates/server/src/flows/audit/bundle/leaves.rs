//! The entries of a bundle as hashes, for whoever holds them against the tiles that it did not come with.
//! Not here: whether the bundle is good (`check`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_domain::audit::entries;
use portcullis_domain::audit::tile::WIDTH;
use portcullis_domain::audit::tree::{Hash, leaf_hash};

use super::archive::Reader;
use super::entries_path;

/// So much of the file is read at once.
const CHUNK: usize = 1 << 16;

/// A bundle whose full tiles are read one by one.
pub struct Leaves(Reader);

impl Leaves {
    /// Opens it. Two files of one name are refused.
    pub fn open(path: &Path) -> io::Result<Self> {
        Reader::open(path).map(Self)
    }

    /// The hashes of the entries of a full tile; fewer than 256 if the bundle has not all of them.
    pub fn of_tile(&self, n: u64) -> io::Result<Vec<Hash>> {
        let path = entries_path(n, WIDTH).unwrap_or_default();
        let bytes = self.0.file(&path)?.unwrap_or_default();
        let leaves = entries::read(&bytes).unwrap_or_default();
        Ok(leaves.into_iter().map(leaf_hash).collect())
    }
}

/// The SHA-256 of the file, as `audit export` tells it.
pub fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut context) = (File::open(path)?, Context::new(&SHA256));
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        context.update(chunk.get(..read).unwrap_or_default());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(digest)
}
