//! TP23–TP30, A51 and A54: the list of alerts, and what is made of them.

use std::fs;

use serde_json::{Value, json};

use super::{ALERTS, alerts, check, number, on_each, on_each_with, post, row, told};
use crate::harness::people::{STAFF0, TENANT};

/// Rules that give files of four names four severities.
const FOUR: &str = "[[integrity.rule]]\nname = \"r1\"\nseverity = \"critical\"\npaths = [\"c*\"]\n\
    [[integrity.rule]]\nname = \"r2\"\nseverity = \"high\"\npaths = [\"h*\"]\n\
    [[integrity.rule]]\nname = \"r3\"\nseverity = \"medium\"\npaths = [\"m*\"]\n\
    [[integrity.rule]]\nname = \"r4\"\nseverity = \"low\"\npaths = [\"l*\"]";

#[tokio::test]
async fn tp23_tp26_alerts_are_filtered_and_sorted() {
    on_each_with(FOUR, async |_, staff, root| {
        check(staff).await;
        for name in ["m1", "c1", "l1", "h1", "c2"] {
            fs::write(root.join(name), name).unwrap();
        }
        check(staff).await;
        let page = alerts(staff, "?status=0&severity=critical").await;
        assert_eq!((&page["total"], &page["page"]), (&json!(2), &json!(1)));
        assert!(page.get("count").is_none());
        let rows = page["data"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["severity"] == "critical" && row["rule"] == "r1"));
        for key in ["id", "file_path", "alert_type", "severity", "status", "details", "created_at"]
        {
            assert!(rows[0].get(key).is_some(), "{key}: {page}");
        }
        assert_eq!(rows[0]["alert_type"], "file_integrity_violation");
        let shown = rows[0]["file_path"].as_str().unwrap();
        assert!(shown.starts_with(root.to_str().unwrap()), "{shown}");

        let page = alerts(staff, "?sortBy=severity_desc").await;
        let rows = page["data"].as_array().unwrap().iter();
        let order: Vec<&str> = rows.map(|row| row["severity"].as_str().unwrap()).collect();
        assert_eq!(order, ["critical", "critical", "high", "medium", "low"]);
        assert_eq!(alerts(staff, "?status=1").await["total"], 0);
        assert_eq!(alerts(staff, "?root=other").await["total"], 0);
        assert_eq!(alerts(staff, "?change_type=added").await["total"], 5);
    })
    .await;
}

