//! What the settings of `[csrf]` change: the truth table of reusable and spent tokens, and whom the
//! switches `bearer` and `jwt` let off.

use super::{post_job, text};
use crate::harness::client::Client;
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database_with};

const USED: &str = "403 csrf_used";
const SETTINGS: [&str; 3] = ["one_time", "first_reusable", "session"];

/// One session each: how many tokens are fetched, which are posted in turn (0 is the one that the
/// sign-in gave, 1 the first that was fetched), and what comes of the posts under each setting.
type Sequence = (usize, &'static [usize], [[&'static str; 2]; 3]);

const TABLE: [Sequence; 5] = [
    (0, &[0, 0], [["201", "201"], ["201", "201"], ["201", "201"]]),
    (1, &[1, 1], [["201", USED], ["201", "201"], ["201", "201"]]),
    (2, &[2, 2], [["201", USED], ["201", USED], ["201", "201"]]),
    (2, &[1, 2], [["201", "201"], ["201", "201"], ["201", "201"]]),
    (2, &[2, 1], [["201", "201"], ["201", "201"], ["201", "201"]]),
];

#[tokio::test]
async fn c13_the_truth_table_of_fetched_tokens() {
    for (column, setting) in SETTINGS.iter().enumerate() {
        let setup = Setup::with(&format!("[csrf]\nfetched_token = \"{setting}\""));
        on_each_database_with(setup, async |server| {
            server.add(&STAFF).await;
            for (row, (fetches, posts, expected)) in TABLE.iter().enumerate() {
                let found = sequence(server, *fetches, posts).await;
                assert_eq!(found, expected[column], "{setting}, row {row}");
            }
            of_other_sessions(server, setting).await;
            double_submit(server, setting).await;
        })
        .await;
    }
}

async fn sequence(server: &TestApp, fetches: usize, posts: &[usize]) -> Vec<String> {
    let (client, first) = session(server).await;
    let mut tokens = vec![first];
    for _ in 0..fetches {
        tokens.push(client.fetch_csrf().await);
    }
    let mut found = Vec::new();
    for token in posts {
        found.push(post(&client, &tokens[*token]).await);
    }
    found
}

/// A token of one session is not good in another, nor in the next one of the same person.
async fn of_other_sessions(server: &TestApp, setting: &str) {
    let ((one, first), (other, _)) = (session(server).await, session(server).await);
    for token in [first, one.fetch_csrf().await] {
        assert_eq!(post(&other, &token).await, "403 csrf_invalid", "{setting}");
        assert_eq!(post(&one, &token).await, "201", "{setting}");
    }
    let token = one.fetch_csrf().await;
    let out = one.post("/api/auth/logout").header("x-csrf-token", &token).send().await;
    assert_eq!(out.status, 201, "{out:?}");
    assert_eq!(post(&one, &token).await, "401 session_ended", "{setting}");
    let (again, _) = session(server).await;
    assert_eq!(post(&again, &token).await, "403 csrf_invalid", "{setting}");
}

async fn double_submit(server: &TestApp, setting: &str) {
    server.add(&Z1).await;
    let browser = server.sign_in(&Z1).await;
    let token = browser.cookie("csrftoken").unwrap();
    for _ in 0..2 {
        let answer = post_job(&browser).header("x-csrftoken", &token).send().await;
        assert_eq!(answer.verdict(), "201", "{setting}");
    }
}

#[tokio::test]
async fn c13_a_script_may_ask_for_a_token_of_the_session() {
    on_each_database_with(Setup::default(), async |server| {
        server.add(&STAFF).await;
        let (client, _) = session(server).await;
        let answer = client.get("/api/security/csrf-token?use=session").send().await;
        assert_eq!(answer.json()["data"]["single_use"], false, "{answer:?}");
        let token = text(&answer.json(), "/data/token");
        assert_eq!(post(&client, &token).await, "201");
        assert_eq!(post(&client, &token).await, "201");
    })
    .await;
}

#[tokio::test]
async fn csrf_bearer_exempt_lets_opaque_bearers_off_and_nobody_else() {
    let setup = Setup::with("[csrf]\nbearer = \"exempt\"");
    on_each_database_with(setup, async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        assert_eq!(post_job(&bearer).send().await.verdict(), "201");
        assert_eq!(post_job(&bearer).from_own_page().send().await.verdict(), "201");
        let cookie = server.sign_in(&STAFF).await;
        assert_eq!(post_job(&cookie).send().await.verdict(), "403 csrf_missing");
        let access = access(server).await;
        assert_eq!(post_job(&access).from_own_page().send().await.verdict(), "403 csrf_missing");
        // The origin wall stands for everybody.
        let foreign = post_job(&bearer).header("origin", "https://evil.example").send().await;
        assert_eq!(foreign.verdict(), "403 csrf_origin");
    })
    .await;
}

#[tokio::test]
async fn csrf_jwt_exempt_lets_access_tokens_off_and_nobody_else() {
    let setup = Setup::with("[csrf]\njwt = \"exempt\"");
    on_each_database_with(setup, async |server| {
        let bearer = server.by_bearer(&STAFF).await;
        assert_eq!(post_job(&bearer).send().await.verdict(), "403 csrf_missing");
        let cookie = server.sign_in(&STAFF).await;
        assert_eq!(post_job(&cookie).send().await.verdict(), "403 csrf_missing");
        let access = access(server).await;
        assert_eq!(post_job(&access).from_own_page().send().await.verdict(), "201");
        let foreign = post_job(&access).header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(foreign.verdict(), "403 csrf_origin");
    })
    .await;
}

/// A new session by e-mail: its bearer, and the CSRF token that came with it.
async fn session(server: &TestApp) -> (Client, String) {
    let body = server.login_by_email(&STAFF).await.json();
    (server.client().bearer(&text(&body, "/token")), text(&body, "/csrf_token"))
}

async fn access(server: &TestApp) -> Client {
    let body = server.login_by_email(&STAFF).await.json();
    server.client().bearer(&text(&body, "/accessToken"))
}

async fn post(client: &Client, token: &str) -> String {
    post_job(client).header("x-csrf-token", token).send().await.verdict()
}
