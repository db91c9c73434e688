//! The watch over files, through the whole server: folders are made, changed, checked and judged.

mod alerts;
mod checks;
mod deployments;
mod diffs;
mod killed;
mod letters;
mod matching;
mod pages;
mod roots;
mod silence;
mod standing;

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Client};
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, database};

const ALERTS: &str = "/api/security/file-integrity-alerts";
const RUN: &str = "/api/security/run-integrity-check";
const PROGRESS: &str = "/api/security/file-integrity-progress";

/// A server that watches a folder of its own, on each database, and somebody who looks after it.
async fn on_each(test: impl AsyncFn(&TestApp, &Client, &Path)) {
    on_each_with("", test).await;
}

/// The same, with more configuration, which stands before the folder.
async fn on_each_with(config: &str, test: impl AsyncFn(&TestApp, &Client, &Path)) {
    for kind in database::kinds() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("index.php"), "<?php\necho 1;\n").unwrap();
        fs::write(root.join("style.css"), "a { }\n").unwrap();
        let server = TestApp::start(kind, &watching(&root, config)).await;
        let staff = server.by_cookie(&STAFF).await;
        test(&server, &staff, &root).await;
        server.finish().await;
    }
}

fn watching(root: &Path, config: &str) -> Setup {
    let root = root.display();
    Setup::with(&format!(
        "[integrity]\nwatch = false\n{config}\n[[integrity.root]]\nname = \"app\"\npath = \"{root}\"\n"
    ))
}

/// Asks for a check, and waits for its end: what the progress says.
async fn check(staff: &Client) -> Value {
    let answer = staff.act(Method::POST, RUN, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["data"]["check_id"].as_str().unwrap().to_owned();
    ended(staff, &id).await
}

async fn ended(staff: &Client, id: &str) -> Value {
    for _ in 0..600 {
        let answer = staff.get(&format!("{PROGRESS}?check_id={id}")).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let data = answer.json()["data"].clone();
        if data["status"] != "running" {
            return data;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the check {id} does not end");
}

/// A page of alerts.
async fn alerts(staff: &Client, query: &str) -> Value {
    let answer = staff.get(&format!("{ALERTS}{query}")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The alerts of a page as paths below the root, kinds and statuses.
async fn told(staff: &Client, query: &str) -> Vec<(String, String, i64)> {
    let page = alerts(staff, query).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["path"]), text(&row["change_type"]), row["status"].as_i64().unwrap()))
        .collect()
}

fn row(path: &str, kind: &str, status: i64) -> (String, String, i64) {
    (path.to_owned(), kind.to_owned(), status)
}

/// The number of the one alert of a path that is new.
async fn number(staff: &Client, path: &str) -> i64 {
    let page = alerts(staff, "?status=0&limit=100").await;
    let rows = page["data"].as_array().unwrap();
    let of_path: Vec<&Value> = rows.iter().filter(|row| row["path"] == path).collect();
    assert_eq!(of_path.len(), 1, "{page}");
    of_path[0]["id"].as_i64().unwrap()
}

async fn post(staff: &Client, path: &str, body: Value) -> Answer {
    staff.act(Method::POST, &format!("/api/security/{path}"), &body).await
}

/// A pipe, which nobody writes into.
fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}
