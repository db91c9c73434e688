//! Limits and the headers that tell of them (C41): on every answer, and 429 in every family's shape.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MINUTE, assert_p, assert_s, assert_z, post_job};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database_with};

const LOGIN: &str = "/api/auth/login";
const MOBILE: &str = "/api/security/mobile-auth";

fn usual() -> Setup {
    Setup::with("[limits]\nlogin = \"5/60s\"\nrequests = \"600/60s\"\nupstream = \"off\"")
}

#[tokio::test]
async fn tp51_every_answer_tells_of_the_limit() {
    on_each_database_with(usual(), async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let stranger = server.client();
        let wrong = json!({"email": STAFF.email, "password": "wrong"});
        let answers = [
            (600, bearer.get("/api/security/csrf-token").send().await),
            (600, bearer.get("/api/users/permissions").send().await),
            (600, bearer.get("/api/auth/me").send().await),
            (600, bearer.get("/api/leads").send().await),
            (600, post_job(&bearer).send().await),
            (600, stranger.get("/api/security/csrf-token").send().await),
            (600, stranger.get("/api/csrf").send().await),
            (600, stranger.get("/api/auth/login").send().await),
            (600, stranger.get("/-/openapi.json").send().await),
            (5, stranger.post(LOGIN).json(&wrong).send().await),
            (5, stranger.post(MOBILE).json(&wrong).send().await),
            (5, stranger.post(MOBILE).json(&json!({})).send().await),
        ];
        for (limit, answer) in answers {
            let [shown, remaining, reset] = told(&answer);
            let now = server.app.clock.now().secs();
            assert_eq!(shown, limit, "{answer:?}");
            assert!(remaining < limit || answer.status == 405 || limit == 600, "{answer:?}");
            assert!((now..=now + 60).contains(&reset), "{now}: {answer:?}");
            assert_eq!(answer.header("retry-after"), None, "{answer:?}");
        }
        for path in ["/api/security/csrf-token", "/api/auth/me", "/api/users/permissions"] {
            for client in [&bearer, &stranger] {
                let answer = client.get(path).send().await;
                for header in ["x-response-time-ms", "x-db-query-time-ms"] {
                    let millis = answer.header(header).unwrap();
                    assert!(millis.parse::<u64>().is_ok(), "{answer:?}");
                }
            }
        }
        // It would tell who exists.
        let answer = stranger.post(LOGIN).json(&wrong).send().await;
        assert_eq!(answer.header("x-response-time-ms"), None, "{answer:?}");
        assert_eq!(answer.header("x-db-query-time-ms"), None, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn tp52_a_limit_that_is_used_up() {
    let setup = Setup::with("[limits]\nrequests = \"3/60s\"");
    on_each_database_with(setup, async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        for remaining in [1, 0] {
            let answer = bearer.get("/api/security/csrf-token").send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(told(&answer)[..2], [3, remaining]);
        }
        server.advance(Duration::from_secs(20));
        let refused = bearer.get("/api/security/csrf-token").send().await;
        assert_p(&refused, 429, "Too many requests. Try again later.");
        assert_eq!(refused.verdict(), "429 too_many_requests");
        assert_eq!(told(&refused)[..2], [3, 0]);
        assert_eq!(refused.header("retry-after"), Some("40"));
        assert_s(&bearer.get("/api/auth/csrf-token").send().await, 429, "Too Many Requests");
        // What the application is asked is not counted here.
        assert_eq!(bearer.get("/api/leads").send().await.status, 200);
        server.advance(Duration::from_secs(39));
        assert_eq!(bearer.get("/api/security/csrf-token").send().await.status, 429);
        server.advance(Duration::from_secs(1));
        assert_eq!(bearer.get("/api/security/csrf-token").send().await.status, 200);
        // One event a window, however many were refused.
        let events = server.events("excess_rate_limit_exceeded", 1).await;
        assert_eq!(events.len(), 1, "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn tp52_health_is_never_refused() {
    let setup = Setup::with("[limits]\nrequests = \"3/60s\"");
    on_each_database_with(setup, async |server| {
        let client = server.client();
        for _ in 0..10 {
            assert_eq!(client.get("/healthz").send().await.status, 200);
            // Ready or not: the clock of a test stands still.
            assert_ne!(client.get("/readyz").send().await.status, 429);
        }
        assert_eq!(client.get("/api/csrf").send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn r08_questions_of_proxies_are_not_counted() {
    let setup = Setup::with(
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nrequests = \"3/60s\"",
    );
    on_each_database_with(setup, async |server| {
        let client = server.client();
        for _ in 0..10 {
            let asked = client.get("/forward-auth/nginx").header("x-original-uri", "/public/a");
            let asked = asked.header("x-original-method", "GET");
            assert_ne!(asked.send().await.status, 429);
        }
        for remaining in (0..3).rev() {
            let answer = client.get("/api/csrf").send().await;
            assert_eq!((answer.status.as_u16(), told(&answer)[1]), (200, remaining), "{answer:?}");
        }
        assert_eq!(client.get("/api/csrf").send().await.status, 429, "control");
    })
    .await;
}

#[tokio::test]
async fn ts31_c41_the_sixth_sign_in_of_a_minute() {
    on_each_database_with(usual(), async |server| {
        server.add(&STAFF).await;
        let email = json!({"email": STAFF.email, "password": PASSWORD});
        for remaining in (0..5).rev() {
            let answer = server.client().post(LOGIN).json(&email).send().await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(told(&answer)[..2], [5, remaining]);
        }
        let sixth = server.client().post(LOGIN).json(&email).send().await;
        assert_s(&sixth, 429, "Too Many Requests");
        assert_eq!(told(&sixth)[..2], [5, 0]);
        assert_eq!(sixth.header("retry-after"), Some("60"));
        assert_eq!(sixth.set_cookie("sessionid"), None);
        // The other forms of sign-in share the count; another spelling is the same name.
        let respelled = json!({"email": "STAFF@example.com", "password": PASSWORD});
        assert_p(
            &server.client().post(MOBILE).json(&respelled).send().await,
            429,
            "Too many requests. Try again later.",
        );
        // Another name, and what is no sign-in, go on.
        server.add(&Z1).await;
        server.sign_in(&Z1).await;
        assert_eq!(server.client().get("/api/csrf").send().await.status, 200);
        server.advance(MINUTE);
        assert_eq!(server.client().post(LOGIN).json(&email).send().await.status, 201);
        server.events("authn_login_fail_max", 2).await;
    })
    .await;
}

#[tokio::test]
async fn tz22_bad_bodies_are_no_free_tries() {
    on_each_database_with(usual(), async |server| {
        for _ in 0..5 {
            assert_eq!(attempt(server, &json!({})).await.status, 400);
        }
        let sixth = attempt(server, &json!({})).await;
        let detail = "You made too many requests in a short amount of time, Please wait for 60 \
                      seconds before retrying your action.";
        assert_z(&sixth, 429, "throttled", detail);
        assert_eq!(sixth.header("retry-after"), Some("60"));
        server.advance(MINUTE);
        assert_eq!(attempt(server, &json!({})).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn r08_an_address_has_six_times_the_tries_of_a_name() {
    on_each_database_with(usual(), async |server| {
        let name = |number| json!({"username": format!("name{number}"), "password": "wrong"});
        for number in 0..30 {
            assert_eq!(attempt(server, &name(number)).await.status, 401, "{number}");
        }
        let answer = attempt(server, &name(30)).await;
        assert_eq!(answer.verdict(), "429 too_many_requests");
    })
    .await;
}

async fn attempt(server: &TestApp, body: &Value) -> Answer {
    let client: Client = server.client();
    client.post(LOGIN).json(body).send().await
}

/// Limit, remaining and reset.
#[track_caller]
fn told(answer: &Answer) -> [i64; 3] {
    ["limit", "remaining", "reset"].map(|name| {
        let value = answer.header(&format!("x-ratelimit-{name}"));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {answer:?}"))
    })
}
