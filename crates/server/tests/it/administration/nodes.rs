//! Two nodes over one database: what is changed through one is felt on the other within the bound, and
//! what is ended is felt there when the answer is out.

#![expect(clippy::disallowed_methods, reason = "it measures by the machine's clock")]

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::harness::people::{PASSWORD, STAFF};
use crate::harness::{Setup, database};

/// `session.revocation_bound` as it is by default.
const BOUND: Duration = Duration::from_secs(2);
const JOBS: &str = "/api/jobs/manage";
const ME: &str = "/api/auth/me";

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
            if status == 403 {
                assert_eq!(
                    there.get(JOBS).send().await.status,
                    403,
                    "{action}: when it is answered"
                );
            }
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

/// Whatever takes a right of the roles away is felt there when it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_is_taken_on_every_node() {
    const KEY: &str = "api.jobs.manage.manage";
    for kind in database::kinds() {
        let first = TestApp::start(kind, &Setup::served()).await;
        let second = first.second_node(&Setup::served()).await;
        make_roles(&first).await;
        let owner = first.by_cookie(&STAFF).await;
        let uuid = first.add(&CLERK).await.uuid;
        let (clerk, none) =
            (role_id(&first, "clerk").await.0, make_role(&first, "none", 20, &[]).await.0);
        let there = first.sign_in(&CLERK).await.at(second.address);
        let given = json!({"action": "set_permissions", "role_id": clerk, "permissions": [KEY]});
        let cell = json!({"role_id": clerk, "permission_key": KEY, "permission_value": false});
        for (path, body) in [
            (ROLES, json!({"action": "set_permissions", "role_id": clerk, "permissions": []})),
            ("/api/admin/staff-permissions", json!({"permissions": [cell]})),
            (
                ROLES,
                json!({"action": "import_roles",
                "roles": [{"name": "clerk", "level": 20, "permissions": []}]}),
            ),
            (USERS, on("update_role", &uuid, &json!({"role_id": none}))),
        ] {
            assert_eq!(post(&owner, ROLES, &given).await.status, 200);
            until(&there, 200).await;
            let answer = post(&owner, path, &body).await;
            assert_eq!(answer.status, 200, "{body}: {answer:?}");
            assert_eq!(there.get(JOBS).send().await.status, 403, "{body}");
        }
        let here = first.sign_in(&CLERK).await;
        let new = "a wholly new password of mine";
        let body =
            json!({"current_password": PASSWORD, "new_password": new, "confirm_password": new});
        assert_eq!(there.get(ME).send().await.status, 200, "control");
        assert_eq!(post(&here, "/api/auth/change-password", &body).await.status, 200);
        assert_eq!(there.get(ME).send().await.status, 401, "a new password");
        second.finish().await;
        first.finish().await;
    }
}
