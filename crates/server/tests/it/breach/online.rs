//! The range service: how it is asked, what of it is believed, and that nobody waits for it.

use std::time::Duration;

use serde_json::json;

use super::checks::{below, check};
use super::service::{Asked, Manner, OTHERS, PADDING, Service};
use crate::harness::people::STAFF;
use crate::harness::{Setup, on_each_database_with};

/// SHA-1: 21BD1….
const KNOWN: (&str, u64) = ("P@ssw0rd", 3_200);
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_prefix_is_asked_for_once_a_day_and_never_more_than_that() {
    let service = Service::start(&[KNOWN]).await;
    on_each_database_with(Setup::with(&service.config(r#""online""#)), async |server| {
        let before = service.asked().len();
        let asked = || service.asked().split_off(before);
        let staff = server.by_cookie(&STAFF).await;
        let first = Asked {
            path: "/range/21BD1".to_owned(),
            padding: Some("true".to_owned()),
            etag: None,
            agent: Some(concat!("Portcullis/", env!("CARGO_PKG_VERSION")).to_owned()),
        };
        let answer = check(&staff, KNOWN.0).await.json();
        assert_eq!(answer["count"], 3_200);
        assert_eq!(asked(), std::slice::from_ref(&first));
        // Padding is no password.
        let answer = below(&staff, "21BD1").await.json();
        let suffixes = answer["data"]["suffixes"].as_array().unwrap();
        assert_eq!(suffixes.len() as u64, 1 + OTHERS);
        assert_eq!(answer["data"]["count"], json!(3_200 + (30..30 + OTHERS).sum::<u64>()));
        assert_eq!(asked().len(), 1);
        server.advance(DAY);
        let staff = server.sign_in(&STAFF).await;
        let answer = check(&staff, KNOWN.0).await.json();
        assert_eq!((&answer["count"], &answer["date"]), (&json!(3_200), &json!("2025-11-20")));
        let again = Asked { etag: Some("W/\"21BD1-3200\"".to_owned()), ..first.clone() };
        assert_eq!(asked(), [first, again]);
        check(&staff, KNOWN.0).await;
        assert_eq!(asked().len(), 2);
    })
    .await;
}

/// What is said of the real service, of the one that the tests ask.
#[tokio::test]
async fn the_service_of_the_tests_speaks_as_the_real_one_does() {
    let service = Service::start(&[KNOWN]).await;
    let client = service.client();
    let bare = client.get("/range/21BD1").send().await;
    let padded = client.get("/range/21bd1").header("add-padding", "true").send().await;
    let lines = |text: &str| -> Vec<(String, u64)> {
        assert!(!text.ends_with('\n') && text.replace("\r\n", "").lines().count() == 1);
        let pair = |line: &str| {
            let (suffix, count) = line.split_once(':').unwrap();
            assert!(suffix.len() == 35 && suffix.bytes().all(|digit| !digit.is_ascii_lowercase()));
            (suffix.to_owned(), count.parse().unwrap())
        };
        text.split("\r\n").map(pair).collect()
    };
    let (without, with) = (lines(&bare.text()), lines(&padded.text()));
    let known = ("2DC183F740EE76F27B78EB39C8AD972A757".to_owned(), KNOWN.1);
    assert!(without.contains(&known) && without.is_sorted());
    assert!(without.iter().all(|(_, count)| *count > 0));
    let real: Vec<_> = with.iter().filter(|(_, count)| *count > 0).cloned().collect();
    assert_eq!(real, without, "padding has the count 0, and all else is as it was");
    assert_eq!((without.len() as u64, with.len() as u64), (OTHERS + 1, OTHERS + 1 + PADDING));
    for answer in [&bare, &padded] {
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!((answer.status.as_u16(), header("content-type").as_str()), (200, "text/plain"));
        assert_eq!(header("cache-control"), "public, max-age=2678400");
        assert!(header("last-modified").ends_with(" GMT"));
        let again = client.get("/range/21BD1").header("if-none-match", &header("etag"));
        let again = again.send().await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    }
    let other = client.get("/range/21BD1").header("if-none-match", "W/\"another\"").send().await;
    assert_eq!(other.status, 200);
    // Every prefix is answered, and nothing else.
    assert_eq!(client.get("/range/00000").send().await.status, 200);
    for path in ["/range/21BD", "/range/21BD12", "/range/ZZZZZ", "/range/"] {
        assert_eq!(client.get(path).send().await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn nothing_but_an_answer_of_its_kind_is_believed() {
    let manners = [
        Manner::Silent,
        Manner::Status(500),
        Manner::Status(302),
        Manner::Status(304),
        Manner::Status(429),
        Manner::Html,
        Manner::Empty,
        Manner::Short,
        Manner::Ntlm,
        Manner::Endless,
        Manner::CutOff,
    ];
    for manner in manners {
        let service = Service::start(&[KNOWN]).await;
        let setup = Setup::with(&service.config(r#""list", "online""#));
        on_each_database_with(setup, async |server| {
            let staff = server.by_cookie(&STAFF).await;
            service.is(manner);
            // Nobody waits for it: the rest of these seconds is for a machine that has much to do.
            let within = Duration::from_secs(10);
            let answer = tokio::time::timeout(within, check(&staff, "a quiet harbour")).await;
            let answer = answer.unwrap_or_else(|_| panic!("{manner:?} is waited for"));
            assert_eq!(answer.status, 200, "{manner:?}: {answer:?}");
            let body = answer.json();
            let told = (&body["breached"], &body["source"], &body["unavailable"]);
            assert_eq!(told, (&json!(false), &json!("list"), &json!(["online"])), "{manner:?}");
            // Whoever answers is believed all the same.
            let body = check(&staff, KNOWN.0).await.json();
            let told = (&body["breached"], &body["count"], &body["source"]);
            assert_eq!(told, (&json!(true), &json!(1), &json!("list")), "{manner:?}");
            let body = below(&staff, "21BD1").await.json();
            assert_eq!(body["data"]["source"], "list", "{manner:?}");
            service.is(Manner::Honest);
        })
        .await;
    }
}

#[tokio::test]
async fn one_that_fails_is_left_alone_and_tried_again() {
    let service = Service::start(&[KNOWN]).await;
    on_each_database_with(Setup::with(&service.config(r#""online""#)), async |server| {
        let before = service.asked().len();
        let staff = server.by_cookie(&STAFF).await;
        let ready = async || server.client().get("/readyz").send().await.json()["warnings"].clone();
        service.is(Manner::Status(503));
        for _ in 0..6 {
            let answer = check(&staff, KNOWN.0).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.json()["code"], "breach_unavailable");
        }
        assert_eq!(service.asked().len(), before + 3);
        assert_eq!(ready().await, json!(["breach_service"]));
        server.advance(Duration::from_secs(30));
        assert_eq!(check(&staff, KNOWN.0).await.status, 503);
        assert_eq!(service.asked().len(), before + 4);
        service.is(Manner::Honest);
        server.advance(Duration::from_secs(30));
        assert_eq!(check(&staff, KNOWN.0).await.json()["count"], 3_200);
        assert_eq!(ready().await, json!(null));
    })
    .await;
}
