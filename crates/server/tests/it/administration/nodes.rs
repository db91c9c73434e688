//! Two nodes over one database: what is changed through one is felt on the other within the bound, and
//! what is ended is felt there when the answer is out.

#![expect(clippy::disallowed_methods, reason = "it measures by the machine's clock")]

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::harness::people::STAFF;
use crate::harness::{Setup, database};

/// `session.revocation_bound` as it is by default.
const BOUND: Duration = Duration::from_secs(2);
const JOBS: &str = "/api/jobs/manage";

/// Asks until the answer is this one; how long it took.
async fn until(client: &Client, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        if client.get(JOBS).send().await.status == status {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < 2 * BOUND, "still not {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_and_accounts_change_on_every_node() {
    for kind in database::kinds() {
        let first = TestApp::start(kind, &Setup::served()).await;
        let second = first.second_node(&Setup::served()).await;
        make_roles(&first).await;
        let owner = first.by_cookie(&STAFF).await;
        let uuid = first.add(&CLERK).await.uuid;
        let there = first.sign_in(&CLERK).await.at(second.address);
        assert_eq!(there.get(JOBS).send().await.status, 403);
        let key = json!(["api.jobs.manage.manage"]);
        for (action, status) in [("grant", 200), ("revoke", 403), ("sync", 200)] {
            let body = json!({"action": action, "uuid": uuid, "permissions": key});
            assert_eq!(put(&owner, PERMISSIONS, &body).await.status, 200);
            let took = until(&there, status).await;
            assert!(took <= BOUND, "{action}: {took:?}");
        }
        for (path, body) in [
            (LOGOUT_USER, json!({"uuid": uuid})),
            (USERS, on("toggle_status", &uuid, &json!({"account_status_id": 2}))),
        ] {
            let there = first.sign_in(&CLERK).await.at(second.address);
            assert_eq!(there.get(JOBS).send().await.status, 200, "{body}");
            assert_eq!(post(&owner, path, &body).await.status, 200, "{body}");
            assert_eq!(there.get(JOBS).send().await.status, 401, "{body}");
        }
        second.finish().await;
        first.finish().await;
    }
}
