//! S11, S13, S15 and S16: what clients do with their access tokens.

use std::time::Duration;

use serde_json::json;

use super::{claims, token, verdict};
use crate::contract::{assert_s, text};
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, TENANT};

const REFRESH: &str = "/api/auth/refresh";
const LOGOUT_ALL: &str = "/api/auth/logout-all";
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn s13_a_refreshed_token_takes_the_place_of_the_old_one_and_the_session_stays() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let old = text(&login, "/accessToken");
        server.advance(Duration::from_hours(23));
        let answer = server.client().bearer(&old).post(REFRESH).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        let new = text(&body, "/access_token");
        assert_eq!((&body["accessToken"], &body["expires_in"]), (&json!(new), &json!(86_400)));
        assert_eq!(verdict(server, &old).await, "401 session_ended");
        assert_eq!(verdict(server, &new).await, "200");
        let (before, after) = (claims(&old), claims(&new));
        assert_eq!(before["sid"], after["sid"]);
        assert_ne!(before["jti"], after["jti"]);
        assert_eq!(after["exp"].as_i64().unwrap() - after["iat"].as_i64().unwrap(), 86_400);
        assert_eq!(after["iat"].as_i64().unwrap() - after["nbf"].as_i64().unwrap(), 30);
        // C17: CSRF tokens are the session's, the old one and the one that came along.
        for csrf in [text(&login, "/csrf_token"), text(&body, "/csrf_token")] {
            let client = server.client().bearer(&new);
            let request = crate::contract::post_job(&client).from_own_page();
            let answer = request.header("x-csrf-token", &csrf).send().await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        // What else the sign-in gave goes on.
        let bearer = server.client().bearer(&text(&login, "/token"));
        assert_eq!(bearer.get(super::ME).send().await.status, 200);
        let refused = bearer.act(http::Method::POST, REFRESH, &json!({})).await;
        assert_eq!(refused.verdict(), "401 access_token_needed");
        assert_eq!(server.client().post(REFRESH).send().await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn c36_bodies_with_other_fields_are_refused_and_nothing_happens() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let old = text(&login, "/accessToken");
        let client = server.client().bearer(&old);
        for path in [REFRESH, LOGOUT_ALL] {
            for name in ["refresh_token", "organizationId", "\u{202e}x"] {
                let answer = client.post(path).json(&json!({(name): "x"})).send().await;
                let name = name.trim_start_matches('\u{202e}');
                assert_s(&answer, 400, json!([format!("property {name} should not exist")]));
            }
            assert_eq!(verdict(server, &old).await, "200", "{path}");
        }
        // Without a body, with an empty one, and with the token that is allowed everywhere.
        let csrf = json!({"csrf_token": text(&login, "/csrf_token")});
        let mut token = old;
        for body in [None, Some(json!({})), Some(csrf)] {
            let client = server.client().bearer(&token);
            let request = client.post(REFRESH);
            let request = if let Some(body) = &body { request.json(body) } else { request };
            let answer = request.send().await;
            assert_eq!(answer.status, 201, "{body:?}: {answer:?}");
            token = text(&answer.json(), "/access_token");
        }
        let client = server.client().bearer(&token);
        assert_eq!(client.post(LOGOUT_ALL).json(&json!({})).send().await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn of_parallel_refreshes_one_wins() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let old = token(server, &STAFF).await;
        let client = server.client().bearer(&old);
        let answers =
            futures_util::future::join_all((0..16).map(|_| client.post(REFRESH).send())).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 401));
        assert_eq!(verdict(server, &text(&won[0].json(), "/access_token")).await, "200");
        assert_eq!(verdict(server, &old).await, "401 session_ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_beside_logging_out_everywhere_leaves_nothing_alive() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        for round in 0..10 {
            let old = token(server, &STAFF).await;
            let client = server.client().bearer(&old);
            let out = client.post(LOGOUT_ALL);
            let again = async {
                let answers = (0..4).map(|_| client.post(REFRESH).send());
                futures_util::future::join_all(answers).await
            };
            let (out, again) = tokio::join!(out.send(), again);
            let made = again.iter().filter(|answer| answer.status == 201);
            let made: Vec<String> =
                made.map(|answer| text(&answer.json(), "/access_token")).collect();
            assert!(made.len() <= 1, "round {round}: {again:?}");
            // Whoever is replaced before he is served has nothing to sign out with.
            if out.status == 201 {
                for token in made.iter().chain([&old]) {
                    assert_eq!(verdict(server, token).await, "401 session_ended", "round {round}");
                }
            } else {
                assert_eq!(out.verdict(), "401 session_ended", "round {round}");
                assert_eq!(verdict(server, &made[0]).await, "200", "round {round}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_is_refreshed_up_to_ninety_days_after_the_sign_in() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let mut token = token(server, &STAFF).await;
        for day in 1..=90 {
            server.advance(DAY.saturating_sub(Duration::from_mins(1)));
            let answer = server.client().bearer(&token).post(REFRESH).send().await;
            assert_eq!(answer.status, 201, "day {day}: {answer:?}");
            token = text(&answer.json(), "/access_token");
        }
        let life = claims(&token)["exp"].as_i64().unwrap() - server.app.clock.now().secs();
        assert!(life <= 90 * 60, "it ends with the ninetieth day: {life}");
        server.advance(Duration::from_mins(91));
        let answer = server.client().bearer(&token).post(REFRESH).send().await;
        assert_eq!(answer.verdict(), "401 access_token_expired");
    })
    .await;
}

#[tokio::test]
async fn s11_the_profile_says_what_the_token_says() {
    on_each_database(async |server| {
        let user = server.add(&STAFF).await;
        let token = token(server, &STAFF).await;
        let answer = server.client().bearer(&token).get("/api/auth/profile").send().await;
        let expected = json!({
            "id": user.id, "userId": user.id, "email": STAFF.email, "role": STAFF.role,
            "organizationId": null, "jti": claims(&token)["jti"],
        });
        assert_eq!(answer.json(), expected);
        let stranger = server.client().get("/api/auth/profile").send().await;
        assert_s(&stranger, 401, "Unauthorized");
    })
    .await;
}

#[tokio::test]
async fn ts29_s15_s16_logging_out_everywhere_ends_every_kind_of_credential() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&TENANT).await;
        let other = token(server, &TENANT).await;
        let one = server.login_by_email(&STAFF).await.json();
        let cookie = server.sign_in(&STAFF).await;
        let mobile = server.mobile(&STAFF).await;
        let script = server.client().bearer(&text(&one, "/accessToken"));
        let count = script.get("/api/auth/sessions/count").send().await;
        assert_eq!(count.json(), json!({"activeSessionCount": 3}));
        let answer = script.post(LOGOUT_ALL).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let message = "Successfully logged out from 3 session(s)";
        let expected = json!({"success": true, "message": message, "sessionsRevoked": 3});
        assert_eq!(answer.json(), expected);
        let hex = server.client().bearer(&text(&one, "/token"));
        for client in [&script, &cookie, &mobile, &hex] {
            assert_eq!(client.get(super::ME).send().await.status, 401);
        }
        assert_s(&script.get("/api/auth/sessions/count").send().await, 401, "Unauthorized");
        assert_eq!(verdict(server, &other).await, "200", "somebody else's");
    })
    .await;
}
