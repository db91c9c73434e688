//! Rows that waited for their place in the log and that nobody vouches for, put aside as they were for
//! an operator to look at. The log itself tells that there were some, so deleting them here hides nothing.

use portcullis_domain::time::Time;
use serde_json::{Map, Value};

use super::log;
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A row on its way here.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub reason: Reason,
    /// What stood in its columns.
    pub content: Map<String, Value>,
}

impl Rejected {
    /// What it says it is called.
    pub fn id(&self) -> String {
        self.content.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Why a row is no event of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whoever wrote it, or changed it, had not the secret.
    Forged,
    /// It cannot be read.
    Malformed,
    /// The event has its place already.
    Repeated,
}

impl Reason {
    /// The word that is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Repeated => "repeated",
        }
    }
}

/// A row that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub number: i64,
    pub at: Time,
    /// See [`Reason::as_str`].
    pub reason: String,
    /// A JSON object.
    pub content: String,
}

/// That rows were put aside, as the log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The newest entry that tells of it.
    pub index: u64,
    /// Of how many rows that entry tells.
    pub count: u64,
}

/// Puts them aside. One at a time, while the row of the tree is locked.
pub async fn insert(tx: &mut Tx, rejected: &[Rejected], now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_rejected (number, rejected_at, reason, content)
        VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM audit_rejected), $1, $2, $3)";
    for Rejected { reason, content } in rejected {
        let content = Value::Object(content.clone()).to_string();
        tx.execute(SQL, params![now, reason.as_str(), &content]).await?;
    }
    Ok(())
}

/// All of them, oldest first, at most `limit`.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Kept>> {
    const SQL: &str = "SELECT number, rejected_at, reason, content FROM audit_rejected
        ORDER BY number LIMIT $1";
    let kept = |row: &Row| {
        Ok(Kept {
            number: row.get("number")?,
            at: Time(row.get("rejected_at")?),
            reason: row.get("reason")?,
            content: row.get("content")?,
        })
    };
    tx.fetch_all(SQL, params![limit]).await?.iter().map(kept).collect()
}

/// Deletes those up to a number, which somebody has looked at; how many.
pub async fn clear(tx: &mut Tx, up_to: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM audit_rejected WHERE number <= $1";
    tx.execute(SQL, params![up_to]).await
}

/// Whether the log tells of any since an operator last cleared them. What stands in the table is not
/// asked: whoever puts forged rows there can take them away.
pub async fn told(tx: &mut Tx) -> Result<Option<Told>> {
    let Some(told) = log::newest_of(tx, "audit_pending_rejected").await? else { return Ok(None) };
    let cleared = log::newest_of(tx, "audit_rejected_cleared").await?;
    let is_open = cleared.is_none_or(|cleared| cleared.index < told.index);
    let count = told.detail.get("count").and_then(Value::as_u64).unwrap_or_default();
    Ok(is_open.then_some(Told { index: told.index, count }))
}
