//! The pages of the watch: what they show, what their buttons do, who may, and names that mean harm.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{alerts, check, number, on_each, on_each_with, post, told};
use crate::harness::client::{Answer, Client, send_form};
use crate::harness::on_each_database;
use crate::harness::people::STAFF0;

const FILES: &str = "/-/admin/files";
const BASELINES: &str = "/-/admin/files/baselines";

async fn page(client: &Client, path: &str) -> Answer {
    client.get(path).header("accept", "text/html").send().await
}

async fn text(client: &Client, path: &str) -> String {
    let answer = page(client, path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.text()
}

fn of(id: i64) -> String {
    format!("/-/admin/files/alert?id={id}")
}

/// The status, the resolution and the note of an alert.
async fn stands(staff: &Client, id: i64) -> (i64, Value, String) {
    let page = alerts(staff, "?limit=100").await;
    let rows = page["data"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap();
    (
        row["status"].as_i64().unwrap(),
        row["resolution"].clone(),
        row["note"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn the_page_says_how_it_stands_and_lists_alerts() {
    on_each_with(
        "[[integrity.rule]]\nname = \"bad\"\nseverity = \"critical\"\npaths = [\"*.bin\"]",
        async |_, staff, root| {
            let before = text(staff, FILES).await;
            assert!(before.contains("none yet: the first check makes one"), "{before}");
            check(staff).await;
            let calm = text(staff, FILES).await;
            for said in ["Nobody has declared it", "There are no new alerts", "came to its end"] {
                assert!(calm.contains(said), "{said}: {calm}");
            }
            fs::write(root.join("index.php"), "<?php\necho 2;\n").unwrap();
            fs::write(root.join("x.bin"), "x").unwrap();
            check(staff).await;
            let shown = text(staff, FILES).await;
            let (worst, other) = (shown.find("x.bin").unwrap(), shown.find("index.php").unwrap());
            assert!(worst < other, "the worst first");
            assert!(shown.contains("New, critical"), "{shown}");
            let id = number(staff, "x.bin").await;
            assert!(shown.contains(&format!("{FILES}/alert?id={id}")));
            let check = async |query: &str, is_there: bool| {
                let shown = text(staff, &format!("{FILES}?{query}")).await;
                assert_eq!(shown.contains("/app/x.bin</bdi>"), is_there, "{query}");
            };
            check("severity=critical", true).await;
            check("severity=low", false).await;
            check("status=&change_type=added&root=app&sortBy=created_at_asc", true).await;
            check("change_type=deleted", false).await;
            check("status=1", false).await;
            check("root=other", false).await;
            check("page=2", false).await;
            let bad = page(staff, &format!("{FILES}?severity=worst")).await;
            assert_eq!(bad.status, 400);
            assert!(bad.text().contains("severity: must be critical"), "{bad:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_button_checks_and_the_page_follows_until_it_is_over() {
    on_each(async |_, staff, root| {
        let answer = begin(staff).await;
        assert_eq!(answer.header("location"), Some("/-/admin/files?follow=1"));
        let follow = format!("{FILES}?follow=1");
        let mut over = page(staff, &follow).await;
        while let Some(seconds) = over.header("refresh") {
            assert_eq!(seconds, "2");
            assert!(over.text().contains("goes on: "), "{over:?}");
            over = page(staff, &follow).await;
        }
        assert!(over.text().contains("came to its end"));
        fs::write(root.join("new.txt"), "new").unwrap();
        begin(staff).await;
        while page(staff, &follow).await.header("refresh").is_some() {}
        assert_eq!(told(staff, "?status=0").await.len(), 1);
        // What is over can be stopped, which changes nothing.
        let fields = [("stop", "chk_0123456789abcdef01234567")];
        let answer = submit(staff, "/-/admin/files/check", &fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    })
    .await;
}

async fn begin(staff: &Client) -> Answer {
    let answer = submit(staff, "/-/admin/files/check", &[]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

/// Sends a form with a token of its own.
async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = client.fetch_csrf().await;
    let fields: Vec<_> = [("csrf_token", token.as_str())].iter().chain(fields).copied().collect();
    client.post(path).header("sec-fetch-site", "same-origin").form(&fields).send().await
}

#[tokio::test]
async fn many_alerts_are_judged_at_once() {
    on_each(async |_, staff, root| {
        check(staff).await;
        for name in ["a", "b", "c", "d"] {
            fs::write(root.join(name), name).unwrap();
        }
        check(staff).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d"] {
            ids.push(number(staff, name).await);
        }
        let ticks: Vec<String> = ids.iter().map(|id| format!("alert_{id}")).collect();
        let send = async |fields: &[(&str, &str)], status: u16, says: &str| {
            let answer = send_form(staff, FILES, fields).await;
            assert_eq!(answer.status, status, "{fields:?}: {answer:?}");
            assert!(answer.text().contains(says), "{fields:?}: {answer:?}");
        };
        let one = (ticks[0].as_str(), "on");
        send(&[("action", "resolve")], 400, "Tick the alerts").await;
        send(&[one, ("action", "bless")], 400, "Choose what is to be done").await;
        send(&[one, ("action", "ignore"), ("days", "7")], 400, "Say why").await;
        for days in ["", "0", "367", "x"] {
            let fields = [one, ("action", "ignore"), ("note", "mine"), ("days", days)];
            send(&fields, 400, "Say for how many days").await;
        }
        let long = "x".repeat(501);
        send(&[one, ("action", "resolve"), ("note", &long)], 400, "The note is too long").await;
        let typed = send_form(staff, FILES, &[one, ("action", "ignore"), ("note", "kept")]).await;
        assert!(typed.text().contains("value=\"kept\"") && typed.text().contains(" checked"));
        assert_eq!(stands(staff, ids[0]).await.0, 0, "nothing of this changed anything");

        let second = (ticks[1].as_str(), "on");
        send(&[one, second, ("action", "resolve"), ("note", "ours")], 303, "").await;
        let third = (ticks[2].as_str(), "on");
        send(&[third, ("action", "ignore"), ("note", "noise"), ("days", "7")], 303, "").await;
        send(&[(ticks[3].as_str(), "on"), ("action", "delete"), ("note", "")], 303, "").await;
        let ours = (1, Value::Null, "ours".to_owned());
        assert_eq!(
            (stands(staff, ids[0]).await, stands(staff, ids[1]).await),
            (ours.clone(), ours)
        );
        assert_eq!(stands(staff, ids[2]).await.0, 2);
        assert_eq!(alerts(staff, "").await["total"], 3);
    })
    .await;
}

#[tokio::test]
async fn the_page_of_an_alert_shows_all_and_its_buttons_work() {
    on_each(async |_, staff, root| {
        check(staff).await;
        fs::write(root.join("index.php"), "<?php\necho '<b>2</b>';\n").unwrap();
        fs::write(root.join("style.css"), "a { color: red }\n").unwrap();
        fs::write(root.join("new.txt"), "new\n").unwrap();
        check(staff).await;
        let id = number(staff, "index.php").await;
        let shown = text(staff, &of(id)).await;
        for said in [
            "/app/index.php",
            "SHA-256",
            "<span class=\"removed\">-echo 1;",
            "<span class=\"added\">+echo &#39;&#60;b&#62;2",
            "staff@example.com",
            "The content is another one",
            "Lines added: 1, removed: 1",
        ] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        fs::write(root.join("index.php"), "<?php\necho 3;\n").unwrap();
        let now = text(staff, &format!("{}&version=current", of(id))).await;
        assert!(now.contains("as it is now") && now.contains("+echo 3;"), "{now}");

        let number_of = id.to_string();
        let act = async |action: &str, fields: &[(&str, &str)]| {
            let own = [("alert_id", number_of.as_str()), ("action", action)];
            let fields: Vec<_> = own.iter().chain(fields).copied().collect();
            send_form(staff, &of(id), &fields).await
        };
        let bad = act("resolve", &[("resolution", "auto_reverted")]).await;
        assert_eq!(bad.status, 400);
        assert!(bad.text().contains("Choose from the list"), "{bad:?}");
        assert_eq!(act("ignore", &[("days", "3")]).await.status, 400);
        assert_eq!(act("ignore", &[("days", "3"), ("note", "soon")]).await.status, 303);
        assert!(text(staff, &of(id)).await.contains("Ignored until"));
        let done = act("resolve", &[("resolution", "remediated"), ("note", "done <3")]).await;
        assert_eq!(done.header("location"), Some(of(id).as_str()));
        assert_eq!(stands(staff, id).await, (1, json!("remediated"), "done <3".to_owned()));
        assert!(text(staff, &of(id)).await.contains("done &#60;3"));

        let other = number(staff, "style.css").await.to_string();
        let fields = [("alert_id", other.as_str()), ("note", "")];
        let empty = submit(staff, "/-/admin/files/accept", &fields).await;
        assert_eq!(empty.status, 400);
        assert!(empty.text().contains("Say why it ought to be like this"), "{empty:?}");
        let fields = [("alert_id", other.as_str()), ("note", "release 2")];
        let done = submit(staff, "/-/admin/files/accept", &fields).await;
        assert_eq!(done.status, 303, "{done:?}");
        let accepted = text(staff, &of(other.parse().unwrap())).await;
        assert!(accepted.contains("it is in the baseline now"), "{accepted}");
        assert!(text(staff, BASELINES).await.contains("release 2"));

        assert_eq!(act("delete", &[]).await.header("location"), Some(FILES));
        assert_eq!(page(staff, &of(id)).await.status, 404);
        let unknown = [("alert_id", "999"), ("action", "delete")];
        assert_eq!(submit(staff, "/-/admin/files/alert", &unknown).await.status, 404);
        for query in ["", "?id=", "?id=x", "?id=999"] {
            assert_eq!(page(staff, &format!("{FILES}/alert{query}")).await.status, 404, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn baselines_are_listed_and_recorded() {
    on_each(async |server, staff, root| {
        check(staff).await;
        let shown = text(staff, BASELINES).await;
        for said in ["app 1", "nobody has declared it", "is taken for good by this"] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        fs::write(root.join("new.txt"), "new\n").unwrap();
        let empty = send_form(staff, BASELINES, &[("root", "app"), ("note", " ")]).await;
        assert_eq!(empty.status, 400);
        assert!(empty.text().contains("Say why what is there"), "{empty:?}");
        let other = send_form(staff, BASELINES, &[("root", "other"), ("note", "x")]).await;
        assert_eq!(other.status, 404);
        let done =
            send_form(staff, BASELINES, &[("root", "app"), ("note", "<i>by hand</i>")]).await;
        assert_eq!(done.status, 303, "{done:?}");
        let shown = text(staff, BASELINES).await;
        assert!(shown.contains("app 2") && shown.contains("&#60;i&#62;by hand"), "{shown}");
        check(staff).await;
        assert_eq!(told(staff, "").await.len(), 0);
        let unknown = [("id", "dep_0123456789abcdef01234567"), ("action", "cancel")];

        let answer = submit(staff, "/-/admin/files/deployment", &unknown).await;
        assert_eq!(answer.status, 303, "one that is over is as it was wanted: {answer:?}");

        let nobody = server.by_cookie(&STAFF0).await;
        for path in [FILES, BASELINES, "/-/admin/files/alert?id=1"] {
            assert_eq!(page(&nobody, path).await.status, 403, "{path}");
        }
        for path in [
            FILES,
            BASELINES,
            "/-/admin/files/check",
            "/-/admin/files/alert",
            "/-/admin/files/accept",
            "/-/admin/files/deployment",
        ] {
            assert_eq!(submit(&nobody, path, &[]).await.status, 403, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_and_contents_that_mean_harm_come_out_harmless() {
    on_each(async |_, staff, root| {
        check(staff).await;
        let names =
            ["<script>alert(1)</script>", "a\u{202e}gpj.exe", "two\nlines", "\"><img src=x>"];
        for name in names {
            let name = name.replace('/', "\u{2215}");
            fs::write(root.join(name), "</pre><script>alert(2)</script>\u{202e}\u{1b}[2J\n")
                .unwrap();
        }
        check(staff).await;
        let list = text(staff, FILES).await;
        let page = alerts(staff, "").await;
        let mut pages = vec![list];
        for row in page["data"].as_array().unwrap() {
            pages.push(text(staff, &of(row["id"].as_i64().unwrap())).await);
        }
        assert_eq!(pages.len(), 5);
        for shown in &pages {
            for harm in ["<script", "<img", "\u{202e}", "\u{1b}", "two\nlines"] {
                assert!(!shown.contains(harm), "{harm:?}: {shown}");
            }
        }
        assert!(pages[0].contains("&#60;script&#62;alert(1)"), "{}", pages[0]);
        assert!(pages[0].contains("a\\u{202e}gpj.exe") && pages[0].contains("two\\u{a}lines"));
        assert!(pages[1..].iter().all(|page| page.contains("+&#60;/pre&#62;&#60;script")));
    })
    .await;
}

#[tokio::test]
async fn why_there_is_no_difference_is_said_in_a_sentence() {
    on_each(async |_, staff, root| {
        fs::write(root.join("logo.png"), b"\x89PNG\0\x01").unwrap();
        check(staff).await;
        fs::write(root.join("logo.png"), b"\x89PNG\0\x02").unwrap();
        fs::write(root.join(".env"), "KEY=2\n").unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        fs::set_permissions(root.join("style.css"), fs::Permissions::from_mode(0o777)).unwrap();
        check(staff).await;
        let check = async |path: &str, says: &str| {
            let shown = text(staff, &of(number(staff, path).await)).await;
            assert!(shown.contains(says), "{path}: {shown}");
        };
        check("logo.png", "No copy of the good file was kept").await;
        check(".env", "What stands in this file is secret").await;
        check("folder", "It is, or was, no file").await;
        check("style.css", "No line of text differs").await;
    })
    .await;
}

#[tokio::test]
async fn new_alerts_stand_in_the_security_report() {
    on_each(async |_, staff, root| {
        check(staff).await;
        let count = async || {
            let answer = staff.get("/api/admin/security-report").send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let report = answer.json()["data"].clone();
            let lines = report["posture"].as_array().unwrap().iter();
            let lines: Vec<_> = lines.filter(|line| line["page"] == FILES).collect();
            assert_eq!(lines.len(), 4, "{report}");
            lines.iter().map(|line| line["count"].as_i64().unwrap()).sum::<i64>()
        };
        assert_eq!(count().await, 0);
        let before = text(staff, "/-/admin/report").await;
        assert!(before.contains("New critical alerts of watched files"), "{before}");
        fs::write(root.join("index.php"), "<?php\n").unwrap();
        check(staff).await;
        assert_eq!(count().await, 1);
        let after = text(staff, "/-/admin/report").await;
        assert!(after.contains("href=\"/-/admin/files\" aria-label=\"Look at: New"), "{after}");
        let id = number(staff, "index.php").await;
        post(staff, "resolve-alert", json!({"alert_id": id})).await;
        assert_eq!(count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn where_no_folder_is_watched_the_page_says_how_to_begin() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&crate::harness::people::STAFF).await;
        let shown = text(&staff, FILES).await;
        for line in ["[[integrity.root]]", "name = &#34;app&#34;", "path = &#34;/srv/app&#34;"] {
            assert!(
                shown.contains(line) || shown.contains(&line.replace("&#34;", "\"")),
                "{line}: {shown}"
            );
        }
        assert_eq!(begin(&staff).await.header("location"), Some(FILES));
    })
    .await;
}
