//! Databases that tests make and throw away on a `PostgreSQL` server that was started for them, and
//! what tests and benchmarks do to a database behind the program's back.
//! Built only with the feature `scratch`; a product has no use for it.

pub mod tamper;
pub mod template;

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};

use crate::driver::{Db, Tx};
use crate::error::Result;
use crate::meta;
use crate::migrate::{self, MigrateOptions};

/// Makes the database `name`, as a copy of `template` if one is named. Names are letters, digits
/// and underscores; others are refused by the server.
pub async fn create(server_url: &str, name: &str, template: Option<&str>) -> Result<()> {
    let mut connection = PgConnection::connect(server_url).await?;
    let from = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}{from}"))).await?;
    Ok(connection.close().await?)
}

/// Drops the database `name`, with whoever is connected to it.
pub async fn drop(server_url: &str, name: &str) -> Result<()> {
    let mut connection = PgConnection::connect(server_url).await?;
    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(connection.close().await?)
}

/// What may happen to the log of changes of an SQLite database, though not by this program.
#[derive(Clone, Copy, Debug)]
pub enum LogFault {
    /// None: somebody else's change is logged.
    Grown,
    /// A number is missing.
    Gap,
    /// The database is as it was after the first change.
    GoneBack,
    /// The database is another.
    Empty,
}

/// Does this to the log.
pub async fn tamper_with_log(database_url: &str, fault: LogFault) -> Result<()> {
    let sql = match fault {
        LogFault::Grown => {
            "INSERT INTO invalidations SELECT max(number) + 1, 99 FROM invalidations"
        }
        LogFault::Gap => "INSERT INTO invalidations SELECT max(number) + 2, 99 FROM invalidations",
        LogFault::GoneBack => "DELETE FROM invalidations WHERE number > 1",
        LogFault::Empty => "DELETE FROM invalidations",
    };
    let mut connection = SqliteConnection::connect(database_url).await?;
    connection.execute(sql).await?;
    Ok(connection.close().await?)
}

/// Cuts the connections on which nodes hear of commits: what is announced until they are back is
/// lost.
pub async fn deafen(database_url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(database_url).await?;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'portcullis listener' AND datname = current_database()";
    connection.execute(sql).await?;
    Ok(connection.close().await?)
}

/// From now on a second signing key of an algorithm cannot be kept.
pub async fn refuse_signing_keys(tx: &mut Tx) -> Result<()> {
    tx.run_script("CREATE UNIQUE INDEX one_of_an_algorithm ON signing_keys (algorithm)").await
}

/// Undoes [`refuse_signing_keys`].
pub async fn take_signing_keys(tx: &mut Tx) -> Result<()> {
    tx.run_script("DROP INDEX one_of_an_algorithm").await
}

/// Every row of every table of the database at this address, as the server writes it: a line a
/// row, bytes as hexadecimal digits. For tests of what is kept.
pub async fn dump(database_url: &str) -> Result<String> {
    let mut connection = PgConnection::connect(database_url).await?;
    let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'";
    let mut text = String::new();
    for table in connection.fetch_all(tables).await? {
        let table: String = table.try_get(0)?;
        let rows = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        for row in connection.fetch_all(rows).await? {
            let row: String = row.try_get(0)?;
            text.extend([table.as_str(), " ", &row, "\n"]);
        }
    }
    connection.close().await?;
    Ok(text)
}

/// Drops the indexes of the tables of an SQLite database whose names begin with `prefix`, so that many
/// rows go in fast; the statements that make them again.
pub async fn take_indexes(database_url: &str, prefix: &str) -> Result<Vec<String>> {
    let mut connection = SqliteConnection::connect(database_url).await?;
    let sql = AssertSqlSafe(format!(
        "SELECT name, sql FROM sqlite_master
        WHERE type = 'index' AND sql IS NOT NULL AND tbl_name LIKE '{prefix}%'"
    ));
    let mut made = Vec::new();
    for row in connection.fetch_all(sql).await? {
        let name: String = row.try_get("name")?;
        connection.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
        made.push(row.try_get("sql")?);
    }
    connection.close().await?;
    Ok(made)
}

/// Makes the tables of an older version in an empty database, as an older program left it.
pub async fn make_older(db: &Db, version: i64, options: &MigrateOptions) -> Result<()> {
    let mut tx = db.write().await?;
    migrate::create(&mut tx, version, options.now).await?;
    meta::insert_if_absent(&mut tx, migrate::SEAL, &options.seal_check).await?;
    tx.commit().await
}

/// Runs statements on an SQLite database, one by one.
pub async fn run(database_url: &str, statements: &[String]) -> Result<()> {
    let mut connection = SqliteConnection::connect(database_url).await?;
    for statement in statements {
        connection.execute(AssertSqlSafe(statement.clone())).await?;
    }
    Ok(connection.close().await?)
}
