//! Giving events their place, a batch in one transaction. What becomes of an event is decided in
//! `domain::audit::growth`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use portcullis_domain::audit::entry::Person;
use portcullis_domain::audit::growth::{Growth, Owner, People};
use portcullis_domain::audit::personal::{Drawn, Part, PersonKey};
use portcullis_domain::audit::tile::TileId;
use portcullis_domain::audit::tiles::Tiles;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::audit::pending::Happened;
use portcullis_store::audit::rejected::Rejected;
use portcullis_store::audit::{counts, log, pending, people, personal, rejected, tree};
use portcullis_store::{Error, Tx, users};

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
    let taken = batch_in(parts, &mut tx, now).await?;
    if taken > 0 {
        tx.commit().await?;
    }
    Ok(taken)
}

/// Gives everything that waits its place, in a transaction of somebody else.
pub(super) async fn all_in(parts: &Parts, tx: &mut Tx, now: Time) -> Result<(), LogFault> {
    while batch_in(parts, tx, now).await? >= BATCH as usize {}
    Ok(())
}

async fn batch_in(parts: &Parts, tx: &mut Tx, now: Time) -> Result<usize, LogFault> {
    tree::begin(tx, &parts.origin).await?;
    let tree = tree::lock(tx).await?.ok_or(Error::Unavailable)?;
    let pending::Taken { events, rejected } = pending::take(tx, BATCH).await?;
    if !rejected.is_empty() {
        put_aside(parts, tx, &rejected, now).await?;
    }
    // The event that tells of it is in the next batch.
    let taken = if rejected.is_empty() { events.len() } else { BATCH as usize };
    if events.is_empty() {
        return Ok(taken);
    }
    watch_the_clock(parts, tx, tree.logged_at, now).await?;
    let tiles = load(tx, Tiles::edge(tree.size)).await?;
    let mut growth = Growth::new(tiles, tree.size, tree.logged_at.max(now));
    let mut people = HashMap::new();
    for mut event in events {
        know(parts, tx, &mut people, &event.context).await?;
        let is_erased = |user| matches!(people.get(&user), Some(Known::Erased));
        say_nothing_more(&mut event, is_erased);
        let of = |user: Option<UserId>| match people.get(&user?)? {
            Known::Owner(owner) => Some(owner),
            Known::Erased => None,
        };
        let both = People { actor: of(event.context.actor), subject: of(event.context.subject) };
        let random = parts.random;
        let draw = || Drawn { salt: random.bytes(), nonce: random.bytes() };
        growth.add(event, both, &parts.keys, draw)?;
    }
    store(tx, growth, tree.size).await?;
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

/// Keeps rows that nobody vouches for as evidence, and has the log tell of them.
async fn put_aside(
    parts: &Parts,
    tx: &mut Tx,
    rejected: &[Rejected],
    now: Time,
) -> Result<(), Error> {
    rejected::insert(tx, rejected, now).await?;
    let ids: Vec<String> = rejected.iter().map(Rejected::id).collect();
    let ids = Text::clip(&ids.join(", "));
    let count = rejected.len() as u64;
    tracing::error!(count, "events waited that this program did not write; they were put aside");
    let event = Event::PendingRejected { count, ids };
    record(tx, parts.random, &event, &Context::default(), now).await?;
    parts.has_rejected.store(true, Ordering::Relaxed);
    Ok(())
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

/// Somebody of an event.
enum Known {
    Owner(Owner),
    /// He was taken out of the log, so nothing more of him comes in.
    Erased,
}

/// Takes what is personal to somebody who was erased out of an event that was under way.
fn say_nothing_more(event: &mut Happened, is_erased: impl Fn(UserId) -> bool) {
    let Context { actor, subject, .. } = event.context;
    if Part::From.owner(actor, subject).is_some_and(&is_erased) {
        let (ip, peer, user_agent) = (None, None, None);
        event.context = Context { ip, peer, user_agent, ..std::mem::take(&mut event.context) };
    }
    if Part::Texts.owner(actor, subject).is_some_and(is_erased) {
        event.texts.clear();
    }
}

/// Who stand for the users of an event in the log. Whoever comes into it for the first time gets a
/// number and a key.
async fn know(
    parts: &Parts,
    tx: &mut Tx,
    people: &mut HashMap<UserId, Known>,
    context: &Context,
) -> Result<(), LogFault> {
    for user in [context.actor, context.subject].into_iter().flatten() {
        if people.contains_key(&user) {
            continue;
        }
        let owner = match people::of_user(tx, user).await? {
            Some(people::Known { person, sealed_key }) => {
                Known::Owner(Owner { person, key: parts.keys.unwrap(person, user, &sealed_key)? })
            }
            None if users::is_erased(tx, user).await? => Known::Erased,
            None => Known::Owner(introduce(parts, tx, user).await?),
        };
        people.insert(user, owner);
    }
    Ok(())
}

async fn introduce(parts: &Parts, tx: &mut Tx, user: UserId) -> Result<Owner, LogFault> {
    let Parts { keys, random, .. } = parts;
    let person = Person::from_random(random.bytes());
    let key = PersonKey::from_random(random.bytes());
    let sealed_key = keys.wrap(person, user, &key, random.bytes())?;
    people::insert(tx, user, &people::Known { person, sealed_key }).await?;
    Ok(Owner { person, key })
}

async fn store(tx: &mut Tx, mut growth: Growth, from: u64) -> Result<(), LogFault> {
    log::append(tx, &growth.entries).await?;
    personal::insert(tx, &growth.personal).await?;
    for (tile, hashes) in growth.tiles.take_changed() {
        tree::put_tile(tx, tile.level, tile.n, &hashes).await?;
    }
    counts::add(tx, &growth.counts).await?;
    // The row is ours until the end of the transaction, so nobody else can have changed it.
    let has_grown = tree::grow(tx, from, growth.size, growth.logged_at).await?;
    if has_grown { Ok(()) } else { Err(Error::Conflict.into()) }
}
