//! The log as it stands in the tables, for whoever verifies it or hands it on: nothing here is taken to
//! be what we wrote. Ranges are of indices, from the first up to and without the end.

use std::fmt::Write as _;

use portcullis_domain::audit::tile::TileId;
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use super::checkpoints::Checkpoint;
use super::counts::{Count, Kind};
use super::{number, stored};
use crate::driver::{Row, Tx, params, triggers};
use crate::error::{Result, corrupt};
use crate::migrate;

/// A row of the log.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub index: u64,
    pub leaf: &'a [u8],
    /// The columns by which it is found, as [`write_beside`] writes them.
    pub beside: &'a str,
}

/// Writes the columns by which an entry is found: id, time, name, and the numbers of people, -1 for
/// nobody.
pub fn write_beside(
    to: &mut String,
    id: &str,
    at: Time,
    name: &str,
    actor: Option<i64>,
    subject: Option<i64>,
) {
    let (actor, subject) = (actor.unwrap_or(-1), subject.unwrap_or(-1));
    write!(to, "{id} {} {name} {actor} {subject}", at.0).unwrap_or_default();
}

/// The rows of a range.
pub struct Entries(Packed);

impl Entries {
    /// Each of them, in order.
    pub fn rows(&self) -> Result<Vec<Kept<'_>>> {
        let mut rows = self.0.rows(|index, leaf, beside| Some(Kept { index, leaf, beside }))?;
        rows.sort_by_key(|kept| kept.index);
        Ok(rows)
    }
}

/// Reads the rows of a range. A line end in a name, where none of ours has one, is another character.
pub async fn entries(tx: &mut Tx, first: u64, end: u64) -> Result<Entries> {
    const SQL: &str = "SELECT string_agg(leaf, $3), string_agg(idx || ' ' || octet_length(leaf)
            || ' ' || replace(id || ' ' || at || ' ' || name || ' ' || COALESCE(actor, -1)
            || ' ' || COALESCE(subject, -1), '\n', '?'), '\n')
        FROM audit_log WHERE idx >= $1 AND idx < $2";
    Ok(Entries(Packed::read(tx, "audit_log", SQL, first, end).await?))
}

/// The rows that stand behind the end: the first, and how many.
pub async fn strays(tx: &mut Tx, size: u64) -> Result<Option<(u64, u64)>> {
    const SQL: &str = "SELECT MIN(idx) AS first, COUNT(*) AS strays FROM audit_log WHERE idx >= $1";
    let row = tx.fetch_one(SQL, params![stored(size)?]).await?;
    let Some(first) = row.get::<Option<i64>>("first")? else { return Ok(None) };
    Ok(Some((number(first)?, number(row.get("strays")?)?)))
}

/// One sealed part of an entry's personal data. `part` is whatever stands there.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    pub index: u64,
    pub part: &'a str,
    /// Whose key it is under.
    pub person: Option<i64>,
    pub sealed: &'a [u8],
    /// By what the entries of an address are found.
    pub address: Option<&'a [u8]>,
}

/// The personal data of a range.
pub struct Personal(Packed);

impl Personal {
    /// Each part of it, in order.
    pub fn rows(&self) -> Result<Vec<Sealed<'_>>> {
        let mut rows = self.0.rows(sealed)?;
        rows.sort_by_key(|sealed| (sealed.index, sealed.part));
        Ok(rows)
    }
}

/// Reads the personal data of a range.
pub async fn personal(tx: &mut Tx, first: u64, end: u64) -> Result<Personal> {
    const SQL: &str = "SELECT string_agg(sealed || COALESCE(address, $3), $3),
            string_agg(idx || ' ' || (octet_length(sealed) + COALESCE(octet_length(address), 0))
                || ' ' || COALESCE('=' || person, '')
                || ' ' || COALESCE('=' || octet_length(address), '')
                || ' ' || replace(part, '\n', '?'), '\n')
        FROM audit_personal WHERE idx >= $1 AND idx < $2";
    Ok(Personal(Packed::read(tx, "audit_personal", SQL, first, end).await?))
}

