//! Making deleted bytes go from the disk: `SQLite` keeps pages as they were in its write-ahead log until
//! that is folded into the file, where deleted bytes are overwritten. Not here: PostgreSQL, whose own
//! vacuum does it, and whose log and backups are its administrator's.

use std::time::Duration;

use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::open::BUSY_TIMEOUT;
use super::{Db, Pools, Result};

/// How long it waits for readers: writers wait meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

impl Db {
    /// Folds the write-ahead log into the file and empties it; `false` while somebody still reads what
    /// is in it. Nothing is to be done on PostgreSQL.
    pub async fn fold(&self) -> Result<bool> {
        match &self.pools {
            Pools::Sqlite { write, .. } => fold(write).await,
            Pools::Postgres { .. } => Ok(true),
        }
    }
}

async fn fold(write: &SqlitePool) -> Result<bool> {
    let mut connection = write.acquire().await?;
    wait_for(&mut connection, PATIENCE).await?;
    let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    wait_for(&mut connection, BUSY_TIMEOUT).await?;
    Ok(folded?.try_get::<i64, _>(0)? == 0)
}

async fn wait_for(connection: &mut SqliteConnection, time: Duration) -> Result<()> {
    let sql = format!("PRAGMA busy_timeout = {}", time.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
