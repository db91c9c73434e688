//! Migrations: once, twice, by two nodes at once, and the databases that are refused.

use portcullis_store::Db;
use portcullis_store::migrate::{self, MigrateError, MigrateOptions};

use crate::harness::{NOW, SEAL, TestDb, each_empty, race};

#[tokio::test]
async fn runs_once() {
    each_empty(async |test| {
        let first = test.migrate().await.unwrap();
        assert_eq!(first.names.len(), usize::try_from(first.version).unwrap());
        let second = test.migrate().await.unwrap();
        assert_eq!((second.version, second.names.len()), (first.version, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_take_turns() {
    each_empty(async |test| {
        let applied = race(8, |_| {
            let options = test.options.clone();
            async move {
                let db = Db::open(&options).await.unwrap();
                let options = MigrateOptions { seal_check: SEAL, now: NOW };
                let applied = migrate::run(&db, &options).await.unwrap();
                db.close().await;
                applied
            }
        })
        .await;
        assert_eq!(applied.iter().filter(|applied| !applied.names.is_empty()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn another_secret_is_refused() {
    each_empty(async |test| {
        test.migrate().await.unwrap();
        let other = MigrateOptions { seal_check: [8; 32], now: NOW };
        let refused = migrate::run(&test.db, &other).await;
        assert!(matches!(refused, Err(MigrateError::OtherSecret)), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("server.secret_file"));
        test.migrate().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    tampered(
        "INSERT INTO schema_migrations VALUES (99, '0099_x', 'x', 0)",
        "the database has schema version 99, but this program knows only up to",
    )
    .await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    tampered(
        "UPDATE schema_migrations SET checksum = 'x' WHERE version = 2",
        "migration 0002_roles was run on this database with another text",
    )
    .await;
}

async fn tampered(sql: &str, text: &str) {
    each_empty(async |test: &TestDb| {
        test.migrate().await.unwrap();
        test.tamper(sql).await;
        let refusal = test.migrate().await.unwrap_err().to_string();
        assert!(refusal.starts_with(text), "{refusal}");
    })
    .await;
}

#[tokio::test]
async fn looking_changes_nothing_and_tells_what_a_start_would_meet() {
    each_empty(async |test| {
        let empty = migrate::inspect(&test.db, &SEAL).await;
        assert!(matches!(empty, Err(MigrateError::Store(_))), "{empty:?}");
        let newest = test.migrate().await.unwrap().version;
        let found = migrate::inspect(&test.db, &SEAL).await.unwrap();
        assert_eq!((found.version, found.newest), (newest, newest));
        let other = migrate::inspect(&test.db, &[8; 32]).await;
        assert!(matches!(other, Err(MigrateError::OtherSecret)), "{other:?}");
        test.tamper("DELETE FROM schema_migrations WHERE version > 3").await;
        let found = migrate::inspect(&test.db, &SEAL).await.unwrap();
        assert_eq!((found.version, found.newest), (3, newest));
        test.tamper("INSERT INTO schema_migrations VALUES (99, '0099_x', 'x', 0)").await;
        let newer = migrate::inspect(&test.db, &SEAL).await;
        assert!(matches!(newer, Err(MigrateError::Newer { .. })), "{newer:?}");
    })
    .await;
}
