//! Trusted devices: where a sign-in is not asked for the second factor, how one becomes such a device,
//! and what ends it.

use std::time::Duration;

use aws_lc_rs::hmac;
use portcullis_store::users;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Client};
use crate::harness::factors::{code, enable, with_factor};
use crate::harness::letters::letters;
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{TestApp, on_each_database};

const COOKIE: &str = "portcullis_trusted";
const DEVICES: &str = "/api/auth/2fa/trusted-devices";
const ALIAS: &str = "/api/two-factor/trusted-devices";
const NEEDED: &str = "401 second_factor_needed";

#[tokio::test]
async fn a_browser_that_was_trusted_is_not_asked_for_thirty_days() {
    on_each_database(async |server| {
        let (user, key) = with_factor(server, &Z1).await;
        let browser = server.client();
        let answer = give(&browser, server, &key, json!({"trustDevice": true})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.json().get("deviceToken").is_none(), "a page gets no bearer");
        let cookie = browser.cookie(COOKIE).unwrap();
        let trusting = |cookie: &str| {
            let client = server.client();
            client.set_cookie(COOKIE, cookie);
            client
        };
        assert_eq!(by_browser(&trusting(&cookie)).await.status, 201);
        assert_eq!(by_browser(&server.client()).await.verdict(), NEEDED, "another browser");
        assert_eq!(by_browser(&trusting(&cookie.to_uppercase())).await.verdict(), NEEDED);
        assert_eq!(by_browser(&trusting(&"0".repeat(64))).await.verdict(), NEEDED);
        let wrong = json!({"email": Z1.email, "password": "wrong"});
        let wrong = trusting(&cookie).post("/api/auth/login").json(&wrong).send().await;
        assert_eq!(wrong.verdict(), "401 wrong_credentials", "the password is asked for");
        let passed = server.events("authn_factor_success", 2).await;
        assert_eq!(passed[0].detail["method"], "trusted_device", "the newest first");
        assert_eq!(passed[0].context.subject, Some(user.id));

        server.advance(Duration::from_hours(30 * 24 - 1));
        assert_eq!(by_browser(&trusting(&cookie)).await.status, 201);
        server.advance(Duration::from_hours(1));
        assert_eq!(by_browser(&trusting(&cookie)).await.verdict(), NEEDED, "its time is over");
    })
    .await;
}

#[tokio::test]
async fn a_browser_that_was_not_to_be_trusted_is_asked_again() {
    on_each_database(async |server| {
        let (_, key) = with_factor(server, &Z1).await;
        for (number, wish) in [json!({}), json!({"trustDevice": false})].into_iter().enumerate() {
            server.advance(Duration::from_secs(30 * number as u64));
            let browser = server.client();
            assert_eq!(give(&browser, server, &key, wish).await.status, 201);
            assert_eq!(browser.cookie(COOKIE), None);
            assert_eq!(by_browser(&browser).await.verdict(), NEEDED);
        }
        let wrong = by_browser(&server.client()).await.json();
        let body = json!({"ticket": wrong["ticket"], "code": "000000", "trustDevice": true});
        let browser = server.client();
        let refused = browser.post("/api/auth/second-factor").from_own_page().json(&body);
        assert_eq!(refused.send().await.status, 401);
        assert_eq!(browser.cookie(COOKIE), None, "a wrong code trusts nothing");
    })
    .await;
}

#[tokio::test]
async fn a_program_shows_its_token_and_the_fingerprint_proves_nothing() {
    on_each_database(async |server| {
        let (_, key) = with_factor(server, &Z1).await;
        let program = signed_in(server, &key).await;
        let device = json!({
            "deviceName": "Work laptop", "deviceType": "desktop", "deviceFingerprint": "f-1",
        });
        for (path, body, expected) in [
            (DEVICES, json!({}), "deviceFingerprint should not be empty"),
            (DEVICES, json!({"deviceFingerprint": 5}), "deviceFingerprint must be a string"),
            (
                ALIAS,
                json!({"deviceFingerprint": "f", "days": 99}),
                "property days should not exist",
            ),
        ] {
            let refused = program.post(path).json(&body).send().await;
            assert_eq!(refused.status, 400, "{refused:?}");
            assert!(refused.json()["message"].to_string().contains(expected), "{refused:?}");
        }
        let made = program.post(ALIAS).json(&device).send().await;
        assert_eq!(made.status, 201, "{made:?}");
        let token = made.json()["deviceToken"].as_str().unwrap().to_owned();
        let letter = &letters(server, Z1.email, 1).await[0];
        assert_eq!(letter.subject, "A device was marked as trusted");

        let login = |field: &'static str, value: String| {
            let mut body = json!({"email": Z1.email, "password": PASSWORD});
            body[field] = value.into();
            async move { server.client().post("/api/auth/login").json(&body).send().await }
        };
        assert_eq!(login("deviceToken", token.clone()).await.status, 201);
        assert_eq!(login("deviceFingerprint", "f-1".to_owned()).await.verdict(), NEEDED);
        assert_eq!(login("deviceToken", "f-1".to_owned()).await.verdict(), NEEDED);
        let mobile = json!({"email": Z1.email, "password": PASSWORD, "deviceToken": token});
        let mobile = server.client().post("/api/security/mobile-auth").json(&mobile).send().await;
        assert_eq!(mobile.status, 200, "{mobile:?}");

        let list = program.get(DEVICES).send().await.json();
        let [one] = list.as_array().unwrap().as_slice() else { panic!("{list}") };
        assert_eq!(
            (&one["deviceName"], &one["deviceFingerprint"]),
            (&json!("Work laptop"), &json!("f-1"))
        );
        assert!(one["lastUsedAt"].is_string() && !list.to_string().contains(&token), "{list}");
        assert!(!String::from_utf8_lossy(&server.everything_written().await).contains(&token));
    })
    .await;
}

