//! Brings a database to the schema of this binary. Forward only, all or nothing, one at a time.

use aws_lc_rs::digest;
use portcullis_domain::time::Time;

use crate::audit::upgrade;
use crate::driver::{Db, Tx, params};
use crate::error::{Error, Result};
use crate::meta;

/// What a database is opened with.
#[derive(Clone, Copy)]
pub struct MigrateOptions {
    /// Derived from the server's secret. The first migration stores it; from then on the
    /// database is refused under any other secret.
    pub seal_check: [u8; 32],
    /// When the migrations are noted to have run.
    pub now: Time,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of the schema now.
    pub version: i64,
    /// The migrations that ran, in order; none if the database was up to date.
    pub names: Vec<&'static str>,
}

/// How far a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version of its schema.
    pub version: i64,
    /// The version that this program works with.
    pub newest: i64,
}

/// Why the database may not be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database has schema version {database}, but this program knows only up to \
         {binary}: start a newer program, or restore an older backup"
    )]
    Newer { database: i64, binary: i64 },
    #[error(
        "migration {name} was run on this database with another text than this program \
         carries: use the program that made the database"
    )]
    Changed { name: String },
    #[error(
        "the database belongs to another secret: give the secret file that it was made with \
         (server.secret_file)"
    )]
    OtherSecret,
    #[error("the database could not be migrated")]
    Store(#[from] Error),
}

/// Under what the database remembers its secret.
pub(crate) const SEAL: &str = "seal";

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    /// Where PostgreSQL has no words in common with SQLite, as for triggers.
    postgres: Option<&'static str>,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $name, ".sql")),
            postgres: None,
        }
    };
    ($version:literal, $name:literal, by dialect) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $name, ".sqlite.sql")),
            postgres: Some(include_str!(concat!("../../../migrations/", $name, ".postgres.sql"))),
        }
    };
}

/// Every migration, in order. A file that was released never changes again.
static MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_meta"),
    migration!(2, "0002_roles"),
    migration!(3, "0003_users"),
    migration!(4, "0004_sessions"),
    migration!(5, "0005_throttle"),
    migration!(6, "0006_csrf"),
    migration!(7, "0007_events"),
    migration!(8, "0008_outbox"),
    migration!(9, "0009_invalidations"),
    migration!(10, "0010_remember"),
    migration!(11, "0011_one_time_links"),
    migration!(12, "0012_one_time_codes"),
    migration!(13, "0013_live_sessions"),
    migration!(14, "0014_blacklist"),
    migration!(15, "0015_mail"),
    migration!(16, "0016_places"),
    migration!(17, "0017_password"),
    migration!(18, "0018_users"),
    migration!(19, "0019_settings"),
    migration!(20, "0020_places_epoch"),
    migration!(21, "0021_audit"),
    migration!(22, "0022_audit_guards", by dialect),
    migration!(23, "0023_audit_sinks"),
    migration!(24, "0024_backup"),
    migration!(25, "0025_erase"),
    migration!(26, "0026_posture"),
    migration!(27, "0027_audit_seals"),
    migration!(28, "0028_factors"),
    migration!(29, "0029_magic_link"),
    migration!(30, "0030_trusted_devices"),
    migration!(31, "0031_signing_keys"),
    migration!(32, "0032_api_keys"),
    migration!(33, "0033_second_factor"),
    migration!(34, "0034_integrity"),
    migration!(35, "0035_password_breach"),
];

/// From here on what waits for its place in the audit log is sealed.
const AUDIT_SEALS: i64 = 27;

/// Runs what is missing in one transaction. Safe to call from many nodes at once: the others wait
/// and then find nothing to do.
pub async fn run(db: &Db, options: &MigrateOptions) -> Result<Applied, MigrateError> {
    let mut tx = db.write().await?;
    lock(&mut tx).await?;
    tx.run_script(LEDGER).await?;
    let applied = complete(&mut tx, options).await?;
    tx.commit().await?;
    Ok(applied)
}

/// Runs what is missing in a transaction that has begun, in which the ledger is there.
pub(crate) async fn complete(
    tx: &mut Tx,
    options: &MigrateOptions,
) -> Result<Applied, MigrateError> {
    let done = check_ledger(tx).await?;
    let mut applied = Applied { version: done, names: Vec::new() };
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > done) {
        apply(tx, migration, options.now).await?;
        applied.version = migration.version;
        applied.names.push(migration.name);
    }
    check_seal(tx, &options.seal_check).await?;
    if (1..AUDIT_SEALS).contains(&done) && applied.version >= AUDIT_SEALS {
        upgrade::seal(tx, options.now).await?;
    }
    Ok(applied)
}

