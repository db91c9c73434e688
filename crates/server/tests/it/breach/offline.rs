//! An index in a file of the operator's, at work in a server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_breach::build::{Options, build};
use portcullis_breach::{Progress, Sha1};
use portcullis_domain::audit::note::SigningKey;
use serde_json::{Value, json};

use super::checks::{below, check};
use super::service::Service;
use crate::harness::client::Client;
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, on_each_database_with};

/// Writes an index of one password beside nothing else.
pub(crate) fn write(folder: &Path, password: &str, count: u64, date: &str) {
    write_signed(folder, password, count, date, None);
}

pub(crate) fn write_signed(
    folder: &Path,
    password: &str,
    count: u64,
    date: &str,
    key: Option<&SigningKey>,
) {
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
    let built = build(&options, &Progress::default()).unwrap();
    let note = key.map(|key| key.sign(&built.text()).unwrap());
    built.publish(note.as_deref()).unwrap();
}

pub(super) fn config(folder: &Path, service: &Service) -> Setup {
    let index = folder.join("index");
    let sources = service.config(r#""offline", "online""#);
    Setup::with(&format!("{sources}offline_index = \"{}\"\n", index.display()))
}

async fn warnings(server: &TestApp) -> Value {
    server.catch_up();
    let answer = server.client().get("/readyz").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["warnings"].clone()
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

const PASSWORD: &str = "P@ssw0rd";
const DATE: &str = "2025-01-31";

/// A server that asks only an index that `ours` has signed, and the service after it.
fn signed_config(folder: &Path, service: &Service, ours: &SigningKey) -> Setup {
    let Setup { config, .. } = config(folder, service);
    Setup::with(&format!("{config}index_key = \"{}\"\n", ours.verifier()))
}

/// Who says that the password is known.
async fn source(staff: &Client) -> String {
    check(staff, PASSWORD).await.json()["source"].as_str().unwrap().to_owned()
}

/// Waits until this source answers, which the server has within seconds.
async fn answers(staff: &Client, expected: &str) {
    for _ in 0..400 {
        if source(staff).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{expected} does not answer");
}

/// Waits until this is what `/readyz` warns of.
async fn warns(server: &TestApp, expected: Value) {
    for _ in 0..400 {
        if warnings(server).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{expected} is not warned of, but {}", warnings(server).await);
}

#[tokio::test]
async fn where_a_key_is_set_only_what_it_signed_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&[(PASSWORD, 3_200)]).await;
    let [ours, other] =
        [("ours", 7), ("other", 8)].map(|(name, seed)| SigningKey::from_seed(name, &[seed; 32]));
    let (ours, other) = (ours.unwrap(), other.unwrap());
    let write = |key| write_signed(folder.path(), PASSWORD, 2_900, DATE, key);
    for key in [None, Some(&other)] {
        write(key);
        on_each_database_with(signed_config(folder.path(), &service, &ours), async |server| {
            assert_eq!(warnings(server).await, json!(["breach_index"]));
            let staff = server.by_cookie(&STAFF).await;
            assert_eq!(source(&staff).await, "online");
            let body = check(&staff, "a quiet harbour").await.json();
            assert_eq!(body["unavailable"], json!(["offline"]));
        })
        .await;
    }
    write(Some(&ours));
    on_each_database_with(signed_config(folder.path(), &service, &ours), async |server| {
        write(Some(&ours));
        let staff = server.by_cookie(&STAFF).await;
        answers(&staff, "offline").await;
        assert_eq!(warnings(server).await, Value::Null);
        write(None);
        // Not by who answers: an index that is being read does not answer, either.
        warns(server, json!(["breach_index"])).await;
        assert_eq!(source(&staff).await, "online");
        write(Some(&ours));
        answers(&staff, "offline").await;
        assert_eq!(warnings(server).await, Value::Null);
    })
    .await;
}

/// Every checksum of it is right, and the signature of its head is good.
#[tokio::test]
async fn what_was_put_below_a_signed_head_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&[(PASSWORD, 3_200)]).await;
    let ours = SigningKey::from_seed("ours", &[7; 32]).unwrap();
    let file = folder.path().join("index");
    write_signed(folder.path(), "a quiet harbour", 2, DATE, Some(&ours));
    let signed = fs::read(&file).unwrap();
    write(folder.path(), PASSWORD, 2_900, DATE);
    let mut forged = fs::read(&file).unwrap();
    forged[..4096].copy_from_slice(&signed[..4096]);
    fs::write(&file, forged).unwrap();
    on_each_database_with(signed_config(folder.path(), &service, &ours), async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for _ in 0..400 {
            assert_eq!(source(&staff).await, "online");
            if warnings(server).await == json!(["breach_index"]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the forgery is not found");
    })
    .await;
    // Control: without a key it answers until all of it was read.
    let index = portcullis_breach::Index::open(&file).unwrap();
    assert!(index.lookup(&Sha1::of(PASSWORD.as_bytes())).unwrap().is_some());
}
