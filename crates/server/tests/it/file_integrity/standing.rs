//! How it stands with what is watched: what is so until somebody does something about it, and the figures.

use std::fs;

use portcullis_server::telemetry::listener;
use serde_json::json;
use tokio::net::TcpListener;

use super::deployments::{begin, config, end, key, manifest};
use super::{check, number, on_each_with, post};
use crate::harness::client::Client;
use crate::harness::spawn;

/// B.1.3: that nobody has declared what ought to be there stands with the root, and is no alert.
#[tokio::test]
async fn a_baseline_that_nobody_declared_is_noted() {
    on_each_with(&config(), async |_, staff, root| {
        let notices = async || {
            let answer = staff.get("/api/security/file-integrity-status").send().await.json();
            answer["data"]["roots"][0]["notices"].clone()
        };
        let says = "The baseline is not attested";
        let page = async || staff.get("/-/admin/files").send().await.text();
        assert_eq!(notices().await, json!([]), "there is no baseline yet");
        assert!(!page().await.contains(says));
        check(staff).await;
        let noted = notices().await;
        assert_eq!(
            (&noted[0]["code"], &noted[0]["severity"]),
            (&json!("baseline_not_attested"), &json!("low"))
        );
        assert!(page().await.contains(says));
        assert_eq!(super::alerts(staff, "").await["total"], 0, "it cries for nobody");
        // What a key has declared is attested.
        let id = begin(staff, &manifest(root, "app", &key("pipeline", 5))).await;
        assert_eq!(end(staff, &id).await["data"]["state"], "complete");
        assert_eq!(notices().await, json!([]));
        assert!(!page().await.contains(says));
    })
    .await;
}

#[tokio::test]
async fn new_alerts_are_a_figure_of_each_root_and_severity() {
    let other = tempfile::tempdir().unwrap();
    let second =
        format!("[[integrity.root]]\nname = \"other\"\npath = \"{}\"", other.path().display());
    on_each_with(&second, async |server, staff, root| {
        let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = metrics.local_addr().unwrap();
        spawn(listener::serve(server.app.clone(), metrics));
        let scrape = async || {
            let page = Client::new(address).get("/metrics").send().await.text();
            let ours = page.lines().filter_map(|line| line.strip_prefix("portcullis_file_alerts{"));
            ours.map(str::to_owned).collect::<Vec<_>>()
        };
        let figures = |critical: u8, low: u8| {
            let each = [("other", 0, 0), ("app", critical, low)].map(|(root, critical, low)| {
                [("critical", critical), ("high", 0), ("medium", 0), ("low", low)].map(
                    |(severity, count)| {
                        format!("root=\"{root}\",severity=\"{severity}\"}} {count}")
                    },
                )
            });
            each.concat()
        };
        check(staff).await;
        assert_eq!(scrape().await, figures(0, 0));
        for name in ["a.php", "b.txt", "c.txt"] {
            fs::write(root.join(name), "x").unwrap();
        }
        check(staff).await;
        assert_eq!(scrape().await, figures(1, 2));
        let id = number(staff, "b.txt").await;
        post(staff, "resolve-alert", json!({"alert_id": id})).await;
        assert_eq!(scrape().await, figures(1, 1));
        server.app.db.close().await;
        assert_eq!(scrape().await, [""; 0], "what is not known is not told");
    })
    .await;
}
