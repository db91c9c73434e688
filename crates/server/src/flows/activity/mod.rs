//! Looking for what happened: a page of the log, newest first. However long the log is, a page costs no
//! more than [`EXAMINED`] entries; what is rarer than that is gone on with from where it stopped. Not
//! here: taking all of it along (`export`).

pub mod export;
mod search;
mod walk;

use std::collections::{HashMap, HashSet};

use portcullis_domain::activity::Record;
use portcullis_domain::activity::query::Query;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_store::audit::activity::{self, Along, Part, Place};
use portcullis_store::audit::tree;
use portcullis_store::{Db, Error, Tx};

use search::{Resolved, Search};
use walk::Walk;

/// The most entries that are looked at in vain for one page.
const EXAMINED: usize = 5_000;
/// What is more is not counted, except where everything is asked for.
pub const COUNTED: u32 = 10_000;

/// The log, and what opens it.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub db: &'a Db,
    pub keys: &'a AuditKeys,
}

/// Which part of the list.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub limit: usize,
    pub offset: usize,
    /// Only what stands before this entry.
    pub before: Option<u64>,
}

/// What was found.
pub enum Found {
    Listing(Listing),
    /// There is no entry of the index to go on before.
    UnknownBefore,
    /// The text may mean more people than [`search::FEW`].
    TooManyPeople,
}

/// A page.
#[derive(Default)]
pub struct Listing {
    /// Newest first.
    pub records: Vec<Record>,
    /// How many there are in all.
    pub count: u64,
    /// There are at least so many.
    pub is_capped: bool,
    /// Where to go on; `None` where that was all.
    pub next: Option<u64>,
}

/// A page of what is asked for.
pub async fn list(reader: Reader<'_>, query: &Query, wanted: Wanted) -> Result<Found, Error> {
    let mut tx = reader.db.read().await?;
    let search = match search::resolve(&mut tx, reader.keys, query).await? {
        Resolved::Search(search) => search,
        Resolved::Nothing => return Ok(Found::Listing(Listing::default())),
        Resolved::TooManyPeople => return Ok(Found::TooManyPeople),
    };
    let (from, until) = query.span();
    let mut to = Place::before(until);
    if let Some(before) = wanted.before {
        match activity::place(&mut tx, before).await? {
            Some(place) => to = to.min(place),
            None => return Ok(Found::UnknownBefore),
        }
    }
    let end = Part { from, to, limit: 0 };
    let seen = see(&mut tx, &search, end, wanted).await?;
    let (count, is_capped) = if search.is_exact {
        count(&mut tx, query, &search, Part { to: Place::before(until), ..end }).await?
    } else {
        let at_least = wanted.offset + seen.indices.len() + usize::from(seen.next.is_some());
        (at_least as u64, seen.next.is_some() || wanted.before.is_some())
    };
    let records = in_order(&mut tx, reader.keys, &seen.indices).await?;
    Ok(Found::Listing(Listing { records, count, is_capped, next: seen.next }))
}

/// What a walk came by.
#[derive(Default)]
struct Seen {
    indices: Vec<u64>,
    next: Option<u64>,
}

async fn see(tx: &mut Tx, search: &Search, end: Part, wanted: Wanted) -> Result<Seen, Error> {
    let mut walk = Walk::new(&search.walks, end, wanted.limit + 1);
    let (mut seen, mut passed, mut in_vain) = (Seen::default(), 0, 0);
    let mut last = None;
    while let Some(step) = walk.next(tx).await? {
        let index = step.place.index;
        if !search.wants(&step) {
            in_vain += 1;
            if in_vain >= EXAMINED {
                seen.next = Some(index);
                break;
            }
        } else if passed < wanted.offset {
            passed += 1;
        } else if seen.indices.len() < wanted.limit {
            seen.indices.push(index);
        } else {
            seen.next = last;
            break;
        }
        last = Some(index);
    }
    Ok(seen)
}

/// How many there are, and whether there are more than are counted.
async fn count(
    tx: &mut Tx,
    query: &Query,
    search: &Search,
    all: Part,
) -> Result<(u64, bool), Error> {
    if query.is_everything() {
        let tree = tree::read(tx).await?;
        return Ok((tree.map_or(0, |tree| tree.size - tree.pruned), false));
    }
    let (cap, one_more) = (u64::from(COUNTED), Part { limit: COUNTED + 1, ..all });
    let overlap = search.walks.iter().any(|walk| matches!(walk, Along::Actor(_)));
    let mut count = 0;
    let mut known = HashSet::new();
    for along in &search.walks {
        if overlap {
            // Somebody may have acted on himself.
            known.extend(activity::indices(tx, along, &one_more).await?);
            count = known.len() as u64;
        } else {
            count += activity::count(tx, along, &one_more).await?;
        }
        if count > cap {
            return Ok((cap, true));
        }
    }
    Ok((count, false))
}

/// The whole entries in the order of their indices.
async fn in_order(tx: &mut Tx, keys: &AuditKeys, indices: &[u64]) -> Result<Vec<Record>, Error> {
    let records = activity::records(tx, keys, indices).await?;
    let mut by_index: HashMap<u64, Record> =
        records.into_iter().map(|record| (record.index, record)).collect();
    Ok(indices.iter().filter_map(|index| by_index.remove(index)).collect())
}
