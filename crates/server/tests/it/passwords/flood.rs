//! Letters that nobody asked for: whoever can cause them fills no mailbox. What is left out is written
//! down.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{MINUTE, letters, letters_so_far};
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const VICTIM: &str = "victim@example.com";

/// Wrong passwords for a tenant until a network is locked out.
async fn lock_out(server: &TestApp, name: &str, from: &str) {
    for _ in 0..3 {
        let body = json!({"username": name, "password": "wrong wrong wrong wrong"});
        let client = server.client();
        let sending = client.post("/api/auth/login").header("x-forwarded-for", from);
        assert_eq!(sending.json(&body).send().await.verdict(), "401 wrong_credentials");
    }
}

#[tokio::test]
async fn of_lock_outs_an_account_is_told_once_an_hour() {
    let setup =
        Setup::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[limits]\nlockout = \"3/15m\"");
    on_each_database_with(setup, async |server| {
        server.add(&TENANT).await;
        server.add(&Z1).await;
        for number in 1..=4 {
            lock_out(server, "tenant", &format!("203.0.113.{number}")).await;
        }
        assert_eq!(letters(server, TENANT.email, 1).await.len(), 1);
        assert_eq!(server.events("authn_login_lock", 4).await.len(), 4, "each is written down");
        assert_eq!(
            server.events("excess_rate_limit_exceeded", 3).await[0].detail["limit"],
            "letters"
        );
        lock_out(server, "Fredkiss3", "203.0.113.1").await;
        assert_eq!(letters(server, Z1.email, 1).await.len(), 1, "the control: another account");
        server.advance(60 * MINUTE);
        lock_out(server, "tenant", "203.0.113.9").await;
        assert_eq!(letters(server, TENANT.email, 2).await.len(), 2, "the control: an hour later");
    })
    .await;
}

#[tokio::test]
async fn administrators_fill_no_mailbox() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let act = async |body: Value| {
            let answer = staff.act(Method::POST, "/api/users/users", &body).await;
            assert!(answer.status.is_success(), "{answer:?}");
            answer.json()["data"]["uuid"].as_str().map(ToOwned::to_owned)
        };
        let made = act(json!({"action": "create_user", "email": VICTIM})).await.unwrap();
        let verification = async || {
            let all = letters_so_far(server, VICTIM).await;
            all.iter().filter(|letter| letter.link.is_some()).count()
        };
        for number in 0..5 {
            for email in [format!("own{number}@example.com"), VICTIM.to_owned()] {
                act(json!({"action": "update", "uuid": made, "email": email})).await;
            }
        }
        assert_eq!(verification().await, 3);
        assert_eq!(letters_so_far(server, "own4@example.com").await.len(), 2, "the control");
        server.advance(15 * MINUTE);
        act(json!({"action": "update", "uuid": made, "email": "own@example.com"})).await;
        act(json!({"action": "update", "uuid": made, "email": VICTIM})).await;
        assert_eq!(verification().await, 4, "the control: a quarter of an hour later");
    })
    .await;
}

#[tokio::test]
async fn of_questions_for_another_address_the_old_one_is_told_three_times() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        for number in 0..5 {
            let token = client.cookie("csrftoken").unwrap();
            let to = format!("other{number}@example.com");
            let body = json!({"email": to, "current_password": PASSWORD});
            let sending = client.request(Method::POST, "/api/account/email");
            let answer = sending.header("x-csrftoken", &token).json(&body).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(letters(server, &to, 1).await.len(), 1);
        }
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 3);
        server.advance(Duration::from_mins(15));
        let token = client.cookie("csrftoken").unwrap();
        let body = json!({"email": "last@example.com", "current_password": PASSWORD});
        let sending = client.request(Method::POST, "/api/account/email");
        let answer = sending.header("x-csrftoken", &token).json(&body).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 4, "the control");
    })
    .await;
}
