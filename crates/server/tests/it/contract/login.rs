//! `POST /api/auth/login`: one path for three families (C1–C5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{MINUTE, assert_p, assert_s, assert_token, assert_z, me, text};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const LOGIN: &str = "/api/auth/login";

#[tokio::test]
async fn tp49_by_email_gives_a_bearer_for_ninety_days() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let body = server.login_by_email(&STAFF).await.json();
        assert_eq!(body["success"], true);
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["usage"].is_string(), "{body}");
        assert_eq!(body["user"]["name"], "Jane Smith");
        assert_eq!(body["user"]["email"], "staff@example.com");
        assert_eq!(body["user"]["account_type"], "Staff");
        let token = text(&body, "/token");
        assert_token(&token);
        let life = seconds(&text(&body, "/expires_at")) - server.app.clock.now().secs();
        assert!((7_767_360..=7_784_640).contains(&life), "{life} s");

        let bearer = server.client().bearer(&token);
        assert_eq!(me(&bearer).await, 200);
        server.advance(MINUTE * (90 * 24 * 60 - 1));
        assert_eq!(me(&bearer).await, 200);
        server.advance(MINUTE);
        assert_eq!(me(&bearer).await, 401);
    })
    .await;
}

#[tokio::test]
async fn ts01_ts02_by_email_gives_an_access_token_for_a_day() {
    on_each_database(async |server| {
        let user = server.add(&STAFF).await;
        let answer = server.login_by_email(&STAFF).await;
        let body = answer.json();
        let token = text(&body, "/accessToken");
        assert_eq!(token.split('.').count(), 3, "{token}");
        assert_eq!(body["access_token"], token);
        assert_eq!(body["expires_in"], 86_400);
        assert_token(&text(&body, "/csrf_token"));
        assert_eq!(body["csrfToken"], body["csrf_token"]);
        assert_eq!(body["user"]["id"], user.id.0);
        assert_eq!(body["user"]["email"], "staff@example.com");
        assert_eq!(body["user"]["firstName"], "Jane");
        assert_eq!(body["user"]["lastName"], "Smith");
        assert_eq!(body["user"]["role"], "owner");
        let claims = claims(&token);
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 86_400);
        let line = answer.set_cookie("sessionid").unwrap();
        assert!(line.contains("; Max-Age=7200;"), "{line}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    })
    .await;
}

#[tokio::test]
async fn r01_a_browser_is_given_no_bearer() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let (email, own) = (email_of(STAFF.email), format!("http://{}", server.address));
        for (name, value) in [("origin", own.as_str()), ("sec-fetch-site", "same-origin")] {
            let client = server.client();
            let answer = client.post(LOGIN).header(name, value).json(&email).send().await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert!(answer.json().get("token").is_none(), "{name}: {answer:?}");
            assert_eq!(me(&client).await, 200, "the cookie is there");
        }
        let control = server.client().post(LOGIN).json(&email).send().await;
        assert_token(&text(&control.json(), "/token"));
    })
    .await;
}

#[tokio::test]
async fn tz01_by_username_gives_a_cookie_for_fourteen_days() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let answer = client.post(LOGIN).json(&name_of("Fredkiss3")).send().await;
        assert_cookie_of_z(&answer, server);
        let body = answer.json();
        assert_eq!(body["success"], true);
        assert!(body.get("token").is_none(), "{body}");
        assert_eq!(text(&body, "/accessToken").split('.').count(), 3);
        // The cookie of the double submit comes along.
        let token = client.cookie("csrftoken").unwrap();
        let sent = super::post_job(&client).header("x-csrftoken", &token).send().await;
        assert_eq!(sent.status, 201, "{sent:?}");
    })
    .await;
}

#[tokio::test]
async fn tz02_forms_sign_in_as_well() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let fields = [("username", "Fredkiss3"), ("password", PASSWORD)];
        let answer = client.post(LOGIN).form(&fields).send().await;
        assert_cookie_of_z(&answer, server);
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let parts = part("username", "Fredkiss3") + &part("password", PASSWORD) + "--b--\r\n";
        let client = server.client();
        let answer = client.post(LOGIN).body("multipart/form-data; boundary=b", parts).send().await;
        assert_cookie_of_z(&answer, server);
        assert_eq!(me(&client).await, 200);
        let other = client.post(LOGIN).body("text/plain", "username=a&password=b");
        assert_eq!(other.send().await.verdict(), "415 unsupported_type");
    })
    .await;
}

#[tokio::test]
async fn c01_either_key_takes_either_name() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let taken = [
            name_of("Fredkiss3"),
            name_of("fREDKISS3"),
            name_of("  Fredkiss3 "),
            name_of("fred@example.com"),
            email_of("fred@example.com"),
            email_of("Fred@Example.COM"),
        ];
        for body in taken {
            let answer = server.client().post(LOGIN).json(&body).send().await;
            assert_eq!(answer.status, 201, "{body}: {answer:?}");
            assert_eq!(answer.json()["user"]["username"], "Fredkiss3");
        }
        let extra = json!({"username": "Fredkiss3", "password": PASSWORD, "remembered": [1]});
        let answer = server.client().post(LOGIN).json(&extra).send().await;
        assert_eq!(answer.status, 201, "unknown fields are ignored: {answer:?}");
    })
    .await;
}

