//! CSRF tokens on demand: who gets one, in which shape, and how long it is good.

use serde_json::json;

use super::{HOUR, assert_p, assert_s, assert_signed_out, assert_token, me, post_job, text};
use crate::harness::people::{STAFF, STAFF0, TENANT, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

const TOKEN: &str = "/api/security/csrf-token";

#[tokio::test]
async fn tp01_any_credential_fetches_a_token() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let cookie = server.sign_in(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let access = server.client().bearer(&text(&login, "/accessToken"));
        for client in [&bearer, &cookie, &access] {
            let answer = client.get(TOKEN).send().await;
            let body = answer.json();
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(body["success"], true, "{body}");
            assert_eq!(body["message"], "CSRF token issued", "{body}");
            assert_eq!(body["data"]["single_use"], true, "{body}");
            let token = text(&body, "/data/token");
            assert_token(&token);
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            let sent = post_job(client).header("x-csrf-token", &token).send().await;
            assert_eq!(sent.status, 201, "{sent:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn tp02_nobody_fetches_a_token_without_a_credential() {
    on_each_database(async |server| {
        let stranger = server.client();
        for path in [TOKEN, "/api/security/csrf-token?use=session", "/api/security/csrf-token/"] {
            let answer = stranger.get(path).send().await;
            assert_p(&answer, 401, "Authentication required. Please log in.");
            assert_eq!(answer.verdict(), "401 credential_missing");
            assert!(!answer.text().contains("token\":"), "{answer:?}");
        }
        let flat = stranger.get("/api/auth/csrf-token").send().await;
        assert_s(&flat, 401, "Unauthorized");
    })
    .await;
}

#[tokio::test]
async fn tp03_tenants_fetch_tokens_too() {
    on_each_database(async |server| {
        let tenant = server.by_bearer(&TENANT).await;
        let token = tenant.fetch_csrf().await;
        // The token is good; what the tenant lacks is the permission.
        let refused = post_job(&tenant).header("x-csrf-token", &token).send().await;
        assert_eq!(refused.verdict(), "403 permission_missing");
        assert_p(&refused, 403, "You do not have permission to perform this action");
    })
    .await;
}

#[tokio::test]
async fn tp54_a_fetched_token_is_spent_by_its_first_use() {
    on_each_database(async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        let token = bearer.fetch_csrf().await;
        let first = post_job(&bearer).header("x-csrf-token", &token).send().await;
        assert_eq!(first.status, 201, "{first:?}");
        let second = post_job(&bearer).header("x-csrf-token", &token).send().await;
        assert_eq!(second.verdict(), "403 csrf_used");
        let error = text(&second.json(), "/error");
        assert!(error.starts_with("Invalid or missing CSRF token"), "{error}");
        assert!(error.contains("csrf.fetched_token"), "{error}");
        assert_eq!(server.upstream.seen().len(), 1, "the second must not arrive");

        // Success and the refusal each hand back a fresh one.
        for answer in [first, second] {
            let fresh = answer.header("x-csrf-token").unwrap().to_owned();
            assert_ne!(fresh, token);
            let sent = post_job(&bearer).header("x-csrf-token", &fresh).send().await;
            assert_eq!(sent.status, 201, "{sent:?}");
        }
        server.events("csrf_fail", 1).await;
    })
    .await;
}

#[tokio::test]
async fn ts25_the_token_of_s_is_good_again_and_again() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let client = server.client().bearer(&text(&login, "/accessToken"));
        let answer = client.get("/api/auth/csrf-token").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["success"], true);
        let token = text(&answer.json(), "/csrf_token");
        for _ in 0..2 {
            let request = post_job(&client).from_own_page().header("x-csrf-token", &token);
            let sent = request.send().await;
            assert_eq!(sent.status, 201, "{sent:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn ts22_ts23_c15_an_access_token_in_a_browser_needs_a_csrf_token() {
    let setup = Setup::with("[sign_in]\ntrusted_origins = [\"https://app.example.org\"]");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let token = text(&login, "/csrf_token");
        let client = server.client().bearer(&text(&login, "/accessToken"));
        let own = format!("http://{}", server.address);
        for origin in [own.as_str(), "https://app.example.org"] {
            let without = post_job(&client).header("origin", origin).send().await;
            assert_eq!(without.verdict(), "403 csrf_missing", "{origin}");
            assert_s(&without, 403, "CSRF token required");
            let request = post_job(&client).header("origin", origin);
            let with = request.header("x-csrf-token", &token).send().await;
            assert_eq!(with.status, 201, "{origin}: {with:?}");
        }
        // A script sends none, as the sample does; one that is sent must be good.
        let script = post_job(&client).send().await;
        assert_eq!(script.status, 201, "{script:?}");
        let wrong = post_job(&client).header("x-csrf-token", &"0".repeat(64)).send().await;
        assert_eq!(wrong.verdict(), "403 csrf_invalid");
        assert_s(&wrong, 403, "Invalid CSRF token");
    })
    .await;
}

#[tokio::test]
async fn tz08_the_cookie_of_the_anonymous() {
    on_each_database(async |server| {
        let visitor = server.client();
        let answer = visitor.get("/api/csrf").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), json!({"details": "CSRF cookie set"}));
        let line = answer.set_cookie("csrftoken").unwrap();
        let parts: Vec<_> = line.split("; ").collect();
        let value = parts[0].strip_prefix("csrftoken=").unwrap();
        assert!(value.len() >= 32 && value.bytes().all(|b| b.is_ascii_alphanumeric()), "{line}");
        assert!(parts[1].starts_with("expires=") && parts[1].ends_with(" GMT"), "{line}");
        assert_eq!(parts[2..], ["Max-Age=31449600", "Path=/", "SameSite=Lax"], "{line}");

        // A good one is sent again, so that other tabs stay right; a bad one is replaced.
        let again = visitor.get("/api/csrf/").send().await.set_cookie("csrftoken").unwrap();
        assert!(again.starts_with(parts[0]), "{again}");
        visitor.set_cookie("csrftoken", "chosen");
        let fresh = visitor.get("/api/csrf").send().await.set_cookie("csrftoken").unwrap();
        assert!(!fresh.starts_with("csrftoken=chosen"), "{fresh}");
    })
    .await;
}

#[tokio::test]
async fn c17_a_token_of_the_session_outlives_the_hour() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let token = browser.cookie("csrftoken").unwrap();
        for _ in 0..30 {
            server.advance(HOUR);
            let sent = post_job(&browser).header("x-csrftoken", &token).send().await;
            assert_eq!(sent.status, 201, "{sent:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn c37_who_comes_before_the_token_and_the_token_before_the_permission() {
    on_each_database(async |server| {
        let stranger = server.client();
        let answer = post_job(&stranger).send().await;
        assert_eq!(answer.verdict(), "401 credential_missing");
        assert_signed_out(&answer);
        let garbage = post_job(&stranger.bearer("garbage")).send().await;
        assert_eq!(garbage.verdict(), "401 credential_unknown");

        let staff0 = server.by_bearer(&STAFF0).await;
        let without = post_job(&staff0).send().await;
        assert_eq!(without.verdict(), "403 csrf_missing");
        assert_p(&without, 403, "Invalid or missing CSRF token");
        let token = staff0.fetch_csrf().await;
        for _ in 0..2 {
            // A refusal for lack of permission does not burn the token.
            let denied = post_job(&staff0).header("x-csrf-token", &token).send().await;
            assert_eq!(denied.verdict(), "403 permission_missing");
        }
        assert!(server.upstream.seen().is_empty());
        assert_eq!(me(&staff0).await, 200);
    })
    .await;
}
