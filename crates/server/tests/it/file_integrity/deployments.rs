//! Deployments: what a signed manifest declares arrives silently, and nothing else does.

use std::fs;
use std::path::Path;

use portcullis_domain::audit::note::SigningKey;
use portcullis_integrity::manifest::{Body, Head, write_signed};
use portcullis_integrity::{Exclude, Limits, Plan, Progress, Scope, Seen, scan};
use serde_json::{Value, json};

use super::{alerts, check, on_each_with, post, row, told};
use crate::harness::Setup;
use crate::harness::client::Client;
use crate::harness::people::STAFF;

pub(super) fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

pub(super) fn config() -> String {
    format!("deploy_keys = [\"{}\"]", key("pipeline", 5).verifier())
}

/// A manifest of a folder, as a pipeline builds and signs one.
pub(super) fn manifest(folder: &Path, root: &str, key: &SigningKey) -> String {
    manifest_without(folder, root, key, &[])
}

/// The same of what these patterns leave.
pub(super) fn manifest_without(
    folder: &Path,
    root: &str,
    key: &SigningKey,
    exclude: &[&str],
) -> String {
    let patterns = exclude.iter().map(|pattern| (*pattern).to_owned()).collect();
    let exclude = Exclude::parse(exclude.iter().copied()).unwrap();
    let threads = std::num::NonZero::new(2).unwrap();
    let scope = Scope::everything();
    let plan = Plan {
        root: folder.to_owned(),
        exclude,
        scope,
        max_bytes: 1 << 30,
        threads,
        limits: Limits::default(),
    };
    let mut body = Body::new(Vec::new());
    scan(&plan, &Progress::default(), |seen| {
        let Seen::Is(mut entry, ..) = seen else { panic!("{seen:?}") };
        entry.owner = None;
        body.push(&entry).unwrap();
    })
    .unwrap();
    let (lines, head) = body.finish(root, 1, None);
    let head = Head { exclude: patterns, ..head };
    let note = key.sign(&head.to_string()).unwrap();
    let mut text = Vec::new();
    write_signed(&mut text, &note, &mut &lines[..]).unwrap();
    String::from_utf8(text).unwrap()
}

/// The next release, in a folder beside.
pub(super) fn release(root: &Path) -> std::path::PathBuf {
    let next = root.with_file_name("next");
    fs::create_dir_all(&next).unwrap();
    fs::write(next.join("index.php"), "<?php\necho 2;\n").unwrap();
    fs::write(next.join("style.css"), "a { }\n").unwrap();
    fs::write(next.join("more.php"), "<?php\n").unwrap();
    next
}

