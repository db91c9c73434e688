//! A database in which every migration ran and nothing happened yet, made once and copied for each test:
//! to run them takes longer than most tests. Not for tests of migrations.

use std::str::FromStr as _;

use aws_lc_rs::digest;
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::time::Time;
use sqlx::postgres::PgConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
};
use tokio::sync::OnceCell;

use crate::driver::{Db, Options};
use crate::error::Result;
use crate::migrate;

/// The bytes of such an SQLite file. Those that a process asks for first are those that it gets.
pub async fn file(keys: AuditKeys) -> Result<&'static [u8]> {
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    // Boxed, as every migration of it would be part of every test.
    Ok(FILE.get_or_try_init(|| Box::pin(make_file(keys))).await?)
}

/// The name of such a database on the one `PostgreSQL` server of this process, for [`super::create`].
pub async fn on_server(server_url: &str, keys: AuditKeys) -> Result<&'static str> {
    static NAME: OnceCell<String> = OnceCell::const_new();
    Ok(NAME.get_or_try_init(|| Box::pin(make_on_server(server_url, keys))).await?)
}

async fn make_file(keys: AuditKeys) -> Result<Vec<u8>> {
    let place = std::env::temp_dir().join(format!("portcullis-template-{}", std::process::id()));
    std::fs::create_dir_all(&place).map_err(sqlx::Error::Io)?;
    let path = place.join("template.db");
    fill(format!("sqlite:{}", path.display()), keys).await?;
    let bytes = std::fs::read(path).map_err(sqlx::Error::Io)?;
    std::fs::remove_dir_all(place).map_err(sqlx::Error::Io)?;
    Ok(bytes)
}

/// It is made where it is not there, in the place of those of other migrations, and stays: its name says which
/// ones ran.
async fn make_on_server(server_url: &str, keys: AuditKeys) -> Result<String> {
    // Any number; one at a time looks and makes, until its connection is closed.
    const LOCK: &str = "SELECT pg_advisory_lock(7461747465)";
    const KNOWN: &str =
        "SELECT datname FROM pg_database WHERE datname LIKE 'portcullis\\_template\\_%'";
    const MAKING: &str = "portcullis_template_making";
    let texts = digest::digest(&digest::SHA256, migrate::checksums().as_bytes());
    let name = format!("portcullis_template_{}", &hex::encode(texts)[..16]);
    let mut connection = PgConnection::connect(server_url).await?;
    connection.execute(LOCK).await?;
    let known = connection.fetch_all(KNOWN).await?;
    let known: Vec<String> = known.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !known.contains(&name) {
        for old in known {
            super::drop(server_url, &old).await?;
        }
        super::create(server_url, MAKING, None).await?;
        let making = PgConnectOptions::from_str(server_url)?.database(MAKING);
        fill(making.to_url_lossy().to_string(), keys).await?;
        let sql = AssertSqlSafe(format!("ALTER DATABASE {MAKING} RENAME TO {name}"));
        connection.execute(sql).await?;
    }
    connection.close().await?;
    Ok(name)
}

async fn fill(url: String, keys: AuditKeys) -> Result<()> {
    let db = Db::open(&Options::new(url, keys)).await?;
    let mut tx = db.write().await?;
    migrate::create(&mut tx, migrate::newest(), Time(0)).await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}
