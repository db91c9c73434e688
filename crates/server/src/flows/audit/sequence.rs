//! Giving events their place: each becomes an entry, its personal data is sealed apart, the tree grows,
//! and it is counted; a batch is one transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use portcullis_domain::audit::entry::{Entry, Person, VERSION};
use portcullis_domain::audit::personal::{Commitment, Drawn, Part, PersonKey};
use portcullis_domain::audit::tile::TileId;
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::audit::tree::leaf_hash;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::audit::counts::{self, Count, Kind};
use portcullis_store::audit::log;
use portcullis_store::audit::pending::{self, Pending};
use portcullis_store::audit::people::{self, Known};
use portcullis_store::audit::personal::{self, Personal};
use portcullis_store::audit::tree;
use portcullis_store::{Error, Tx};
use serde_json::{Map, Value};

use super::{LogFault, Parts, is_settled};
use crate::flows::record;

/// How many events one transaction takes: others who write wait for it.
const BATCH: u32 = 256;
/// How far the clock may be behind the newest entry before that is an event of its own: nodes differ.
const STEP_MS: i64 = 10_000;

/// Gives everything that waits its place.
pub(super) async fn all(parts: &Parts, now: Time) -> Result<(), LogFault> {
    if is_settled(&parts.db).await? {
        return Ok(());
    }
    let _turn = parts.turn.lock().await;
    while batch(parts, now).await? >= BATCH as usize {}
    Ok(())
}

/// One transaction; how many events got their place.
async fn batch(parts: &Parts, now: Time) -> Result<usize, LogFault> {
    let mut tx = parts.db.write().await?;
    tree::begin(&mut tx, &parts.origin).await?;
    let tree = tree::lock(&mut tx).await?.ok_or(Error::Unavailable)?;
    let events = pending::take(&mut tx, BATCH).await?;
    if events.is_empty() {
        return Ok(0);
    }
    let taken = events.len();
    watch_the_clock(parts, &mut tx, tree.logged_at, now).await?;
    let mut growth = Growth {
        parts,
        tiles: load(&mut tx, Tiles::edge(tree.size)).await?,
        size: tree.size,
        logged_at: tree.logged_at.max(now),
        people: HashMap::new(),
        counts: BTreeMap::new(),
    };
    for event in events {
        growth.add(&mut tx, event).await?;
    }
    growth.store(&mut tx, tree.size).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Loads tiles; one that is not there is missed where it is needed.
pub(super) async fn load(tx: &mut Tx, wanted: Vec<TileId>) -> Result<Tiles, LogFault> {
    let mut tiles = Tiles::new();
    for tile in wanted {
        if let Some(hashes) = tree::tile(tx, tile.level, tile.n).await? {
            tiles.insert(tile, &hashes)?;
        }
    }
    Ok(tiles)
}

/// Once for each time that it falls behind, as this node sees it.
async fn watch_the_clock(parts: &Parts, tx: &mut Tx, newest: Time, now: Time) -> Result<(), Error> {
    let by_ms = newest.0.saturating_sub(now.0);
    let is_behind = by_ms > STEP_MS;
    let was_behind = parts.is_clock_behind.swap(is_behind, Ordering::Relaxed);
    if is_behind && !was_behind {
        let event = Event::ClockBehind { by_ms };
        record(tx, parts.random, &event, &Context::default(), now).await?;
    }
    Ok(())
}

/// Somebody in the log, with the key of his data.
#[derive(Clone)]
struct Owner {
    person: Person,
    key: PersonKey,
}

/// A batch on its way into the log.
struct Growth<'a> {
    parts: &'a Parts,
    tiles: Tiles,
    size: u64,
    logged_at: Time,
    people: HashMap<UserId, Owner>,
    counts: BTreeMap<Kind, Count>,
}

