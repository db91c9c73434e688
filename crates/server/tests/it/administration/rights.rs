//! `PUT /api/users/permissions` (P27): what a user holds beside his role, on every way in.

use serde_json::{Value, json};

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, STAFF0};

const JOBS: &str = "/api/jobs/manage";

async fn change(by: &Client, action: &str, uuid: &str, keys: Value) -> Answer {
    put(by, PERMISSIONS, &json!({"action": action, "uuid": uuid, "permissions": keys})).await
}

#[tokio::test]
async fn what_is_given_beside_the_role_opens_doors_at_once_and_closes_them() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let uuid = server.add(&CLERK).await.uuid;
        let access = server.login_by_email(&CLERK).await.json();
        let access = server.client().bearer(access["accessToken"].as_str().unwrap());
        let ways = [("cookie", server.sign_in(&CLERK).await), ("jwt", access)];
        let knock = async |expected: u16| {
            for (way, client) in &ways {
                assert_eq!(client.get(JOBS).send().await.status, expected, "{way}");
                let held = client.get(PERMISSIONS).send().await.json();
                let held = &held["data"]["permissions"]["api.jobs.manage.manage"];
                assert_eq!(held == &json!(true), expected == 200, "{way}");
            }
        };
        knock(403).await;
        let key = json!(["api.jobs.manage.manage"]);
        let answer = change(&manager, "grant", &uuid, key.clone()).await.json();
        let data = json!({"uuid": uuid, "permissions": key, "granted": 1, "revoked": 0});
        assert_eq!(answer["data"], data, "{answer}");
        knock(200).await;
        let told = server.upstream.seen().last().unwrap().headers["x-auth-permissions"].clone();
        assert!(told.to_str().unwrap().contains("api.jobs.manage.manage"), "{told:?}");
        let again = change(&manager, "grant", &uuid, key.clone()).await.json();
        assert_eq!(again["data"]["granted"], 0);
        assert_eq!(user(&manager, &uuid).await["own_permissions"], key);
        let answer = change(&manager, "revoke", &uuid, key.clone()).await.json();
        assert_eq!(answer["data"]["revoked"], 1, "{answer}");
        knock(403).await;
        let events = server.events("privilege_permissions_changed", 2).await;
        assert_eq!(events[0].detail, json!({"key": "api.jobs.manage.manage", "granted": false}));
    })
    .await;
}

#[tokio::test]
async fn sync_leaves_these_and_no_others() {
    on_each_database(async |server| {
        make_roles(server).await;
        let owner = server.by_cookie(&STAFF).await;
        let uuid = server.add(&PEER).await.uuid;
        let own = async || user(&owner, &uuid).await["own_permissions"].clone();
        change(&owner, "grant", &uuid, json!(["api.a", "api.b", "page.*"])).await;
        assert_eq!(own().await, json!(["page.*", "api.a", "api.b"]));
        // The role gives api.leads.list anyway: it is not given once more, to go with the role.
        let answer =
            change(&owner, "sync", &uuid, json!(["api.b", "API.C-d", "api.leads.list"])).await;
        let data = answer.json()["data"].clone();
        assert_eq!(data["permissions"], json!(["api.b", "api.c_d"]));
        assert_eq!((&data["granted"], &data["revoked"]), (&json!(1), &json!(2)));
        change(&owner, "sync", &uuid, json!([])).await;
        assert_eq!(own().await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_the_role_or_a_wildcard_gives_is_not_taken_from_one_user() {
    on_each_database(async |server| {
        make_roles(server).await;
        let owner = server.by_cookie(&STAFF).await;
        let uuid = server.add(&PEER).await.uuid;
        change(&owner, "grant", &uuid, json!(["api.jobs.*", "api.jobs.read", "api.x"])).await;
        for (keys, verdict) in [
            (json!(["api.leads.list"]), "409 held_by_role"),
            (json!(["api.x", "api.leads.list"]), "409 held_by_role"),
            (json!(["api.jobs.read"]), "409 permission_kept"),
            (json!(["api.jobs.read", "api.jobs.*"]), "200"),
            (json!(["api.never.given"]), "200"),
        ] {
            let answer = change(&owner, "revoke", &uuid, keys.clone()).await;
            assert_eq!(answer.verdict(), verdict, "{keys}");
        }
        assert_eq!(user(&owner, &uuid).await["own_permissions"], json!(["api.x"]));
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_what_he_lacks() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let uuid = server.add(&CLERK).await.uuid;
        for (action, keys, verdict) in [
            ("grant", json!(["*"]), "403 lacking_permission"),
            ("grant", json!(["api.*"]), "403 lacking_permission"),
            ("sync", json!(["api.leads.list"]), "403 lacking_permission"),
            (
                "grant",
                json!(["api.jobs.manage.manage", "api.leads.list"]),
                "403 lacking_permission",
            ),
            ("grant", json!(["api..x"]), "400 invalid"),
            ("grant", json!(["api.*.x"]), "400 invalid"),
            ("grant", json!([7]), "400 invalid"),
            ("grant", json!({"api.x": true}), "400 invalid"),
            ("grant", json!(null), "400 invalid"),
            ("own", json!(["api.x"]), "400 invalid"),
        ] {
            let answer = change(&manager, action, &uuid, keys.clone()).await;
            assert_eq!(answer.verdict(), verdict, "{action} {keys}");
            assert_eq!(user(&manager, &uuid).await["own_permissions"], json!([]), "{keys}");
        }
        let good = json!(["api.jobs.manage.manage", "api.users.users.manage"]);
        assert_eq!(change(&manager, "grant", &uuid, good.clone()).await.status, 200);
        assert_eq!(
            change(&manager, "grant", "nobody", good.clone()).await.verdict(),
            "404 not_found"
        );
        let staff0 = server.by_cookie(&STAFF0).await;
        let answer = change(&staff0, "grant", &uuid, good).await;
        assert_eq!(answer.verdict(), "403 permission_missing");
    })
    .await;
}

/// The same role for two people, of whom one was given more: neither is taken for the other.
#[tokio::test]
async fn a_colleague_of_the_same_role_gets_nothing_of_it() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let uuid = server.add(&CLERK).await.uuid;
        let colleague = staff("colleague@example.com", "colleague", "clerk");
        let other = server.by_cookie(&colleague).await;
        let clerk = server.sign_in(&CLERK).await;
        change(&manager, "grant", &uuid, json!(["api.jobs.manage.manage"])).await;
        for _ in 0..3 {
            assert_eq!(clerk.get(JOBS).send().await.status, 200);
            assert_eq!(other.get(JOBS).send().await.status, 403);
        }
        // Without the role that gives it, what was given beside it stays.
        let least = role_id(server, "user").await.0;
        let body = on("update_role", &uuid, &json!({"role_id": least}));
        let owner = server.by_cookie(&STAFF).await;
        assert_eq!(post(&owner, USERS, &body).await.status, 200);
        assert_eq!(clerk.get(JOBS).send().await.status, 200);
    })
    .await;
}
