//! The documents' own resources behind the gate: jobs, leads and projects, with each family's
//! credentials, tokens and refusals.

use http::Method;
use serde_json::json;

use super::{DAY, assert_p, assert_s, assert_signed_out, assert_z, text};
use crate::harness::client::{Answer, Client, Sending};
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF, STAFF0, Z1};

#[tokio::test]
async fn ts04_a_resource_needs_a_credential_that_is_good() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let token = text(&login, "/accessToken");
        let client = server.client().bearer(&token);
        assert_eq!(client.get("/api/leads").send().await.status, 200);
        let forwarded = server.upstream.last();
        assert_eq!(forwarded.headers["x-auth-email"], "staff@example.com");
        assert!(!forwarded.headers.contains_key("authorization"), "{forwarded:?}");

        let (head, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let payload_swapped = format!("{}.{}.{signature}", &head[..5], &head[5..]);
        for wrong in ["garbage", "a.b.c", "", &forged, &payload_swapped] {
            let answer = server.client().bearer(wrong).get("/api/leads").send().await;
            assert_signed_out(&answer);
        }
        assert_signed_out(&server.client().get("/api/leads").send().await);
        server.advance(DAY);
        let expired = client.get("/api/leads").send().await;
        assert_s(&expired, 401, "Unauthorized");
        assert_eq!(server.upstream.seen().len(), 1, "nothing else has arrived");
    })
    .await;
}

#[tokio::test]
async fn tz10_the_double_submit_passes() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        client.get("/api/csrf").send().await;
        let token = client.cookie("csrftoken").unwrap();
        for (name, _) in [("X-Csrftoken", 1), ("X-CSRFToken", 2)] {
            let answer = project(&client).header(name, &token).send().await;
            assert_eq!(answer.status, 201, "{name}: {answer:?}");
        }
        let seen = server.upstream.last();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api/projects"));
        assert_eq!(seen.body, json!({"slug": "sandbox"}).to_string());
        assert!(!seen.headers.contains_key("cookie"), "{seen:?}");
    })
    .await;
}

/// The documents' own order: the token is fetched without any cookie, then sent beside the session.
#[tokio::test]
async fn tz10_a_token_fetched_by_nobody_passes_from_a_script() {
    on_each_database(async |server| {
        let session = server.by_cookie(&Z1).await.cookie("sessionid").unwrap();
        let stranger = server.client();
        stranger.get("/api/csrf").send().await;
        let token = stranger.cookie("csrftoken").unwrap();
        let client = server.client();
        let line = format!("sessionid={session}; csrftoken={token};");
        let request = || project(&client).header("cookie", &line).header("x-csrftoken", &token);
        assert_eq!(request().send().await.verdict(), "201");
        assert_eq!(request().from_own_page().send().await.verdict(), "201");
        let sibling = request().header("sec-fetch-site", "same-site").send().await;
        assert_eq!(sibling.verdict(), "403 csrf_origin");
    })
    .await;
}

#[tokio::test]
async fn tz11_what_is_wrong_with_a_double_submit_is_said() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let session = format!("sessionid={}", client.cookie("sessionid").unwrap());
        let token = client.cookie("csrftoken").unwrap();
        let incorrect = "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.";
        let denied = |answer: &Answer, detail: &str, code: &str| {
            assert_z(answer, 403, "permission_denied", detail);
            assert_eq!(answer.verdict(), format!("403 {code}"));
        };
        let missing = project(&client).send().await;
        denied(&missing, "CSRF Failed: CSRF token missing.", "csrf_missing");
        let different = project(&client).header("x-csrftoken", &"0".repeat(64)).send().await;
        denied(&different, incorrect, "csrf_invalid");
        let short = project(&client).header("x-csrftoken", "zydcEbNXQGJFxzLphKEO8Mg88VdEwi8c");
        denied(&short.send().await, incorrect, "csrf_invalid");
        let unset = project(&client).header("cookie", &session).header("x-csrftoken", &token);
        let unset = unset.send().await;
        denied(&unset, "CSRF Failed: CSRF cookie not set.", "csrf_cookie_missing");
        let other = format!("{session}; csrftoken={}", "0".repeat(64));
        let mismatch = project(&client).header("cookie", &other).header("x-csrftoken", &token);
        denied(&mismatch.send().await, incorrect, "csrf_cookie_mismatch");
        assert!(server.upstream.seen().is_empty());
        let control = project(&client).header("x-csrftoken", &token).send().await;
        assert_eq!(control.verdict(), "201");
    })
    .await;
}

#[tokio::test]
async fn tz13_a_right_pair_from_elsewhere_is_refused() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let token = client.cookie("csrftoken").unwrap();
        let send = || project(&client).header("x-csrftoken", &token);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = send().header(name, value).send().await;
            assert_eq!(answer.verdict(), "403 csrf_origin", "{name}: {value}");
            let detail = text(&answer.json(), "/errors/0/detail");
            assert!(detail.starts_with("CSRF Failed: Origin checking failed"), "{detail}");
        }
        let own = format!("http://{}", server.address);
        assert_eq!(send().header("origin", &own).send().await.verdict(), "201");
    })
    .await;
}

#[tokio::test]
async fn tz23_a_trailing_slash_does_not_matter() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        for slash in ["", "/"] {
            let client = server.client();
            let body =
                json!({"username": "Fredkiss3", "password": crate::harness::people::PASSWORD});
            let login = client.post(&format!("/api/auth/login{slash}")).json(&body).send().await;
            let me = client.get(&format!("/api/auth/me{slash}")).send().await;
            let csrf = client.get(&format!("/api/csrf{slash}")).send().await;
            let token = client.cookie("csrftoken").unwrap();
            let path = format!("/api/projects{slash}");
            let project = client.post(&path).header("x-csrftoken", &token).send().await;
            let path = format!("/api/auth/logout{slash}");
            let logout = client.request(Method::DELETE, &path).header("x-csrftoken", &token);
            let logout = logout.send().await;
            let answers = [login, me, csrf, project, logout];
            let found: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
            assert_eq!(found, [201, 200, 200, 201, 204], "{slash:?}");
        }
        assert_eq!(server.upstream.last().target, "/api/projects/");
    })
    .await;
}

#[tokio::test]
async fn seed_000_a_call_without_the_permission_is_refused() {
    on_each_database(async |server| {
        let denied = server.by_bearer(&STAFF0).await;
        let allowed = server.by_bearer(&AGENT).await;
        let paths =
            [("/api/jobs/manage", "jobs"), ("/api/leads", "leads"), ("/api/projects", "projects")];
        for (path, rule) in paths {
            let answer = denied.get(path).send().await;
            assert_p(&answer, 403, "You do not have permission to perform this action");
            assert_s(&answer, 403, "You do not have permission to perform this action");
            let detail = "You do not have permission to perform this action.";
            assert_z(&answer, 403, "permission_denied", detail);
            assert_eq!(answer.json()["rule"], rule);
            assert_eq!(allowed.get(path).send().await.status, 200, "{path}");
        }
        server.events("authz_fail", 3).await;
    })
    .await;
}

fn project(client: &Client) -> Sending<'_> {
    client.post("/api/projects").json(&json!({"slug": "sandbox"}))
}
