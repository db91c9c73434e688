//! An index in a file of the operator's, at work in a server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_breach::build::{Options, build};
use portcullis_breach::{Progress, Sha1};
use serde_json::{Value, json};

use super::checks::{below, check};
use super::service::Service;
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, on_each_database_with};

/// Writes an index of one password beside nothing else.
fn write(folder: &Path, password: &str, count: u64, date: &str) {
    let hash = Sha1::of(password.as_bytes());
    let line = format!("{}{}:{count}\r\n", hash.prefix().digits(), hash.suffix());
    fs::write(folder.join("text"), line).unwrap();
    let options = Options {
        from: folder.join("text"),
        to: folder.join("index"),
        min_count: 1,
        date: Some(date.parse().unwrap()),
        keep_every: Options::KEEP_EVERY,
    };
    build(&options, &Progress::default()).unwrap().publish(None).unwrap();
}

fn config(folder: &Path, service: &Service) -> Setup {
    let index = folder.join("index");
    let sources = service.config(r#""offline", "online""#);
    Setup::with(&format!("{sources}offline_index = \"{}\"\n", index.display()))
}

async fn warnings(server: &TestApp) -> Value {
    server.client().get("/readyz").send().await.json()["warnings"].clone()
}

#[tokio::test]
async fn it_is_asked_before_the_service_and_a_newer_one_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&[("P@ssw0rd", 3_200), ("a quiet harbour", 2)]).await;
    write(folder.path(), "P@ssw0rd", 2_900, "2025-01-31");
    on_each_database_with(config(folder.path(), &service), async |server| {
        write(folder.path(), "P@ssw0rd", 2_900, "2025-01-31");
        let asked_before = service.asked().len();
        let staff = server.by_cookie(&STAFF).await;
        let body = check(&staff, "P@ssw0rd").await.json();
        let told = (&body["count"], &body["source"], &body["date"]);
        // As exactly as an index keeps counts.
        assert_eq!(told, (&json!(2_816), &json!("offline"), &json!("2025-01-31")));
        let data = below(&staff, "21BD1").await.json()["data"].clone();
        assert_eq!(data["suffixes"], json!([{"suffix": "2DC183F740", "count": 2_816}]));
        assert_eq!(data["source"], "offline");
        assert_eq!(service.asked().len(), asked_before);
        let body = check(&staff, "a quiet harbour").await.json();
        assert_eq!((&body["count"], &body["source"]), (&json!(2), &json!("online")));

        write(folder.path(), "P@ssw0rd", 7, "2025-11-20");
        for _ in 0..400 {
            let body = check(&staff, "P@ssw0rd").await.json();
            if body["date"] == "2025-11-20" {
                assert_eq!(body["count"], 7);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the newer index is not taken over");
    })
    .await;
}

#[tokio::test]
async fn one_that_cannot_be_used_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&[("P@ssw0rd", 3_200)]).await;
    let spoilers: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes.truncate(9_000), |bytes| bytes[..9].fill(b'x'), |bytes| bytes[5_000] ^= 1];
    for spoil in spoilers {
        write(folder.path(), "P@ssw0rd", 2_900, "2025-01-31");
        let mut bytes = fs::read(folder.path().join("index")).unwrap();
        spoil(&mut bytes);
        fs::write(folder.path().join("index"), bytes).unwrap();
        on_each_database_with(config(folder.path(), &service), async |server| {
            // What is damaged deep inside is found while all of it is read.
            for _ in 0..400 {
                if warnings(server).await == json!(["breach_index"]) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(warnings(server).await, json!(["breach_index"]));
            let staff = server.by_cookie(&STAFF).await;
            let body = check(&staff, "P@ssw0rd").await.json();
            assert_eq!((&body["count"], &body["source"]), (&json!(3_200), &json!("online")));
            let body = check(&staff, "a quiet harbour").await.json();
            assert_eq!(
                (&body["breached"], &body["unavailable"]),
                (&json!(false), &json!(["offline"]))
            );
        })
        .await;
    }
}
