//! Where a verification begins: how far the log is at this moment, what is above the tiles of the
//! entries, and whatever can be said before any entry is read.

use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::{Fault, Faults, Witness};
use portcullis_domain::audit::judge::{Judge, Signed};
use portcullis_domain::audit::note::{SigningKey, VerifierKey};
use portcullis_domain::audit::tile::{self, TileId, WIDTH};
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::audit::tree::{CompactRange, root_of};
use portcullis_domain::time::Time;
use portcullis_store::audit::tree::{self, Tree};
use portcullis_store::audit::{checkpoints, examine, log, pending};
use portcullis_store::{Error, Tx};

use super::counts::Kept;
use super::range::{People, Shared};
use super::{Ask, Extent, LogFault, Verdict};

/// What the ranges are looked at with, and the verdict so far.
pub(super) struct Beginning {
    pub(super) shared: Shared,
    pub(super) verdict: Verdict,
    pub(super) judge: Judge,
    /// What was counted; `None` where not all of it can be counted again.
    pub(super) counts: Option<Kept>,
}

/// Reads one moment of the log; `None` if it has not begun.
pub(super) async fn begin(ask: &Ask) -> Result<Option<Beginning>, LogFault> {
    let mut tx = ask.db.read().await?;
    let Some(mut tree) = found(&mut tx, &ask.anchors).await? else { return Ok(None) };
    let mut faults = Faults::default();
    // A log that is said to be longer than it is would be looked at for as long.
    let end = examine::end(&mut tx).await?.max(tree.pruned);
    if end < tree.size {
        faults.add(Fault::Truncated { size: end, signed: tree.size, by: Witness::Tree });
        tree.size = end;
    }
    let kept_since = kept_since(&mut tx, &tree).await?;
    let key = match &ask.key {
        Some(key) => key.clone(),
        None => SigningKey::from_seed(&tree.origin, ask.keys.signing_seed())?.verifier().clone(),
    };
    let upper = upper_tiles(&mut tx, tree.size, &mut faults).await?;
    beyond(&mut tx, &tree, &key, &mut faults).await?;
    let mut anchors = read_anchors(&ask.anchors, &key, tree.size, &mut faults);
    let wanted = first(&tree, ask.extent);
    let (first, before) = match upper.range(wanted) {
        Ok(range) => (wanted, range),
        // What comes before cannot be told any more, so nothing that follows can be held against it.
        Err(missing) => {
            faults.add(Fault::TileMissing { tile: missing.tile });
            (tree.size, CompactRange::new())
        }
    };
    anchors.retain(|anchor| anchor.head.size > first);
    let counts = counts(&mut tx, ask.extent, &tree, kept_since).await?;
    let verdict = Verdict {
        key: key.clone(),
        size: tree.size,
        first,
        end: tree.size,
        pruned: tree.pruned,
        signed: None,
        unsigned_since: None,
        confirmed: 0,
        erased: 0,
        expired: 0,
        untold: 0,
        faults,
    };
    let shared = Shared {
        db: ask.db.clone(),
        keys: ask.keys.clone(),
        key,
        first,
        size: tree.size,
        upper,
        kept_since,
        anchors,
        people: People::default(),
    };
    Ok(Some(Beginning { shared, verdict, judge: Judge::new(before), counts }))
}

/// How far the log is, as far as it can be believed: that entries were pruned stands in the log itself
/// (or waits for its place), and that there never was one is not so where an anchor knows of some.
async fn found(tx: &mut Tx, anchors: &[String]) -> Result<Option<Tree>, Error> {
    let Some(mut tree) = tree::read(tx).await? else {
        let origin = anchors.first().and_then(|note| note.lines().next());
        return Ok(origin.map(Tree::empty));
    };
    let told = log::newest_of(tx, "audit_pruned").await?;
    let told = told.and_then(|entry| entry.detail.get("to")?.as_u64()).unwrap_or_default();
    if tree.pruned > told && !pending::any_of(tx, "audit_pruned").await? {
        tree.pruned = told;
    }
    Ok(Some(tree))
}

/// When the first entry that is kept got its place, if earlier ones were pruned.
async fn kept_since(tx: &mut Tx, tree: &Tree) -> Result<Option<Time>, Error> {
    if tree.pruned == 0 {
        return Ok(None);
    }
    let kept = examine::entries(tx, tree.pruned, tree.pruned + 1).await?;
    Ok(kept.rows()?.first().and_then(|kept| Entry::read(kept.leaf)).map(|entry| entry.logged))
}

