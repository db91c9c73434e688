//! Taking the log along: whole, in order, while more happens, on from where it was cut off, and only as
//! long as whoever asked for it may see it.

use std::time::Duration;

use http_body_util::BodyExt as _;
use portcullis_domain::audit::tree::leaf_hash;
use portcullis_domain::id::UserId;
use portcullis_store::audit::log;
use serde_json::{Value, json};

use super::{LOG, about, forgive};
use crate::harness::client::Client;
use crate::harness::people::STAFF;
use crate::harness::{TestApp, on_each_database};

async fn export(client: &Client, query: &str) -> (u64, Vec<Value>) {
    let answer = client.get(&format!("{LOG}/export?{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let end = answer.header("x-audit-end").unwrap().parse().unwrap();
    let text = answer.text();
    (end, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn indices(records: &[Value]) -> Vec<u64> {
    let index = |record: &Value| record["index"].as_u64().unwrap();
    records.iter().map(index).collect()
}

#[tokio::test]
async fn each_record_has_its_place_its_hash_and_the_version_of_its_form() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..600, &about(UserId(1))).await;
        let (end, records) = export(&staff, "format=ndjson").await;
        assert_eq!(indices(&records), (0..end).collect::<Vec<_>>());
        assert!(end > 600);
        let mut tx = server.app.db.read().await.unwrap();
        let leaves = log::leaves(&mut tx, 0, end).await.unwrap();
        for (record, leaf) in records.iter().zip(&leaves) {
            assert_eq!(record["leaf_hash"], leaf_hash(leaf).to_string());
            assert_eq!(record["schema"], 1);
            let entry: Value = serde_json::from_slice(leaf).unwrap();
            assert_eq!(record["id"], entry["id"]);
        }
        let (_, ocsf) = export(&staff, "format=ocsf").await;
        // The second one has the event of the first.
        let of_first = &ocsf[records.len()..];
        assert!(of_first.iter().any(|seen| seen["message"] == "audit_exported"), "{of_first:?}");
        for (record, seen) in records.iter().zip(&ocsf) {
            assert_eq!(seen["metadata"]["sequence"], record["index"]);
            assert_eq!(seen["unmapped"]["leaf_hash"], record["leaf_hash"]);
        }
    })
    .await;
}

#[tokio::test]
async fn that_it_was_taken_along_is_an_event_of_whoever_did_it() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let (end, _) = export(&staff, "format=ndjson&action=session_*").await;
        let event = server.events("audit_exported", 1).await.remove(0);
        assert_eq!(event.detail, json!({"format": "ndjson", "first": 0, "end": end}));
        assert!(event.context.actor.is_some() && event.context.session.is_some());
        // Whoever is refused has taken nothing along.
        assert_eq!(
            server.client().get(&format!("{LOG}/export?format=csv")).send().await.status,
            401
        );
        assert_eq!(server.events("audit_exported", 1).await.len(), 1);
    })
    .await;
}

/// It ends where the log ended when it was asked for, and takes up no room meanwhile.
#[tokio::test]
async fn what_happens_meanwhile_is_not_in_it() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..3_000, &about(UserId(1))).await;
        let answer = staff.get(&format!("{LOG}/export?format=ndjson")).stream().await;
        let end: u64 = answer.headers()["x-audit-end"].to_str().unwrap().parse().unwrap();
        let mut body = answer.into_body();
        let mut text = Vec::new();
        for round in 0..3 {
            let frame = body.frame().await.unwrap().unwrap();
            text.extend_from_slice(frame.data_ref().unwrap());
            forgive(server, 5_000 + round..5_001 + round, &about(UserId(1))).await;
        }
        text.extend_from_slice(&body.collect().await.unwrap().to_bytes());
        let text = String::from_utf8(text).unwrap();
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(indices(&records), (0..end).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn whoever_is_cut_off_goes_on_where_it_was() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..700, &about(UserId(1))).await;
        let (end, whole) = export(&staff, "format=ndjson&action=limit_*").await;
        let cut = &whole[..300];
        let last = indices(cut).pop().unwrap();
        forgive(server, 0..5, &about(UserId(1))).await;
        let (later, rest) =
            export(&staff, &format!("format=ndjson&action=limit_*&after={last}")).await;
        assert!(later > end);
        let joined = [indices(cut), indices(&rest)].concat();
        assert!(joined.is_sorted_by(|one, other| one < other), "none twice");
        assert_eq!(joined.len(), 705, "none left out");
        let (_, nothing) = export(&staff, "format=ndjson&after=99999999").await;
        assert_eq!(nothing, Vec::<Value>::new());
    })
    .await;
}

/// A table has its head even where it has no row.
#[tokio::test]
async fn forms_say_what_they_are() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for (format, content_type, name) in [
            ("csv", "text/csv; charset=utf-8", "activity.csv"),
            ("ndjson", "application/x-ndjson", "activity.ndjson"),
            ("ocsf", "application/x-ndjson", "activity.ocsf"),
        ] {
            let path = format!("{LOG}/export?format={format}&action=role_deleted");
            let answer = staff.get(&path).send().await;
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let expected = format!("attachment; filename=\"{name}\"");
            assert_eq!(answer.header("content-disposition"), Some(&*expected));
            let is_table = format == "csv";
            assert_eq!(answer.text().lines().count(), usize::from(is_table), "{answer:?}");
        }
    })
    .await;
}

/// A long answer goes on no longer than the right to it, and does not look whole when it is cut off.
#[tokio::test]
async fn it_ends_with_the_session_that_asked_for_it() {
    on_each_database(async |server: &TestApp| {
        let staff = server.by_cookie(&STAFF).await;
        forgive(server, 0..20_000, &about(UserId(1))).await;
        let whole = staff.get(&format!("{LOG}/export?format=ndjson")).stream().await;
        let control = whole.into_body().collect().await;
        assert!(control.is_ok(), "control: {control:?}");

        let answer = staff.get(&format!("{LOG}/export?format=ndjson")).stream().await;
        let mut body = answer.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        let token = staff.fetch_csrf().await;
        let out = staff.post("/api/auth/logout").header("x-csrf-token", &token).send().await;
        assert!(out.status.is_success(), "{out:?}");
        server.advance(Duration::from_secs(3));
        assert!(body.collect().await.is_err(), "it went on");
    })
    .await;
}
