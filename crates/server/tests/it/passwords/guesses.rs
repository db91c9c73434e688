//! Guesses at codes, from several networks: what they close, and for whom.

use std::time::Duration;

use serde_json::json;

use super::code_by_mail;
use crate::harness::people::Z1;
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