/// A row of it: behind the sealed bytes stands the MAC of the address.
fn sealed<'a>(index: u64, bytes: &'a [u8], rest: &'a str) -> Option<Sealed<'a>> {
    let (person, rest) = rest.split_once(' ')?;
    let (address, part) = rest.split_once(' ')?;
    let person = match person.strip_prefix('=') {
        Some(number) => Some(number.parse().ok()?),
        None => None,
    };
    let (sealed, address) = match address.strip_prefix('=') {
        Some(length) => {
            let sealed = bytes.len().checked_sub(length.parse().ok()?)?;
            let (sealed, address) = bytes.split_at_checked(sealed)?;
            (sealed, Some(address))
        }
        None => (bytes, None),
    };
    Some(Sealed { index, part, person, sealed, address })
}

/// Somebody of the log as he stands there.
#[derive(Clone, Debug)]
pub struct Somebody {
    pub number: i64,
    /// For whom he is said to stand.
    pub user: Option<UserId>,
    pub sealed_key: Option<Vec<u8>>,
    pub erased_at: Option<Time>,
}

/// Whoever has a number; `None` if nobody has.
pub async fn person(tx: &mut Tx, person: i64) -> Result<Option<Somebody>> {
    const SQL: &str = "SELECT person, user_id, sealed_key, erased_at FROM audit_people
        WHERE person = $1";
    tx.fetch_optional(SQL, params![person]).await?.as_ref().map(somebody).transpose()
}

/// The people with the next numbers after one, in order, at most `limit`.
pub async fn people(tx: &mut Tx, after: i64, limit: u32) -> Result<Vec<Somebody>> {
    const SQL: &str = "SELECT person, user_id, sealed_key, erased_at FROM audit_people
        WHERE person > $1 ORDER BY person LIMIT $2";
    tx.fetch_all(SQL, params![after, i64::from(limit)]).await?.iter().map(somebody).collect()
}

fn somebody(row: &Row) -> Result<Somebody> {
    Ok(Somebody {
        number: row.at(0)?,
        user: row.at::<Option<i64>>(1)?.map(UserId),
        sealed_key: row.at(2)?,
        erased_at: row.at::<Option<i64>>(3)?.map(Time),
    })
}

/// Behind the last entry that is there; 0 if none is.
pub async fn end(tx: &mut Tx) -> Result<u64> {
    const SQL: &str = "SELECT COALESCE(MAX(idx) + 1, 0) AS beyond FROM audit_log";
    number(tx.fetch_one(SQL, params![]).await?.get("beyond")?)
}

/// The names of the triggers that keep the log from being changed and are not there, or switched off.
pub async fn missing_guards(tx: &mut Tx) -> Result<Vec<&'static str>> {
    let there = triggers(tx).await?;
    let mut missing = migrate::triggers(tx);
    missing.retain(|name| !there.iter().any(|there| there == name));
    Ok(missing)
}

/// The tiles of a level, of a range of their numbers, in order.
pub async fn tiles(tx: &mut Tx, level: u8, first: u64, end: u64) -> Result<Vec<(TileId, Vec<u8>)>> {
    const SQL: &str = "SELECT level, n, hashes FROM audit_tiles
        WHERE level = $1 AND n >= $2 AND n < $3 ORDER BY n";
    let range = params![i64::from(level), stored(first)?, stored(end)?];
    tx.fetch_all(SQL, range).await?.iter().map(tile).collect()
}

/// All tiles above level 0: one byte for eight entries.
pub async fn upper_tiles(tx: &mut Tx) -> Result<Vec<(TileId, Vec<u8>)>> {
    const SQL: &str = "SELECT level, n, hashes FROM audit_tiles WHERE level > 0";
    tx.fetch_all(SQL, params![]).await?.iter().map(tile).collect()
}

fn tile(row: &Row) -> Result<(TileId, Vec<u8>)> {
    // A level that no tree has is one that nobody asks for.
    let level = u8::try_from(row.get::<i64>("level")?).unwrap_or(u8::MAX);
    Ok((TileId { level, n: number(row.get("n")?)? }, row.get("hashes")?))
}

