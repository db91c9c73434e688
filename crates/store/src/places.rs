//! Places that people sign in from: one row a user and network. Not here: what is done about a new
//! one.

use portcullis_domain::id::UserId;
use portcullis_domain::place::{Knowledge, Place};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// Somebody at a place.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// A `UUIDv7`, for the case that the place is new.
    pub id: &'a str,
    pub user: UserId,
    pub place: Place,
    pub user_agent: &'a str,
}

/// A place where the user signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub id: String,
    pub place: Place,
    pub user_agent: String,
    pub first_seen: Time,
    pub last_seen: Time,
}

/// What the account knows of a place.
pub async fn knowledge(tx: &mut Tx, user: UserId, place: Place) -> Result<Knowledge> {
    const HERE: &str = "SELECT state FROM places WHERE user_id = $1 AND network = $2";
    const ANYWHERE: &str = "SELECT state FROM places WHERE user_id = $1 LIMIT 1";
    let network = place.to_string();
    if let Some(row) = tx.fetch_optional(HERE, params![user, &network]).await? {
        let state: String = row.get("state")?;
        return match state.as_str() {
            VERIFIED => Ok(Knowledge::Verified),
            TOLD => Ok(Knowledge::Told),
            REMOVED => Ok(Knowledge::New),
            _ => Err(corrupt("places", "state", user.0)),
        };
    }
    let elsewhere = tx.fetch_optional(ANYWHERE, params![user]).await?;
    Ok(if elsewhere.is_some() { Knowledge::New } else { Knowledge::First })
}

/// The place is the user's own from now on.
pub async fn verify(tx: &mut Tx, seen: &Seen<'_>, now: Time) -> Result<()> {
    put(tx, seen, VERIFIED, now).await
}

/// The user was told that somebody signed in there.
pub async fn told(tx: &mut Tx, seen: &Seen<'_>, now: Time) -> Result<()> {
    put(tx, seen, TOLD, now).await
}

/// Somebody signed in there again.
pub async fn touch(tx: &mut Tx, user: UserId, place: Place, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE places SET last_seen = $3
        WHERE user_id = $1 AND network = $2 AND last_seen < $3";
    tx.execute(SQL, params![user, &place.to_string(), now]).await.map(drop)
}

/// The user's own places, the one that was used last first.
pub async fn list(tx: &mut Tx, user: UserId) -> Result<Vec<Verified>> {
    const SQL: &str = "SELECT id, network, user_agent, first_seen, last_seen FROM places
        WHERE user_id = $1 AND state = $2 ORDER BY last_seen DESC, id DESC";
    tx.fetch_all(SQL, params![user, VERIFIED]).await?.iter().map(verified).collect()
}

/// The number that taking places back raises.
pub async fn epoch(tx: &mut Tx, user: UserId) -> Result<i64> {
    const SQL: &str = "SELECT places_epoch FROM users WHERE id = $1";
    tx.fetch_one(SQL, params![user]).await?.get("places_epoch")
}

/// Takes a place from the user's own, and raises the epoch; which it was, or `None` if it was none of
/// them.
pub async fn remove(tx: &mut Tx, user: UserId, id: &str) -> Result<Option<Place>> {
    const EPOCH: &str = "UPDATE users SET places_epoch = places_epoch + 1
        WHERE id = $1 AND EXISTS (
            SELECT 1 FROM places WHERE id = $2 AND user_id = $1 AND state = $3)";
    const SQL: &str = "UPDATE places SET state = $3
        WHERE id = $2 AND user_id = $1 AND state = $4 RETURNING network";
    // Users before places, as a sign-in takes them: two that cross do not wait for each other.
    tx.execute(EPOCH, params![user, id, VERIFIED]).await?;
    let row = tx.fetch_optional(SQL, params![user, id, REMOVED, VERIFIED]).await?;
    let Some(row) = row else { return Ok(None) };
    let network: String = row.get("network")?;
    Place::parse(&network).map(Some).ok_or_else(|| corrupt("places", "network", id))
}

/// Forgets every place of the user, and raises the epoch: the next one is learned as if it were the
/// first. How many there were.
pub async fn forget(tx: &mut Tx, user: UserId) -> Result<u64> {
    const EPOCH: &str = "UPDATE users SET places_epoch = places_epoch + 1 WHERE id = $1";
    tx.execute(EPOCH, params![user]).await?;
    tx.execute("DELETE FROM places WHERE user_id = $1", params![user]).await
}

const VERIFIED: &str = "verified";
const TOLD: &str = "told";
const REMOVED: &str = "removed";

async fn put(tx: &mut Tx, seen: &Seen<'_>, state: &str, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO places
            (id, user_id, network, state, user_agent, first_seen, last_seen)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (user_id, network) DO UPDATE SET state = excluded.state,
            user_agent = excluded.user_agent, last_seen = excluded.last_seen";
    let network = seen.place.to_string();
    let row = params![seen.id, seen.user, &network, state, seen.user_agent, now];
    tx.execute(SQL, row).await.map(drop)
}

fn verified(row: &Row) -> Result<Verified> {
    let (id, network): (String, String) = (row.get("id")?, row.get("network")?);
    Ok(Verified {
        place: Place::parse(&network).ok_or_else(|| corrupt("places", "network", &id))?,
        user_agent: row.get("user_agent")?,
        first_seen: Time(row.get("first_seen")?),
        last_seen: Time(row.get("last_seen")?),
        id,
    })
}