impl Growth<'_> {
    async fn add(&mut self, tx: &mut Tx, event: Pending) -> Result<(), LogFault> {
        let Pending { id, at, name, outcome, severity, context, detail, texts } = event;
        let actor = self.owner(tx, context.actor).await?;
        let subject = self.owner(tx, context.subject).await?;
        let kind = Kind::of(at, &name, &outcome, &detail);
        self.counts.entry(kind).or_default().add(&detail);
        let from = members_of(&context);
        let of_from = actor.as_ref().or(subject.as_ref());
        let of_texts = subject.as_ref().or(actor.as_ref());
        let entry = Entry {
            version: VERSION,
            index: self.size,
            at,
            logged: self.logged_at,
            id,
            event: name,
            outcome,
            severity,
            from: self.seal(tx, Part::From, of_from, &from, context.ip.as_deref()).await?,
            texts: self.seal(tx, Part::Texts, of_texts, &texts, None).await?,
            actor: actor.map(|owner| owner.person),
            subject: subject.map(|owner| owner.person),
            session: context.session,
            request: context.request_id,
            detail,
        };
        let leaf = entry.leaf()?;
        log::append(tx, &entry, &leaf).await?;
        self.tiles.append(self.size, leaf_hash(&leaf))?;
        self.size += 1;
        Ok(())
    }

    /// Who stands for a user in the log; whoever comes into it for the first time gets a number and
    /// a key.
    async fn owner(
        &mut self,
        tx: &mut Tx,
        user: Option<UserId>,
    ) -> Result<Option<Owner>, LogFault> {
        let Some(user) = user else { return Ok(None) };
        if let Some(owner) = self.people.get(&user) {
            return Ok(Some(owner.clone()));
        }
        let Parts { keys, random, .. } = self.parts;
        let owner = if let Some(known) = people::of_user(tx, user).await? {
            let key = keys.unwrap(known.person, &known.sealed_key)?;
            Owner { person: known.person, key }
        } else {
            let person = Person::from_random(random.bytes());
            let key = PersonKey::from_random(random.bytes());
            let sealed_key = keys.wrap(person, &key, random.bytes())?;
            people::insert(tx, user, &Known { person, sealed_key }).await?;
            Owner { person, key }
        };
        self.people.insert(user, owner.clone());
        Ok(Some(owner))
    }

    /// Seals one part of the next entry's personal data; nothing where there is none.
    async fn seal(
        &self,
        tx: &mut Tx,
        part: Part,
        owner: Option<&Owner>,
        data: &Map<String, Value>,
        ip: Option<&str>,
    ) -> Result<Option<Commitment>, LogFault> {
        if data.is_empty() {
            return Ok(None);
        }
        let Parts { keys, random, .. } = self.parts;
        let drawn = Drawn { salt: random.bytes(), nonce: random.bytes() };
        let key = owner.map_or_else(|| keys.nobody(), |owner| &owner.key);
        let (commitment, sealed) = key.seal(self.size, part, data, drawn)?;
        let row = Personal {
            index: self.size,
            part,
            person: owner.map(|owner| owner.person),
            sealed,
            address: ip.map(|ip| keys.address_mac(ip)),
        };
        personal::insert(tx, &row).await?;
        Ok(Some(commitment))
    }

    /// Writes what changed beside the entries.
    async fn store(mut self, tx: &mut Tx, from: u64) -> Result<(), LogFault> {
        for (tile, hashes) in self.tiles.take_changed() {
            tree::put_tile(tx, tile.level, tile.n, &hashes).await?;
        }
        counts::add(tx, &self.counts).await?;
        // The row is ours until the end of the transaction, so nobody else can have changed it.
        let has_grown = tree::grow(tx, from, self.size, self.logged_at).await?;
        if has_grown { Ok(()) } else { Err(Error::Conflict.into()) }
    }
}

/// Where an event came from.
fn members_of(context: &Context) -> Map<String, Value> {
    let Context { ip, peer, user_agent, .. } = context;
    [("ip", ip), ("peer", peer), ("user_agent", user_agent)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))))
        .collect()
}
