//! Whether the database can be worked with now. The one place that asks a database for the time.

use std::time::Duration;

use portcullis_domain::time::Time;

use super::{Db, params};
use crate::error::Error;

/// Why a node should take no requests.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The clocks of this node and of the database are more than five seconds apart.
    #[error("the clocks of this machine and of the database differ by more than five seconds")]
    Clock,
    #[error("the database does not answer")]
    Store(#[from] Error),
}

impl Db {
    /// Asks the database for a sign of life, and for its time where it may run on another machine.
    pub async fn check(&self, now: Time) -> Result<(), NotReady> {
        const ALIVE: &str = "SELECT 1 AS alive";
        const TIME: &str =
            "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS time";
        const TOLERATED: Duration = Duration::from_secs(5);
        let mut tx = self.read_once().await?;
        if !tx.is_postgres() {
            tx.fetch_one(ALIVE, params![]).await?;
            return Ok(());
        }
        let theirs = Time(tx.fetch_one(TIME, params![]).await?.get("time")?);
        let apart = now.since(theirs).max(theirs.since(now));
        if apart > TOLERATED { Err(NotReady::Clock) } else { Ok(()) }
    }
}
