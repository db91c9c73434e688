//! Everything is in a backup, and comes back as it was: on the same database and on the other one, from
//! an older schema, and while others write.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_domain::account::AccountType;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_store::backup::{self, LEFT_OUT};
use portcullis_store::{Db, counters, events, users};

use super::filled::{HARD, columns, fill, tables};
use super::{by_table, empty_ones, lines, resealed, restored, taken};
use crate::harness::{NOW, TestDb, full_user, later, new_user, role, session};

#[tokio::test]
async fn every_row_comes_back_on_either_database() {
    for source in empty_ones().await {
        source.migrate().await.unwrap();
        fill(&source).await;
        let (file, written) = taken(&source.db).await;
        for target in empty_ones().await {
            let rows = restored(&target.db, &file).await.unwrap();
            assert_eq!(rows, written.rows);
            let (again, _) = taken(&target.db).await;
            assert_eq!(by_table(&again), by_table(&file));
            assert_eq!(target.migrate().await.unwrap().names.len(), 0);
            target.close().await;
        }
        source.close().await;
    }
}

#[tokio::test]
async fn every_table_is_in_it_with_every_column_but_for_those_that_are_named() {
    for source in empty_ones().await {
        source.migrate().await.unwrap();
        fill(&source).await;
        let (file, written) = taken(&source.db).await;
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, column, ..) in columns(&source).await {
            expected.entry(table).or_default().push(column);
        }
        // Written out once more: whoever leaves another one out has to say so here.
        for table in ["csrf_spent", "nodes", "outbox", "signing_keys"] {
            assert!(expected.remove(table).is_some(), "{table} is left out, and not there");
        }
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines(&file).iter().filter(|line| line.starts_with("{\"table\"")) {
            let head: serde_json::Value = serde_json::from_str(line).unwrap();
            let columns = head["columns"].as_array().unwrap();
            let names = columns.iter().map(|column| column[0].as_str().unwrap().to_owned());
            found.insert(head["table"].as_str().unwrap().to_owned(), names.collect());
        }
        assert_eq!(found, expected);
        for (table, rows) in &written.rows.0 {
            assert!(*rows >= 3, "{table} has {rows} rows");
        }
        let text = String::from_utf8(file).unwrap();
        let hard = serde_json::to_string(&format!("{HARD}101")).unwrap();
        assert!(text.contains(&hard) && text.contains("9223372036854775807"));
        assert!(text.contains("\"00ff0065\"") && text.contains("null") && text.contains("true"));
        source.close().await;
    }
}

#[tokio::test]
async fn a_table_that_nobody_thought_of_is_in_it() {
    for source in empty_ones().await {
        source.migrate().await.unwrap();
        source.tamper("CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY, word TEXT)").await;
        source.tamper("INSERT INTO later VALUES (1, 'x')").await;
        let (_, written) = taken(&source.db).await;
        assert_eq!(written.rows.0.get("later"), Some(&1));
        source.close().await;
    }
}

/// What the tables of the second version hold is of the same form today.
#[tokio::test]
async fn an_older_schema_is_brought_forward_with_its_rows() {
    const TABLES: [&str; 5] = ["counters", "meta", "role_grants", "roles", "schema_migrations"];
    let source = TestDb::sqlite().await;
    let newest = source.migrate().await.unwrap().version;
    let mut tx = source.write().await;
    role(&mut tx, "clerk", 20).await;
    tx.commit().await.unwrap();
    let (file, _) = taken(&source.db).await;
    let mut kept = false;
    let mut older = lines(&file);
    older.retain(|line| {
        if let Some(table) = line.strip_prefix("{\"table\":\"") {
            kept = TABLES.iter().any(|name| table.starts_with(&format!("{name}\"")));
        }
        let is_later = line.starts_with('[') && line.contains(",\"00") && !is_of(line, 2);
        line.starts_with("{\"portcullis") || (kept && !is_later && !line.starts_with("{\"rows\""))
    });
    let schema = format!("\"schema\":{newest}");
    older[0] = older[0].replace(&schema, "\"schema\":2");
    older.push(
        "{\"rows\":{\"counters\":1,\"meta\":1,\"role_grants\":0,\"roles\":1,\
                \"schema_migrations\":2}}\n"
            .to_owned(),
    );
    for target in empty_ones().await {
        let rows = restored(&target.db, &resealed(&older)).await.unwrap();
        assert_eq!(rows.0["schema_migrations"], 2);
        assert_eq!(target.migrate().await.unwrap().version, newest);
        let mut tx = target.write().await;
        assert_eq!(counters::next(&mut tx, "roles").await.unwrap(), 2);
        drop(tx);
        target.close().await;
    }
    source.close().await;
}

