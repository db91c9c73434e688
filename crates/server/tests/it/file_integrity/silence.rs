//! What somebody might do so that nobody is told, or that what was told of seems to be over. For each
//! there is a case where it is over.

use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_server::file_watch;
use portcullis_store::integrity::{self as rows, alerts as stored};
use portcullis_store::scratch::tamper;
use serde_json::{Value, json};

use super::deployments::{begin, config, copy, end, key, manifest, release};
use super::{alerts, check, number, on_each, on_each_with, post, row, told, watching};
use crate::harness::TestApp;
use crate::harness::people::STAFF;

/// A check by a server with another configuration, and what is open then.
async fn by_another(server: &TestApp, root: &Path, config: &str) -> Vec<(String, String, i64)> {
    let node = server.second_node(&watching(root, config)).await;
    let staff = node.sign_in(&STAFF).await;
    check(&staff).await;
    let mut open = told(&staff, "?status=0").await;
    open.sort();
    node.finish().await;
    open
}

async fn looked_at(server: &TestApp) -> i64 {
    let mut tx = server.app.db.read().await.unwrap();
    rows::by_name(&mut tx, "app").await.unwrap().unwrap().looked_at.unwrap().0
}

#[tokio::test]
async fn what_is_taken_out_of_sight_is_not_over() {
    on_each(async |server, staff, root| {
        fs::create_dir(root.join("up")).unwrap();
        check(staff).await;
        fs::write(root.join("up/shell.php"), "<?php\n").unwrap();
        check(staff).await;
        let shell = row("up/shell.php", "added", 0);
        assert_eq!(told(staff, "?status=0").await, std::slice::from_ref(&shell));

        let quiet =
            "[[integrity.rule]]\nname = \"quiet\"\nseverity = \"ignore\"\npaths = [\"up/**\"]\n";
        let narrowed = row("", "coverage_narrowed", 0);
        assert_eq!(by_another(server, root, quiet).await, [narrowed.clone(), shell]);

        fs::remove_file(root.join("up/shell.php")).unwrap();
        check(staff).await;
        assert_eq!(told(staff, "?status=0").await, [narrowed], "control: it is gone");
        assert_eq!(told(staff, "?status=1").await, [row("up/shell.php", "added", 1)]);
    })
    .await;
}

#[tokio::test]
async fn what_the_configuration_passes_over_is_not_over() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        check(staff).await;
        let setup = crate::harness::Setup::with(&format!(
            "[integrity]\nwatch = false\n[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n\
             exclude = [\"shell.*\"]\n",
            root.display()
        ));
        let node = server.second_node(&setup).await;
        let there = node.sign_in(&STAFF).await;
        check(&there).await;
        let mut open = told(&there, "?status=0").await;
        open.sort();
        assert_eq!(open, [row("", "coverage_narrowed", 0), row("shell.php", "added", 0)]);
        node.finish().await;
    })
    .await;
}

/// What a manifest passes over is for the configuration to say.
#[tokio::test]
async fn a_manifest_takes_nothing_out_of_sight() {
    on_each_with(&config(), async |_, staff, root| {
        check(staff).await;
        let next = release(root);
        let declared =
            super::deployments::manifest_without(&next, "app", &key("pipeline", 5), &["var/**"]);
        let body = json!({"root": "app", "manifest": declared});
        let answer = post(staff, "integrity-deployments", body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains("passes over"), "{answer:?}");
        begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
    })
    .await;
}

/// Somebody who watches sees a change after the last look came by: it is not accepted unseen.
#[tokio::test]
async fn what_is_seen_during_the_last_look_keeps_a_deployment_from_being_complete() {
    for (later, state) in [(Duration::from_mins(1), "incomplete"), (Duration::ZERO, "complete")] {
        on_each_with(&config(), async |server, staff, root| {
            check(staff).await;
            let next = release(root);
            fs::write(root.join("index.php"), "<?php\necho 9;\n").unwrap();
            check(staff).await;
            let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
            for name in ["index.php", "more.php"] {
                copy(&next, root, name);
            }
            let alert = number(staff, "index.php").await;
            if later > Duration::ZERO {
                let mut tx = server.app.db.write().await.unwrap();
                let seen = server.app.clock.now().plus(later);
                assert!(stored::seen_again(&mut tx, alert, seen).await.unwrap());
                tx.commit().await.unwrap();
            }
            let ended = end(staff, &id).await;
            assert_eq!(ended["data"]["state"], state, "{ended}");
            let page = alerts(staff, "").await;
            let is_accepted = page["data"][0]["resolution"] == "accepted_into_baseline";
            assert_eq!(is_accepted, state == "complete", "{page}");
        })
        .await;
    }
}