/// What was signed at sizes from `after` on, without it, up to `until`, in order.
pub async fn checkpoints(tx: &mut Tx, after: u64, until: u64) -> Result<Vec<Checkpoint>> {
    const SQL: &str = "SELECT size, at, note FROM audit_checkpoints
        WHERE size > $1 AND size <= $2 ORDER BY size, at";
    let rows = tx.fetch_all(SQL, params![stored(after)?, stored(until)?]).await?;
    rows.iter().map(super::checkpoints::checkpoint).collect()
}

/// What says that it was signed after a time: the first hundred by size.
pub async fn checkpoints_since(tx: &mut Tx, after: Time) -> Result<Vec<Checkpoint>> {
    const SQL: &str = "SELECT size, at, note FROM audit_checkpoints
        WHERE at > $1 ORDER BY size, at LIMIT 100";
    let rows = tx.fetch_all(SQL, params![after]).await?;
    rows.iter().map(super::checkpoints::checkpoint).collect()
}

/// The newest checkpoint of at most this size.
pub async fn checkpoint_up_to(tx: &mut Tx, size: u64) -> Result<Option<Checkpoint>> {
    const SQL: &str = "SELECT size, at, note FROM audit_checkpoints WHERE size <= $1
        ORDER BY size DESC, at DESC LIMIT 1";
    let row = tx.fetch_optional(SQL, params![stored(size)?]).await?;
    row.as_ref().map(super::checkpoints::checkpoint).transpose()
}

/// The oldest checkpoint of at least this size.
pub async fn checkpoint_from(tx: &mut Tx, size: u64) -> Result<Option<Checkpoint>> {
    const SQL: &str = "SELECT size, at, note FROM audit_checkpoints WHERE size >= $1
        ORDER BY size, at LIMIT 1";
    let row = tx.fetch_optional(SQL, params![stored(size)?]).await?;
    row.as_ref().map(super::checkpoints::checkpoint).transpose()
}

/// What was counted in all hours from one on.
pub async fn counts(tx: &mut Tx, from: Time) -> Result<Vec<(Kind, Count)>> {
    const SQL: &str = "SELECT hour, name, outcome, reason, events, amount FROM audit_counts
        WHERE hour >= $1";
    let count = |row: &Row| {
        let kind = Kind {
            hour: Time(row.get("hour")?),
            name: row.get("name")?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
        };
        // A negative number is none that was counted; it differs from whatever the entries say.
        let positive =
            |column| row.get::<i64>(column).map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        Ok((kind, Count { events: positive("events")?, amount: positive("amount")? }))
    };
    tx.fetch_all(SQL, params![from]).await?.iter().map(count).collect()
}

/// Many rows as one, in any order: a row costs the driver more than what stands in it.
struct Packed {
    table: &'static str,
    /// The bytes of all rows, one after the other.
    bytes: Vec<u8>,
    /// A line for each row: its index, how many of the bytes are its own, and what else there is of it.
    heads: String,
}

impl Packed {
    async fn read(
        tx: &mut Tx,
        table: &'static str,
        sql: &'static str,
        first: u64,
        end: u64,
    ) -> Result<Self> {
        let nothing_between: &[u8] = &[];
        let range = params![stored(first)?, stored(end)?, nothing_between];
        let row = tx.fetch_one(sql, range).await?;
        let (bytes, heads): (Option<&[u8]>, Option<&str>) = (row.at(0)?, row.at(1)?);
        let (bytes, heads) = (bytes.unwrap_or_default(), heads.unwrap_or_default());
        Ok(Self { table, bytes: bytes.to_vec(), heads: heads.to_owned() })
    }

    /// Every row, made of its index, its bytes and what else there is of it.
    fn rows<'a, T>(&'a self, row: impl Fn(u64, &'a [u8], &'a str) -> Option<T>) -> Result<Vec<T>> {
        let mut bytes = self.bytes.as_slice();
        let mut next = |head: &'a str| {
            let (index, rest) = head.split_once(' ')?;
            let (length, rest) = rest.split_once(' ')?;
            let own = bytes.split_off(..length.parse().ok()?)?;
            row(index.parse().ok()?, own, rest)
        };
        let heads = self.heads.split_terminator('\n');
        heads.map(|head| next(head).ok_or_else(|| corrupt(self.table, "idx", head))).collect()
    }
}
