//! Level of the caller × level of the account × act: what is allowed and what is refused, each refusal
//! beside the same act on somebody below.

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, TENANT};

/// One act on the account of this UUID.
async fn attempt(server: &TestApp, by: &Client, what: &str, uuid: &str) -> Answer {
    let clerk = role_id(server, "clerk").await.0;
    let free = format!("{uuid}@moved.example");
    let (path, body) = match what {
        "rename" => (USERS, on("update", uuid, &json!({"first_name": "New"}))),
        "readdress" => (USERS, on("update", uuid, &json!({"email": free}))),
        "assign" => (USERS, on("update_role", uuid, &json!({"role_id": clerk}))),
        "retype" => (USERS, on("update", uuid, &json!({"account_type_id": 5}))),
        "disable" => (USERS, on("toggle_status", uuid, &json!({"account_status_id": 2}))),
        "enable" => (USERS, on("toggle_status", uuid, &json!({"account_status_id": 1}))),
        "sign out" => (LOGOUT_USER, json!({"uuid": uuid})),
        "delete" => (USERS, on("delete_user", uuid, &json!({}))),
        "profile" => {
            return put(by, PROFILE, &json!({"user_uuid": uuid, "last_name": "N"})).await;
        }
        "grant" => {
            let keys = ["api.users.users.manage"];
            let body = json!({"action": "grant", "uuid": uuid, "permissions": keys});
            return put(by, PERMISSIONS, &body).await;
        }
        "revoke" => {
            let body = json!({"action": "revoke", "uuid": uuid, "permissions": ["api.x"]});
            return put(by, PERMISSIONS, &body).await;
        }
        other => panic!("{other}"),
    };
    post(by, path, &body).await
}

#[tokio::test]
async fn nobody_reaches_above_his_own_level() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let owner = server.add(&STAFF).await.uuid;
        let chief = server.add(&CHIEF).await.uuid;
        let deputy = server.add(&DEPUTY).await.uuid;
        let clerk = server.add(&CLERK).await.uuid;
        let peer = server.add(&PEER).await.uuid;
        for what in [
            "rename",
            "profile",
            "readdress",
            "grant",
            "revoke",
            "disable",
            "sign out",
            "assign",
            "retype",
            "delete",
        ] {
            for (who, above) in [("chief", &chief), ("owner", &owner)] {
                let before = user(&manager, above).await;
                let answer = attempt(server, &manager, what, above).await;
                assert_eq!(answer.verdict(), "403 above_level", "{what} {who}");
                assert_eq!(user(&manager, above).await, before, "{what} {who}");
            }
            for (who, within) in [("deputy", &deputy), ("clerk", &clerk)] {
                let answer = attempt(server, &manager, what, within).await;
                assert_eq!(answer.status, 200, "{what} {who}: {answer:?}");
            }
        }
        close(server, &[CHIEF.email, PEER.email]).await;
        let answer = attempt(server, &manager, "enable", &chief).await;
        assert_eq!(answer.verdict(), "403 above_level");
        assert_eq!(attempt(server, &manager, "enable", &peer).await.status, 200);
        assert!(server.events("authz_fail", 21).await.len() >= 21);
    })
    .await;
}

#[tokio::test]
async fn nobody_ends_himself_or_gives_himself_more() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&MANAGER).await.uuid;
        let manager = server.sign_in(&MANAGER).await;
        let before = user(&manager, &me).await;
        for what in ["readdress", "retype", "disable", "sign out", "delete", "grant", "revoke"] {
            let answer = attempt(server, &manager, what, &me).await;
            assert_eq!(answer.verdict(), "400 own_account", "{what}");
            assert_eq!(answer.json()["error"], "uuid: is your own account", "{what}");
        }
        assert_eq!(user(&manager, &me).await, before);
        assert!(is_in(&manager).await);
        assert_eq!(attempt(server, &manager, "rename", &me).await.status, 200);
    })
    .await;
}

/// TP59.
#[tokio::test]
async fn tp59_nobody_gives_a_role_above_his_own_level() {
    on_each_database(async |server| {
        make_roles(server).await;
        make_role(server, "wide", 30, &["api.leads.*"]).await;
        let me = server.add(&MANAGER).await.uuid;
        let clerk = server.add(&CLERK).await.uuid;
        let manager = server.sign_in(&MANAGER).await;
        for uuid in [&me, &clerk] {
            for (role, verdict) in [
                ("owner", "403 above_level"),
                ("chief", "403 above_level"),
                ("wide", "403 lacking_permission"),
                ("peer", "403 lacking_permission"),
            ] {
                let role = role_id(server, role).await.0;
                let before = user(&manager, uuid).await;
                let body = json!({"user_uuid": uuid, "role_id": role});
                assert_eq!(put(&manager, PROFILE, &body).await.verdict(), verdict, "{role}");
                let body = on("update_role", uuid, &json!({"role_id": role}));
                assert_eq!(post(&manager, USERS, &body).await.verdict(), verdict, "{role}");
                let body = json!({"action": "bulk_update", "uuids": [uuid], "role_id": role});
                assert_eq!(post(&manager, USERS, &body).await.verdict(), verdict, "{role}");
                assert_eq!(user(&manager, uuid).await, before, "{role}");
            }
        }
        let role = role_id(server, "manager").await.0;
        let body = json!({"user_uuid": clerk, "role_id": role});
        assert_eq!(put(&manager, PROFILE, &body).await.status, 200);
        assert_eq!(user(&manager, &clerk).await["role_id"], role);
        let unknown = json!({"user_uuid": clerk, "role_id": 9999});
        assert_eq!(put(&manager, PROFILE, &unknown).await.verdict(), "400 invalid");
    })
    .await;
}