/// Makes the tables of an older version, or of this one, where there are none.
pub(crate) async fn create(tx: &mut Tx, version: i64, now: Time) -> Result<()> {
    tx.run_script(LEDGER).await?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= version) {
        apply(tx, migration, now).await?;
    }
    Ok(())
}

/// Whether this program knows a version of the schema.
pub(crate) fn check_known(version: i64) -> Result<(), MigrateError> {
    let binary = newest();
    if version > binary {
        return Err(MigrateError::Newer { database: version, binary });
    }
    Ok(())
}

/// The version of a database that is of this secret.
pub(crate) async fn version(tx: &mut Tx, seal: &[u8; 32]) -> Result<i64, MigrateError> {
    let version = check_ledger(tx).await?;
    let sealed = meta::get(tx, SEAL).await?;
    if sealed.is_some_and(|sealed| sealed != seal) {
        return Err(MigrateError::OtherSecret);
    }
    Ok(version)
}

/// How far the database is, without changing anything. It is to be used only if it is at the newest
/// version; older means that a start will bring it there.
pub async fn inspect(db: &Db, seal: &[u8; 32]) -> Result<Standing, MigrateError> {
    let mut tx = db.read().await?;
    let version = version(&mut tx, seal).await?;
    Ok(Standing { version, newest: newest() })
}

/// The version of the schema that this program works with.
pub fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// What tells the schema of this program from any other: the checksums of all that made it.
#[cfg(feature = "scratch")]
pub(crate) fn checksums() -> String {
    MIGRATIONS.iter().map(checksum).collect()
}

/// The names of the triggers that migrations made.
pub(crate) fn triggers(tx: &Tx) -> Vec<&'static str> {
    let text = |migration: &Migration| {
        migration.postgres.filter(|_| tx.is_postgres()).unwrap_or(migration.sql)
    };
    let lines = MIGRATIONS.iter().flat_map(|migration| text(migration).lines());
    lines.filter_map(|line| line.strip_prefix("CREATE TRIGGER ")?.split(' ').next()).collect()
}

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version    BIGINT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// SQLite's one writer holds the lock already. PostgreSQL lets it go with the transaction.
pub(crate) async fn lock(tx: &mut Tx) -> Result<()> {
    /// Any number that is ours alone among the advisory locks of this database.
    const PORTCULLIS: i64 = 0x706f_7274_6375_6c6c;
    if tx.is_postgres() {
        // Another node may be at work for longer than anything else is waited for.
        tx.run_script("SET LOCAL lock_timeout = 0").await?;
        tx.execute("SELECT pg_advisory_xact_lock($1)", params![PORTCULLIS]).await?;
    }
    Ok(())
}

/// The version the database has reached, if every step to it is one of ours.
async fn check_ledger(tx: &mut Tx) -> Result<i64, MigrateError> {
    const SQL: &str = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
    let binary = newest();
    let mut done = 0;
    for row in tx.fetch_all(SQL, params![]).await? {
        done = row.get("version")?;
        let name: String = row.get("name")?;
        if done > binary {
            return Err(MigrateError::Newer { database: done, binary });
        }
        let ours = MIGRATIONS.iter().find(|migration| migration.version == done);
        let same = ours.map(checksum) == Some(row.get("checksum")?);
        if !same {
            return Err(MigrateError::Changed { name });
        }
    }
    Ok(done)
}

async fn apply(tx: &mut Tx, migration: &Migration, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO schema_migrations (version, name, checksum, applied_at)
        VALUES ($1, $2, $3, $4)";
    let own = migration.postgres.filter(|_| tx.is_postgres());
    tx.run_script(own.unwrap_or(migration.sql)).await?;
    let checksum = checksum(migration);
    let row = params![migration.version, migration.name, &checksum, now];
    tx.execute(SQL, row).await.map(drop)
}

/// The same on both databases.
fn checksum(migration: &Migration) -> String {
    let text = [migration.sql, migration.postgres.unwrap_or_default()].concat();
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

async fn check_seal(tx: &mut Tx, seal: &[u8; 32]) -> Result<(), MigrateError> {
    let sealed_now = meta::insert_if_absent(tx, SEAL, seal).await?;
    let is_ours = sealed_now || meta::get(tx, SEAL).await?.as_deref() == Some(seal.as_slice());
    if is_ours { Ok(()) } else { Err(MigrateError::OtherSecret) }
}
