//! The session tokens that `validate_token` gives: one a device, replaced when asked for again, dying
//! with the bearer that they were made with.

use http::Method;
use serde_json::json;

use super::{DAY, MINUTE, assert_token, me, post_job, text};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{STAFF, TENANT};
use crate::harness::{TestApp, on_each_database};

const PATH: &str = "/api/security/mobile-auth";

#[tokio::test]
async fn r03_one_session_token_a_device_replaced_on_repeat() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let token = server.mobile_token(&TENANT).await;
        let devices =
            [(Some("ios"), Some("iPhone")), (Some("android"), Some("iPhone")), (None, None)];
        let mut held = Vec::new();
        for device in devices {
            held.push(exchange(server, &token, device).await);
        }
        for (at, device) in devices.into_iter().enumerate() {
            let fresh = exchange(server, &token, device).await;
            assert_eq!(me(&held[at]).await, 401, "{device:?}: the earlier one is replaced");
            held[at] = fresh;
            for client in &held {
                assert_eq!(me(client).await, 200, "{device:?}: those of other devices live");
            }
        }
        // The version is no part of what a device is.
        let body = json!({
            "action": "validate_token", "token": token,
            "platform": "ios", "device_type": "iPhone", "app_version": "9.9",
        });
        let answer = server.client().bearer(&token).post(PATH).json(&body).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(me(&held[0]).await, 401);
        assert_eq!(me(&server.client().bearer(&token)).await, 200);
    })
    .await;
}

#[tokio::test]
async fn r03_devices_of_different_bearers_are_apart() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let one = server.mobile_token(&TENANT).await;
        let other = server.mobile_token(&TENANT).await;
        let device = (Some("ios"), Some("iPhone"));
        let first = exchange(server, &one, device).await;
        let second = exchange(server, &other, device).await;
        assert_eq!((me(&first).await, me(&second).await), (200, 200));
    })
    .await;
}

#[tokio::test]
async fn r03_a_session_token_dies_with_its_bearer() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let (revoke, logout) = (json!(null), json!({"action": "logout"}));
        for (method, body) in [(Method::DELETE, revoke), (Method::POST, logout)] {
            let token = server.mobile_token(&TENANT).await;
            let child = exchange(server, &token, (Some("ios"), None)).await;
            assert_eq!(me(&child).await, 200);
            let bearer = server.client().bearer(&token);
            let mut ending = bearer.request(method, PATH);
            if body.is_object() {
                ending = ending.json(&body);
            }
            assert_eq!(ending.send().await.status, 200);
            assert_eq!(child.get("/api/auth/me").send().await.verdict(), "401 session_ended");
        }
        // An API token's session token dies with it, too, although the session lives on.
        let login = server.login_by_email(&TENANT).await.json();
        let api = text(&login, "/token");
        let child = exchange(server, &api, (None, None)).await;
        assert_eq!(me(&child).await, 200);
        let bearer = server.client().bearer(&api);
        assert_eq!(bearer.request(Method::DELETE, PATH).send().await.status, 200);
        assert_eq!(me(&child).await, 401);
        let access = server.client().bearer(&text(&login, "/accessToken"));
        assert_eq!(me(&access).await, 200);
    })
    .await;
}

#[tokio::test]
async fn r03_both_tokens_must_live_and_be_of_one_user() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        server.add(&STAFF).await;
        let own = server.mobile_token(&TENANT).await;
        let second = server.mobile_token(&TENANT).await;
        let foreign = server.mobile_token(&STAFF).await;
        let dead = server.mobile_token(&TENANT).await;
        let bearer = server.client().bearer(&own);
        let ended = server.client().bearer(&dead).request(Method::DELETE, PATH).send().await;
        assert_eq!(ended.status, 200);
        let upper = own.to_uppercase();
        let unknown = "0".repeat(64);
        for token in [&foreign, &dead, &upper, &unknown, &"garbage".to_owned()] {
            let answer = validate(&bearer, token, (None, None)).await;
            assert_eq!(answer.status, 401, "{token}: {answer:?}");
            assert!(answer.json().get("session_token").is_none(), "{answer:?}");
        }
        let answer = validate(&server.client().bearer(&dead), &own, (None, None)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        // Two live tokens of one user are fine.
        assert_eq!(validate(&bearer, &second, (None, None)).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn r03_a_session_token_lives_a_year_but_not_longer_than_its_bearer() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let token = server.mobile_token(&TENANT).await;
        let child = exchange(server, &token, (Some("ios"), None)).await;
        server.advance(DAY * 100);
        let late = exchange(server, &token, (Some("android"), None)).await;
        server.advance(DAY * 264 + MINUTE * (24 * 60 - 1));
        assert_eq!((me(&child).await, me(&late).await), (200, 200));
        server.advance(MINUTE);
        for client in [&child, &late, &server.client().bearer(&token)] {
            let answer = client.get("/api/auth/me").send().await;
            assert_eq!(answer.verdict(), "401 session_expired");
        }
    })
    .await;
}

#[tokio::test]
async fn r03_a_session_token_mints_no_further_ones() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let token = server.mobile_token(&STAFF).await;
        let body = validate(&server.client().bearer(&token), &token, (Some("ios"), None)).await;
        let child = text(&body.json(), "/session_token");
        let again =
            validate(&server.client().bearer(&child), &child, (Some("android"), None)).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(text(&again.json(), "/session_token"), child);
        let csrf = text(&again.json(), "/csrf_token");
        let client = server.client().bearer(&child);
        let sent = post_job(&client).header("x-csrf-token", &csrf).send().await;
        assert_eq!(sent.status, 201, "{sent:?}");
    })
    .await;
}

type Device = (Option<&'static str>, Option<&'static str>);

/// A client with the session token that this bearer is given for a device.
async fn exchange(server: &TestApp, token: &str, device: Device) -> Client {
    let answer = validate(&server.client().bearer(token), token, device).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let session_token = text(&answer.json(), "/session_token");
    assert_token(&session_token);
    server.client().bearer(&session_token)
}

async fn validate(client: &Client, token: &str, (platform, device_type): Device) -> Answer {
    let body = json!({
        "action": "validate_token",
        "token": token,
        "platform": platform,
        "device_type": device_type,
    });
    client.post(PATH).json(&body).send().await
}
