//! Checks an exported audit log the way an outsider does who has the bundle, the key and nothing of
//! Portcullis: the signature with the crate `signed_note`, the tree with the crate `tlog_tiles`, both
//! by other people. Not here: what the entries say, and personal data.

mod bundle;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use signed_note::{Note, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{
    Checkpoint, EMPTY_HASH, HashReader as _, TileHashReader, record_hash, stored_hash_index,
};

use bundle::{Bundle, WIDTH};

/// What was found to be in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Audited {
    /// The name of the log.
    pub origin: String,
    /// How many entries it had when it was signed. Each of them was checked.
    pub size: u64,
}

/// Checks a whole bundle against the key of its log, `name+hash+base64`. The first thing that is
/// not as it must be is the error.
pub fn audit(path: &Path, key: &str) -> Result<Audited> {
    let bundle = Bundle::open(path)?;
    let checkpoint = checkpoint(&bundle.file("checkpoint")?, key)?;
    let audited = Audited { origin: checkpoint.origin().to_owned(), size: checkpoint.size() };
    if audited.size == 0 {
        ensure!(*checkpoint.hash() == EMPTY_HASH, "the root of the empty log is another");
        return Ok(audited);
    }
    let hashes = TileHashReader::new(audited.size, *checkpoint.hash(), &bundle);
    for first in (0..audited.size).step_by(WIDTH) {
        let width = (audited.size - first).min(WIDTH as u64);
        let entries = bundle.entries(first / WIDTH as u64, width)?;
        let indexes: Vec<u64> =
            (first..first + width).map(|index| stored_hash_index(0, index)).collect();
        // Hashes that this gives have been proven to be in the tree of the checkpoint.
        let proven = hashes
            .read_hashes(&indexes)
            .with_context(|| format!("the tiles over entry {first} are not those of the log"))?;
        for ((index, entry), hash) in (first..).zip(&entries).zip(proven) {
            ensure!(record_hash(entry) == hash, "entry {index} is not what the log has there");
        }
    }
    Ok(audited)
}

fn checkpoint(note: &[u8], key: &str) -> Result<Checkpoint> {
    let verifier = StandardVerifier::new(key).context("the key cannot be read")?;
    let name = verifier.name().to_owned();
    let note = Note::from_bytes(note).context("the checkpoint is no note")?;
    note.verify(&VerifierList::new(vec![Box::new(verifier)]))
        .context("the checkpoint is not signed by the key")?;
    let Ok(checkpoint) = Checkpoint::from_bytes(note.text()) else {
        bail!("the note is no checkpoint");
    };
    ensure!(checkpoint.origin() == name, "the checkpoint is of another log");
    Ok(checkpoint)
}
