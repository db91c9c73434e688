//! The seam between our SQL and two drivers: [`Db`] gives a [`Tx`], and a `Tx` runs SQL text.
//! Not a query builder: SQL is written once, as `&'static str` with `$1` placeholders, by the
//! files of nouns beside this folder.

mod bulk;
mod counts;
mod fold;
mod many;
mod open;
mod ready;
mod row;
mod schema;
mod spent;
mod value;

use std::sync::{Arc, OnceLock};

use portcullis_domain::audit::personal::AuditKeys;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, Pool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::error::{self, Error, Result};
use crate::invalidations::{self, Invalidation};
use crate::notify;

pub(crate) use bulk::rows_at_once;
pub use counts::Counts;
pub(crate) use many::{Many, values};
pub use open::Options;
pub use ready::NotReady;
pub(crate) use row::Row;
pub(crate) use schema::{Column, Kind, Table, tables, triggers};
use spent::Waiting;
pub use spent::measured;
pub(crate) use value::{Value, params};

/// One database, as pools of connections. Cloning is cheap and shares the pools.
///
/// Reads and writes have pools of their own, so a rush of sign-ins cannot starve verification.
/// SQLite has exactly one writing connection: writers queue here, in order, instead of meeting
/// `SQLITE_BUSY` inside the database.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    committed: Arc<OnceLock<Hook>>,
    counts: Arc<Counts>,
    audit_keys: Arc<AuditKeys>,
}

/// Whom to tell of what a commit has made others read anew.
type Hook = Box<dyn Fn(&[Invalidation]) + Send + Sync>;

#[derive(Clone)]
enum Pools {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres { read: Pool<Postgres>, write: Pool<Postgres> },
}

/// The only handle by which anything is read or written. Dropping it rolls back.
///
/// After an [`Error`] the transaction is spent: PostgreSQL refuses every further statement.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Tx {
    link: Link,
    scope: Scope,
    noted: Vec<Invalidation>,
    committed: Arc<OnceLock<Hook>>,
    counts: Arc<Counts>,
    audit_keys: Arc<AuditKeys>,
    /// How many were written; they count once they are committed.
    events: u64,
}

enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    SqliteOnce(PoolConnection<Sqlite>),
    PostgresOnce(PoolConnection<Postgres>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Transaction,
    OneStatement { spent: bool },
}

enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Db {
    /// Opens the database named by `options.url`, and makes the file of an SQLite database that
    /// does not exist yet. Does not migrate: see [`crate::migrate::run`].
    pub async fn open(options: &Options) -> Result<Self> {
        let pools = open::pools(options).await?;
        let audit_keys = Arc::clone(&options.audit_keys);
        Ok(Self { pools, committed: Arc::default(), counts: Arc::default(), audit_keys })
    }

    /// A snapshot: every statement sees the database as it was at the first one.
    pub async fn read(&self) -> Result<Tx> {
        let _waiting = Waiting::begin();
        let link = match &self.pools {
            Pools::Sqlite { read, .. } => Link::Sqlite(self.counts.watch(read.begin().await)?),
            Pools::Postgres { read, .. } => {
                const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Link::Postgres(self.counts.watch(read.begin_with(SNAPSHOT).await)?)
            }
        };
        Ok(self.tx(link, Scope::Transaction))
    }

    /// A transaction that may write. On SQLite it waits for its turn and holds it until the end.
    pub async fn write(&self) -> Result<Tx> {
        let _waiting = Waiting::begin();
        let link = match &self.pools {
            Pools::Sqlite { write, .. } => {
                Link::Sqlite(self.counts.watch(write.begin_with("BEGIN IMMEDIATE").await)?)
            }
            Pools::Postgres { write, .. } => {
                Link::Postgres(self.counts.watch(write.begin().await)?)
            }
        };
        Ok(self.tx(link, Scope::Transaction))
    }

    /// A handle for one reading statement, without the round trips of a transaction. A second
    /// statement is refused with [`Error::Driver`].
    pub async fn read_once(&self) -> Result<Tx> {
        let _waiting = Waiting::begin();
        let link = match &self.pools {
            Pools::Sqlite { read, .. } => {
                Link::SqliteOnce(self.counts.watch(read.acquire().await)?)
            }
            Pools::Postgres { read, .. } => {
                Link::PostgresOnce(self.counts.watch(read.acquire().await)?)
            }
        };
        Ok(self.tx(link, Scope::OneStatement { spent: false }))
    }

    /// A handle for one writing statement, which is durable when its call returns; there is
    /// nothing to commit. A second statement is refused with [`Error::Driver`].
    pub async fn write_once(&self) -> Result<Tx> {
        let _waiting = Waiting::begin();
        let link = match &self.pools {
            Pools::Sqlite { write, .. } => {
                Link::SqliteOnce(self.counts.watch(write.acquire().await)?)
            }
            Pools::Postgres { write, .. } => {
                Link::PostgresOnce(self.counts.watch(write.acquire().await)?)
            }
        };
        Ok(self.tx(link, Scope::OneStatement { spent: false }))
    }

    /// From now on `tell` is called right after every commit through this handle or a clone of it
    /// that changes who may pass. The first call counts; a later one changes nothing.
    pub fn on_invalidation(&self, tell: impl Fn(&[Invalidation]) + Send + Sync + 'static) {
        drop(self.committed.set(Box::new(tell)));
    }

    /// How to reach the server, for what needs a connection of its own; `None` on SQLite.
    pub(crate) fn postgres_options(&self) -> Option<PgConnectOptions> {
        match &self.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres { read, .. } => Some((*read.connect_options()).clone()),
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn tx(&self, link: Link, scope: Scope) -> Tx {
        let (committed, counts) = (Arc::clone(&self.committed), Arc::clone(&self.counts));
        let audit_keys = Arc::clone(&self.audit_keys);
        Tx { link, scope, noted: Vec::new(), committed, counts, audit_keys, events: 0 }
    }

    /// Waits for running transactions and closes every connection. Readers go first, so that the
    /// last connection is the writer's and SQLite can fold its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

impl Tx {
    /// Makes the changes durable and visible to everyone, and tells this process, and other nodes
    /// as far as they listen, whom to read anew.
    pub async fn commit(mut self) -> Result<()> {
        let noted = std::mem::take(&mut self.noted);
        if !noted.is_empty() {
            invalidations::append(&mut self, &noted).await?;
            notify::announce(&mut self).await?;
        }
        let waiting = Waiting::begin();
        let committed = match self.link {
            Link::Sqlite(tx) => tx.commit().await,
            Link::Postgres(tx) => tx.commit().await,
            Link::SqliteOnce(_) | Link::PostgresOnce(_) => Ok(()),
        };
        drop(waiting);
        self.counts.watch(committed)?;
        self.counts.commit_events(self.events);
        if let Some(tell) = self.committed.get().filter(|_| !noted.is_empty()) {
            tell(&noted);
        }
        Ok(())
    }

    /// Notes that what was read of these credentials before is not to be used after the commit.
    /// Every function that changes who may pass calls it.
    pub(crate) fn invalidate(&mut self, what: Invalidation) {
        if !self.noted.contains(&what) {
            self.noted.push(what);
        }
    }

    /// Runs one statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64> {
        let _waiting = Waiting::begin();
        let outcome = self.try_execute(sql, params).await;
        self.counts.watch(outcome)
    }

    async fn try_execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64> {
        Ok(match self.connection()? {
            Connection::Sqlite(to) => {
                value::bind!(sqlx::query::<Sqlite>(sql), params).execute(to).await?.rows_affected()
            }
            Connection::Postgres(to) => value::bind!(sqlx::query::<Postgres>(sql), params)
                .execute(to)
                .await?
                .rows_affected(),
        })
    }

    /// Runs one conditional change of at most one row: did it happen?
    pub(crate) async fn changed(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> Result<bool> {
        Ok(self.execute(sql, params).await? > 0)
    }

    pub(crate) async fn fetch_all(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        let _waiting = Waiting::begin();
        let outcome = self.try_fetch_all(sql, params).await;
        self.counts.watch(outcome)
    }

    async fn try_fetch_all(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        Ok(match self.connection()? {
            Connection::Sqlite(to) => {
                let rows = value::bind!(sqlx::query::<Sqlite>(sql), params).fetch_all(to).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Connection::Postgres(to) => {
                let rows = value::bind!(sqlx::query::<Postgres>(sql), params).fetch_all(to).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn fetch_optional(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> Result<Option<Row>> {
        let _waiting = Waiting::begin();
        let outcome = self.try_fetch_optional(sql, params).await;
        self.counts.watch(outcome)
    }

    async fn try_fetch_optional(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> Result<Option<Row>> {
        Ok(match self.connection()? {
            Connection::Sqlite(to) => value::bind!(sqlx::query::<Sqlite>(sql), params)
                .fetch_optional(to)
                .await?
                .map(Row::Sqlite),
            Connection::Postgres(to) => value::bind!(sqlx::query::<Postgres>(sql), params)
                .fetch_optional(to)
                .await?
                .map(Row::Postgres),
        })
    }

    /// The row of a statement that always gives one, such as an aggregate or an upsert.
    pub(crate) async fn fetch_one(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
    ) -> Result<Row> {
        let row = self.fetch_optional(sql, params).await?;
        row.ok_or_else(|| Error::from(sqlx::Error::RowNotFound))
    }

    /// Runs a text of several statements without parameters. For migrations only.
    pub(crate) async fn run_script(&mut self, sql: &'static str) -> Result<()> {
        match self.connection()? {
            Connection::Sqlite(to) => sqlx::raw_sql(sql).execute(to).await.map(drop)?,
            Connection::Postgres(to) => sqlx::raw_sql(sql).execute(to).await.map(drop)?,
        }
        Ok(())
    }

    /// An event was written; it counts if this is committed.
    pub(crate) fn note_event(&mut self) {
        self.events += 1;
    }

    /// What rows of the audit log are sealed with that nobody writes but who has the secret.
    pub(crate) fn audit_keys(&self) -> Arc<AuditKeys> {
        Arc::clone(&self.audit_keys)
    }

    /// For the few files that may fork by dialect.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.link, Link::Postgres(_) | Link::PostgresOnce(_))
    }

    fn connection(&mut self) -> Result<Connection<'_>> {
        match self.scope {
            Scope::Transaction => {}
            Scope::OneStatement { spent: false } => {
                self.scope = Scope::OneStatement { spent: true };
            }
            Scope::OneStatement { spent: true } => return Err(error::second_statement()),
        }
        Ok(match &mut self.link {
            Link::Sqlite(tx) => Connection::Sqlite(tx),
            Link::SqliteOnce(held) => Connection::Sqlite(held),
            Link::Postgres(tx) => Connection::Postgres(tx),
            Link::PostgresOnce(held) => Connection::Postgres(held),
        })
    }
}
