//! The figures, asked for as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use http::Method;
use portcullis_server::telemetry::listener;
use portcullis_store::events::{self, EventFilter};
use serde_json::json;
use tokio::net::TcpListener;

use super::served::Served;
use crate::harness::client::Client;
use crate::harness::people::{self, PASSWORD, STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with, spawn};

/// Every series and its value.
type Figures = BTreeMap<String, f64>;

/// A word that no figure may hold.
const CANARY: &str = "canary";

/// Where the figures of a server are, which has written its first event.
async fn listen(server: &TestApp) -> SocketAddr {
    server.events("sys_startup", 1).await;
    let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = metrics.local_addr().unwrap();
    spawn(listener::serve(server.app.clone(), metrics));
    address
}

async fn scrape(address: SocketAddr) -> Figures {
    let answer = Client::new(address).get("/metrics").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let content_type = answer.header("content-type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    lines.map(figure).collect()
}

/// What has grown by how much; without the sums and buckets of durations, which are never the same.
fn grown(before: &Figures, after: &Figures) -> BTreeMap<String, i64> {
    let mut grown = BTreeMap::new();
    for (series, value) in after {
        let by = value - before.get(series).unwrap_or(&0.0);
        let is_steady = !series.contains("_sum") && !series.contains("_bucket");
        if is_steady && series.starts_with("portcullis_") && by.abs() > 0.5 {
            #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
            grown.insert(series.clone(), by as i64);
        }
    }
    grown
}

#[track_caller]
fn check(before: &Figures, after: &Figures, expected: &[(&str, i64)]) {
    let expected = expected.iter().map(|(series, by)| (format!("portcullis_{series}"), *by));
    assert_eq!(grown(before, after), expected.collect());
}

#[tokio::test]
async fn requests_and_refusals_are_counted_one_by_one() {
    on_each_database(async |server| {
        let address = listen(server).await;
        let before = scrape(address).await;
        check(&before, &scrape(address).await, &[]);
        let client = server.client();
        for path in ["/healthz", "/healthz", "/readyz", "/public/a", "/public/b"] {
            assert_eq!(client.get(path).send().await.status, 200);
        }
        for (path, verdict) in [
            ("/api/jobs/manage", "401 credential_missing"),
            ("/api/auth/me", "401 credential_missing"),
            ("/-/nothing", "404 not_found"),
            ("/public//c", "400 ambiguous_path"),
            ("/forward-auth/nginx", "403 untrusted_proxy"),
        ] {
            assert_eq!(client.get(path).send().await.verdict(), verdict);
        }
        let page = client.get("/home").header("accept", "text/html").send().await;
        assert_eq!(page.status, 302, "{page:?}");
        check(
            &before,
            &scrape(address).await,
            &[
                ("refusals_total{code=\"ambiguous_path\"}", 1),
                ("refusals_total{code=\"credential_missing\"}", 3),
                ("refusals_total{code=\"not_found\"}", 1),
                ("refusals_total{code=\"untrusted_proxy\"}", 1),
                ("request_duration_seconds_count{surface=\"forward_auth\"}", 1),
                ("request_duration_seconds_count{surface=\"gate\"}", 4),
                ("request_duration_seconds_count{surface=\"own\"}", 6),
                ("requests_total{surface=\"forward_auth\",class=\"4xx\"}", 1),
                ("requests_total{surface=\"gate\",class=\"2xx\"}", 2),
                ("requests_total{surface=\"gate\",class=\"3xx\"}", 1),
                ("requests_total{surface=\"gate\",class=\"4xx\"}", 1),
                ("requests_total{surface=\"own\",class=\"2xx\"}", 3),
                ("requests_total{surface=\"own\",class=\"4xx\"}", 3),
                ("upstream_duration_seconds_count", 2),
                ("upstream_requests_total{outcome=\"answered\"}", 2),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn sign_ins_and_verifications_are_counted_by_what_came_of_them() {
    on_each_database(async |server| {
        let address = listen(server).await;
        server.add(&Z1).await;
        let before = scrape(address).await;
        let client = server.client();
        let wrong = people::sign_in(&client, "Fredkiss3", "not the right one").await;
        assert_eq!(wrong.status, 401);
        let client = server.sign_in(&Z1).await;
        for _ in 0..3 {
            assert_eq!(client.get("/api/auth/me").send().await.status, 200);
        }
        let nobody = server.client();
        nobody.set_cookie("sessionid", &"ab".repeat(32));
        assert_eq!(nobody.get("/api/auth/me").send().await.status, 401);
        let after = scrape(address).await;
        let mut seen = grown(&before, &after);
        // Looked up after the answer.
        let passwords =
            seen.remove("portcullis_breach_checks_total{source=\"list\",result=\"not_found\"}");
        assert!(passwords.is_none_or(|count| count == 1), "{passwords:?}");
        seen.retain(|series, _| !series.contains("request") && !series.contains("events"));
        let expected = [
            ("portcullis_password_hash_seconds_count", 2),
            ("portcullis_refusals_total{code=\"credential_unknown\"}", 1),
            ("portcullis_refusals_total{code=\"wrong_credentials\"}", 1),
            ("portcullis_sign_ins_total{outcome=\"refused\"}", 1),
            ("portcullis_sign_ins_total{outcome=\"signed_in\"}", 1),
            ("portcullis_verify_total{result=\"hit\"}", 2),
            ("portcullis_verify_total{result=\"read\"}", 1),
            ("portcullis_verify_total{result=\"unknown\"}", 1),
        ];
        assert_eq!(seen, expected.map(|(series, by)| (series.to_owned(), by)).into());
        let mut tx = server.app.db.read().await.unwrap();
        let filter = EventFilter { name: None, subject: None, limit: 100 };
        let keys = &server.app.keys.audit;
        let rows = events::list(&mut tx, keys, &filter).await.unwrap().len();
        let rows = u32::try_from(rows).unwrap();
        assert!((after["portcullis_events_written_total"] - f64::from(rows)).abs() < 0.1, "{rows}");
        assert!(rows > 3);
        assert!(after["process_resident_memory_bytes"] > 1e6);
        assert!(after["process_open_fds"] > 3.0);
        let version = format!("portcullis_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert!((after[&version] - 1.0).abs() < 0.1);
    })
    .await;
}

#[tokio::test]
async fn passwords_are_counted_by_who_was_asked_and_what_he_said() {
    const PATH: &str = "/api/security/password-breach-check";
    // Nobody listens there.
    let config = "[breach]\nat_sign_in = \"off\"\nsources = [\"list\", \"offline\", \"online\"]\n\
                  range_url = \"http://127.0.0.1:9/range/\"\n";
    on_each_database_with(Setup::with(config), async |server| {
        let address = listen(server).await;
        let staff = server.by_cookie(&STAFF).await;
        let before = scrape(address).await;
        for password in ["password1", "a quiet harbour", "a loud harbour"] {
            let answer = staff.act(Method::POST, PATH, &json!({"password": password})).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        // A new password that is on the list, too.
        let body = json!({"currentPassword": PASSWORD, "newPassword": "password1password1"});
        let answer = staff.act(Method::POST, "/api/auth/change-password", &body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let mut seen = grown(&before, &scrape(address).await);
        seen.retain(|series, _| series.contains("breach"));
        let expected = [
            ("portcullis_breach_checks_total{source=\"list\",result=\"found\"}", 2),
            ("portcullis_breach_checks_total{source=\"list\",result=\"not_found\"}", 2),
            ("portcullis_breach_checks_total{source=\"online\",result=\"silent\"}", 3),
        ];
        assert_eq!(seen, expected.map(|(series, by)| (series.to_owned(), by)).into());
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_down_is_seen_in_the_figures() {
    on_each_database(async |server| {
        let address = listen(server).await;
        let client = server.by_cookie(&Z1).await;
        let before = scrape(address).await;
        assert!(before.contains_key("portcullis_mail_queue"), "{before:?}");
        server.app.db.close().await;
        server.advance(server.app.config.session.revocation_bound);
        let answer = client.get("/api/auth/me").send().await;
        assert_eq!(answer.verdict(), "503 store_unavailable");
        let after = scrape(address).await;
        assert!(!after.contains_key("portcullis_mail_queue"), "what is not known is not told");
        let grown = grown(&before, &after);
        assert_eq!(grown["portcullis_verify_total{result=\"unavailable\"}"], 1);
        assert_eq!(grown["portcullis_requests_total{surface=\"own\",class=\"5xx\"}"], 1);
        // The look at the outbox is one more.
        assert_eq!(grown["portcullis_store_errors_total{kind=\"unavailable\"}"], 2);
    })
    .await;
}

#[tokio::test]
async fn nothing_that_a_client_sends_becomes_a_label() {
    on_each_database(async |server| {
        let address = listen(server).await;
        let client = server.by_bearer(&STAFF).await;
        client.get("/api/auth/me").send().await;
        for secret in ["a", "b"] {
            let stranger = server.client().bearer(&format!("{CANARY}-{secret}"));
            stranger.get("/api/auth/me").send().await;
        }
        let series = async || scrape(address).await.into_keys().collect::<BTreeSet<_>>();
        let few = series().await;
        for number in 0..20 {
            let method: Method = format!("{CANARY}{number}").to_uppercase().parse().unwrap();
            let path = format!("/{CANARY}{number}/{}?q={CANARY}", "0".repeat(number));
            client.request(method.clone(), &path).header("user-agent", CANARY).send().await;
            server.client().get(&path).header("host", &format!("{CANARY}{number}")).send().await;
            let stranger = server.client().bearer(&format!("{CANARY}-{number}"));
            stranger.request(method, "/api/auth/me").header("x-csrf-token", CANARY).send().await;
            let body = json!({"username": format!("{CANARY}{number}"), "password": PASSWORD});
            server.client().post("/api/auth/login").json(&body).send().await;
        }
        let many = series().await;
        assert!(many.iter().all(|name| !name.to_lowercase().contains(CANARY)), "{many:?}");
        let new: Vec<_> = many.difference(&few).cloned().collect();
        // Words of our own, of which there are few.
        let expected = [
            "portcullis_refusals_total{code=\"csrf_missing\"}",
            "portcullis_refusals_total{code=\"method_not_allowed\"}",
            "portcullis_refusals_total{code=\"unknown_host\"}",
            "portcullis_refusals_total{code=\"wrong_credentials\"}",
            "portcullis_sign_ins_total{outcome=\"refused\"}",
        ];
        assert_eq!(new, expected);
        let secrets = [PASSWORD, STAFF.email, "127.0.0.1", "staff"];
        assert!(secrets.iter().all(|word| many.iter().all(|name| !name.contains(word))));
    })
    .await;
}

#[tokio::test]
async fn every_figure_is_in_the_handbook() {
    let handbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/metrics.md");
    let handbook = std::fs::read_to_string(handbook).unwrap();
    on_each_database(async |server| {
        let address = listen(server).await;
        let page = Client::new(address).get("/metrics").send().await.text();
        let mut names: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        assert!(names.len() > 12, "{page}");
        names.retain(|name| !handbook.contains(&format!("`{name}")));
        assert_eq!(names, [""; 0], "docs/src/metrics.md lacks these");
    })
    .await;
}

#[tokio::test]
async fn the_address_of_the_figures_has_nothing_else_and_the_gate_has_no_figures() {
    on_each_database(async |server| {
        let address = listen(server).await;
        let metrics = Client::new(address);
        assert_eq!(metrics.get("/metrics").send().await.status, 200);
        for path in ["/", "/metrics/", "/metrics/x", "/healthz", "/api/auth/me", "/public/a"] {
            assert_eq!(metrics.get(path).send().await.status, 404, "{path}");
        }
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = metrics.request(method.clone(), "/metrics").send().await;
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
        // There it is a path like any other of the application's.
        let refused = server.client().get("/metrics").send().await;
        assert_eq!(refused.verdict(), "401 credential_missing");
        let client = server.by_cookie(&Z1).await;
        assert_eq!(client.get("/metrics").send().await.json(), json!({"upstream": true}));
        assert_eq!(server.upstream.last().target, "/metrics");
    })
    .await;
}

#[tokio::test]
async fn the_program_opens_the_address_and_says_when_it_cannot() {
    let mut served = Served::start("[metrics]\nlisten = \"127.0.0.1:0\"", &[]).await;
    let address = served.metrics.unwrap();
    assert_eq!(served.client().get("/healthz").send().await.status, 200);
    let figures = scrape(address).await;
    let own = "portcullis_requests_total{surface=\"own\",class=\"2xx\"}";
    assert!((figures[own] - 1.0).abs() < 0.1, "{figures:?}");
    // This connection is open, and so may those be of requests that have just ended.
    assert!(figures["portcullis_connections"] >= 0.0);
    assert_eq!(served.stop().await, 0);

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let (code, log) = Served::fail(&format!("[metrics]\nlisten = \"{address}\"")).await;
    assert_eq!(code, 3, "{log}");
    assert!(log.contains(&format!("cannot listen on {address} (metrics.listen)")), "{log}");
    let (code, log) = Served::fail("[metrics]\nlisten = \"here\"").await;
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("metrics.listen"), "{log}");
}
