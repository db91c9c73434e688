//! A59: guessing in parallel, over two nodes, cannot outrun the counters.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use crate::harness::client::Answer;
use crate::harness::people::{PASSWORD, STAFF};
use crate::harness::{Setup, TestApp, on_each_database_with};

const GUESSES: usize = 1000;
/// Connections at once.
const PARALLEL: usize = 250;

/// Sends guesses to both nodes at once; what came back, by verdict.
async fn storm(
    here: &TestApp,
    there: &TestApp,
    name: impl Fn(usize) -> String,
) -> BTreeMap<String, Vec<Answer>> {
    let guesses = (0..GUESSES).map(|number| {
        let node = if number % 2 == 0 { here } else { there };
        let body = json!({"username": name(number), "password": format!("guess {number}")});
        async move { node.client().post("/api/auth/login").json(&body).send().await }
    });
    let answers: Vec<_> = stream::iter(guesses).buffer_unordered(PARALLEL).collect().await;
    let mut by_verdict: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
    for answer in answers {
        by_verdict.entry(answer.verdict()).or_default().push(answer);
    }
    by_verdict
}

/// At most `limit` guesses were looked at, and everybody else was told when to come back.
fn assert_limited(verdicts: &BTreeMap<String, Vec<Answer>>, limit: usize) {
    let counts: Vec<_> = verdicts.iter().map(|(verdict, all)| (verdict, all.len())).collect();
    let verified = verdicts.get("401 wrong_credentials").map_or(0, Vec::len);
    assert!((1..=limit).contains(&verified), "{counts:?}");
    for (verdict, answers) in verdicts {
        match verdict.as_str() {
            "401 wrong_credentials" => {}
            // Busy is no verdict on the password, and costs no attempt.
            "429 too_many_requests" | "429 locked_out" | "503 busy" => {
                let says_when = |answer: &Answer| answer.header("retry-after").is_some();
                assert!(answers.iter().all(says_when), "{counts:?}");
            }
            other => panic!("{other}: {counts:?} {:?}", answers[0]),
        }
    }
}

/// How many passwords were looked at and found wrong.
async fn failures(server: &TestApp, at_least: usize) -> usize {
    let failed = server.events("authn_login_fail", at_least).await;
    failed.iter().filter(|event| event.detail["reason"] != "locked_out").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a59_parallel_guesses_at_one_account() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"");
    on_each_database_with(setup.clone(), async |server| {
        let other = server.second_node(&setup).await;
        server.add(&STAFF).await;
        let verdicts = storm(server, &other, |_| "staff".to_owned()).await;
        assert_limited(&verdicts, 5);
        let verified = verdicts["401 wrong_credentials"].len();
        assert_eq!(failures(server, verified).await, verified);
        // Until the window ends, not even the right password is looked at, on either node.
        let right = json!({"username": "staff", "password": PASSWORD});
        for node in [server, &other] {
            let mut answer = node.client().post("/api/auth/login").json(&right).send().await;
            for _ in verified..5 {
                answer = node.client().post("/api/auth/login").json(&right).send().await;
            }
            assert_eq!(answer.verdict(), "429 too_many_requests");
        }
        server.advance(std::time::Duration::from_secs(61));
        let answer = server.client().post("/api/auth/login").json(&right).send().await;
        assert_eq!(answer.status, 201, "control: after the window");
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a59_parallel_guesses_at_many_names() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"");
    on_each_database_with(setup.clone(), async |server| {
        let other = server.second_node(&setup).await;
        server.add(&STAFF).await;
        let verdicts = storm(server, &other, |number| format!("somebody{number}")).await;
        assert_limited(&verdicts, 30);
        let verified = verdicts["401 wrong_credentials"].len();
        assert_eq!(failures(server, verified).await, verified);
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a59_parallel_guesses_meet_the_lock_out() {
    let setup = Setup::with("[limits]\nlockout = \"10/15m\"");
    on_each_database_with(setup.clone(), async |server| {
        let other = server.second_node(&setup).await;
        server.add(&STAFF).await;
        // Spellings of one name, and the account's other name, are one counter.
        let spellings = ["staff", "STAFF", " staff ", "Staff@Example.com", "staff@example.com"];
        let verdicts = storm(server, &other, |number| spellings[number % 5].to_owned()).await;
        assert_limited(&verdicts, 10);
        let verified = verdicts["401 wrong_credentials"].len();
        assert_eq!(failures(server, verified).await, verified);
        assert_eq!(server.events("authn_login_lock", 1).await.len(), 1);
        other.finish().await;
    })
    .await;
}