#[tokio::test]
async fn a_device_is_taken_back_by_its_owner_alone() {
    on_each_database(async |server| {
        let (_, key) = with_factor(server, &Z1).await;
        let program = signed_in(server, &key).await;
        let made =
            program.post(DEVICES).json(&json!({"deviceFingerprint": "f"})).send().await.json();
        let (id, token) = (made["id"].as_str().unwrap(), &made["deviceToken"]);
        let path = format!("{DEVICES}/{id}");
        let other = server.by_cookie(&STAFF).await;
        assert_eq!(other.get(DEVICES).send().await.json(), json!([]));
        assert_eq!(other.act(http::Method::DELETE, &path, &json!({})).await.status, 404);
        let none = other.act(http::Method::POST, DEVICES, &json!({"deviceFingerprint": "f"})).await;
        assert_eq!(none.verdict(), "400 second_factor_not_enabled");
        let login = async || {
            let body = json!({"email": Z1.email, "password": PASSWORD, "deviceToken": token});
            server.client().post("/api/auth/login").json(&body).send().await
        };
        assert_eq!(login().await.status, 201, "control");
        for expected in [200, 404] {
            let gone = program.request(http::Method::DELETE, &path).send().await;
            assert_eq!(gone.status, expected);
        }
        assert_eq!(login().await.verdict(), NEEDED);
    })
    .await;
}

#[tokio::test]
async fn another_epoch_and_another_user_end_what_was_trusted() {
    on_each_database(async |server| {
        let (user, key) = with_factor(server, &Z1).await;
        let browser = server.client();
        give(&browser, server, &key, json!({"trustDevice": true})).await;
        let cookie = browser.cookie(COOKIE).unwrap();
        let other = server.add(&STAFF).await;
        enable(server, other.id, "other").await;
        let foreign = server.client();
        foreign.set_cookie(COOKIE, &cookie);
        let body = json!({"email": STAFF.email, "password": PASSWORD});
        let foreign = foreign.post("/api/auth/login").from_own_page().json(&body).send().await;
        assert_eq!(foreign.verdict(), NEEDED, "it is another's");

        let same = server.client();
        same.set_cookie(COOKIE, &cookie);
        assert_eq!(by_browser(&same).await.status, 201, "control");
        let mut tx = server.app.db.write().await.unwrap();
        users::bump_epoch(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        let over = server.client();
        over.set_cookie(COOKIE, &cookie);
        assert_eq!(by_browser(&over).await.verdict(), NEEDED);
    })
    .await;
}

/// A sign-in from a page of ours.
async fn by_browser(client: &Client) -> Answer {
    let body = json!({"email": Z1.email, "password": PASSWORD});
    client.post("/api/auth/login").from_own_page().json(&body).send().await
}

/// The same, and its second factor.
async fn give(client: &Client, server: &TestApp, key: &hmac::Key, mut body: Value) -> Answer {
    let asked = by_browser(client).await;
    assert_eq!(asked.verdict(), NEEDED);
    body["ticket"] = asked.json()["ticket"].clone();
    body["code"] = code(server, key).into();
    client.post("/api/auth/second-factor").from_own_page().json(&body).send().await
}

/// A program with a token.
async fn signed_in(server: &TestApp, key: &hmac::Key) -> Client {
    let code = code(server, key);
    let body = json!({"email": Z1.email, "password": PASSWORD, "twoFactorCode": code});
    let answer = server.client().post("/api/auth/login").json(&body).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    server.client().bearer(answer.json()["accessToken"].as_str().unwrap())
}
