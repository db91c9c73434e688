//! Tells other nodes that the log of [`crate::invalidations`] has grown: PostgreSQL's LISTEN and
//! NOTIFY. On SQLite there is nothing to do; other processes there look by themselves.
//!
//! A notification may be lost at any time. It only makes nodes look sooner than they would.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgListener;

use crate::driver::{Db, Tx, params};
use crate::error::Result;

/// What a listener heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// That the log has grown.
    Announcement,
    /// Nothing: the connection was lost, and made anew.
    Reconnected,
}

const CHANNEL: &str = "portcullis_invalidations";

/// A connection of its own that hears of commits.
pub struct Listener(PgListener);

impl Listener {
    /// `None` where nobody announces anything.
    pub async fn connect(db: &Db) -> Result<Option<Self>> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let Some(options) = db.postgres_options() else { return Ok(None) };
        // The driver makes a lost connection anew through a pool: one of its own, so that it
        // never waits for those who read and write.
        let pool = PoolOptions::<Postgres>::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.application_name("portcullis listener"));
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Self(listener)))
    }

    /// Waits until something was announced, or may have been. After an error the listener is of no
    /// more use.
    pub async fn heard(&mut self) -> Result<Heard> {
        let announcement = self.0.try_recv().await?;
        Ok(announcement.map_or(Heard::Reconnected, |_| Heard::Announcement))
    }
}

/// Announces at the commit of the transaction, to all who listen by then.
pub(crate) async fn announce(tx: &mut Tx) -> Result<()> {
    const SQL: &str = "SELECT pg_notify($1, '')";
    if tx.is_postgres() {
        tx.execute(SQL, params![CHANNEL]).await?;
    }
    Ok(())
}
