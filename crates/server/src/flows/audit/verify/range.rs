//! One range of entries: read with its tiles, its personal data and what was signed in it, then looked
//! at on a thread that may be busy.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_domain::audit::entry::{Entry, Person};
use portcullis_domain::audit::fault::Faults;
use portcullis_domain::audit::judge::{Seen, Signed};
use portcullis_domain::audit::note::VerifierKey;
use portcullis_domain::audit::personal::{AuditKeys, PersonKey};
use portcullis_domain::audit::tile::TileId;
use portcullis_domain::audit::tile::WIDTH;
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::time::Time;
use portcullis_store::audit::checkpoints::Checkpoint;
use portcullis_store::audit::examine::{self, Entries, Personal, Somebody};
use portcullis_store::audit::{log, pending, tree};
use portcullis_store::{Db, Error};

use super::Pin;
use super::counts::InRange;
use super::look;

/// What every range is looked at with.
pub(super) struct Shared {
    pub(super) db: Db,
    pub(super) keys: AuditKeys,
    pub(super) key: VerifierKey,
    pub(super) first: u64,
    pub(super) size: u64,
    pub(super) upper: Tiles,
    /// When the first entry that is kept got its place, if earlier ones were pruned.
    pub(super) kept_since: Option<Time>,
    /// By size.
    pub(super) anchors: Vec<Signed>,
    pub(super) people: People,
}

/// A range as it was read.
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) entries: Entries,
    pub(super) personal: Personal,
    pub(super) tiles: Vec<(TileId, Vec<u8>)>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) people: BTreeMap<i64, Standing>,
}

/// What was found in it.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) first: u64,
    /// In order, each with what was signed in it.
    pub(super) blocks: Vec<(Seen, Vec<Signed>)>,
    pub(super) faults: Faults,
    pub(super) counted: InRange,
    pub(super) erased: u64,
    pub(super) expired: u64,
    /// The newest good checkpoint.
    pub(super) signed: Option<Pin>,
    /// Personal data that is not there: the entry, the part, and whose it was.
    pub(super) absent: Vec<(u64, &'static str, Option<i64>)>,
}

/// How it stands with somebody in the log.
#[derive(Clone)]
pub(super) enum Standing {
    Known(PersonKey),
    Erased(Time),
    /// He stands for another user than he was made for, or his key is another.
    Altered(Person),
    /// Nobody has the number.
    Unknown,
}

impl Standing {
    /// Of somebody as he stands in the store.
    pub(super) fn of(found: &Somebody, keys: &AuditKeys) -> Self {
        let Somebody { number, user, sealed_key, erased_at } = found;
        let Some(person) = Person::from_number(*number) else { return Self::Unknown };
        match (erased_at, user, sealed_key) {
            (Some(at), None, None) => Self::Erased(*at),
            (None, Some(user), Some(sealed)) => {
                keys.unwrap(person, *user, sealed).map_or(Self::Altered(person), Self::Known)
            }
            _ => Self::Altered(person),
        }
    }
}

/// People who were looked up.
#[derive(Default)]
pub(super) struct People(Mutex<HashMap<i64, Standing>>);

/// So many are remembered.
const MOST_PEOPLE: usize = 50_000;

/// Reads a range and looks at it.
pub(super) async fn look(shared: Arc<Shared>, first: u64, end: u64) -> Result<Looked, Error> {
    let range = read(&shared, first, end).await?;
    let busy = Arc::clone(&shared);
    let looked = tokio::task::spawn_blocking(move || look::look(&busy, range)).await;
    let mut looked = looked.map_err(|_| Error::Unavailable)??;
    let absent = std::mem::take(&mut looked.absent);
    let floor = if absent.is_empty() { 0 } else { shared.personal_floor().await? };
    let mut erased = HashMap::new();
    for (index, part, owner) in absent {
        if index < floor {
            looked.expired += 1;
            continue;
        }
        let known = owner.and_then(|owner| erased.get(&owner).copied());
        let is_erased = match (owner, known) {
            (None, _) => false,
            (Some(_), Some(known)) => known,
            (Some(owner), None) => {
                let found = shared.is_erased(owner).await?;
                erased.insert(owner, found);
                found
            }
        };
        if is_erased {
            looked.erased += 1;
        } else {
            looked.faults.add(look::absent(index, part));
        }
    }
    Ok(looked)
}

async fn read(shared: &Shared, first: u64, end: u64) -> Result<Range, Error> {
    let mut tx = shared.db.read().await?;
    let entries = examine::entries(&mut tx, first, end).await?;
    let personal = examine::personal(&mut tx, first, end).await?;
    let tiles = examine::tiles(&mut tx, 0, first / WIDTH, end.div_ceil(WIDTH)).await?;
    let checkpoints = examine::checkpoints(&mut tx, first, end).await?;
    drop(tx);
    let mut owners: Vec<i64> = personal.rows()?.iter().filter_map(|sealed| sealed.person).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut people = shared.people.those(&owners);
    owners.retain(|owner| !people.contains_key(owner));
    for owner in owners {
        people.insert(owner, shared.person(owner).await?);
    }
    Ok(Range { first, end, entries, personal, tiles, checkpoints, people })
}

impl Shared {
    /// Below which personal data has gone with its age: the row of the tree says so, and so does the
    /// log. It may have been raised since the verification began.
    async fn personal_floor(&self) -> Result<u64, Error> {
        let mut tx = self.db.read().await?;
        let tree = tree::read(&mut tx).await?;
        let (floor, pruned) = tree.map_or((0, 0), |tree| (tree.personal_floor, tree.pruned));
        let told = log::newest_of(&mut tx, "audit_personal_expired").await?;
        let below = told.and_then(|entry| entry.detail.get("below")?.as_u64());
        // What told of it may have been pruned, with everything that it told of.
        Ok(floor.min(below.unwrap_or(pruned)))
    }

    /// Whether somebody was erased: the log says so itself, or said so among what was pruned, or the
    /// event waits for its place. What stands beside the log alone is not believed.
    async fn is_erased(&self, number: i64) -> Result<bool, Error> {
        let Standing::Erased(at) = self.person(number).await? else { return Ok(false) };
        if self.kept_since.is_some_and(|since| at <= since) {
            return Ok(true);
        }
        let mut tx = self.db.read().await?;
        let person = Person::from_number(number).map(|person| person.to_string());
        let is_his = |entry: Entry| entry.detail.get("person")?.as_str().map(str::to_owned);
        let told = log::all_of(&mut tx, "privacy_erased").await?;
        let is_told = told.into_iter().filter_map(is_his).any(|told| Some(told) == person);
        Ok(is_told || pending::any_of(&mut tx, "privacy_erased").await?)
    }

    /// What the store knows of somebody now: he may have been erased meanwhile.
    async fn person(&self, number: i64) -> Result<Standing, Error> {
        let mut tx = self.db.read_once().await?;
        let found = examine::person(&mut tx, number).await?;
        let standing = found.map_or(Standing::Unknown, |found| Standing::of(&found, &self.keys));
        self.people.put(number, standing.clone());
        Ok(standing)
    }
}

impl People {
    fn those(&self, numbers: &[i64]) -> BTreeMap<i64, Standing> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |number: &i64| Some((*number, known.get(number)?.clone()));
        numbers.iter().filter_map(of).collect()
    }

    fn put(&self, number: i64, standing: Standing) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_PEOPLE {
            known.clear();
        }
        known.insert(number, standing);
    }
}
