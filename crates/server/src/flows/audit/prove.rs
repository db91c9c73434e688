//! Proofs that stand by themselves: of one entry, and of one checkpoint that continues another. Not here:
//! their text (`domain::audit::proof_file`).

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::proof_file::{Consistency, Inclusion, ProofFile};
use portcullis_domain::audit::tiles::Tiles;
use portcullis_store::Db;
use portcullis_store::audit::{checkpoints, examine, tree};

use super::LogFault;
use super::sequence::load;

/// What came of it.
#[derive(Debug)]
pub enum Proven {
    Done(Box<Proof>),
    /// There is no such entry among those that are signed and not pruned: they are from `first` up
    /// to, and without, `end`.
    NoSuchEntry {
        first: u64,
        end: u64,
    },
    /// Nothing was signed at this size. The sizes next to it at which something was, if any.
    NothingSignedAt {
        size: u64,
        before: Option<u64>,
        after: Option<u64>,
    },
}

/// A proof, and what it is of.
#[derive(Debug)]
pub struct Proof {
    pub file: ProofFile,
    /// What the entry says.
    pub entry: Option<Entry>,
    /// The size of the newest checkpoint in it.
    pub size: u64,
}

/// That the entry is in the newest checkpoint.
pub async fn inclusion(db: &Db, index: u64) -> Result<Proven, LogFault> {
    let mut tx = db.read().await?;
    let pruned = tree::read(&mut tx).await?.map_or(0, |tree| tree.pruned);
    let newest = checkpoints::newest(&mut tx).await?;
    let size = newest.as_ref().map_or(0, |newest| newest.size);
    let none = Proven::NoSuchEntry { first: pruned, end: size };
    if !(pruned..size).contains(&index) {
        return Ok(none);
    }
    let kept = examine::entries(&mut tx, index, index + 1).await?;
    let (Some(kept), Some(newest)) = (kept.rows()?.pop(), newest) else { return Ok(none) };
    let tiles = load(&mut tx, Tiles::needed_for_inclusion(index, size)).await?;
    let path = tiles.inclusion(index, size)?;
    let entry = Entry::read(kept.leaf);
    let checkpoint = newest.note;
    let file = Inclusion { index, entry: Some(kept.leaf.to_vec()), path, checkpoint };
    Ok(Proven::Done(Box::new(Proof { file: ProofFile::Inclusion(file), entry, size })))
}

/// That the checkpoint of `to` entries, or the newest, continues that of `from`.
pub async fn consistency(db: &Db, from: u64, to: Option<u64>) -> Result<Proven, LogFault> {
    let mut tx = db.read().await?;
    let to = match to {
        Some(to) => to,
        None => checkpoints::newest(&mut tx).await?.map_or(0, |newest| newest.size),
    };
    let mut notes = Vec::new();
    for size in [from, to] {
        let before = examine::checkpoint_up_to(&mut tx, size).await?;
        match before {
            Some(checkpoint) if checkpoint.size == size => notes.push(checkpoint.note),
            before => {
                let after = examine::checkpoint_from(&mut tx, size).await?;
                let [before, after] = [before, after].map(|found| Some(found?.size));
                return Ok(Proven::NothingSignedAt { size, before, after });
            }
        }
    }
    let tiles = load(&mut tx, Tiles::needed_for_consistency(from, to)).await?;
    let path = tiles.consistency(from, to)?;
    let (newer, older) = (notes.pop().unwrap_or_default(), notes.pop().unwrap_or_default());
    let file = ProofFile::Consistency(Consistency { path, older, newer });
    Ok(Proven::Done(Box::new(Proof { file, entry: None, size: to })))
}
