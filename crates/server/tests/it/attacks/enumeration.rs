//! A56: whether an account exists cannot be told from a refused sign-in, neither by what it says
//! nor by how long it takes.

use std::ops::Range;
use std::time::Duration;

use portcullis_domain::password::{self, Memory, Params};
use portcullis_store::users;
use serde_json::json;

use crate::harness::client::{Answer, masked};
use crate::harness::people::{PASSWORD, STAFF, STAFF0};
use crate::harness::{Setup, TestApp, database, on_each_database, on_each_database_with};

async fn try_json(server: &TestApp, path: &str, key: &str, name: &str) -> Answer {
    let body = json!({(key): name, "password": "wrong wrong wrong wrong"});
    server.client().post(path).json(&body).send().await
}

#[tokio::test]
async fn a56_refusals_are_equal_to_the_byte() {
    let config = "[limits]\nlogin = \"50/60s\"\nlockout = \"3/15m\"";
    on_each_database_with(Setup::with(config), async |server| {
        server.add(&STAFF).await;
        let passwordless = server.add(&STAFF0).await;
        let mut tx = server.app.db.write().await.unwrap();
        users::disable_password(&mut tx, passwordless.id).await.unwrap();
        tx.commit().await.unwrap();
        for (path, key, names) in [
            ("/api/auth/login", "username", ["staff", "staff0", "nobody"]),
            ("/api/auth/login", "email", [STAFF.email, STAFF0.email, "nobody@example.com"]),
            ("/api/security/mobile-auth", "email", [STAFF.email, STAFF0.email, "no@example.com"]),
        ] {
            // Before the lock-out, and within it.
            for round in 0..5 {
                let known = masked(&try_json(server, path, key, names[0]).await);
                let disabled = masked(&try_json(server, path, key, names[1]).await);
                let unknown = masked(&try_json(server, path, key, names[2]).await);
                assert_eq!(known, unknown, "{path} {key} round {round}");
                assert_eq!(disabled, unknown, "{path} {key} round {round}: no password");
                let status = if round < 3 { 401 } else { 429 };
                assert_eq!(known.0, status, "{path} {key} round {round}");
            }
            server.advance(Duration::from_secs(901));
        }
        let right = json!({"username": "staff", "password": PASSWORD});
        let answer = server.client().post("/api/auth/login").json(&right).send().await;
        assert_eq!(answer.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn a56_the_page_says_the_same() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let page = async |name: &str, password: &str| {
            let client = server.client();
            let form = client.get("/-/sign-in").send().await.text();
            let token = form.split("name=\"csrf_token\" value=\"").nth(1).unwrap();
            let token = &token[..64];
            let fields = [("username", name), ("password", password), ("csrf_token", token)];
            let answer = client.post("/-/sign-in").form(&fields).from_own_page().send().await;
            let (status, headers, body) = masked(&answer);
            let fresh = body.split("name=\"csrf_token\" value=\"").nth(1).map(|rest| &rest[..64]);
            let body = body.replace(fresh.unwrap_or("-"), "TOKEN").replace(name, "NAME");
            (status, headers, body)
        };
        let known = page("staff", "wrong wrong wrong wrong").await;
        assert_eq!(known, page("nobdy", "wrong wrong wrong wrong").await);
        assert_eq!(known.0, 401);
        assert_eq!(page("staff", PASSWORD).await.0, 303, "control");
    })
    .await;
}

/// How long one refused sign-in took.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's time")]
async fn time_of(server: &TestApp, name: &str) -> Duration {
    let client = server.client();
    let body = json!({"username": name, "password": "wrong wrong wrong wrong"});
    let started = std::time::Instant::now();
    let answer = client.post("/api/auth/login").json(&body).send().await;
    let took = started.elapsed();
    assert_eq!(answer.verdict(), "401 wrong_credentials");
    took
}

/// The mean of the middle half: a pause of the machine is not the server's doing.
fn middle_mean(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let quarter = times.len() / 4;
    let middle = &times[quarter..times.len() - quarter];
    let count = u32::try_from(middle.len()).unwrap();
    middle.iter().sum::<Duration>().as_secs_f64() / f64::from(count)
}

/// What counts as the same time. An account whose hash was not computed would answer in a
/// fraction of it.
const EQUAL: Range<f64> = 0.8..1.25;

/// The time for a known name by that for an unknown one.
async fn measure(server: &TestApp) -> f64 {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..50 {
        known.push(time_of(server, "staff").await);
        unknown.push(time_of(server, &format!("nobody{round}")).await);
    }
    middle_mean(known) / middle_mean(unknown)
}

/// Interleaved, so that whatever slows the machine slows both; with the real cost of Argon2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a56_refusals_take_the_same_time() {
    for kind in database::kinds() {
        let params = Params { memory_kib: 19_456, iterations: 2, parallelism: 1 };
        let setup = Setup { argon2: Some(params), ..Setup::default() };
        let server = TestApp::start(kind, &setup).await;
        let user = server.add(&STAFF).await;
        let phc = password::hash(&params, &mut Memory::default(), PASSWORD, &[9; 16]).unwrap();
        let mut tx = server.app.db.write().await.unwrap();
        let now = server.app.clock.now();
        assert!(
            users::set_password(&mut tx, user.id, &users::NewPassword::unseen(&phc), now)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let mut ratios = Vec::new();
        // Other tests may load the machine for one measurement; a leak shows in all of them.
        while ratios.len() < 4 && !ratios.last().is_some_and(|ratio| EQUAL.contains(ratio)) {
            // A hundred wrong passwords in a row would switch the password off.
            let mut tx = server.app.db.write().await.unwrap();
            users::unlock(&mut tx, user.id).await.unwrap();
            tx.commit().await.unwrap();
            ratios.push(measure(&server).await);
        }
        assert!(ratios.last().is_some_and(|ratio| EQUAL.contains(ratio)), "{kind:?}: {ratios:?}");
        server.finish().await;
    }
}
