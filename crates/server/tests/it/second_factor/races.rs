//! A64 and its like: many requests at once, on two nodes over one database.

use futures_util::future::join_all;
use serde_json::json;

use super::{Owner, give, login, me, ticket};
use crate::harness::client::Client;
use crate::harness::people::Z1;
use crate::harness::{Setup, TestApp, on_each_database};

#[tokio::test(flavor = "multi_thread")]
async fn a64_of_a_hundred_right_codes_one_begins_a_session() {
    check(async |server, owner| owner.code(server), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a65_of_a_hundred_with_one_backup_code_one_begins_a_session() {
    check(async |_, owner| owner.backup_codes[0].clone(), 1).await;
}

/// Parallel guesses do not outrun the counter.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_wrong_codes_at_once_five_are_looked_at() {
    check(async |server, owner| owner.wrong(server), 0).await;
}

/// A hundred sign-ins, each with a ticket of its own, are given one code at once: so many begin a
/// session, five that were wrong are looked at, and all others not.
async fn check(code: impl AsyncFn(&TestApp, &Owner) -> String, winners: usize) {
    on_each_database(async |server| {
        let node = server.second_node(&Setup::default()).await;
        let owner = Owner::new(server, &Z1).await;
        node.advance(super::LATER);
        let before = server.events("session_created", 1).await.len();
        let clients = clients(server, &node);
        let mut tickets = Vec::new();
        for client in &clients {
            tickets.push(ticket(&login(client, &Z1, None).await));
        }
        let code = code(server, &owner).await;
        let tries = clients.iter().zip(&tickets);
        let answers = join_all(tries.map(|(client, ticket)| give(client, ticket, &code))).await;
        let count = |verdict: &str| {
            answers.iter().filter(|answer| answer.verdict().starts_with(verdict)).count()
        };
        assert_eq!(count("201"), winners, "{answers:?}");
        assert_eq!(count("401 second_factor_wrong"), 5, "{answers:?}");
        assert_eq!(count("429 second_factor_locked"), answers.len() - winners - 5);
        let sessions = server.events("session_created", before + winners).await;
        assert_eq!(sessions.len(), before + winners);
        node.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a64_of_a_hundred_with_one_ticket_one_begins_a_session() {
    on_each_database(async |server| {
        let node = server.second_node(&Setup::default()).await;
        let owner = Owner::new(server, &Z1).await;
        node.advance(super::LATER);
        let ticket = ticket(&login(&server.client(), &Z1, None).await);
        let code = owner.code(server);
        let clients = clients(server, &node);
        let answers = join_all(clients.iter().map(|client| give(client, &ticket, &code))).await;
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won, 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.verdict(), "401 second_factor_over", "and none is counted");
        }
        node.finish().await;
    })
    .await;
}

/// Whoever signs in while the factor is being switched on is asked for it, or is signed out by it.
#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_slips_past_the_moment_of_enabling() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
        let program = server.client().bearer(token.as_str().unwrap());
        let begun = program.post("/api/two-factor/setup").send().await.json();
        let code = super::code_at(begun["secret"].as_str().unwrap(), server.app.clock.now());
        let clients: Vec<Client> = (0..40).map(|_| server.client()).collect();
        let sign_ins = join_all(clients.iter().map(|client| login(client, &Z1, None)));
        let enable = program.post("/api/two-factor/verify-setup").json(&json!({"code": code}));
        let (answers, enabled) = tokio::join!(sign_ins, enable.send());
        assert_eq!(enabled.status, 201, "{enabled:?}");
        for (client, answer) in clients.iter().zip(&answers) {
            // The queue for passwords may be full.
            assert!(matches!(answer.status.as_u16(), 201 | 401 | 503), "{answer:?}");
            assert_eq!(me(client).await, 401, "{answer:?}");
        }
        assert_eq!(me(&program).await, 200, "control");
    })
    .await;
}

fn clients(server: &TestApp, node: &TestApp) -> Vec<Client> {
    (0..100).map(|number| if number % 2 == 0 { server.client() } else { node.client() }).collect()
}
