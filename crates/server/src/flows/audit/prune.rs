//! Taking old entries out of the database, in one order only: exported, the bundle verified, held against
//! the tiles of this log, then pruned. The tiles stay, so that whatever was signed can still be proven,
//! and every entry that is in a bundle. Not here: deleting the rows, which goes on by itself (`expire`).

use std::io;
use std::path::{Path, PathBuf};

use portcullis_domain::audit::fault::Fault;
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::audit::tile::{TileId, WIDTH};
use portcullis_domain::audit::tiles::{MissingTile, from_bytes};
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::time::Time;
use portcullis_store::audit::sinks::Sink;
use portcullis_store::audit::tree::Tree;
use portcullis_store::audit::{checkpoints, sinks, tree};
use portcullis_store::{Db, Error};

use super::bundle::check::{BundleFault, check};
use super::bundle::leaves::{Leaves, sha256};
use super::expire::{first_since, forget};
use super::verify::Verdict;
use super::{AuditLog, LogFault};
use crate::flows::record;

/// What is to be pruned.
pub struct Prune<'a> {
    pub bundle: &'a Path,
    pub before: Before,
    /// The receivers of webhooks that are configured: nothing goes that one of them has not got.
    pub receivers: Vec<String>,
    pub now: Time,
}

/// Which entries: those before a place, or that got their place before a time. Only whole tiles of 256
/// entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Index(u64),
    Time(Time),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// Entries from `from` up to and without `to` are gone.
    Done {
        from: u64,
        to: u64,
        sha256: [u8; 32],
    },
    Refused(Refusal),
}

/// Why nothing was pruned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("No whole tile of 256 entries is so old that is not pruned already.")]
    Nothing,
    #[error("The newest checkpoint is of {signed} entries; pruning does not go beyond it.")]
    NotSigned { signed: u64 },
    #[error("The webhook {name} has got the entries below {next} alone; see GET /readyz.")]
    NotSent { name: String, next: u64 },
    #[error("The bundle cannot be used: {0}.")]
    Unreadable(String),
    #[error("The bundle is not in order: {0}.")]
    NotInOrder(Fault),
    #[error(
        "The bundle has entries {first} up to {end}; to prune up to {to}, it must have all from {from} on."
    )]
    NotCovered { first: u64, end: u64, from: u64, to: u64 },
    #[error("The bundle is not of this log: entry {index} is another one here.")]
    Different { index: u64 },
}

