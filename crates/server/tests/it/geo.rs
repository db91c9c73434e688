//! Where sessions are from, by a file of the operator's: read, read again, and never in the way.

use std::path::Path;
use std::time::Duration;

use portcullis_server::geo;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::mmdb::mmdb;
use crate::harness::people::{PASSWORD, STAFF, TENANT};
use crate::harness::{Setup, TestApp, database, spawn};

const LIST: &str = "/api/security/sessions?action=list";

#[tokio::test]
async fn places_are_shown_as_city_and_country() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    let places = [
        ("203.0.113.0", 25, Some("London"), "GB"),
        ("203.0.113.128", 25, Some("São <b>Paulo</b>"), "BR"),
        ("198.51.100.0", 24, None, "US"),
        ("2001:db8::", 33, Some("Paris"), "FR"),
    ];
    std::fs::write(&file, mmdb(&places)).unwrap();
    let server = start(&file).await;
    let staff = server.by_cookie(&STAFF).await;
    server.add(&TENANT).await;
    for (address, expected) in [
        ("203.0.113.7", json!("London, GB")),
        ("203.0.113.200", json!("São <b>Paulo</b>, BR")),
        ("198.51.100.9", json!("US")),
        ("2001:db8::1", json!("Paris, FR")),
        ("::ffff:203.0.113.7", json!("London, GB")),
        ("2001:db8:ffff::1", Value::Null),
        ("192.0.2.1", Value::Null),
        ("10.0.0.1", Value::Null),
    ] {
        sign_in_from(&server, address).await;
        assert_eq!(newest_place(&staff).await, expected, "{address}");
        server.advance(Duration::from_secs(1));
    }
    assert_eq!(ready(&server).await, json!({"status": "ready"}));
    server.finish().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_stops_nobody_and_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    let server = start(&file).await;
    spawn(geo::watch(server.app.clone()));
    let staff = server.by_cookie(&STAFF).await;
    server.add(&TENANT).await;
    sign_in_from(&server, "203.0.113.7").await;
    let london = mmdb(&[("203.0.113.0", 24, Some("London"), "GB")]);
    let leeds = mmdb(&[("203.0.113.0", 24, Some("Leeds"), "GB")]);
    let broken = json!({"status": "ready", "warnings": ["geo_database"]});
    let good = json!({"status": "ready"});
    // Missing, there, broken, cut off, gone, there again.
    let mut half = london.clone();
    half.truncate(london.len() / 2);
    for (content, expected, place) in [
        (None, &broken, Value::Null),
        (Some(london), &good, json!("London, GB")),
        (Some(b"no such thing".to_vec()), &broken, json!("London, GB")),
        (Some(half), &broken, json!("London, GB")),
        (Some(Vec::new()), &broken, json!("London, GB")),
        (None, &broken, json!("London, GB")),
        (Some(leeds), &good, json!("Leeds, GB")),
    ] {
        match content {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => drop(std::fs::remove_file(&file)),
        }
        until(&server, expected).await;
        assert_eq!(newest_place(&staff).await, place);
        sign_in_from(&server, "203.0.113.7").await;
    }
    server.finish().await;
}

async fn start(file: &Path) -> TestApp {
    let config = format!(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[geo]\ndatabase = \"{}\"",
        file.display()
    );
    TestApp::start(database::Kind::Sqlite, &Setup::with(&config)).await
}

async fn sign_in_from(server: &TestApp, address: &str) {
    let body = json!({"email": TENANT.email, "password": PASSWORD});
    let client = server.client();
    let sending = client.post("/api/security/mobile-auth").header("x-forwarded-for", address);
    assert_eq!(sending.json(&body).send().await.status, 200);
}

async fn newest_place(staff: &Client) -> Value {
    let query = format!("{LIST}&limit=1&user=tenant");
    staff.get(&query).send().await.json()["data"][0]["location"].clone()
}

async fn ready(server: &TestApp) -> Value {
    server.catch_up();
    server.client().get("/readyz").send().await.json()
}

/// Waits until the server says so of itself, for up to ten seconds: it looks every two.
async fn until(server: &TestApp, expected: &Value) {
    for _ in 0..200 {
        if ready(server).await == *expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} instead of {expected}", ready(server).await);
}
