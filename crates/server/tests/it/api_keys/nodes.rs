//! Keys with two servers over one database: what ends one is felt by both.

use std::time::{Duration, Instant};

use http::Method;
use portcullis_domain::account::AccountStatus;
use portcullis_store::{roles, users};
use serde_json::json;

use super::{KEYS, program, text};
use crate::harness::client::Client;
use crate::harness::database::{self, Kind};
use crate::harness::people::{Person, TENANT, Z1};
use crate::harness::{Setup, TestApp};

/// `session.revocation_bound` as it is by default.
const BOUND: Duration = Duration::from_secs(2);

/// What is done on the first node, and what the second says from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_a_key_that_ends_on_one_node_is_refused_by_the_other_within_the_bound() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &Setup::served()).await;
        let second = first.second_node(&Setup::served()).await;
        let tenant = first.add(&TENANT).await;
        first.add(&Z1).await;
        let owner = first.mobile(&TENANT).await;
        for path in ["revoke", "regenerate"] {
            let (there, id) = on(&first, &second, &TENANT).await;
            let answer = owner.act(Method::POST, &format!("{KEYS}/{id}/{path}"), &json!({})).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            let code = if path == "revoke" { "401 key_revoked" } else { "401 key_expired" };
            refused_within_the_bound(kind, &there, (Method::GET, "/"), code).await;
            if path == "regenerate" {
                let anew = second.client().key(text(&answer.json()["key"]));
                assert_eq!(anew.get("/").send().await.status, 200, "control");
            }
        }
        let (there, id) = on(&first, &second, &TENANT).await;
        let fewer = json!({"scopes": ["write"]});
        let answer = owner.act(Method::PATCH, &format!("{KEYS}/{id}"), &fewer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        refused_within_the_bound(kind, &there, (Method::GET, "/"), "403 scope_missing").await;

        let (there, _) = on(&first, &second, &Z1).await;
        assert_eq!(there.post("/api/projects").send().await.status, 201, "control");
        let making = (Method::POST, "/api/projects");
        lose_everything(&first, "worker").await;
        refused_within_the_bound(kind, &there, making, "403 permission_missing").await;

        let (there, _) = on(&first, &second, &TENANT).await;
        let mut tx = first.app.db.write().await.unwrap();
        let now = first.app.clock.now();
        assert!(users::set_status(&mut tx, tenant.id, AccountStatus::Disabled, now).await.unwrap());
        tx.commit().await.unwrap();
        refused_within_the_bound(kind, &there, (Method::GET, "/"), "401 account_disabled").await;
        second.finish().await;
        first.finish().await;
    }
}

/// A program that the second node has let in and remembers, and its key.
async fn on(first: &TestApp, second: &TestApp, person: &Person) -> (Client, String) {
    let (here, id) = program(first, person, &["admin"]).await;
    let there = here.at(second.address);
    for client in [&here, &there] {
        assert_eq!(client.get("/").send().await.status, 200, "control");
    }
    (there, id)
}

/// Asks until it is refused: that must be within the bound, and in these words.
#[expect(clippy::disallowed_methods, reason = "it measures by the machine's clock")]
async fn refused_within_the_bound(
    kind: Kind,
    there: &Client,
    (method, path): (Method, &str),
    expected: &str,
) {
    let since = Instant::now();
    loop {
        let asked = since.elapsed();
        let answer = there.request(method.clone(), path).send().await;
        if answer.verdict() == expected {
            return;
        }
        assert!(answer.status.is_success(), "{kind:?}: {answer:?} for {expected}");
        assert!(asked <= BOUND, "{kind:?}: let in after {asked:?}, where it is {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn lose_everything(node: &TestApp, role: &str) {
    let mut tx = node.app.db.write().await.unwrap();
    let role = roles::by_name(&mut tx, role).await.unwrap().unwrap();
    for grant in &role.grants {
        roles::revoke(&mut tx, role.id, grant).await.unwrap();
    }
    tx.commit().await.unwrap();
}