#[tokio::test]
async fn tp24_tp25_pages_have_25_rows_and_never_more_than_100() {
    on_each(async |_, staff, root| {
        check(staff).await;
        for name in 0..150 {
            fs::write(root.join(format!("{name}.txt")), "x").unwrap();
        }
        check(staff).await;
        let first = alerts(staff, "").await;
        let rows = first["data"].as_array().unwrap();
        assert_eq!((rows.len(), &first["total"]), (25, &json!(150)));
        let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert!(ids.is_sorted_by(|one, other| one > other), "newest first: {ids:?}");
        let count = |page: Value| page["data"].as_array().unwrap().len();
        assert_eq!(count(alerts(staff, "?limit=500").await), 100);
        assert_eq!(count(alerts(staff, "?limit=100&page=2").await), 50);
        assert_eq!(count(alerts(staff, "?page=99").await), 0);
        let oldest = alerts(staff, "?sortBy=created_at_asc&limit=1").await;
        assert_eq!(oldest["data"][0]["id"], 1);
        for query in ["?status=3", "?severity=worst", "?sortBy=name", "?page=0", "?limit=x"] {
            let answer = staff.get(&format!("{ALERTS}{query}")).send().await;
            assert_eq!(answer.status, 400, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn tp27_tp28_alerts_are_resolved_and_reopened() {
    on_each(async |server, staff, root| {
        check(staff).await;
        for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
            fs::write(root.join(name), name).unwrap();
        }
        check(staff).await;
        let first = number(staff, "a.txt").await;
        let answer = post(staff, "resolve-alert", json!({"alert_id": first})).await;
        assert_eq!(answer.json(), json!({"success": true, "message": "Alert resolved"}));
        assert_eq!(told(staff, "?status=1").await, [row("a.txt", "added", 1)]);
        let again = post(staff, "resolve-alert", json!({"alert_id": first})).await;
        assert_eq!(again.status, 200, "it is resolved");
        assert_eq!(post(staff, "resolve-alert", json!({"alert_id": 999})).await.status, 404);
        let mut rest = Vec::new();
        for name in ["b.txt", "c.txt", "d.txt"] {
            rest.push(number(staff, name).await);
        }
        let body = json!({"alert_ids": rest, "resolution": "remediated", "note": "as planned"});
        let answer = post(staff, "bulk-resolve-alerts", body.clone()).await.json();
        assert_eq!(answer["message"], "3 alert(s) resolved");
        let answer = post(staff, "bulk-resolve-alerts", body).await.json();
        assert_eq!(answer["message"], "0 alert(s) resolved", "the number is what was changed");

        // B.12: resolve then rescan → reopened.
        fs::remove_file(root.join("b.txt")).unwrap();
        let checked = check(staff).await;
        assert_eq!(checked["alerts_raised"], 3);
        let open = alerts(staff, "?status=0").await;
        assert_eq!(open["total"], 3, "{open}");
        assert!(open["data"].as_array().unwrap().iter().all(|row| row["reopened"] == 1));
        assert_eq!(told(staff, "?status=1").await, [row("b.txt", "added", 1)]);
        let event = server.events("fim_alert_resolved", 4).await.remove(0);
        assert!(event.context.actor.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_back_as_it_was_is_resolved_by_itself() {
    on_each(async |_, staff, root| {
        let good = fs::read(root.join("index.php")).unwrap();
        check(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        check(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 3;\n").unwrap();
        check(staff).await;
        let page = alerts(staff, "?status=0").await;
        assert_eq!(page["total"], 2, "another difference is another alert: {page}");
        assert_eq!(page["data"][0]["supersedes"], page["data"][1]["id"]);
        fs::write(root.join("index.php"), good).unwrap();
        check(staff).await;
        let page = alerts(staff, "?status=1").await;
        assert_eq!(page["total"], 2);
        assert_eq!(page["data"][0]["resolution"], "auto_reverted");
    })
    .await;
}

#[tokio::test]
async fn exactly_what_was_ignored_is_ignored_and_not_for_ever() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("a.txt"), "a").unwrap();
        check(staff).await;
        let id = number(staff, "a.txt").await;
        for (body, status) in [
            (json!({"alert_ids": [id], "days": 0, "note": "x"}), 400),
            (json!({"alert_ids": [id], "days": 367, "note": "x"}), 400),
            (json!({"alert_ids": [id], "days": 2}), 400),
            (json!({"alert_ids": [id], "days": 2, "note": "a known file"}), 200),
        ] {
            assert_eq!(post(staff, "ignore-alerts", body.clone()).await.status, status, "{body}");
        }
        check(staff).await;
        assert_eq!(told(staff, "").await, [row("a.txt", "added", 2)]);
        fs::write(root.join("a.txt"), "b").unwrap();
        check(staff).await;
        assert_eq!(told(staff, "").await, [row("a.txt", "added", 0), row("a.txt", "added", 2)]);
        fs::write(root.join("a.txt"), "a").unwrap();
        server.advance(std::time::Duration::from_hours(49));
        let staff = &server.sign_in(&crate::harness::people::STAFF).await;
        check(staff).await;
        let page = alerts(staff, "?sortBy=created_at_asc").await;
        assert_eq!(
            (&page["data"][0]["status"], &page["data"][0]["reopened"]),
            (&json!(0), &json!(1))
        );
    })
    .await;
}

#[tokio::test]
async fn tp30_what_was_deleted_is_gone_and_comes_back_as_a_new_alert() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("a.txt"), "a").unwrap();
        check(staff).await;
        let id = number(staff, "a.txt").await;
        let diff = format!("/api/security/file-diff?alert_id={id}");
        assert_eq!(staff.get(&diff).send().await.status, 200, "control");
        let answer =
            post(staff, "bulk-delete-alerts", json!({"alert_ids": [id, 999]})).await.json();
        assert_eq!(answer["message"], "1 alert(s) deleted");
        assert_eq!(answer["results"][1], json!({"alert_id": 999, "result": "unknown"}));
        assert_eq!(staff.get(&diff).send().await.status, 404);
        let event = server.events("fim_alert_deleted", 1).await.remove(0);
        assert_eq!(event.detail["alert"], id);
        assert!(event.detail["found"].as_str().unwrap().ends_with(" a.txt"), "{event:?}");
        check(staff).await;
        assert_ne!(number(staff, "a.txt").await, id);
    })
    .await;
}

#[tokio::test]
async fn accepting_moves_the_baseline_by_what_was_found_and_nothing_else() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        fs::write(root.join("new.php"), "<?php\n").unwrap();
        fs::remove_file(root.join("style.css")).unwrap();
        check(staff).await;
        let mut ids = Vec::new();
        for path in ["style.css", "index.php"] {
            ids.push(number(staff, path).await);
        }
        // What is there when it is accepted is not what was seen: it is not accepted.
        fs::write(root.join("index.php"), "<?php\nevil();\n").unwrap();
        let body = json!({"alert_ids": ids, "note": "release 7"});
        let answer = post(staff, "accept-alerts", body).await;
        assert_eq!(answer.json()["message"], "2 alert(s) accepted into the baseline", "{answer:?}");
        let checked = check(staff).await;
        assert_eq!(checked["violations_found"], 2, "new.php, and index.php as it is now");
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        fs::remove_file(root.join("new.php")).unwrap();
        assert_eq!(check(staff).await["violations_found"], 0);
        let events = server.events("fim_baseline_activated", 2).await;
        assert!(events.iter().any(|event| event.detail["number"] == 2), "{events:?}");
    })
    .await;
}

