//! A04: many requests at once with one one-time token, spread over two nodes.

use futures_util::future::join_all;
use serde_json::json;

use super::JOBS;
use crate::harness::client::Answer;
use crate::harness::people::Z1;
use crate::harness::{Setup, on_each_database};

const PARALLEL: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a04_one_token_buys_one_success_whatever_the_race() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        let here = server.by_cookie(&Z1).await;
        let there = here.at(other.address);
        assert_eq!(there.get("/api/auth/me").send().await.status, 200, "control: two nodes");
        for round in 0..3 {
            let seen = server.upstream.seen().len() + other.upstream.seen().len();
            let token = here.fetch_csrf().await;
            let posts = (0..PARALLEL).map(|number| {
                let client = if number % 2 == 0 { &here } else { &there };
                client.post(JOBS).header("x-csrf-token", &token).json(&json!({})).send()
            });
            let answers = join_all(posts).await;
            let count =
                |verdict: &str| answers.iter().filter(|answer| answer.verdict() == verdict).count();
            let verdicts: Vec<_> = answers.iter().map(Answer::verdict).collect();
            assert_eq!(count("201"), 1, "round {round}: {verdicts:?}");
            assert_eq!(count("403 csrf_used"), PARALLEL - 1, "round {round}: {verdicts:?}");
            let seen_now = server.upstream.seen().len() + other.upstream.seen().len();
            assert_eq!(seen_now, seen + 1, "round {round}: effects at the application");
        }
        other.finish().await;
    })
    .await;
}