#[tokio::test]
async fn ts03_tz03_c05_wrong_whatever_is_wrong() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let wrong = [
            json!({"email": TENANT.email, "password": "wrong"}),
            json!({"username": "tenant", "password": "wrong"}),
            json!({"email": "nobody@example.com", "password": PASSWORD}),
            json!({"username": "nobody", "password": PASSWORD}),
            json!({"username": "tenant", "password": PASSWORD.to_uppercase()}),
        ];
        let mut bodies = Vec::new();
        for body in wrong {
            let client = server.client();
            let answer = client.post(LOGIN).json(&body).send().await;
            assert_p(&answer, 401, "Invalid email or password");
            assert_s(&answer, 401, "Unauthorized");
            assert_z(&answer, 401, "authentication_failed", "Invalid username or password");
            assert_eq!(answer.verdict(), "401 wrong_credentials");
            assert_eq!(answer.set_cookie("sessionid"), None);
            let mut body = answer.json();
            body["requestId"] = Value::Null;
            bodies.push(body);
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        server.events("authn_login_fail", 5).await;
        assert_eq!(server.login_by_email(&TENANT).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn tz04_ts06_c01_every_fault_at_once() {
    on_each_database(async |server| {
        let send = async |body: Value| server.client().post(LOGIN).json(&body).send().await;
        let empty = send(json!({})).await;
        let required = |attr: &str| {
            json!({"code": "required", "detail": "This field is required.", "attr": attr})
        };
        let body = empty.json();
        assert_eq!(empty.status, 400, "{empty:?}");
        assert_eq!(body["type"], "validation_error");
        assert_eq!(body["errors"], json!([required("username"), required("password")]));
        let sentences = json!(["username should not be empty", "password should not be empty"]);
        assert_s(&empty, 400, sentences);
        assert_p(&empty, 400, "Invalid or missing required parameter: username, password");

        let nope = send(json!({"email": "nope", "password": "x"})).await;
        assert_s(&nope, 400, json!(["email must be an email"]));
        assert_eq!(nope.json()["errors"][0]["attr"], "email");
        let both = send(json!({"email": "nope"})).await;
        assert_s(&both, 400, json!(["email must be an email", "password should not be empty"]));

        for (body, attr) in [
            (json!({"username": "a".repeat(256), "password": "x"}), "username"),
            (json!({"username": 7, "password": "x"}), "username"),
            (json!({"username": "a", "password": ["x"]}), "password"),
            (json!({"username": "a", "password": null}), "password"),
            (json!({"username": "a\u{0}", "password": "x"}), "username"),
        ] {
            let answer = send(body.clone()).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["attr"], attr, "{body}");
        }
        assert_eq!(send(json!([])).await.verdict(), "400 bad_json");
    })
    .await;
}

#[tokio::test]
async fn tz05_redirects_lead_to_allowed_places_only() {
    let setup = Setup::with("[sign_in]\nredirect_origins = [\"https://app.example.org\"]");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let send = async |client: &Client, target: &str| {
            let query: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
            let path = format!("{LOGIN}?redirect_to={query}");
            client.post(&path).json(&name_of("Fredkiss3")).send().await
        };
        let own = format!("http://{}/projects", server.address);
        for target in ["/projects?a=b", "https://app.example.org/start", &own] {
            let client = server.client();
            let answer = send(&client, target).await;
            assert_eq!(answer.status, 302, "{target}: {answer:?}");
            assert_eq!(answer.header("location"), Some(target));
            assert_eq!(me(&client).await, 200, "{target}");
        }
        for target in [
            "https://evil.example/",
            "//evil.example",
            "https://app.example.org.evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
        ] {
            let client = server.client();
            let answer = send(&client, target).await;
            assert_eq!(answer.status, 400, "{target}: {answer:?}");
            assert_eq!(answer.json()["errors"][0]["attr"], "redirect_to");
            assert_eq!(answer.set_cookie("sessionid"), None, "{target}");
        }
    })
    .await;
}

#[track_caller]
fn assert_cookie_of_z(answer: &Answer, server: &TestApp) {
    assert_eq!(answer.status, 201, "{answer:?}");
    let line = answer.set_cookie("sessionid").unwrap();
    let mut parts: Vec<_> = line.split("; ").collect();
    let value = parts.remove(0).strip_prefix("sessionid=").unwrap();
    let is_plain = value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    assert!(is_plain && value.len() >= 32, "{line}");
    let expires = parts.remove(0).strip_prefix("expires=").unwrap();
    let expires = jiff::fmt::rfc2822::parse(expires).unwrap().timestamp().as_second();
    assert_eq!(expires - server.app.clock.now().secs(), 1_209_600, "{line}");
    parts.sort_unstable();
    assert_eq!(parts, ["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=Lax"], "{line}");
}

fn name_of(username: &str) -> Value {
    json!({"username": username, "password": PASSWORD})
}

fn email_of(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

fn seconds(iso: &str) -> i64 {
    iso.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}
