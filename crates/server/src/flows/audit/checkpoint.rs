//! Signing the log: a checkpoint is made only of a tree that begins with all that was signed before, by
//! the database and by the anchor file.

use std::time::Duration;

use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::audit::proof::{Head, verify_consistency};
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::audit::checkpoints;
use portcullis_store::audit::tree;

use super::sequence::load;
use super::{Discontinued, LogFault, Parts, When, anchor};

/// So many new entries are signed at once.
const ENTRIES: u64 = 1000;
/// So old may a new entry become unsigned.
pub(super) const AGE: Duration = Duration::from_mins(1);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// Nothing is due.
    Nothing,
    /// A checkpoint was made.
    Done,
    /// One was made, and there was no file to hold it against although something was signed before.
    Unanchored,
    /// None is made of this log.
    Refused(Discontinued),
}

/// Signs what is due. The anchor file follows the database after the commit; if it does not get
/// there, it is older than it could be, and what it says still holds.
pub(super) async fn sign(parts: &Parts, now: Time, when: When) -> Result<Signed, LogFault> {
    // Two that wrote the anchor file at once would leave half of it.
    let _turn = parts.turn.lock().await;
    if !is_due(parts, now, when).await? {
        return Ok(Signed::Nothing);
    }
    let mut tx = parts.db.write().await?;
    let Some(tree) = tree::lock(&mut tx).await? else { return Ok(Signed::Nothing) };
    let key = SigningKey::from_seed(&tree.origin, parts.keys.signing_seed())?;
    let newest = checkpoints::newest(&mut tx).await?.map(|checkpoint| checkpoint.note);
    let anchored = anchor::read(&parts.anchor).await?;
    let head = head(&mut tx, tree.size).await?;
    for note in newest.iter().chain(&anchored) {
        if let Some(how) = discontinued(&mut tx, note, &key, head).await? {
            return Ok(Signed::Refused(how));
        }
    }
    let note = Checkpoint::sign(head, &key)?;
    let checkpoint = checkpoints::Checkpoint { size: tree.size, at: now, note };
    checkpoints::insert(&mut tx, &checkpoint).await?;
    tx.commit().await?;
    anchor::write(&parts.anchor, &checkpoint.note).await?;
    let is_unanchored = newest.is_some() && anchored.is_none();
    Ok(if is_unanchored { Signed::Unanchored } else { Signed::Done })
}

/// Looks without keeping anybody waiting who writes.
async fn is_due(parts: &Parts, now: Time, when: When) -> Result<bool, LogFault> {
    let mut tx = parts.db.read().await?;
    let Some(tree) = tree::read(&mut tx).await? else { return Ok(false) };
    let newest = checkpoints::newest(&mut tx).await?;
    let signed = newest.as_ref().map_or(0, |checkpoint| checkpoint.size);
    // One of a time to come says nothing of when the next is due.
    let made = newest.map(|checkpoint| checkpoint.at).filter(|at| *at <= now);
    let age = made.map_or(Duration::MAX, |at| now.since(at));
    let new = tree.size.abs_diff(signed);
    Ok(new > 0 && (when == When::Now || new >= ENTRIES || age >= AGE))
}

/// The log as it is.
pub(super) async fn head(tx: &mut Tx, size: u64) -> Result<Head, LogFault> {
    let tiles = load(tx, Tiles::edge(size)).await?;
    Ok(Head { size, root: tiles.root(size)? })
}

/// How the log does not continue what a note says was signed; `None` if it does.
pub(super) async fn discontinued(
    tx: &mut Tx,
    note: &str,
    key: &SigningKey,
    head: Head,
) -> Result<Option<Discontinued>, LogFault> {
    let Ok(before) = Checkpoint::open(note, key.verifier()) else {
        return Ok(Some(Discontinued::Forged));
    };
    let before = before.head();
    if head.size < before.size {
        return Ok(Some(Discontinued::Shorter));
    }
    let tiles = load(tx, Tiles::needed_for_consistency(before.size, head.size)).await?;
    let proof = tiles.consistency(before.size, head.size);
    let holds = proof.is_ok_and(|proof| verify_consistency(before, head, &proof).is_ok());
    Ok((!holds).then_some(Discontinued::Different))
}
