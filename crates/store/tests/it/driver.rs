//! What the handle promises: rollback on drop, snapshots, single statements, kinds of failure.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, NotReady, Options, counters, meta, roles};

use crate::harness::{audit_keys, each, each_empty, race, role};

#[tokio::test]
async fn dropping_rolls_back_and_committing_does_not() {
    each(async |test| {
        let mut tx = test.write().await;
        meta::insert_if_absent(&mut tx, "kept", b"1").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = test.write().await;
        meta::insert_if_absent(&mut tx, "lost", b"1").await.unwrap();
        drop(tx);
        let mut tx = test.read().await;
        assert_eq!(meta::get(&mut tx, "kept").await.unwrap().as_deref(), Some(b"1".as_slice()));
        assert_eq!(meta::get(&mut tx, "lost").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_read_is_a_snapshot_and_cannot_write() {
    each(async |test| {
        let mut reader = test.read().await;
        assert_eq!(meta::get(&mut reader, "new").await.unwrap(), None);
        let mut writer = test.write().await;
        meta::insert_if_absent(&mut writer, "new", b"1").await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(meta::get(&mut reader, "new").await.unwrap(), None);
        assert!(meta::insert_if_absent(&mut reader, "new", b"2").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_handle_for_one_statement_runs_one() {
    each(async |test| {
        let mut once = test.db.write_once().await.unwrap();
        meta::insert_if_absent(&mut once, "a", b"1").await.unwrap();
        let second = meta::insert_if_absent(&mut once, "b", b"1").await;
        assert!(matches!(second, Err(Error::Driver(_))), "{second:?}");
        once.commit().await.unwrap();

        let mut once = test.db.read_once().await.unwrap();
        assert_eq!(meta::get(&mut once, "a").await.unwrap().as_deref(), Some(b"1".as_slice()));
        assert!(matches!(meta::get(&mut once, "a").await, Err(Error::Driver(_))));
        drop(once);
        assert_eq!(meta::get(&mut test.read().await, "b").await.unwrap(), None);
    })
    .await;
}

/// The answer of a change is its first row; the change is done even so.
#[tokio::test]
async fn one_statement_that_answers_is_durable() {
    each(async |test| {
        for expected in [1, 2] {
            let mut once = test.db.write_once().await.unwrap();
            assert_eq!(counters::next(&mut once, "once").await.unwrap(), expected);
        }
        test.tamper("UPDATE counters SET value = value + 10 WHERE name = 'once'").await;
        let mut once = test.db.write_once().await.unwrap();
        assert_eq!(counters::next(&mut once, "once").await.unwrap(), 13);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_queue_without_errors() {
    each(async |test| {
        let done = race(100, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await?;
                let next = counters::next(&mut tx, "race").await?;
                tx.commit().await?;
                Ok::<i64, Error>(next)
            }
        })
        .await;
        let mut numbers: Vec<i64> = done.into_iter().map(Result::unwrap).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=100).collect::<Vec<i64>>());
    })
    .await;
}

#[tokio::test]
async fn failures_are_told_apart() {
    each(async |test| {
        let mut tx = test.write().await;
        role(&mut tx, "clerk", 1).await;
        tx.commit().await.unwrap();

        test.tamper("UPDATE roles SET level = 500").await;
        let corrupt = roles::by_name(&mut test.read().await, "clerk").await;
        let text = corrupt.unwrap_err().to_string();
        assert_eq!(text, "roles.level of 1 cannot be read");

        test.tamper("DROP TABLE meta").await;
        let gone = meta::get(&mut test.read().await, "a").await;
        assert!(matches!(gone, Err(Error::Driver(_))), "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn waiting_for_a_connection_ends() {
    each(async |test| {
        let options = Options {
            acquire_timeout: Duration::from_millis(50),
            write_connections: 1,
            ..test.options.clone()
        };
        let db = Db::open(&options).await.unwrap();
        let held = db.write().await.unwrap();
        assert!(matches!(db.write().await, Err(Error::Unavailable)));
        drop(held);
        db.close().await;
        assert!(matches!(db.read().await, Err(Error::Unavailable)));
    })
    .await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the database's clock is the machine's")]
async fn readiness_looks_at_the_database_and_its_clock() {
    each(async |test| {
        let past_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let now = Time(i64::try_from(past_1970.as_millis()).unwrap());
        test.db.check(now).await.unwrap();
        test.db.check(now.plus(Duration::from_secs(3))).await.unwrap();
        for wrong in [now.plus(Duration::from_secs(9)), now.minus(Duration::from_secs(9))] {
            let differs = matches!(test.db.check(wrong).await, Err(NotReady::Clock));
            assert_eq!(differs, test.is_postgres());
        }
        test.db.close().await;
        let closed = test.db.check(now).await;
        assert!(matches!(closed, Err(NotReady::Store(Error::Unavailable))), "{closed:?}");
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_database_is_unavailable_and_a_bad_url_a_fault() {
    let check =
        async |url: &str| Db::open(&Options::new(url, audit_keys())).await.map(drop).unwrap_err();
    let dir = tempfile::tempdir().unwrap();
    let missing = format!("sqlite:{}/missing/test.db", dir.path().display());
    assert!(matches!(check(&missing).await, Error::Unavailable));
    assert!(matches!(check("postgres://127.0.0.1:1/none").await, Error::Unavailable));
    assert!(matches!(check("mysql://127.0.0.1/none").await, Error::Driver(_)));
}

#[tokio::test]
async fn the_file_is_private() {
    each_empty(async |test| {
        let Some(path) = test.options.url.strip_prefix("sqlite:") else { return };
        test.migrate().await.unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let mode = std::fs::metadata(format!("{path}{suffix}")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{suffix}");
        }
    })
    .await;
}
