//! What a report counts: events by hour where the period is whole hours, and the entries themselves
//! at its edges, so that it is exact to the millisecond. Not here: how things stand, which is in
//! [`posture`].

pub mod posture;

use std::collections::BTreeMap;

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::report::{Count, DAY, HOUR, Spans};
use portcullis_domain::time::Time;
use serde_json::Map;

use crate::audit::counts::{self, Kind};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// Entries that are read at once at the edges.
const PAGE: i64 = 2_000;

/// How many events there were in these spans, by day, name, outcome and reason.
pub async fn counts(tx: &mut Tx, spans: &Spans) -> Result<Vec<Count>> {
    const SQL: &str = "SELECT hour - hour % $3 AS day, name, outcome, reason,
            CAST(SUM(events) AS BIGINT) AS events, CAST(SUM(amount) AS BIGINT) AS amount
        FROM audit_counts WHERE hour >= $1 AND hour < $2
        GROUP BY hour - hour % $3, name, outcome, reason";
    let (from, until) = spans.whole;
    let rows = tx.fetch_all(SQL, params![from, until, DAY]).await?;
    let mut counted: Vec<Count> = rows.iter().map(count).collect::<Result<_>>()?;
    for (from, until) in &spans.parts {
        counted.extend(part(tx, *from, *until).await?);
    }
    Ok(counted)
}

/// The hours from `from` up to before `until` in which anything was written, in order.
pub async fn hours(tx: &mut Tx, from: Time, until: Time) -> Result<Vec<Time>> {
    const SQL: &str = "SELECT DISTINCT hour FROM audit_counts WHERE hour >= $1 AND hour < $2
        ORDER BY hour";
    let rows = tx.fetch_all(SQL, params![from, until]).await?;
    rows.iter().map(|row| row.get("hour").map(Time)).collect()
}

/// When the last entry before `from` and the first from `until` on were made.
pub async fn around(tx: &mut Tx, from: Time, until: Time) -> Result<(Option<Time>, Option<Time>)> {
    const SQL: &str = "SELECT (SELECT MAX(at) FROM audit_log WHERE at < $1) AS before,
        (SELECT MIN(at) FROM audit_log WHERE at >= $2) AS after";
    let row = tx.fetch_one(SQL, params![from, until]).await?;
    Ok((time(&row, "before")?, time(&row, "after")?))
}

/// When the oldest event happened that is counted; the beginning of its hour where its entry is gone.
pub async fn begins(tx: &mut Tx) -> Result<Option<Time>> {
    const SQL: &str = "SELECT (SELECT MIN(at) FROM audit_log) AS entry,
        (SELECT MIN(hour) FROM audit_counts) AS hour";
    let row = tx.fetch_one(SQL, params![]).await?;
    let (entry, hour) = (time(&row, "entry")?, time(&row, "hour")?);
    let is_of_hour =
        |entry: &Time| Some(entry.0.div_euclid(HOUR) * HOUR) == hour.map(|hour| hour.0);
    Ok(entry.filter(is_of_hour).or(hour))
}

/// Counts the entries of a part of an hour one by one.
async fn part(tx: &mut Tx, from: Time, until: Time) -> Result<Vec<Count>> {
    const SQL: &str = "SELECT idx, at, name, leaf FROM audit_log
        WHERE at >= $1 AND at < $2 AND (at > $1 OR idx > $3) ORDER BY at, idx LIMIT $4";
    let mut counted: BTreeMap<Kind, counts::Count> = BTreeMap::new();
    let (mut from, mut last) = (from, -1_i64);
    loop {
        let rows = tx.fetch_all(SQL, params![from, until, last, PAGE]).await?;
        for row in &rows {
            (from, last) = (Time(row.get("at")?), row.get("idx")?);
            let (kind, detail) = kind(row)?;
            counted.entry(kind).or_default().add(&detail);
        }
        if i64::try_from(rows.len()).is_ok_and(|rows| rows < PAGE) {
            return Ok(counted.into_iter().map(of_hour).collect());
        }
    }
}

/// What an entry is counted as. Of one that was altered nothing is known but its name.
fn kind(row: &Row) -> Result<(Kind, Map<String, serde_json::Value>)> {
    let leaf: Vec<u8> = row.get("leaf")?;
    let (at, name): (i64, String) = (row.get("at")?, row.get("name")?);
    let (outcome, detail) = Entry::parse(&leaf)
        .map_or_else(|| ("altered".to_owned(), Map::new()), |entry| (entry.outcome, entry.detail));
    Ok((Kind::of(Time(at), &name, &outcome, &detail), detail))
}

fn of_hour((kind, count): (Kind, counts::Count)) -> Count {
    Count {
        day: Time(kind.hour.0.div_euclid(DAY) * DAY),
        name: kind.name,
        outcome: kind.outcome,
        reason: kind.reason,
        events: i64::try_from(count.events).unwrap_or(i64::MAX),
        amount: i64::try_from(count.amount).unwrap_or(i64::MAX),
    }
}

fn count(row: &Row) -> Result<Count> {
    Ok(Count {
        day: Time(row.get("day")?),
        name: row.get("name")?,
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        events: row.get("events")?,
        amount: row.get("amount")?,
    })
}

fn time(row: &Row, column: &'static str) -> Result<Option<Time>> {
    Ok(row.get::<Option<i64>>(column)?.map(Time))
}