/// Signatures of strangers below a good one change nothing.
#[tokio::test]
async fn a_manifest_with_many_signatures_blinds_nobody() {
    on_each_with(&config(), async |_, staff, root| {
        check(staff).await;
        let next = release(root);
        let good = manifest(&next, "app", &key("pipeline", 5));
        let (head, rest) = good.split_once("\n\n").unwrap();
        let text = format!("{head}\n");
        let strangers = (10..25).map(|seed| {
            let note = key("stranger", seed).sign(&text).unwrap();
            note.split_once("\n\n").unwrap().1.to_owned()
        });
        let (own, lines) = rest.split_once("\n\n").unwrap();
        let strangers: String = strangers.collect();
        let id = begin(staff, &format!("{text}\n{own}\n{strangers}\n{lines}")).await;
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        assert_eq!(check(staff).await["fault"], Value::Null);
        assert_eq!(told(staff, "?status=0").await, [row("shell.php", "added", 0)]);
        fs::remove_file(root.join("shell.php")).unwrap();
        for name in ["index.php", "more.php"] {
            copy(&next, root, name);
        }
        assert_eq!(end(staff, &id).await["data"]["state"], "complete", "control");
    })
    .await;
}

/// What a deployment declares was changed in the store: it ends, and everything is compared with the
/// baseline in force.
#[tokio::test]
async fn a_declared_baseline_that_was_edited_hides_nothing() {
    on_each_with(&config(), async |server, staff, root| {
        check(staff).await;
        let next = release(root);
        begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        let mut tx = server.app.db.write().await.unwrap();
        tamper::forge_baseline(&mut tx, 2, b"").await.unwrap();
        tx.commit().await.unwrap();
        fs::write(root.join("shell.php"), "<?php\n").unwrap();
        check(staff).await;
        let mut open = told(staff, "?status=0").await;
        open.sort();
        assert_eq!(open, [row("", "baseline_invalid", 0), row("shell.php", "added", 0)]);
        let closed = server.events("fim_deployment_closed", 1).await.remove(0);
        assert_eq!(closed.detail["state"], "incomplete");
    })
    .await;
}

#[tokio::test]
async fn a_check_that_saw_nothing_is_no_look() {
    on_each(async |server, staff, root| {
        check(staff).await;
        let first = looked_at(server).await;
        server.advance(Duration::from_mins(1));
        let away = root.with_file_name("away");
        fs::rename(root, &away).unwrap();
        assert_eq!(check(staff).await["fault"], "root_unavailable");
        assert_eq!(looked_at(server).await, first);
        fs::rename(&away, root).unwrap();
        check(staff).await;
        assert!(looked_at(server).await > first, "control");
    })
    .await;
}

