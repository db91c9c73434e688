//! How far each receiver of webhooks is with the log, and which node is sending to it. What is sent
//! and how is for `webhooks` of the server.

use portcullis_domain::time::Time;

use super::{number, stored};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// How far a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// As the configuration names it.
    pub name: String,
    /// Entries below have arrived, or were not wanted.
    pub next: u64,
    /// Where the message ends that is on its way.
    pub batch_end: Option<u64>,
    /// Attempts in a row that failed.
    pub failures: i64,
    pub failing_since: Option<Time>,
    /// Why the last attempt failed, in our own words.
    pub failure: Option<String>,
    /// It is not tried before.
    pub retry_at: Time,
    /// When it last took something.
    pub delivered_at: Option<Time>,
}

/// A receiver that is there for the first time: it gets what happens from `next` on.
pub async fn begin(tx: &mut Tx, name: &str, next: u64) -> Result<bool> {
    const SQL: &str = "INSERT INTO audit_sinks (name, next_idx, held_until, failures, retry_at)
        VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING";
    tx.changed(SQL, params![name, stored(next)?]).await
}

/// All that there ever were, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Sink>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit_sinks ORDER BY name");
    tx.fetch_all(SQL, params![]).await?.iter().map(sink).collect()
}

/// One of them.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<Sink>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit_sinks WHERE name = $1");
    tx.fetch_optional(SQL, params![name]).await?.as_ref().map(sink).transpose()
}

/// Takes a receiver for this node until `until`, if it is due and no other node has it.
pub async fn claim(
    tx: &mut Tx,
    name: &str,
    node: &str,
    now: Time,
    until: Time,
) -> Result<Option<Sink>> {
    const SQL: &str = concat!(
        "UPDATE audit_sinks SET holder = $2, held_until = $4
        WHERE name = $1 AND retry_at <= $3 AND (held_until <= $3 OR holder = $2)
        RETURNING ",
        columns!()
    );
    let row = tx.fetch_optional(SQL, params![name, node, now, until]).await?;
    row.as_ref().map(sink).transpose()
}

/// Notes where the message ends that is about to be sent; `false` if another node has it meanwhile.
pub async fn batch(tx: &mut Tx, name: &str, node: &str, next: u64, end: u64) -> Result<bool> {
    const SQL: &str = "UPDATE audit_sinks SET batch_end = $4
        WHERE name = $1 AND holder = $2 AND next_idx = $3";
    tx.changed(SQL, params![name, node, stored(next)?, stored(end)?]).await
}

/// Everything below `end` has arrived, or was not wanted; `false` if another node has it meanwhile.
/// `delivered`: when something arrived.
pub async fn advance(
    tx: &mut Tx,
    name: &str,
    node: &str,
    (next, end): (u64, u64),
    delivered: Option<Time>,
) -> Result<bool> {
    const SQL: &str = "UPDATE audit_sinks SET next_idx = $4, batch_end = NULL, failures = 0,
            failing_since = NULL, failure = NULL, retry_at = 0,
            delivered_at = COALESCE($5, delivered_at)
        WHERE name = $1 AND holder = $2 AND next_idx = $3";
    tx.changed(SQL, params![name, node, stored(next)?, stored(end)?, delivered]).await
}

/// It did not arrive: why, and when it is tried again, by whichever node. `false` if another node has it meanwhile.
pub async fn fail(
    tx: &mut Tx,
    name: &str,
    node: &str,
    failure: &str,
    (now, retry_at): (Time, Time),
) -> Result<bool> {
    const SQL: &str = "UPDATE audit_sinks SET failures = failures + 1, failure = $3,
            failing_since = COALESCE(failing_since, $4), retry_at = $5,
            holder = NULL, held_until = 0
        WHERE name = $1 AND holder = $2";
    tx.changed(SQL, params![name, node, failure, now, retry_at]).await
}

/// This node leaves a receiver to the others.
pub async fn release(tx: &mut Tx, name: &str, node: &str) -> Result<bool> {
    const SQL: &str =
        "UPDATE audit_sinks SET holder = NULL, held_until = 0 WHERE name = $1 AND holder = $2";
    tx.changed(SQL, params![name, node]).await
}

/// Sends again, or passes over: what is sent next is the entry of this index. `false` if there is no
/// such receiver. Whoever is sending just now does not count it.
pub async fn rewind(tx: &mut Tx, name: &str, next: u64) -> Result<bool> {
    const SQL: &str = "UPDATE audit_sinks SET next_idx = $2, batch_end = NULL, holder = NULL,
            held_until = 0, failures = 0, failing_since = NULL, failure = NULL, retry_at = 0
        WHERE name = $1";
    tx.changed(SQL, params![name, stored(next)?]).await
}

/// Forgets a receiver; `false` if there is none of this name.
pub async fn forget(tx: &mut Tx, name: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM audit_sinks WHERE name = $1";
    tx.changed(SQL, params![name]).await
}

fn sink(row: &Row) -> Result<Sink> {
    let time = |column| row.get::<Option<i64>>(column).map(|at| at.map(Time));
    Ok(Sink {
        name: row.get("name")?,
        next: number(row.get("next_idx")?)?,
        batch_end: row.get::<Option<i64>>("batch_end")?.map(number).transpose()?,
        failures: row.get("failures")?,
        failing_since: time("failing_since")?,
        failure: row.get("failure")?,
        retry_at: Time(row.get("retry_at")?),
        delivered_at: time("delivered_at")?,
    })
}

macro_rules! columns {
    () => {
        "name, next_idx, batch_end, failures, failing_since, failure, retry_at, delivered_at"
    };
}

use columns;
