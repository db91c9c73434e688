//! TP31, TP32: a check is asked for, followed, stopped, and made one at a time.

use std::fs;
use std::time::Duration;

use http::Method;
use portcullis_domain::event::Context;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::{Cause, CheckState};
use portcullis_server::flows::integrity::Monitor;
use portcullis_server::flows::integrity::check::{self, Begun};
use portcullis_store::scratch::tamper;
use serde_json::json;

use super::{
    PROGRESS, RUN, alerts, check as checked, ended, on_each, on_each_with, post, row, told,
};
use crate::harness::people::{STAFF0, TENANT};
use crate::harness::{TestApp, on_each_database};

#[tokio::test]
async fn tp31_what_was_changed_is_found() {
    on_each(async |server, staff, root| {
        let first = checked(staff).await;
        assert_eq!((&first["status"], &first["violations_found"]), (&json!("complete"), &json!(0)));
        let baseline = server.events("fim_baseline_activated", 1).await.remove(0);
        assert_eq!(baseline.detail["origin"], "observed");
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        fs::write(root.join("new.php"), "<?php\n").unwrap();
        fs::remove_file(root.join("style.css")).unwrap();

        let answer = staff.act(Method::POST, RUN, &json!({})).await.json();
        assert_eq!(answer["message"], "File integrity check started");
        assert_eq!(answer["data"]["status"], "running");
        let id = answer["data"]["check_id"].as_str().unwrap();
        assert!(id.starts_with("chk_"), "{id}");
        let second = ended(staff, id).await;
        assert_eq!(second["status"], "complete");
        assert_eq!(second["files_scanned"], 2);
        assert_eq!(second["violations_found"], 3);
        assert_eq!(second["alerts_raised"], 3);
        let mut found = told(staff, "?status=0").await;
        found.sort();
        let expected = [
            row("index.php", "modified", 0),
            row("new.php", "added", 0),
            row("style.css", "deleted", 0),
        ];
        assert_eq!(found, expected);
        let opened = server.events("fim_alert_opened", 3).await;
        assert!(opened.iter().all(|event| event.detail["root"] == "app"), "{opened:?}");

        let third = checked(staff).await;
        assert_eq!((&third["violations_found"], &third["alerts_raised"]), (&json!(3), &json!(0)));
        let page = alerts(staff, "").await;
        assert_eq!(page["total"], 3, "the same difference is the same alert: {page}");
        assert_eq!(page["data"][0]["occurrences"], 2);
    })
    .await;
}

#[tokio::test]
async fn tp32_a_check_must_be_named_and_known() {
    on_each(async |server, staff, _| {
        let known = checked(staff).await;
        let id = known["check_id"].as_str().unwrap();
        let cases = [
            ("", 400),
            ("?check_id=", 400),
            ("?check_id=chk_000000000000000000000000", 404),
            ("?check_id=..%2F..%2Fetc", 404),
        ];
        for (query, status) in cases {
            let answer = staff.get(&format!("{PROGRESS}{query}")).send().await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
        }
        let good = format!("{PROGRESS}?check_id={id}");
        assert_eq!(staff.get(&good).send().await.status, 200, "control");
        for person in [&STAFF0, &TENANT] {
            let other = server.by_cookie(person).await;
            assert_eq!(other.get(&good).send().await.status, 403);
            assert_eq!(other.act(Method::POST, RUN, &json!({})).await.status, 403);
        }
    })
    .await;
}

#[tokio::test]
async fn without_folders_there_is_nothing_to_check() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&crate::harness::people::STAFF).await;
        let answer = staff.act(Method::POST, RUN, &json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (409, &json!("no_roots")));
    })
    .await;
}

/// B.12: two concurrent scan requests → one job.
#[tokio::test]
async fn two_concurrent_scan_requests_are_one_job() {
    on_each(async |server, _, _| {
        let context = Context::default();
        let monitor = Monitor::of(&server.app, &context);
        let all = (0..8).map(|_| check::begin(&monitor, Cause::Request));
        let begun = futures_util::future::join_all(all).await;
        let ids: Vec<_> = begun
            .iter()
            .map(|begun| match begun.as_ref().unwrap() {
                Begun::Started(id) | Begun::Running(id) => *id,
                Begun::NoRoots => panic!("there is a root"),
            })
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let started = begun.iter().filter(|begun| matches!(begun, Ok(Begun::Started(_))));
        assert_eq!(started.count(), 1);
    })
    .await;
}

/// A check whose process is gone is interrupted, and another can be made.
#[tokio::test]
async fn a_check_that_nobody_runs_is_interrupted() {
    on_each(async |server, staff, root| {
        checked(staff).await;
        let context = Context::default();
        let monitor = Monitor::of(&server.app, &context);
        let Ok(Begun::Started(id)) = check::begin(&monitor, Cause::Request).await else { panic!() };
        fs::write(root.join("new.php"), "<?php\n").unwrap();
        let again = staff.act(Method::POST, RUN, &json!({})).await.json();
        assert_eq!(again["data"]["check_id"], id.as_str());
        server.advance(Duration::from_secs(21));
        let next = checked(staff).await;
        assert_ne!(next["check_id"], id.as_str());
        assert_eq!((&next["status"], &next["violations_found"]), (&json!("complete"), &json!(1)));
        assert_eq!(ended(staff, id.as_str()).await["status"], "interrupted");
        let events = server.events("fim_checked", 3).await;
        assert!(events.iter().any(|event| event.detail["state"] == "interrupted"), "{events:?}");
    })
    .await;
}