/// A51, A54: unknown alerts, and lists that are wrong; for each a list that is right.
#[tokio::test]
async fn a51_a54_lists_that_are_wrong_are_refused_whole() {
    on_each(async |server, staff, root| {
        check(staff).await;
        fs::write(root.join("a.txt"), "a").unwrap();
        check(staff).await;
        let id = number(staff, "a.txt").await;
        let many: Vec<i64> = (1..=10_001).collect();
        for action in ["bulk-resolve-alerts", "bulk-delete-alerts"] {
            for ids in
                [json!([]), json!(null), json!("x"), json!([id, "x"]), json!([1.5]), json!(many)]
            {
                let body = json!({"alert_ids": ids});
                assert_eq!(post(staff, action, body).await.status, 400, "{action} {ids:.40}");
            }
            assert_eq!(post(staff, action, json!({})).await.status, 400);
        }
        assert_eq!(told(staff, "").await, [row("a.txt", "added", 0)], "nothing of it was done");
        for path in ["file-diff", "file-integrity-alert"] {
            for (query, status) in [("999", 404), ("x", 400), ("", 400), ("-1", 404)] {
                let path = format!("/api/security/{path}?alert_id={query}");
                assert_eq!(staff.get(&path).send().await.status, status, "{path}");
            }
        }
        for person in [&STAFF0, &TENANT] {
            let other = server.by_cookie(person).await;
            let body = json!({"alert_ids": [id]});
            assert_eq!(post(&other, "bulk-delete-alerts", body).await.status, 403);
            assert_eq!(other.get(ALERTS).send().await.status, 403);
        }
        let answer = post(staff, "bulk-resolve-alerts", json!({"alert_ids": [id, id, 999]})).await;
        assert_eq!(answer.json()["message"], "1 alert(s) resolved", "control, each once");
    })
    .await;
}