/// Whether a row of the ledger is of this version or an older one.
fn is_of(line: &str, version: i64) -> bool {
    line.trim_start_matches('[').split(',').next().unwrap().parse::<i64>().unwrap() <= version
}

/// Each act is a user, a session of his, a number, and an event: all of them or none are in a backup.
#[tokio::test]
async fn it_is_of_one_moment_while_others_write() {
    for source in empty_ones().await {
        source.migrate().await.unwrap();
        let mut tx = source.write().await;
        let clerk = role(&mut tx, "clerk", 20).await;
        tx.commit().await.unwrap();
        let is_over = Cell::new(false);
        let writing = async {
            let mut number = 0_u8;
            while !is_over.get() && number < 250 {
                number += 1;
                act(&source.db, number, clerk).await;
            }
            number
        };
        let reading = async {
            let mut sizes = BTreeSet::new();
            for _ in 0..8 {
                sizes.insert(consistent(&source.db).await);
            }
            is_over.set(true);
            sizes
        };
        let (acts, sizes) = tokio::join!(writing, reading);
        assert!(sizes.len() > 1 && acts > 3, "nobody wrote meanwhile: {sizes:?}");
        source.close().await;
    }
}

/// How many acts a backup holds, whole.
async fn consistent(db: &Db) -> u64 {
    let (file, written) = taken(db).await;
    let scratch = TestDb::sqlite().await;
    restored(&scratch.db, &file).await.unwrap();
    scratch.close().await;
    let rows = &written.rows.0;
    assert_eq!(rows["users"], rows["sessions"], "{rows:?}");
    assert_eq!(rows["users"], rows["audit_pending"] + rows["audit_log"], "{rows:?}");
    rows["users"]
}

async fn act(db: &Db, number: u8, role: portcullis_domain::id::RoleId) {
    let mut tx = db.write().await.unwrap();
    let user = users::insert(&mut tx, &new_user(&format!("u{number}"), role), NOW).await.unwrap();
    session(&mut tx, number, user).await;
    let event = Event::UserCreated { account_type: AccountType::Staff, role: Text::clip("clerk") };
    let id = format!("0190{number:04}-0000-7000-8000-000000000000");
    events::append(&mut tx, &event, &Context::default(), &id, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn numbers_go_on_where_they_were() {
    for target in empty_ones().await {
        let source = TestDb::sqlite().await;
        source.migrate().await.unwrap();
        let mut tx = source.write().await;
        let clerk = role(&mut tx, "clerk", 20).await;
        let first = users::insert(&mut tx, &full_user("ada", clerk), NOW).await.unwrap();
        tx.commit().await.unwrap();
        restored(&target.db, &taken(&source.db).await.0).await.unwrap();
        let mut tx = target.write().await;
        let next = users::insert(&mut tx, &new_user("eve", clerk), later(1)).await.unwrap();
        assert_eq!(next.0, first.0 + 1);
        backup::end_everything(&mut tx, later(2)).await.unwrap();
        tx.commit().await.unwrap();
        source.close().await;
        target.close().await;
    }
}

#[tokio::test]
async fn what_is_left_out_is_not_there_and_its_tables_are() {
    let source = TestDb::sqlite().await;
    source.migrate().await.unwrap();
    fill(&source).await;
    let target = TestDb::sqlite().await;
    restored(&target.db, &taken(&source.db).await.0).await.unwrap();
    assert_eq!(tables(&target).await, tables(&source).await);
    let (again, _) = taken(&target.db).await;
    for table in LEFT_OUT {
        assert!(!String::from_utf8_lossy(&again).contains(&format!("{{\"table\":\"{table}\"")));
    }
    source.close().await;
    target.close().await;
}