/// Also a check that records a root's first baseline is alive while it does, and can be stopped.
#[tokio::test]
async fn a_check_that_lasts_is_not_taken_for_one_that_nobody_runs() {
    on_each_with("files_per_second = \"20\"", async |server, _, root| {
        for number in 0..400 {
            fs::write(root.join(format!("{number}.txt")), "x").unwrap();
        }
        let context = Context::default();
        let monitor = Monitor::of(&server.app, &context);
        let Ok(Begun::Started(id)) = check::begin(&monitor, Cause::Request).await else { panic!() };
        let running = check::run(&monitor, id, &server.app.stopping);
        let meanwhile = async {
            let mut scanned = 0;
            for _ in 0..3 {
                server.advance(Duration::from_secs(15));
                scanned = further(server, id, scanned).await;
                check::find_interrupted(&monitor).await.unwrap();
            }
            assert!(check::cancel(&monitor, id).await.unwrap(), "it goes on");
        };
        let both = async { tokio::join!(running, meanwhile) };
        let ended = tokio::time::timeout(Duration::from_secs(15), Box::pin(both)).await;
        let (ended, ()) = ended.expect("it is soon over");
        assert_eq!((ended.state, ended.counts.expected), (CheckState::Cancelled, 0));
        assert!(server.events("fim_baseline_activated", 0).await.is_empty());
    })
    .await;
}

