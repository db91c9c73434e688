//! How connections are opened: pools, time limits and the settings of SQLite.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::audit::personal::AuditKeys;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Database, Postgres, Sqlite};

use super::Pools;
use crate::error::Result;

/// Which database, and how many connections.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:PATH` (its directory must exist) or `postgres://…`.
    pub url: String,
    /// SQLite: every commit reaches the disk before it returns (`synchronous = FULL`). With
    /// `false` a power cut, though not a crash of ours, can undo the last commits.
    pub sqlite_synchronous_full: bool,
    /// Connections for reading.
    pub read_connections: u32,
    /// Connections for writing on PostgreSQL; SQLite always has one.
    pub write_connections: u32,
    /// The longest wait for a connection; then [`crate::Error::Unavailable`].
    pub acquire_timeout: Duration,
    /// What is sealed in the audit log is sealed with these, so that nobody can write to a database
    /// without them.
    pub audit_keys: Arc<AuditKeys>,
}

impl Options {
    /// The defaults for a database: durable commits, 4 readers, 8 writers, 2 s.
    pub fn new(url: impl Into<String>, audit_keys: AuditKeys) -> Self {
        Self {
            url: url.into(),
            sqlite_synchronous_full: true,
            read_connections: 4,
            write_connections: 8,
            acquire_timeout: Duration::from_secs(2),
            audit_keys: Arc::new(audit_keys),
        }
    }
}

/// Every statement of ours fits, so each is parsed once a connection.
const STATEMENT_CACHE: usize = 256;
/// So many rows a connection's thread reads ahead of whoever takes them: each time one of the two waits
/// for the other costs more than a row.
const ROWS_AHEAD: usize = 1024;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL waits for a lock, and for the next statement of a transaction.
const PATIENCE: &str = "5s";
/// How often a file that somebody else is just making is tried again, and after which pause.
const OPEN_TRIES: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn pools(options: &Options) -> Result<Pools> {
    match options.url.split(':').next() {
        Some("sqlite") => sqlite(options).await,
        Some("postgres" | "postgresql") => postgres(options).await,
        _ => {
            let text = "a database is sqlite:PATH or postgres://...";
            Err(sqlx::Error::Configuration(text.into()).into())
        }
    }
}

async fn sqlite(options: &Options) -> Result<Pools> {
    let synchronous = if options.sqlite_synchronous_full {
        SqliteSynchronous::Full
    } else {
        SqliteSynchronous::Normal
    };
    let common = SqliteConnectOptions::from_str(&options.url)?
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
        // 16 MiB of log before it is folded into the file: pages that many commits change are
        // written back once.
        .pragma("wal_autocheckpoint", "4096")
        // What is deleted is overwritten: people are erased.
        .pragma("secure_delete", "on")
        .statement_cache_capacity(STATEMENT_CACHE)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging();
    create_private(common.get_filename()).map_err(sqlx::Error::Io)?;
    let writing = common.clone().journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let write = open_writer(options, writing).await?;
    let reading = common.read_only(true);
    let read = sqlite_pool(options, options.read_connections).connect_with(reading).await?;
    Ok(Pools::Sqlite { read, write })
}

/// The first program to open a new file makes it keep a write-ahead log, for which `SQLite` wants
/// the file for itself and does not wait: whoever starts at the same moment tries again.
async fn open_writer(
    options: &Options,
    writing: SqliteConnectOptions,
) -> sqlx::Result<sqlx::SqlitePool> {
    let mut tries = 0;
    loop {
        match sqlite_pool(options, 1).connect_with(writing.clone()).await {
            Err(error) if tries < OPEN_TRIES && is_locked(&error) => {
                tries += 1;
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// `SQLITE_BUSY` and its extended codes, whose lowest byte is 5.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// A connection to a local file does not go stale: never tested, never replaced.
fn sqlite_pool(options: &Options, connections: u32) -> PoolOptions<Sqlite> {
    pool(options, connections).idle_timeout(None).max_lifetime(None)
}

async fn postgres(options: &Options) -> Result<Pools> {
    let to = PgConnectOptions::from_str(&options.url)?
        .application_name("portcullis")
        // A node that froze within a transaction must not keep all others waiting.
        .options([("lock_timeout", PATIENCE), ("idle_in_transaction_session_timeout", PATIENCE)])
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging();
    let read = postgres_pool(options, options.read_connections).connect_with(to.clone()).await?;
    let write = postgres_pool(options, options.write_connections).connect_with(to).await?;
    Ok(Pools::Postgres { read, write })
}

/// A connection that lay idle is tried before use, so a restart of the server costs a busy node
/// few errors and a quiet one none; a busy connection saves the round trip.
fn postgres_pool(options: &Options, connections: u32) -> PoolOptions<Postgres> {
    const TRY_AFTER: Duration = Duration::from_secs(1);
    pool::<Postgres>(options, connections).before_acquire(|connection, meta| {
        Box::pin(async move {
            if meta.idle_for > TRY_AFTER {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

fn pool<DB: Database>(options: &Options, connections: u32) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
}

/// SQLite gives its log files the mode of the database, so the mode is set before it opens it.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
