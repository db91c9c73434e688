//! Verifying the log: are its entries, the tiles over them and everything that was signed of it what they
//! were, and does what stands beside the entries agree with them. Reads ranges in parallel, judges them
//! in order, and keeps only a few of them in memory. Not here: bundles (`bundle`), and how the
//! judgement is reached (`domain::audit::judge`).

pub(super) mod begin;
mod beside;
mod counts;
mod look;
mod range;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::Faults;
use portcullis_domain::audit::judge::Judge;
use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::audit::tile::WIDTH;
use portcullis_domain::time::Time;
use portcullis_store::audit::examine;
use portcullis_store::{Db, Error};
use tokio::task::JoinSet;

use super::LogFault;
use begin::Beginning;
use counts::Counted;
use range::Looked;

/// So many entries are read and looked at together: whole tiles.
const TOGETHER: u64 = 2 * WIDTH;
/// So far the clocks of nodes may differ.
pub(super) const TOLERANCE: Duration = Duration::from_secs(10);

/// What is to be verified.
#[derive(Clone)]
pub struct Ask {
    pub db: Db,
    pub keys: AuditKeys,
    /// The key that must have signed; `None`: the one that comes from the secret.
    pub key: Option<VerifierKey>,
    /// Notes that were kept elsewhere.
    pub anchors: Vec<String>,
    pub extent: Extent,
    pub now: Time,
    /// How many ranges are read at once.
    pub readers: usize,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that was not pruned.
    Whole,
    /// About so many of the newest entries. That the tree before them is right is not looked at.
    Newest(u64),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The key that what was signed was held against.
    pub key: VerifierKey,
    /// How many entries the log has had.
    pub size: u64,
    /// The first entry that was looked at, and behind the last.
    pub first: u64,
    pub end: u64,
    /// Entries below are gone, with a bundle that proves them.
    pub pruned: u64,
    /// The newest checkpoint with a good signature.
    pub signed: Option<Pin>,
    /// When the first entry that is not signed yet got its place.
    pub unsigned_since: Option<Time>,
    /// How many checkpoints and anchors agreed with the log.
    pub confirmed: u64,
    /// How many parts of personal data were erased.
    pub erased: u64,
    /// How many went with their age.
    pub expired: u64,
    /// Of a bundle: how many are said to be gone, and no entry of it tells why.
    pub untold: u64,
    pub faults: Faults,
}

/// A checkpoint, as far as it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    pub size: u64,
    /// When it was made, where that is kept.
    pub at: Option<Time>,
}

impl Verdict {
    /// Nothing yet, of a bundle of a range of entries.
    pub(super) fn of_bundle(key: VerifierKey, first: u64, end: u64) -> Self {
        let (signed, unsigned_since, faults) = Default::default();
        Self {
            key,
            size: end,
            first,
            end,
            pruned: 0,
            signed,
            unsigned_since,
            confirmed: 0,
            erased: 0,
            expired: 0,
            untold: 0,
            faults,
        }
    }

    /// The signature of a checkpoint of this size is good.
    pub(super) fn sign(&mut self, size: u64) {
        self.size = size;
        self.signed = Some(Pin { size, at: None });
    }

    /// How many entries at the end are not signed yet.
    pub fn unsigned(&self) -> u64 {
        self.size.saturating_sub(self.signed.map_or(0, |pin| pin.size))
    }

    /// How many entries were looked at.
    pub fn entries(&self) -> u64 {
        self.end.saturating_sub(self.first)
    }

    /// Something was not signed by the key.
    pub fn is_forged(&self) -> bool {
        self.faults.kinds().contains_key("bad_signature")
    }
}

/// Verifies the log; `None` if it has not begun. `progress` is told how many entries are done, and of
/// how many.
pub async fn verify(ask: &Ask, progress: impl Fn(u64, u64)) -> Result<Option<Verdict>, LogFault> {
    let Some(beginning) = begin::begin(ask).await? else { return Ok(None) };
    let Beginning { shared, verdict, judge, counts } = beginning;
    let (first, size) = (shared.first, shared.size);
    let shared = Arc::new(shared);
    let mut course = Course { judge, verdict, counted: Counted::default() };
    let mut reading = JoinSet::new();
    let (mut next, mut wanted) = (first, first);
    let mut early: BTreeMap<u64, Looked> = BTreeMap::new();
    loop {
        while reading.len() + early.len() < ask.readers.max(1) && next < size {
            let end = next.saturating_add(TOGETHER).min(size);
            reading.spawn(range::look(Arc::clone(&shared), next, end));
            next = end;
        }
        let Some(looked) = reading.join_next().await else { break };
        let looked = looked.map_err(|_| Error::Unavailable)??;
        early.insert(looked.first, looked);
        while let Some(looked) = early.remove(&wanted) {
            course.take(looked);
            wanted = course.judge.size();
            progress(wanted - first, size - first);
        }
    }
    let mut verdict = course.end(counts);
    verdict.unsigned_since = unsigned_since(ask, &verdict).await?;
    beside::look(ask, &mut verdict).await?;
    Ok(Some(verdict))
}

/// What is carried from range to range.
struct Course {
    judge: Judge,
    verdict: Verdict,
    counted: Counted,
}

impl Course {
    fn take(&mut self, looked: Looked) {
        for (seen, signed) in looked.blocks {
            self.judge.go_on(seen, &signed);
        }
        self.counted.append(looked.counted);
        self.verdict.faults.append(looked.faults);
        self.verdict.erased += looked.erased;
        self.verdict.expired += looked.expired;
        self.verdict.signed = looked.signed.or(self.verdict.signed);
    }

    /// What was done to the tree comes first: the rest may follow from it.
    fn end(self, counts: Option<counts::Kept>) -> Verdict {
        let Self { judge, mut verdict, counted } = self;
        let mut judged = judge.finish();
        verdict.confirmed += judged.confirmed;
        judged.faults.append(verdict.faults);
        if let Some(counts) = counts {
            counted.compare(counts, &mut judged.faults);
        }
        Verdict { faults: judged.faults, ..verdict }
    }
}

async fn unsigned_since(ask: &Ask, verdict: &Verdict) -> Result<Option<Time>, Error> {
    let signed = verdict.signed.map_or(verdict.pruned, |pin| pin.size);
    let mut tx = ask.db.read_once().await?;
    let first = examine::entries(&mut tx, signed, signed + 1).await?;
    Ok(first.rows()?.first().and_then(|kept| Entry::read(kept.leaf)).map(|entry| entry.logged))
}