/// Waits until a check has said that it is further.
async fn further(server: &TestApp, id: CheckId, than: i64) -> i64 {
    for _ in 0..200 {
        let check = check::by_id(&server.app.db, id).await.unwrap().unwrap();
        if check.counts.scanned > than {
            return check.counts.scanned;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is heard of the check");
}

/// What is stopped changes nothing.
#[tokio::test]
async fn a_check_is_cancelled() {
    on_each(async |server, staff, _| {
        let context = Context::default();
        let monitor = Monitor::of(&server.app, &context);
        let Ok(Begun::Started(id)) = check::begin(&monitor, Cause::Request).await else { panic!() };
        let unknown = json!({"check_id": "chk_000000000000000000000000"});
        assert_eq!(post(staff, "cancel-integrity-check", unknown).await.status, 404);
        let body = json!({"check_id": id.as_str()});
        assert_eq!(post(staff, "cancel-integrity-check", body.clone()).await.status, 200);
        assert_eq!(post(staff, "cancel-integrity-check", body).await.status, 404, "it is over");
        assert_eq!(ended(staff, id.as_str()).await["status"], "cancelled");
        assert_eq!(checked(staff).await["status"], "complete");
    })
    .await;
}

/// B.12: monitor stopped, file changed, started → alert + gap event.
#[tokio::test]
async fn a_change_while_nobody_looked_is_found_and_the_gap_is_told() {
    on_each(async |server, staff, root| {
        checked(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 3;\n").unwrap();
        server.advance(Duration::from_hours(3));
        let staff = &server.sign_in(&crate::harness::people::STAFF).await;
        assert_eq!(checked(staff).await["violations_found"], 1);
        let gap = server.events("fim_unchecked", 1).await.remove(0);
        assert_eq!(gap.detail["root"], "app");
        assert_ne!(gap.detail["since"], gap.detail["until"]);
    })
    .await;
}

/// B.12: unmounted root → one alert.
#[tokio::test]
async fn an_unmounted_root_is_one_alert() {
    on_each(async |_, staff, root| {
        for number in 0..20 {
            fs::write(root.join(format!("{number}.txt")), "x").unwrap();
        }
        checked(staff).await;
        let elsewhere = root.with_file_name("elsewhere");
        fs::rename(root, &elsewhere).unwrap();
        let gone = checked(staff).await;
        assert_eq!(
            (&gone["status"], &gone["fault"]),
            (&json!("failed"), &json!("root_unavailable"))
        );
        assert_eq!(told(staff, "").await, [row("", "root_unavailable", 0)]);
        fs::create_dir(root).unwrap();
        checked(staff).await;
        assert_eq!(told(staff, "").await, [row("", "root_unavailable", 0)], "it is empty");
        fs::remove_dir(root).unwrap();
        fs::rename(&elsewhere, root).unwrap();
        assert_eq!(checked(staff).await["status"], "complete");
        assert_eq!(told(staff, "").await, [row("", "root_unavailable", 1)], "it is back");
    })
    .await;
}

/// Whoever may remove many files hides nothing among them.
#[tokio::test]
async fn what_is_changed_is_told_of_however_much_is_removed() {
    on_each(async |_, staff, root| {
        for number in 0..20 {
            fs::write(root.join(format!("{number}.txt")), "x").unwrap();
        }
        checked(staff).await;
        for number in 0..20 {
            fs::remove_file(root.join(format!("{number}.txt"))).unwrap();
        }
        fs::write(root.join("index.php"), "<?php\nevil();\n").unwrap();
        assert_eq!(checked(staff).await["fault"], "root_unavailable");
        let mut found = told(staff, "").await;
        found.sort();
        assert_eq!(found, [row("", "root_unavailable", 0), row("index.php", "modified", 0)]);
    })
    .await;
}

/// B.12: baseline row edited in DB → cache MAC fail, manifest bad signature.
#[tokio::test]
async fn a_baseline_that_was_edited_in_the_database_is_not_believed() {
    on_each(async |server, staff, root| {
        checked(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 4;\n").unwrap();
        let digest = portcullis_integrity::Digest::of_file(&root.join("index.php")).unwrap();
        let mut tx = server.app.db.read().await.unwrap();
        let parts = portcullis_store::integrity::baselines::parts(&mut tx, "app", 1, 0, 9).await;
        let lines = String::from_utf8(parts.unwrap().concat()).unwrap();
        let old = lines.lines().find(|line| line.ends_with(" index.php")).unwrap();
        let was = old.split(' ').nth(5).unwrap();
        let edited = lines.replace(was, &format!("14:{digest}"));
        drop(tx);
        let mut tx = server.app.db.write().await.unwrap();
        tamper::forge_baseline(&mut tx, 1, edited.as_bytes()).await.unwrap();
        tx.commit().await.unwrap();
        let answer = checked(staff).await;
        assert_eq!(answer["fault"], "baseline_invalid", "{answer}");
        assert_eq!(told(staff, "?severity=critical").await, [row("", "baseline_invalid", 0)]);
    })
    .await;
}

/// B.2 rule 13: whoever takes files out of sight is told on.
#[tokio::test]
async fn narrowing_the_view_is_told() {
    on_each_with("", async |server, staff, root| {
        checked(staff).await;
        let setup = super::watching(root, "max_hash_bytes = \"1KiB\"");
        let node = server.second_node(&setup).await;
        let there = node.sign_in(&crate::harness::people::STAFF).await;
        checked(&there).await;
        assert_eq!(told(&there, "?status=0").await, [row("", "coverage_narrowed", 0)]);
        let event = server.events("fim_coverage_changed", 1).await.remove(0);
        assert_eq!(event.detail["narrowed"], true);
        checked(&there).await;
        assert_eq!(told(&there, "?status=0").await, [row("", "coverage_narrowed", 0)]);
        node.finish().await;
    })
    .await;
}

/// B.10: the oldest full reading is told, and an answer that has not changed is not sent again.
#[tokio::test]
async fn whoever_follows_a_check_is_sent_what_is_new() {
    on_each(async |server, staff, root| {
        let first = checked(staff).await;
        let id = first["check_id"].as_str().unwrap().to_owned();
        let oldest = first["oldest_full_hash_at"].clone();
        assert_eq!(oldest, first["started_at"], "the look is as old as its check");

        let path = format!("{PROGRESS}?check_id={id}");
        let whole = staff.get(&path).send().await;
        assert_eq!(whole.json()["data"]["oldest_full_hash_at"], oldest, "it is of now");
        let tag = whole.header("etag").unwrap().to_owned();
        for (known, status) in [
            (tag.clone(), 304),
            (tag.trim_start_matches("W/").to_owned(), 304),
            (format!("\"x\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
        ] {
            let answer = staff.get(&path).header("if-none-match", &known).send().await;
            assert_eq!(answer.status, status, "{known}");
            assert_eq!(answer.header("etag"), Some(tag.as_str()), "{known}");
            assert_eq!(answer.body.is_empty(), status == 304, "{known}");
        }
        server.advance(Duration::from_mins(1));
        fs::write(root.join("a.txt"), "a").unwrap();
        checked(staff).await;
        let answer = staff.get(&path).header("if-none-match", &tag).send().await;
        assert_eq!(answer.status, 200, "the oldest look is a later one");
    })
    .await;
}

/// While a check goes on, the time that goes by is no news.
#[tokio::test]
async fn a_check_that_stands_still_is_no_news() {
    on_each(async |server, staff, _| {
        let context = Context::default();
        let monitor = Monitor::of(&server.app, &context);
        let Ok(Begun::Started(id)) = check::begin(&monitor, Cause::Request).await else { panic!() };
        let path = format!("{PROGRESS}?check_id={}", id.as_str());
        let first = staff.get(&path).send().await;
        assert!(first.json()["data"]["oldest_full_hash_at"].is_null(), "nobody has looked yet");
        let tag = first.header("etag").unwrap().to_owned();
        server.advance(Duration::from_secs(5));
        let later = staff.get(&path).send().await;
        assert_ne!(first.json()["data"]["duration_ms"], later.json()["data"]["duration_ms"]);
        let answer = staff.get(&path).header("if-none-match", &tag).send().await;
        assert_eq!(answer.status, 304);
        assert!(check::cancel(&monitor, id).await.unwrap());
        let answer = staff.get(&path).header("if-none-match", &tag).send().await;
        assert_eq!(answer.status, 200, "it was cancelled");
    })
    .await;
}