/// Whoever sets somebody's address can sign in as him by the next reset.
#[tokio::test]
async fn nobody_takes_over_an_account_that_holds_more() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let peer = server.add(&PEER).await.uuid;
        let clerk = server.add(&CLERK).await.uuid;
        for (field, value) in [("email", "mine@example.com"), ("username", "mine")] {
            let body = on("update", &peer, &json!({ field: value }));
            let answer = post(&manager, USERS, &body).await;
            assert_eq!(answer.verdict(), "403 lacking_permission", "{field}");
        }
        let body = on("update", &clerk, &json!({"email": "mine@example.com"}));
        assert_eq!(post(&manager, USERS, &body).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn only_staff_make_staff_and_move_people() {
    on_each_database(async |server| {
        make_roles(server).await;
        let agency = server.by_cookie(&AGENCY).await;
        let manager = server.by_cookie(&MANAGER).await;
        let tenant = server.add(&TENANT).await.uuid;
        for (more, after) in [
            (json!({"account_type_id": 1}), "account_type_id"),
            (json!({"branch_id": 9}), "branch_id"),
        ] {
            let body = on("update", &tenant, &more);
            let answer = post(&agency, USERS, &body).await;
            assert_eq!(answer.verdict(), "403 account_type", "{more}");
            assert_eq!(post(&manager, USERS, &body).await.status, 200, "{more}");
            assert_eq!(user(&manager, &tenant).await[after], more[after]);
        }
        let new = json!({"action": "create_user", "email": "n@example.com", "account_type_id": 1});
        assert_eq!(post(&agency, USERS, &new).await.verdict(), "403 account_type");
        assert_eq!(post(&manager, USERS, &new).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&STAFF).await.uuid;
        let owner = server.sign_in(&STAFF).await;
        let second = Person { username: Some("second"), email: "second@example.com", ..STAFF };
        let other = server.add(&second).await.uuid;
        let clerk = role_id(server, "clerk").await.0;
        let demote = |uuid: &str| on("update_role", uuid, &json!({"role_id": clerk}));
        // While there are two, one may go; all at once they may not.
        let both = json!({"action": "bulk_update", "uuids": [other, me], "role_id": clerk});
        assert_eq!(post(&owner, USERS, &both).await.verdict(), "409 last_owner");
        assert_eq!(user(&owner, &other).await["role_name"], "owner");
        assert_eq!(attempt(server, &owner, "disable", &other).await.status, 200);
        // The one who is disabled does not count.
        assert_eq!(post(&owner, USERS, &demote(&me)).await.verdict(), "409 last_owner");
        assert_eq!(attempt(server, &owner, "enable", &other).await.status, 200);
        assert_eq!(post(&owner, USERS, &demote(&me)).await.status, 200);
        let other_client = server.sign_in(&second).await;
        assert_eq!(user(&other_client, &me).await["role_name"], "clerk");
        assert_eq!(post(&other_client, USERS, &demote(&other)).await.verdict(), "409 last_owner");
    })
    .await;
}

/// TP60.
#[tokio::test]
async fn tp60_nobody_signs_himself_out_by_force() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&MANAGER).await.uuid;
        let manager = server.sign_in(&MANAGER).await;
        let answer = post(&manager, LOGOUT_USER, &json!({"uuid": me})).await;
        assert_eq!(answer.verdict(), "400 own_account");
        assert_eq!(answer.json()["success"], false);
        let answer = post(&manager, LOGOUT_USER, &json!({"user_uuid": me})).await;
        assert_eq!(
            answer.json()["error"],
            "user_uuid: is your own account",
            "the field that was sent"
        );
        let denied = server.events("authz_fail", 2).await;
        assert_eq!(denied[0].detail["reason"], "own_account");
        assert!(is_in(&manager).await);

        let clerk = server.add(&CLERK).await.uuid;
        let (cookie, bearer) = (server.sign_in(&CLERK).await, server.mobile(&MANAGER).await);
        let remembered = server.remembered(&CLERK).await;
        assert!(is_in(&cookie).await && is_in(&remembered).await);
        let answer = post(&manager, LOGOUT_USER, &json!({"uuid": clerk})).await;
        assert_eq!(answer.json(), json!({"success": true, "message": DONE}));
        assert!(!is_in(&cookie).await && !is_in(&remembered).await);
        assert!(is_in(&bearer).await && is_in(&server.sign_in(&CLERK).await).await);
        for (uuid, verdict) in [("nobody", "404 not_found"), ("", "400 invalid")] {
            let answer = post(&manager, LOGOUT_USER, &json!({"uuid": uuid})).await;
            assert_eq!(answer.verdict(), verdict, "{uuid:?}");
        }
        let clerk_client = server.sign_in(&CLERK).await;
        let answer = post(&clerk_client, LOGOUT_USER, &json!({"uuid": me})).await;
        assert_eq!(answer.verdict(), "403 permission_missing");
    })
    .await;
}

/// Closes these accounts.
async fn close(server: &TestApp, emails: &[&str]) {
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    for email in emails {
        let email = portcullis_domain::text::Email::parse(email).unwrap();
        let user = portcullis_store::users::by_email(&mut tx, &email).await.unwrap().unwrap();
        let closed = portcullis_domain::account::AccountStatus::Disabled;
        portcullis_store::users::set_status(&mut tx, user.id, closed, now).await.unwrap();
    }
    tx.commit().await.unwrap();
}