/// An alert about the whole root says what is so now, and tells if that is another thing.
#[tokio::test]
async fn a_standing_alert_says_what_is_so_now() {
    on_each(async |server, staff, root| {
        check(staff).await;
        for (size, events) in [("2KiB", 1), ("2KiB", 1), ("1KiB", 2)] {
            by_another(server, root, &format!("max_hash_bytes = \"{size}\"")).await;
            let told = server.events("fim_alert_opened", events).await;
            assert_eq!(told.len(), events, "{size}: {told:?}");
        }
        let page = alerts(staff, "?status=0").await;
        assert_eq!(page["total"], 1);
        assert!(page["data"][0]["details"].as_str().unwrap().contains("1024"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn what_is_recorded_as_good_is_accepted_and_not_reverted() {
    on_each(async |_, staff, root| {
        check(staff).await;
        fs::write(root.join("new.php"), "<?php\n").unwrap();
        fs::remove_file(root.join("style.css")).unwrap();
        check(staff).await;
        let answer =
            post(staff, "integrity-baselines", json!({"root": "app", "reason": "as it is"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        check(staff).await;
        let page = alerts(staff, "").await;
        for alert in page["data"].as_array().unwrap() {
            assert_eq!(alert["resolution"], "accepted_into_baseline", "{page}");
        }
        assert_eq!(page["total"], 2);
    })
    .await;
}

/// Of a path of which the baseline says another thing by now nothing is accepted; of others it is.
#[tokio::test]
async fn an_alert_that_is_out_of_date_is_not_accepted() {
    on_each(async |_, staff, root| {
        check(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        check(staff).await;
        let first = number(staff, "index.php").await;
        let resolved = json!({"alert_ids": [first]});
        assert_eq!(post(staff, "bulk-resolve-alerts", resolved).await.status, 200);
        fs::write(root.join("index.php"), "<?php\necho 3;\n").unwrap();
        fs::write(root.join("new.php"), "<?php\n").unwrap();
        check(staff).await;
        let second = number(staff, "index.php").await;
        let accept = async |ids: Value| {
            let answer = post(staff, "accept-alerts", json!({"alert_ids": ids, "note": "x"})).await;
            let results = answer.json()["results"].clone();
            let results = results.as_array().unwrap().iter();
            results.map(|one| one["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(accept(json!([second])).await, ["changed"]);
        let new = number(staff, "new.php").await;
        assert_eq!(accept(json!([first, new])).await, ["overtaken", "changed"]);
        assert_eq!(check(staff).await["violations_found"], 0);
    })
    .await;
}

/// B.2 rule 13: a folder that the configuration names no longer, rules that have nobody told, and looking
/// less often are told of, once.
#[tokio::test]
async fn whoever_has_less_looked_at_is_told_on() {
    on_each(async |server, staff, root| {
        check(staff).await;
        let quiet =
            "[[integrity.rule]]\nname = \"quiet\"\nseverity = \"ignore\"\npaths = [\"up/**\"]\n";
        let rarely = "schedule = \"2h\"\n";
        for (config, says) in [(quiet, "quiet (up/**)"), (rarely, "every 7200 seconds")] {
            by_another(server, root, config).await;
            let page = alerts(staff, "?status=0").await;
            assert_eq!(page["total"], 1, "{page}");
            assert!(page["data"][0]["details"].as_str().unwrap().contains(says), "{page}");
        }
        let gone = server.second_node(&crate::harness::Setup::default()).await;
        for _ in 0..2 {
            file_watch::tell_of_removed(&gone.app).await.unwrap();
            assert_eq!(server.events("fim_coverage_changed", 3).await.len(), 3);
        }
        gone.finish().await;
        let page = alerts(staff, "?status=0").await;
        let details = page["data"][0]["details"].as_str().unwrap();
        assert!(details.contains("does not name this folder"), "{page}");
        check(staff).await;
        assert_eq!(told(staff, "?status=0").await, [row("", "coverage_narrowed", 0)], "control");
    })
    .await;
}

/// What is too much for alerts of its own is told of as long as it is there.
#[tokio::test]
async fn what_has_no_alert_of_its_own_is_told_of_until_it_is_gone() {
    on_each(async |_, staff, root| {
        check(staff).await;
        for number in 0..1003 {
            fs::write(root.join(format!("{number}.md")), "x").unwrap();
        }
        check(staff).await;
        let rest = [row("", "mass_change", 0)];
        assert_eq!(told(staff, "?status=0&severity=high").await, rest);
        fs::remove_file(root.join("7.md")).unwrap();
        for number in 0..1003 {
            fs::rename(root.join(format!("{number}.md")), root.join(format!("{number}.txt"))).ok();
        }
        check(staff).await;
        assert_eq!(told(staff, "?status=0&severity=high").await, rest, "another thousand");
        for number in 0..1003 {
            fs::remove_file(root.join(format!("{number}.txt"))).ok();
        }
        check(staff).await;
        assert_eq!(told(staff, "?status=0").await, [], "control");
    })
    .await;
}

/// Somebody changes a file, changes it back, and changes it once more: the last that people hear of it is
/// not that it was put back.
#[tokio::test]
async fn what_comes_back_quietly_and_stays_is_told_of_within_the_hour() {
    on_each(async |server, staff, root| {
        let (good, evil) = (fs::read(root.join("index.php")).unwrap(), "<?php evil();\n");
        check(staff).await;
        for content in [evil.as_bytes(), &good, evil.as_bytes()] {
            fs::write(root.join("index.php"), content).unwrap();
            check(staff).await;
        }
        assert_eq!(told(staff, "?status=0").await, [row("index.php", "modified", 0)]);
        assert_eq!(server.events("fim_alert_opened", 1).await.len(), 1);
        server.advance(Duration::from_hours(1));
        let staff = &server.sign_in(&STAFF).await;
        for _ in 0..2 {
            check(staff).await;
            let events = server.events("fim_alert_opened", 2).await;
            assert_eq!(events.len(), 2, "once more, and not at every look: {events:?}");
        }
    })
    .await;
}