/// What is run is known by how it begins, whatever its name and its rights say.
#[tokio::test]
async fn programs_are_known_by_how_they_begin() {
    let uploads = "[[integrity.rule]]\nname = \"uploads\"\nuploads = [\"media/**\"]";
    on_each_with(uploads, async |_, staff, root| {
        check(staff).await;
        fs::create_dir(root.join("media")).unwrap();
        for (name, content) in [
            ("job", "#!/bin/sh\n"),
            ("notes", "# to do\n"),
            ("media/shell.jpg", "<?php system($_GET[0]);"),
            ("media/shell.gif", "GIF89a;<?php system($_GET[0]);"),
            ("media/cat.jpg", "\u{fffd}PNG"),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        check(staff).await;
        let page = alerts(staff, "?sortBy=severity_desc").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = page["data"].as_array().unwrap().iter();
        let mut found: Vec<[String; 3]> =
            rows.map(|row| ["path", "severity", "rule"].map(|key| text(&row[key]))).collect();
        found.sort();
        let expected = [
            ["job", "critical", "executable"],
            ["media", "low", "folder"],
            ["media/shell.gif", "critical", "uploads"],
            ["media/shell.jpg", "critical", "uploads"],
            ["notes", "medium", "other"],
        ];
        assert_eq!(found, expected);
    })
    .await;
}

/// A file that can be written to by a name that nobody watches is told of, and not for longer than that.
#[tokio::test]
async fn a_hard_link_out_of_the_root_is_an_alert_of_its_own() {
    let rule = "[[integrity.rule]]\nname = \"store\"\nseverity = \"ignore\"\n\
        paths = [\"store/**\"]\nchanges = [\"linked\"]";
    on_each_with(rule, async |_, staff, root| {
        let outside = root.parent().unwrap().join("way in");
        fs::create_dir(root.join("store")).unwrap();
        fs::write(root.join("store/kept"), "kept\n").unwrap();
        fs::hard_link(root.join("style.css"), root.join("twin.css")).unwrap();
        fs::hard_link(root.join("store/kept"), root.parent().unwrap().join("kept")).unwrap();
        check(staff).await;
        check(staff).await;
        assert_eq!(
            told(staff, "").await,
            [],
            "control: names in the root, and what a rule ignores"
        );
        fs::hard_link(root.join("index.php"), &outside).unwrap();
        check(staff).await;
        let page = alerts(staff, "?status=0").await;
        let linked = &page["data"][0];
        assert_eq!((&page["total"], &linked["path"]), (&json!(1), &json!("index.php")), "{page}");
        for (key, value) in [("change_type", "linked"), ("severity", "high"), ("rule", "linked")] {
            assert_eq!(linked[key], value, "{page}");
        }
        let body = json!({"alert_ids": [linked["id"]], "note": "let it be"});
        let answer = post(staff, "accept-alerts", body).await.json();
        assert_eq!(answer["results"][0]["result"], "not_acceptable", "{answer}");
        // It says nothing of the content, and ends with the other name.
        fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
        check(staff).await;
        let mut found = told(staff, "?status=0").await;
        found.sort();
        assert_eq!(found, [row_of("linked"), row_of("modified")]);
        fs::remove_file(&outside).unwrap();
        check(staff).await;
        assert_eq!(told(staff, "?status=0").await, [row_of("modified")]);
        assert_eq!(told(staff, "?status=1").await, [row("index.php", "linked", 1)]);
    })
    .await;
}

fn row_of(kind: &str) -> (String, String, i64) {
    row("index.php", kind, 0)
}

/// An alert says who of the staff was signed in, with which rights at that time.
#[tokio::test]
async fn an_alert_names_who_was_signed_in() {
    on_each(async |server, staff, root| {
        check(staff).await;
        server.advance(std::time::Duration::from_mins(1));
        let other = server.by_cookie(&STAFF0).await;
        server.by_cookie(&TENANT).await;
        drop(other);
        fs::write(root.join("a.txt"), "a").unwrap();
        check(staff).await;
        let id = number(staff, "a.txt").await;
        let path = format!("/api/security/file-integrity-alert?alert_id={id}");
        let known = staff.get(&path).send().await.json()["data"].clone();
        let witnesses = known["witnesses"].as_array().unwrap();
        let names: Vec<&Value> = witnesses.iter().map(|witness| &witness["email"]).collect();
        assert_eq!(names, ["staff@example.com", "staff0@example.com"], "{known}");
        assert_eq!(witnesses[0]["permissions"], json!(["*"]));
        assert_eq!(witnesses[1]["permissions"], json!([]));
        assert!(known["unchanged_at"].is_string() && known["found_at"].is_string());
    })
    .await;
}
