//! Guesses at codes, from one network and from several: what they close, and for whom.

use std::time::Duration;

use serde_json::json;

use super::{MINUTE, can_sign_in, code_by_mail, post};
use crate::harness::people::{PASSWORD, Z1};
use crate::harness::{Setup, TestApp, on_each_database_with};

fn behind_a_proxy() -> Setup {
    Setup::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n")
}

async fn guess(server: &TestApp, network: usize, code: &str) -> String {
    let body = json!({"email": Z1.email, "code": code});
    let (client, from) = (server.client(), format!("203.0.113.{network}"));
    let sending = client.post("/api/auth/verify-reset-code").header("x-forwarded-for", &from);
    let answer = sending.json(&body).send().await;
    if answer.status == 201 { "201".to_owned() } else { answer.verdict() }
}

/// Asks for a code and guesses wrong five times: how many guesses were compared.
async fn use_up(server: &TestApp, network: usize) -> usize {
    let code = code_by_mail(server, &Z1).await;
    let wrong = if code == "123456" { "654321" } else { "123456" };
    let mut compared = 0;
    for _ in 0..5 {
        compared += usize::from(guess(server, network, wrong).await == "400 code_refused");
    }
    server.advance(Duration::from_mins(6));
    compared
}

#[tokio::test]
async fn a_network_that_guesses_closes_the_way_for_itself_alone() {
    on_each_database_with(behind_a_proxy(), async |server| {
        server.add(&Z1).await;
        for _ in 0..4 {
            assert_eq!(use_up(server, 1).await, 5);
        }
        let code = code_by_mail(server, &Z1).await;
        assert_eq!(guess(server, 1, &code).await, "400 code_exhausted", "control");
        assert_eq!(guess(server, 2, &code).await, "201");
        // Whoever had the right one has the mailbox: what his network guessed before is forgiven.
        server.advance(Duration::from_mins(6));
        for _ in 0..3 {
            assert_eq!(use_up(server, 2).await, 5);
        }
        let code = code_by_mail(server, &Z1).await;
        assert_eq!(guess(server, 2, &code).await, "201");
        server.advance(Duration::from_mins(6));
        for _ in 0..2 {
            assert_eq!(use_up(server, 2).await, 5);
        }
    })
    .await;
}

#[tokio::test]
async fn the_networks_together_have_five_guesses_at_a_code_and_a_hundred_a_day() {
    on_each_database_with(behind_a_proxy(), async |server| {
        server.add(&Z1).await;
        let code = code_by_mail(server, &Z1).await;
        let wrong = if code == "123456" { "654321" } else { "123456" };
        for network in 1..=5 {
            assert_eq!(guess(server, network, wrong).await, "400 code_refused");
        }
        assert_eq!(guess(server, 6, &code).await, "400 code_exhausted");
        server.advance(Duration::from_mins(6));

        let mut compared = 5;
        for network in 11..=16 {
            for _ in 0..4 {
                compared += use_up(server, network).await;
            }
        }
        assert_eq!(compared, 100);
        server.advance(Duration::from_hours(24));
        let code = code_by_mail(server, &Z1).await;
        assert_eq!(guess(server, 1, &code).await, "201", "another day");
    })
    .await;
}

/// The documented answer comes before the limit has its say, which still holds for what comes after.
#[tokio::test]
async fn ts34_the_sixth_code_of_a_minute_is_one_too_many_not_too_early() {
    on_each_database_with(Setup::with("[limits]\nlogin = \"5/60s\""), async |server| {
        server.add(&Z1).await;
        let code = code_by_mail(server, &Z1).await;
        let wrong = if code == "123456" { "654321" } else { "123456" };
        let verify = async |email: &str, code: &str| {
            let body = json!({"email": email, "code": code});
            post(server, "/api/auth/verify-reset-code", &body).await
        };
        for remaining in (0..5).rev() {
            let answer = verify(Z1.email, wrong).await;
            assert_eq!(answer.verdict(), "400 code_refused");
            let told = answer.header("x-ratelimit-remaining");
            assert_eq!(told, Some(remaining.to_string().as_str()), "{answer:?}");
        }
        for code in [wrong, &code] {
            let answer = verify(Z1.email, code).await;
            assert_eq!(answer.verdict(), "400 code_exhausted");
            let message = "Too many failed attempts. Please request a new reset code.";
            assert_eq!(answer.json()["message"], message);
        }
        // A name that is nobody's has as many, and the same is told of it.
        for number in 0..6 {
            let expected = if number < 5 { "400 code_refused" } else { "400 code_exhausted" };
            assert_eq!(verify("nobody@example.com", wrong).await.verdict(), expected, "{number}");
        }
        // Signing in is counted by itself.
        assert!(can_sign_in(server, &Z1, PASSWORD).await);
        // Another mail gives other guesses, at five in a minute.
        let code = code_by_mail(server, &Z1).await;
        let early = verify(Z1.email, &code).await;
        assert_eq!(early.verdict(), "429 too_many_requests");
        assert_eq!(early.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(early.header("retry-after"), Some("60"));
        server.advance(MINUTE);
        assert_eq!(verify(Z1.email, &code).await.status, 201, "control");
    })
    .await;
}

/// Thirty tries in a minute are all that an address has, whomever they are at, and those of which nothing
/// comes any more are counted, too.
#[tokio::test]
async fn codes_of_many_accounts_are_not_tried_from_one_address() {
    on_each_database_with(Setup::with("[limits]\nlogin = \"5/60s\""), async |server| {
        server.add(&Z1).await;
        let verify = async |email: &str| {
            let body = json!({"email": email, "code": "123456"});
            post(server, "/api/auth/verify-reset-code", &body).await.verdict()
        };
        for number in 0..24 {
            let email = format!("person{number}@example.com");
            assert_eq!(verify(&email).await, "400 code_refused", "{number}");
        }
        for number in 24..30 {
            let expected = if number < 29 { "400 code_refused" } else { "400 code_exhausted" };
            assert_eq!(verify(Z1.email).await, expected, "{number}");
        }
        for email in [Z1.email, "another@example.com"] {
            assert_eq!(verify(email).await, "429 too_many_requests", "{email}");
        }
        assert!(can_sign_in(server, &Z1, PASSWORD).await, "signing in is counted by itself");
        server.advance(MINUTE);
        assert_eq!(verify("another@example.com").await, "400 code_refused", "control");
        assert_eq!(server.events("excess_rate_limit_exceeded", 2).await.len(), 2);
    })
    .await;
}
