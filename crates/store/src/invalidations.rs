//! The log of what nodes must read anew, because who may pass has changed: how a node learns of
//! what another one committed. Written by [`Tx::commit`] alone, from what the functions of nouns
//! have noted in the transaction.
//!
//! Not here: what a node remembers, and how long it trusts that.

use portcullis_domain::id::UserId;

use crate::driver::{Tx, params};
use crate::error::Result;

/// How many are kept for nodes that were away. One that was away for longer reads everything anew.
pub const KEPT: i64 = 10_000;

/// Whose credentials, sessions and rights are no longer what was read of them before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// One user's.
    User(UserId),
    /// Everybody's: a role has changed.
    Everybody,
}

/// A row of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    /// One more than that of the commit before.
    pub number: i64,
    pub what: Invalidation,
}

/// The number of the last one that was committed; 0 before the first.
pub async fn last(tx: &mut Tx) -> Result<i64> {
    const SQL: &str = "SELECT COALESCE(MAX(number), 0) AS number FROM invalidations";
    tx.fetch_one(SQL, params![]).await?.get("number")
}

/// The one of this number and those committed after it, in their order, at most `limit` of them.
/// If the first is another, the log no longer reaches back so far.
pub async fn from(tx: &mut Tx, number: i64, limit: i64) -> Result<Vec<Logged>> {
    const SQL: &str = "SELECT number, user_id FROM invalidations WHERE number >= $1
        ORDER BY number LIMIT $2";
    let rows = tx.fetch_all(SQL, params![number, limit]).await?;
    rows.iter()
        .map(|row| {
            let user: Option<i64> = row.get("user_id")?;
            let what = user.map_or(Invalidation::Everybody, |id| Invalidation::User(UserId(id)));
            Ok(Logged { number: row.get("number")?, what })
        })
        .collect()
}

/// Forgets all but the last [`KEPT`], at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM invalidations WHERE number IN (
        SELECT number FROM invalidations
        WHERE number <= (SELECT MAX(number) FROM invalidations) - $1 LIMIT $2)";
    tx.execute(SQL, params![KEPT, i64::from(limit)]).await
}

/// Writes down what a transaction has noted, each once. It must be the last thing before the
/// commit: the counter is locked from here on, and while it is, nothing else may be waited for.
pub(crate) async fn append(tx: &mut Tx, noted: &[Invalidation]) -> Result<()> {
    const SQL: &str = "INSERT INTO invalidations (number, user_id) VALUES ($1, $2)";
    for what in noted {
        let number = next_number(tx).await?;
        let user = match what {
            Invalidation::User(id) => Some(*id),
            Invalidation::Everybody => None,
        };
        tx.execute(SQL, params![number, user]).await?;
    }
    Ok(())
}

/// The next number, with the counter locked from here on. A row that somebody wrote by hand is not
/// written over: the numbers go on behind it.
async fn next_number(tx: &mut Tx) -> Result<i64> {
    const SQL: &str = "INSERT INTO counters (name, value)
        SELECT 'invalidations', COALESCE(MAX(number), 0) + 1 FROM invalidations WHERE TRUE
        ON CONFLICT (name) DO UPDATE SET value = 1 + CASE
            WHEN counters.value < (SELECT COALESCE(MAX(number), 0) FROM invalidations)
            THEN (SELECT MAX(number) FROM invalidations) ELSE counters.value END
        RETURNING value";
    tx.fetch_one(SQL, params![]).await?.get("value")
}