/// The first entry to be looked at: the first of a whole tile.
fn first(tree: &Tree, extent: Extent) -> u64 {
    let wanted = match extent {
        Extent::Whole => 0,
        Extent::Newest(entries) => tree.size.saturating_sub(entries),
    };
    wanted.max(tree.pruned) / WIDTH * WIDTH
}

/// The tiles above those of the entries, each held against the one above it.
async fn upper_tiles(tx: &mut Tx, size: u64, faults: &mut Faults) -> Result<Tiles, Error> {
    let mut upper = Tiles::new();
    for (tile, hashes) in examine::upper_tiles(tx).await? {
        if upper.insert(tile, &hashes).is_err() {
            faults.add(Fault::TileMissing { tile });
        }
    }
    for (tile, wide) in tile::all(size).filter(|(tile, _)| tile.level > 0) {
        if (upper.get(tile).unwrap_or_default().len() as u64) < wide {
            faults.add(Fault::TileMissing { tile });
        }
    }
    hold_against_upper(&upper, size, faults);
    Ok(upper)
}

/// Each full tile above those of the entries must come to what the tile above it says.
pub(in crate::flows::audit) fn hold_against_upper(tiles: &Tiles, size: u64, faults: &mut Faults) {
    let full = |(tile, width): &(TileId, u64)| tile.level > 0 && *width == WIDTH;
    for (tile, _) in tile::all(size).filter(full) {
        let above = TileId { level: tile.level + 1, n: tile.n / WIDTH };
        let place = usize::try_from(tile.n % WIDTH).unwrap_or_default();
        let said = tiles.get(above).and_then(|hashes| hashes.get(place));
        if let (Some(hashes), Some(said)) = (tiles.get(tile), said)
            && root_of(hashes) != *said
        {
            faults.add(Fault::Tile { tile });
        }
    }
}

/// What stands behind the end of the log.
async fn beyond(
    tx: &mut Tx,
    tree: &Tree,
    key: &VerifierKey,
    faults: &mut Faults,
) -> Result<(), Error> {
    if let Some((first, count)) = examine::strays(tx, tree.size).await? {
        faults.add(Fault::Stray { first, count });
    }
    for kept in examine::checkpoints(tx, tree.size, i64::MAX.unsigned_abs()).await? {
        let by = Witness::Checkpoint;
        faults.add(if signed(&kept, key).is_some() {
            Fault::Truncated { size: tree.size, signed: kept.size, by }
        } else {
            Fault::BadSignature { size: kept.size, by }
        });
    }
    Ok(())
}

/// What a checkpoint of the table says, if it has a good signature and is of the size that it stands
/// at.
pub(super) fn signed(kept: &checkpoints::Checkpoint, key: &VerifierKey) -> Option<Signed> {
    let read = Checkpoint::open(&kept.note, key).ok().filter(|read| read.size == kept.size)?;
    Some(Signed { head: read.head(), by: Witness::Checkpoint })
}

/// The anchors that can be held against the log, by size.
pub(in crate::flows::audit) fn read_anchors(
    notes: &[String],
    key: &VerifierKey,
    size: u64,
    faults: &mut Faults,
) -> Vec<Signed> {
    let by = Witness::Anchor;
    let mut anchors = Vec::new();
    for note in notes {
        let Ok(read) = Checkpoint::open(note, key) else {
            let said = note.lines().nth(1).and_then(|size| size.parse().ok());
            faults.add(Fault::BadSignature { size: said.unwrap_or_default(), by });
            continue;
        };
        if read.size > size {
            faults.add(Fault::Truncated { size, signed: read.size, by });
        } else {
            anchors.push(Signed { head: read.head(), by });
        }
    }
    anchors.sort_by_key(|anchor| anchor.head.size);
    anchors
}

/// What was counted of the entries that are there. Of the hour in which pruned entries end, part was
/// counted of them.
async fn counts(
    tx: &mut Tx,
    extent: Extent,
    tree: &Tree,
    kept_since: Option<Time>,
) -> Result<Option<Kept>, Error> {
    if extent != Extent::Whole {
        return Ok(None);
    }
    let nothing_kept = if tree.pruned == 0 { Time(i64::MIN) } else { Time(i64::MAX) };
    let from = kept_since.unwrap_or(nothing_kept);
    let kept = examine::counts(tx, from).await?;
    Ok(Some(Kept { from, kinds: kept.into_iter().collect() }))
}