pub(super) async fn begin(staff: &Client, manifest: &str) -> String {
    let body = json!({"root": "app", "manifest": manifest, "reason": "release 2"});
    let answer = post(staff, "integrity-deployments", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

pub(super) async fn end(staff: &Client, id: &str) -> Value {
    let answer = post(staff, "integrity-deployments/end", json!({"id": id})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

pub(super) fn copy(from: &Path, to: &Path, name: &str) {
    fs::copy(from.join(name), to.join(name)).unwrap();
}

/// B.12: deploy to declared digest silent, one extra byte alerts.
#[tokio::test]
async fn deploy_to_declared_digest_is_silent() {
    on_each_with(&config(), async |server, staff, root| {
        check(staff).await;
        let next = release(root);
        let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        copy(&next, root, "index.php");
        let half = check(staff).await;
        assert_eq!(half["violations_found"], 0, "more.php may be missing yet");
        copy(&next, root, "more.php");
        let ended = end(staff, &id).await;
        assert_eq!(
            (&ended["success"], &ended["data"]["state"]),
            (&json!(true), &json!("complete"))
        );
        assert_eq!(ended["data"]["reached"], 2);
        assert_eq!(alerts(staff, "").await["total"], 0);
        assert_eq!(check(staff).await["violations_found"], 0);
        let active = server.events("fim_baseline_activated", 2).await;
        assert!(active.iter().any(|event| event.detail["origin"] == "declared"), "{active:?}");
        assert_eq!(server.events("fim_deployment_closed", 1).await[0].detail["state"], "complete");
    })
    .await;
}

#[tokio::test]
async fn one_extra_byte_alerts_and_the_old_baseline_stays() {
    on_each_with(&config(), async |_, staff, root| {
        check(staff).await;
        let next = release(root);
        let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        copy(&next, root, "index.php");
        fs::write(root.join("more.php"), "<?php\n ").unwrap();
        let ended = end(staff, &id).await;
        assert_eq!(
            (&ended["success"], &ended["data"]["state"]),
            (&json!(false), &json!("incomplete"))
        );
        assert_eq!(
            (&ended["data"]["reached"], &ended["data"]["unexpected"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(told(staff, "").await, [row("more.php", "modified", 0)]);
        check(staff).await;
        let mut open = told(staff, "?status=0").await;
        open.sort();
        let expected = [
            row("index.php", "modified", 0),
            row("more.php", "added", 0),
            row("more.php", "modified", 0),
        ];
        assert_eq!(open, expected, "the baseline before it is in force");
    })
    .await;
}

/// B.12: deploy window expiry.
#[tokio::test]
async fn deploy_window_expires() {
    on_each_with(&config(), async |server, staff, root| {
        check(staff).await;
        let next = release(root);
        let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        copy(&next, root, "index.php");
        assert_eq!(check(staff).await["violations_found"], 0, "control: the window is open");
        server.advance(std::time::Duration::from_mins(31));
        let staff = &server.sign_in(&STAFF).await;
        assert_eq!(check(staff).await["violations_found"], 1);
        let answer = post(staff, "integrity-deployments/end", json!({"id": id})).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(server.events("fim_deployment_closed", 1).await[0].detail["state"], "expired");
    })
    .await;
}

/// A broken or unsigned manifest never becomes a baseline.
#[tokio::test]
async fn a_manifest_that_is_not_good_opens_nothing() {
    on_each_with(&config(), async |_, staff, root| {
        check(staff).await;
        let next = release(root);
        let good = manifest(&next, "app", &key("pipeline", 5));
        let (head, lines) = good.split_at(good.rfind("\n\n").unwrap() + 2);
        let unsigned = format!("{}\n\n{lines}", good.split("\n\n").next().unwrap());
        let bad = [
            ("unsigned", unsigned),
            ("a foreign key", manifest(&next, "app", &key("pipeline", 6))),
            ("another name", manifest(&next, "app", &key("other", 5))),
            ("another root", manifest(&next, "web", &key("pipeline", 5))),
            ("cut off", good[..good.len() - 5].to_owned()),
            ("a line less", format!("{head}{}", &lines[lines.find('\n').unwrap() + 1..])),
            ("one digit", good.replace("file 0644 - -", "file 0744 - -")),
            ("nothing", "x".to_owned()),
        ];
        for (what, text) in bad {
            let body = json!({"root": "app", "manifest": text});
            let answer = post(staff, "integrity-deployments", body).await;
            assert_eq!(answer.status, 400, "{what}: {answer:?}");
        }
        for (body, status) in [
            (json!({"root": "web", "manifest": good}), 404),
            (json!({"root": "app", "manifest": good, "minutes": 0}), 400),
            (json!({"root": "app", "manifest": good, "minutes": 241}), 400),
            (json!({"root": "app"}), 400),
            (json!({"root": "app", "manifest": good, "minutes": 240}), 200),
            (json!({"root": "app", "manifest": good}), 409),
        ] {
            let answer = post(staff, "integrity-deployments", body).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
    })
    .await;
}

/// What a manifest and the configuration pass over is nobody's business, before it is the baseline and
/// after, when the configuration says nothing of it any more.
#[tokio::test]
async fn what_a_manifest_passes_over_is_not_told_of() {
    on_each_with(&config(), async |server, staff, root| {
        check(staff).await;
        let passing = Setup::with(&format!(
            "[integrity]\nwatch = false\n{}\n[[integrity.root]]\nname = \"app\"\npath = \"{}\"\n\
             exclude = [\"log\", \"log/**\"]\n",
            config(),
            root.display()
        ));
        let node = server.second_node(&passing).await;
        let there = node.sign_in(&STAFF).await;
        let next = release(root);
        let declared = manifest_without(&next, "app", &key("pipeline", 5), &["log", "log/**"]);
        let id = begin(&there, &declared).await;
        fs::create_dir(root.join("log")).unwrap();
        fs::write(root.join("log/today"), "the application writes").unwrap();
        for name in ["index.php", "more.php"] {
            copy(&next, root, name);
        }
        assert_eq!(end(&there, &id).await["data"]["state"], "complete");
        node.finish().await;
        fs::write(root.join("log/today"), "and writes").unwrap();
        fs::write(root.join("extra.php"), "<?php\n").unwrap();
        assert_eq!(check(staff).await["violations_found"], 1, "control: extra.php");
        let alert = super::number(staff, "extra.php").await;
        let accepted = json!({"alert_ids": [alert], "note": "wanted"});
        assert_eq!(post(staff, "accept-alerts", accepted).await.status, 200);
        assert_eq!(
            check(staff).await["violations_found"],
            0,
            "an edited baseline passes it over too"
        );
    })
    .await;
}

/// A release may remove most of what there was.
#[tokio::test]
async fn a_release_of_few_files_after_many_is_no_root_that_is_gone() {
    on_each_with(&config(), async |_, staff, root| {
        for number in 0..30 {
            fs::write(root.join(format!("{number}.txt")), "x").unwrap();
        }
        check(staff).await;
        let next = release(root);
        let id = begin(staff, &manifest(&next, "app", &key("pipeline", 5))).await;
        for number in 0..30 {
            fs::remove_file(root.join(format!("{number}.txt"))).unwrap();
        }
        for name in ["index.php", "more.php"] {
            copy(&next, root, name);
        }
        assert_eq!(end(staff, &id).await["data"]["state"], "complete");
        assert_eq!(alerts(staff, "").await["total"], 0);
    })
    .await;
}
