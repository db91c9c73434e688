//! What settings change about a sign-in: one API token at a time (C4), and the life of the cookie of
//! a sign-in by username.

use serde_json::json;

use super::{MINUTE, me, text};
use crate::harness::client::Client;
use crate::harness::people::{PASSWORD, STAFF, Z1, sign_in};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

#[tokio::test]
async fn c04_tokens_live_side_by_side() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let first = everything(server).await;
        let second = everything(server).await;
        for client in first.iter().chain(&second) {
            assert_eq!(me(client).await, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn c04_one_api_token_ends_the_earlier_api_token_and_nothing_else() {
    let setup = Setup::with("[tokens]\none_api_token = true");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let [token, access, cookie, mobile] = everything(server).await;
        let by_name = server.sign_in(&STAFF).await;
        assert_eq!(me(&token).await, 200, "a sign-in by username gives no token and ends none");
        let browser = server.client();
        let browser = browser.post("/api/auth/login").from_own_page();
        let body = json!({"email": STAFF.email, "password": PASSWORD});
        assert_eq!(browser.json(&body).send().await.status, 201);
        assert_eq!(me(&token).await, 200, "nor does one of a browser");

        let [second, ..] = everything(server).await;
        let answer = token.get("/api/auth/me").send().await;
        assert_eq!(answer.verdict(), "401 session_ended");
        for client in [&second, &access, &cookie, &mobile, &by_name] {
            assert_eq!(me(client).await, 200);
        }
        server.events("authn_token_revoked", 1).await;
    })
    .await;
}

#[tokio::test]
async fn username_login_off_gives_everybody_two_hours() {
    let setup = Setup::with("[session]\nusername_login = \"off\"");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let answer = sign_in(&client, "Fredkiss3", PASSWORD).await;
        let line = answer.set_cookie("sessionid").unwrap();
        assert!(line.contains("; Max-Age=7200; Path=/; SameSite=Lax"), "{line}");
        server.advance(MINUTE * 29);
        assert_eq!(me(&client).await, 200);
        server.advance(MINUTE * 31);
        assert_eq!(client.get("/api/auth/me").send().await.verdict(), "401 session_idle");
    })
    .await;
}

/// Signs in by e-mail and by the mobile endpoint: API token, access token, cookie, mobile token.
async fn everything(server: &TestApp) -> [Client; 4] {
    let answer = server.login_by_email(&STAFF).await;
    let body = answer.json();
    let line = answer.set_cookie("sessionid").unwrap();
    let cookie = server.client();
    cookie.set_cookie("sessionid", line["sessionid=".len()..].split(';').next().unwrap());
    [
        server.client().bearer(&text(&body, "/token")),
        server.client().bearer(&text(&body, "/accessToken")),
        cookie,
        server.mobile(&STAFF).await,
    ]
}
