//! Sessions: how long they last by themselves, what `GET /api/auth/me` says, and what several
//! sign-ins of one person have to do with each other.

use serde_json::json;

use super::{DAY, MINUTE, assert_p, assert_s, assert_signed_out, me, text};
use crate::harness::client::Client;
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, Z1};

const ME: &str = "/api/auth/me";

#[tokio::test]
async fn tp57_a_browser_session_ends_when_idle_and_after_two_hours() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let idle = browser(server).await;
        let used = browser(server).await;
        server.advance(MINUTE * 29);
        assert_eq!(me(&idle).await, 200, "29 minutes are not idle");
        server.advance(MINUTE * 31);
        let answer = idle.get(ME).send().await;
        assert_eq!(answer.verdict(), "401 session_idle");
        assert!(answer.set_cookie("sessionid").unwrap().contains("Max-Age=0"), "{answer:?}");
        assert_eq!(used.get(ME).send().await.verdict(), "401 session_idle");

        let used = browser(server).await;
        for minutes in (10..=110).step_by(10) {
            server.advance(MINUTE * 10);
            assert_eq!(me(&used).await, 200, "{minutes} minutes");
        }
        server.advance(MINUTE * 10);
        assert_eq!(used.get(ME).send().await.verdict(), "401 session_expired");

        let stays = server.remembered(&STAFF).await;
        server.advance(DAY * 29);
        assert_eq!(me(&stays).await, 200, "29 days, where it was asked for");
    })
    .await;
}

#[tokio::test]
async fn tz24_a_cookie_by_username_slides() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let before = client.cookie("sessionid").unwrap();
        server.advance(DAY * 11);
        let early = client.get(ME).send().await;
        assert_eq!((early.status.as_u16(), early.set_cookie("sessionid")), (200, None));
        server.advance(DAY * 2);
        let late = client.get(ME).send().await;
        assert_eq!(late.status, 200, "{late:?}");
        let line = late.set_cookie("sessionid").unwrap();
        assert!(line.contains("; Max-Age=1209600; Path=/; SameSite=Lax; HttpOnly"), "{line}");
        assert_eq!(client.cookie("sessionid").unwrap(), before);
        let again = client.get(ME).send().await;
        assert_eq!(again.set_cookie("sessionid"), None, "once is enough");
        server.advance(DAY * 11);
        assert_eq!(me(&client).await, 200);
        server.advance(DAY * 3 + MINUTE);
        assert_eq!(client.get(ME).send().await.verdict(), "401 session_expired");
    })
    .await;
}

#[tokio::test]
async fn r02_a_sliding_cookie_stops_after_ninety_days() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        for _ in 0..89 {
            server.advance(DAY);
            assert_eq!(me(&client).await, 200);
        }
        server.advance(DAY);
        assert_eq!(client.get(ME).send().await.verdict(), "401 session_expired");
    })
    .await;
}

#[tokio::test]
async fn tz06_c06_who_am_i_in_every_shape() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let cookie = server.sign_in(&Z1).await;
        let bearer = server.mobile(&Z1).await;
        for client in [cookie, bearer] {
            let answer = client.get(ME).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let body = answer.json();
            let nested = json!({
                "username": "Fredkiss3", "first_name": "Jane", "last_name": "Smith",
                "is_superuser": false,
            });
            assert_eq!(body["user"], nested);
            assert_eq!(body["id"], user.id.0);
            assert_eq!(body["email"], "fred@example.com");
            assert_eq!(body["name"], "Jane Smith");
            assert_eq!(body["role"], "worker");
            for key in ["avatarUrl", "organizationId", "membership"] {
                assert!(body[key].is_null() && body.get(key).is_some(), "{key}: {body}");
            }
            for key in ["createdAt", "updatedAt", "lastLoginAt"] {
                assert!(text(&body, &format!("/{key}")).parse::<jiff::Timestamp>().is_ok());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn tz07_tx02_nobody_in_every_shape() {
    on_each_database(async |server| {
        let client = server.client();
        let answer = client.get(ME).send().await;
        assert_signed_out(&answer);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"auth\""));
        client.set_cookie("sessionid", "tvmt1xp0c2ep33htukqm140fb4igkz4u");
        assert_signed_out(&client.get(ME).send().await);
        let unknown = server.client().bearer(&"0".repeat(64)).get(ME).send().await;
        assert_signed_out(&unknown);
        assert_eq!(unknown.verdict(), "401 credential_unknown");
        let challenge = unknown.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"auth\", error=\"invalid_token\""));
        // On the path of one family, its words alone.
        let own = server.client().get("/api/users/permissions").send().await;
        assert_p(&own, 401, "Authentication required. Please log in.");
        assert!(own.json().get("statusCode").is_none(), "{own:?}");
    })
    .await;
}

#[tokio::test]
async fn tx01_of_three_sign_ins_only_the_ended_one_ends() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        for ended in 0..3 {
            let login = server.login_by_email(&STAFF).await.json();
            let clients = [
                server.sign_in(&STAFF).await,
                server.client().bearer(&text(&login, "/token")),
                server.mobile(&STAFF).await,
            ];
            let token = clients[ended].fetch_csrf().await;
            let out = clients[ended].post("/api/auth/logout").header("x-csrf-token", &token);
            assert_eq!(out.send().await.status, 201);
            for (at, client) in clients.iter().enumerate() {
                assert_eq!(me(client).await, if at == ended { 401 } else { 200 }, "{ended} {at}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn r01_one_sign_in_is_one_session() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        for ended in 0..3 {
            let answer = server.login_by_email(&STAFF).await;
            let body = answer.json();
            let cookie = server.client();
            let line = answer.set_cookie("sessionid").unwrap();
            cookie.set_cookie("sessionid", line["sessionid=".len()..].split(';').next().unwrap());
            let clients = [
                cookie,
                server.client().bearer(&text(&body, "/token")),
                server.client().bearer(&text(&body, "/accessToken")),
            ];
            for client in &clients {
                assert_eq!(me(client).await, 200);
            }
            // The token that came with the sign-in is good with each of its credentials.
            let token = text(&body, "/csrf_token");
            let out = clients[ended].post("/api/auth/logout").header("x-csrf-token", &token);
            assert_eq!(out.send().await.verdict(), "201");
            for (at, client) in clients.iter().enumerate() {
                // Who signs out by cookie has none any more.
                let is_cleared = (at, ended) == (0, 0);
                let expected = if is_cleared { "credential_missing" } else { "session_ended" };
                let answer = client.get(ME).send().await;
                assert_eq!(answer.verdict(), format!("401 {expected}"), "{ended} {at}");
            }
        }
        server.events("session_ended", 3).await;
    })
    .await;
}

#[tokio::test]
async fn ts28_an_access_token_is_dead_after_logout() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let login = server.login_by_email(&STAFF).await.json();
        let client = server.client().bearer(&text(&login, "/accessToken"));
        assert_eq!(me(&client).await, 200);
        let answer = client.post("/api/auth/logout").send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = json!({"success": true, "message": "Successfully logged out"});
        assert_eq!(answer.json(), body);
        for path in [ME, "/api/leads"] {
            let reused = client.get(path).send().await;
            assert_s(&reused, 401, "Unauthorized");
        }
    })
    .await;
}

/// Signs in as pages and clients of P do: a cookie for two hours.
async fn browser(server: &crate::harness::TestApp) -> Client {
    let client = server.client();
    let body = json!({"email": STAFF.email, "password": PASSWORD});
    let answer = client.post("/api/auth/login").from_own_page().json(&body).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    client
}
