//! Attacks on codes and tickets.

use std::time::Duration;

use serde_json::json;

use super::{LATER, Owner, STEP, assert_gives_nothing, give, login, me, ticket};
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

#[tokio::test]
async fn a62_a_code_counts_once_and_no_earlier_one_after_it() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let check = async |code: &str, expected: &str| {
            let answer = login(&server.client(), &Z1, Some(code)).await;
            assert!(answer.verdict().starts_with(expected), "{code}: {answer:?}");
        };
        check(&owner.code_in(server, 2), "401 second_factor_wrong").await;
        check(&owner.code_in(server, -2), "401 second_factor_wrong").await;
        let (before, now) = (owner.code_in(server, -1), owner.code(server));
        check(&now, "201").await;
        check(&now, "401 second_factor_wrong").await;
        check(&before, "401 second_factor_wrong").await;
        check(&owner.code_in(server, 1), "201").await;
        server.advance(LATER);
        check(&owner.code_in(server, -1), "201").await;
    })
    .await;
}

/// What a library might take for the same code is another: each would be good once more.
#[tokio::test]
async fn a_code_has_one_spelling() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        for respelt in [" {}", "{} ", "+{}", "0{}", "{}0"] {
            server.advance(Duration::from_hours(1));
            let code = respelt.replace("{}", &owner.code(server));
            let answer = login(&server.client(), &Z1, Some(&code)).await;
            assert_eq!(answer.verdict(), "401 second_factor_wrong", "{respelt:?}");
            let plain = login(&server.client(), &Z1, Some(&owner.code(server))).await;
            assert_eq!(plain.status, 201, "control: {plain:?}");
        }
    })
    .await;
}

/// D3 51: a pending sign-in is worth nothing once it was used, is over, or the account changed.
#[tokio::test]
async fn a_ticket_is_good_once_for_five_minutes_and_under_one_epoch() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let used = ticket(&login(&server.client(), &Z1, None).await);
        assert_eq!(give(&server.client(), &used, &owner.code(server)).await.status, 201);
        server.advance(STEP);
        let again = give(&server.client(), &used, &owner.code(server)).await;
        assert_eq!(again.verdict(), "401 second_factor_over");
        let late = ticket(&login(&server.client(), &Z1, None).await);
        server.advance(Duration::from_mins(5));
        let over = give(&server.client(), &late, &owner.code(server)).await;
        assert_eq!(over.verdict(), "401 second_factor_over");
        for text in ["", "x", &"0".repeat(64), &used.to_uppercase()] {
            let status = give(&server.client(), text, &owner.code(server)).await.status;
            assert!(status == 401 || status == 400, "{text:?} {status}");
        }
        let stale = ticket(&login(&server.client(), &Z1, None).await);
        let renewed = owner.program.post("/api/auth/2fa/regenerate-backup-codes").send().await;
        assert_eq!(renewed.status, 201, "{renewed:?}");
        let changed = give(&server.client(), &stale, &owner.code(server)).await;
        assert_eq!(changed.verdict(), "401 second_factor_over", "the account changed");
        let control = ticket(&login(&server.client(), &Z1, None).await);
        assert_eq!(give(&server.client(), &control, &owner.code(server)).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn the_ticket_and_code_of_one_are_nothing_for_another() {
    on_each_database(async |server| {
        let (ada, ben) = (Owner::new(server, &Z1).await, Owner::new(server, &STAFF).await);
        let of_ada = ticket(&login(&server.client(), &Z1, None).await);
        for code in [ben.code(server), ben.backup_codes[0].clone()] {
            let crossed = give(&server.client(), &of_ada, &code).await;
            assert_eq!(crossed.verdict(), "401 second_factor_wrong");
            assert_gives_nothing(&crossed);
        }
        let own = give(&server.client(), &of_ada, &ada.code(server)).await;
        assert_eq!(own.status, 201, "control: {own:?}");
        let own = login(&server.client(), &STAFF, Some(&ben.code(server))).await;
        assert_eq!(own.status, 201, "control, and nothing of his was used: {own:?}");
    })
    .await;
}

/// Nothing tells that there is a factor to whoever does not know the password.
#[tokio::test]
async fn without_the_password_nothing_tells_of_the_factor() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        server.add(&STAFF).await;
        let masked = async |email: &str, code: Option<String>| {
            let mut body = json!({"email": email, "password": "wrong horse battery staple"});
            if let Some(code) = code {
                body["twoFactorCode"] = code.into();
            }
            let answer = server.client().post("/api/auth/login").json(&body).send().await;
            let mut body = answer.json();
            body["requestId"] = serde_json::Value::Null;
            body
        };
        let expected = masked(STAFF.email, None).await;
        assert_eq!(masked(Z1.email, None).await, expected);
        assert_eq!(masked(Z1.email, Some(owner.code(server))).await, expected);
        let code = owner.code(server);
        assert_eq!(login(&server.client(), &Z1, Some(&code)).await.status, 201, "nor is it used");
    })
    .await;
}

/// Whoever passed a second factor is at home where he is.
#[tokio::test]
async fn who_passed_it_is_not_asked_about_the_place() {
    let setup = Setup::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    on_each_database_with(setup, async |server| {
        let owner = Owner::new(server, &Z1).await;
        let away = |client: &crate::harness::client::Client| client.clone();
        for from in ["198.51.100.9", "203.0.113.50"] {
            let client = away(&server.client());
            let body = json!({"email": Z1.email, "password": crate::harness::people::PASSWORD});
            let asked = client.post("/api/auth/login").from_own_page();
            let asked = asked.header("x-forwarded-for", from).json(&body).send().await;
            let body = json!({"ticket": ticket(&asked), "code": owner.code(server)});
            let given = client.post("/api/auth/second-factor").from_own_page();
            let given = given.header("x-forwarded-for", from).json(&body).send().await;
            assert_eq!(given.status, 201, "{given:?}");
            assert_eq!(me(&client).await, 200);
            server.advance(LATER);
        }
    })
    .await;
}

/// The secret and the codes are nowhere in what is kept.
#[tokio::test]
async fn nothing_of_a_factor_is_kept_in_the_clear() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let ticket = ticket(&login(&server.client(), &Z1, None).await);
        assert_eq!(login(&server.client(), &Z1, Some(&owner.backup_codes[0])).await.status, 201);
        let written = server.everything_written().await;
        let has = |text: &[u8]| written.windows(text.len()).any(|bytes| bytes == text);
        assert!(has(Z1.email.as_bytes()), "control");
        assert!(!has(owner.secret.as_bytes()), "the secret as it was shown");
        assert!(!has(&super::from_base32(&owner.secret)), "the secret");
        assert!(!has(ticket.as_bytes()), "a ticket");
        for code in &owner.backup_codes {
            assert!(!has(code.as_bytes()) && !has(code.replace('-', "").as_bytes()), "a code");
        }
    })
    .await;
}
