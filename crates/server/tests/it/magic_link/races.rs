//! A69: however many use a link or a code at once, there is one session.

use futures_util::future::join_all;

use super::{asked_by_program, asked_in, follow, type_code, verify, verify_in};
use crate::harness::Setup;
use crate::harness::client::Answer;
use crate::harness::on_each_database;
use crate::harness::people::Z1;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a69_of_a_hundred_who_use_a_link_one_is_signed_in() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let token = asked_by_program(server, &Z1).await;
        let attempt = async |number: usize| {
            let node = if number.is_multiple_of(2) { server } else { &other };
            if number.is_multiple_of(3) {
                follow(&node.client(), &token).await
            } else {
                verify(&node.client(), &token).await
            }
        };
        let answers = join_all((0..100).map(attempt)).await;
        let won = answers.iter().filter(|answer| answer.status.is_success()).count();
        let lost = answers.iter().filter(|answer| answer.verdict() == "400 link_used").count();
        assert_eq!((won, lost), (1, 99));
        assert_eq!(server.events("session_created", 1).await.len(), 1);
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a69_of_a_hundred_with_link_or_code_one_is_signed_in() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let asking = server.client();
        let token = asked_in(server, &asking, &Z1).await;
        let mark = asking.cookie(super::MARK).unwrap();
        let shown = verify_in(&server.client(), &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap();
        let attempt = async |number: usize| {
            let node = if number.is_multiple_of(2) { server } else { &other };
            let browser = node.client();
            browser.set_cookie(super::MARK, &mark);
            // Of five tries at a code one is right.
            match number {
                0..5 => type_code(&browser, code).await,
                _ => verify_in(&browser, &token).await,
            }
        };
        let answers = join_all((0..100).map(attempt)).await;
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        let failed = answers.iter().filter(|answer| answer.status.is_server_error()).count();
        assert_eq!(
            (won, failed),
            (1, 0),
            "{:?}",
            answers.iter().map(Answer::verdict).collect::<Vec<_>>()
        );
        assert_eq!(server.events("session_created", 1).await.len(), 1);
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_guesses_at_a_code_five_are_compared() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let asking = server.client();
        let token = asked_in(server, &asking, &Z1).await;
        let shown = verify_in(&server.client(), &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap();
        let guess = async |number: usize| {
            let node = if number.is_multiple_of(2) { server } else { &other };
            type_code(&asking.at(node.address), super::other_than(code)).await.verdict()
        };
        let verdicts = join_all((0..100).map(guess)).await;
        let wrong = verdicts.iter().filter(|verdict| *verdict == "401 magic_code_wrong").count();
        let over = verdicts.iter().filter(|verdict| *verdict == "401 magic_code_exhausted").count();
        assert_eq!((wrong, over), (4, 96), "the fifth says that there is no sixth: {verdicts:?}");
        assert_eq!(type_code(&asking, code).await.verdict(), "401 magic_code_exhausted");
        assert_eq!(verify_in(&asking, &token).await.status, 201, "control");
        other.finish().await;
    })
    .await;
}