/// Why it could not be said.
#[derive(Debug, thiserror::Error)]
pub enum PruneFault {
    #[error(transparent)]
    Log(#[from] LogFault),
    #[error("the bundle cannot be read")]
    File(#[from] io::Error),
}

impl From<Error> for PruneFault {
    fn from(error: Error) -> Self {
        Self::Log(error.into())
    }
}

/// Prunes, or says why not. `progress` is told how many entries of the bundle are verified, and of how
/// many.
pub async fn prune(
    log: &AuditLog,
    wanted: &Prune<'_>,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Pruned, PruneFault> {
    let db = &log.0.db;
    let Some(tree) = tree::read(&mut db.read_once().await?).await? else {
        return Ok(Pruned::Refused(Refusal::Nothing));
    };
    let to = match until(db, &tree, wanted.before).await? {
        Ok(to) => to,
        Err(refusal) => return Ok(Pruned::Refused(refusal)),
    };
    if let Some(refusal) = behind(db, &wanted.receivers, to).await? {
        return Ok(Pruned::Refused(refusal));
    }
    let digest = match verified(log, &tree, wanted.bundle, to, progress).await? {
        Ok(digest) => digest,
        Err(refusal) => return Ok(Pruned::Refused(refusal)),
    };
    let from = tree.pruned;
    let mut tx = db.write().await?;
    // Somebody else may have pruned meanwhile, by a bundle of his own.
    if !tree::prune(&mut tx, from, to).await? {
        return Ok(Pruned::Refused(Refusal::Nothing));
    }
    let bundle_sha256 = Text::clip(&hex::encode(digest));
    let event = Event::LogPruned { from, to, bundle_sha256 };
    record(&mut tx, log.0.random, &event, &Context::default(), wanted.now).await?;
    tx.commit().await?;
    // Before anything is gone, the log says so.
    log.settle(wanted.now).await?;
    forget(db, || false).await?;
    Ok(Pruned::Done { from, to, sha256: digest })
}

/// The end of the last whole tile that may go.
async fn until(db: &Db, tree: &Tree, before: Before) -> Result<Result<u64, Refusal>, Error> {
    let mut tx = db.read().await?;
    let signed = checkpoints::newest(&mut tx).await?.map_or(0, |newest| newest.size);
    let before = match before {
        Before::Index(index) => index,
        Before::Time(time) => first_since(&mut tx, tree.pruned, tree.size, time).await?,
    };
    let to = before / WIDTH * WIDTH;
    Ok(if to <= tree.pruned {
        Err(Refusal::Nothing)
    } else if to > signed.min(tree.size) {
        Err(Refusal::NotSigned { signed })
    } else {
        Ok(to)
    })
}

/// The first receiver of webhooks that has not got everything yet.
async fn behind(db: &Db, receivers: &[String], to: u64) -> Result<Option<Refusal>, Error> {
    let known = sinks::list(&mut db.read_once().await?).await?;
    let is_behind = |sink: &Sink| sink.next < to && receivers.contains(&sink.name);
    let behind = known.into_iter().find(is_behind);
    Ok(behind.map(|sink| Refusal::NotSent { name: sink.name, next: sink.next }))
}

/// Verifies the bundle with the key of this log and holds its entries against the tiles; its SHA-256.
async fn verified(
    log: &AuditLog,
    tree: &Tree,
    bundle: &Path,
    to: u64,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Result<[u8; 32], Refusal>, PruneFault> {
    let key = SigningKey::from_seed(&tree.origin, log.0.keys.signing_seed());
    let key = key.map_err(LogFault::from)?.verifier().clone();
    let path: PathBuf = bundle.to_owned();
    // Busy for as long as it takes.
    let judged = tokio::task::spawn_blocking(move || {
        let digest = sha256(&path)?;
        check(&path, &key, &[], progress).map(|verdict| (digest, verdict))
    });
    let (digest, verdict) = match judged.await.map_err(io::Error::other)? {
        Ok(judged) => judged,
        Err(BundleFault::File(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(error.into());
        }
        Err(fault) => return Ok(Err(Refusal::Unreadable(chain(fault)))),
    };
    if let Err(refusal) = covers(&verdict, tree.pruned, to) {
        return Ok(Err(refusal));
    }
    let differs = first_difference(&log.0.db, bundle, tree.pruned, to).await?;
    Ok(match differs {
        Some(index) => Err(Refusal::Different { index }),
        None => Ok(digest),
    })
}

fn chain(fault: BundleFault) -> String {
    format!("{:#}", anyhow::Error::new(fault))
}

fn covers(verdict: &Verdict, from: u64, to: u64) -> Result<(), Refusal> {
    if let Some(fault) = verdict.faults.first().first() {
        return Err(Refusal::NotInOrder(fault.clone()));
    }
    let (first, end) = (verdict.first, verdict.end);
    if first > from || end < to {
        Err(Refusal::NotCovered { first, end, from, to })
    } else {
        Ok(())
    }
}

/// The first entry of the span whose hash is not the one that the tiles of this log have.
async fn first_difference(
    db: &Db,
    bundle: &Path,
    from: u64,
    to: u64,
) -> Result<Option<u64>, PruneFault> {
    let leaves = Leaves::open(bundle)?;
    for n in from / WIDTH..to / WIDTH {
        let theirs = leaves.of_tile(n)?;
        let tile = tree::tile(&mut db.read_once().await?, 0, n).await?;
        let ours = tile.and_then(|bytes| from_bytes(&bytes)).unwrap_or_default();
        let tile = TileId { level: 0, n };
        if ours.len() as u64 != WIDTH {
            return Err(LogFault::Tree(MissingTile { tile }).into());
        }
        let theirs = theirs.into_iter().map(Some).chain(std::iter::repeat(None));
        let mut both = (n * WIDTH..).zip(ours.into_iter().zip(theirs));
        if let Some((index, _)) = both.find(|(_, (ours, theirs))| Some(*ours) != *theirs) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
