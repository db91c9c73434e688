//! The audit log as it is kept: what waits, what has a place, and that the database itself refuses to
//! change it.

use std::collections::BTreeMap;

use portcullis_domain::audit::entry::{Entry, VERSION};
use portcullis_domain::event::{Context, Event, LimitName};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::audit::checkpoints::{self, Checkpoint};
use portcullis_store::audit::counts::{self, Count, Kind};
use portcullis_store::audit::log::{self, Written};
use portcullis_store::audit::{pending, tree};
use portcullis_store::{Tx, events};
use serde_json::Map;

use crate::harness::{NOW, TestDb, each, later};

pub(crate) async fn append(tx: &mut Tx, index: u64) {
    let entry = Entry {
        version: VERSION,
        index,
        at: NOW,
        logged: NOW,
        id: format!("id{index}"),
        event: "sys_shutdown".to_owned(),
        outcome: "success".to_owned(),
        severity: "info".to_owned(),
        actor: None,
        subject: None,
        session: None,
        request: None,
        detail: Map::new(),
        from: None,
        texts: None,
    };
    let leaf = entry.leaf().unwrap();
    log::append(tx, &[Written { entry, leaf }]).await.unwrap();
}

#[tokio::test]
async fn the_database_refuses_to_change_the_log() {
    each(async |test| {
        let mut tx = test.write().await;
        tree::begin(&mut tx, "origin").await.unwrap();
        for index in 0..3 {
            append(&mut tx, index).await;
        }
        assert!(tree::grow(&mut tx, 0, 3, NOW).await.unwrap());
        let checkpoint = Checkpoint { size: 3, at: NOW, note: "n".to_owned() };
        checkpoints::insert(&mut tx, &checkpoint).await.unwrap();
        tx.commit().await.unwrap();

        let refused = async |sql: &str| {
            let error = test.try_to_tamper(sql).await.expect_err(sql).to_string();
            assert!(error.contains("audit log"), "{sql}: {error}");
        };
        refused("UPDATE audit_log SET name = 'x' WHERE idx = 1").await;
        refused("DELETE FROM audit_log WHERE idx = 2").await;
        refused("UPDATE audit_checkpoints SET note = 'x'").await;
        let count = async |test: &TestDb| {
            log::leaves(&mut test.db.read().await.unwrap(), 0, 9).await.unwrap().len()
        };
        assert_eq!(count(test).await, 3);

        // Control: what was pruned may go, and no more than that.
        test.tamper("UPDATE audit_tree SET pruned = 2").await;
        refused("DELETE FROM audit_log").await;
        assert_eq!(count(test).await, 3);
        test.tamper("DELETE FROM audit_log WHERE idx < 2").await;
        assert_eq!(count(test).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_taken_once_oldest_first() {
    each(async |test| {
        let mut tx = test.write().await;
        assert!(!pending::any(&mut tx).await.unwrap());
        assert_eq!(pending::waiting(&mut tx).await.unwrap(), pending::Waiting::default());
        let context = Context { subject: Some(UserId(3)), ..Context::default() };
        for (id, at) in [("2", 1), ("1", 2), ("3", 3)] {
            let event = Event::LimitExceeded { limit: LimitName::Login };
            events::append(&mut tx, &event, &context, id, later(at)).await.unwrap();
        }
        let waiting = pending::waiting(&mut tx).await.unwrap();
        assert_eq!((waiting.events, waiting.since), (3, Some(later(1))));
        let mut take = async |limit| {
            let taken = pending::take(&mut tx, limit).await.unwrap();
            assert_eq!(taken.rejected, []);
            taken.events.into_iter().map(|event| event.id).collect::<Vec<_>>()
        };
        assert_eq!(take(2).await, ["1", "2"]);
        assert_eq!(take(2).await, ["3"]);
        assert_eq!(take(2).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn the_tree_grows_from_where_it_is_only() {
    each(async |test| {
        let mut tx = test.write().await;
        assert_eq!(tree::lock(&mut tx).await.unwrap(), None);
        tree::begin(&mut tx, "first").await.unwrap();
        tree::begin(&mut tx, "second").await.unwrap();
        assert!(tree::grow(&mut tx, 0, 5, NOW).await.unwrap());
        assert!(!tree::grow(&mut tx, 0, 6, NOW).await.unwrap());
        let tree = tree::lock(&mut tx).await.unwrap().unwrap();
        assert_eq!((tree.origin.as_str(), tree.size, tree.logged_at), ("first", 5, NOW));
        assert_eq!(tree::tile(&mut tx, 0, 0).await.unwrap(), None);
        for hashes in [[1; 32].as_slice(), &[2; 64]] {
            tree::put_tile(&mut tx, 0, 0, hashes).await.unwrap();
            assert_eq!(tree::tile(&mut tx, 0, 0).await.unwrap().as_deref(), Some(hashes));
        }
    })
    .await;
}

#[tokio::test]
async fn counts_add_up_by_hour_and_reason() {
    each(async |test| {
        let kind = |at, detail: &str| Kind::of(Time(at), "n", "failure", &object(detail));
        let hour = 3_600_000;
        assert_eq!(kind(hour - 1, "{}").hour, Time(0));
        assert_eq!(kind(hour, "{}").hour, Time(hour));
        assert_eq!(kind(0, r#"{"code":"c","limit":"l"}"#).reason, "c");
        let mut tx = test.write().await;
        for sessions in ["{\"sessions\":2}", "{\"sessions\":3}"] {
            let mut counted = BTreeMap::new();
            let count: &mut Count = counted.entry(kind(hour, r#"{"reason":"r"}"#)).or_default();
            count.add(&object(sessions));
            counts::add(&mut tx, &counted).await.unwrap();
        }
        tx.commit().await.unwrap();
        // The key is free again only if the row was what it is said to be.
        let sum = "DELETE FROM audit_counts WHERE hour = 3600000 AND events = 2 AND amount = 5 \
                   AND reason = 'r'";
        test.tamper(sum).await;
        test.tamper("INSERT INTO audit_counts VALUES (3600000, 'n', 'failure', 'r', 0, 0)").await;
    })
    .await;
}

fn object(text: &str) -> Map<String, serde_json::Value> {
    serde_json::from_str(text).unwrap()
}
