//! `/api/users/profile` (P26), and A52: nobody slips in what is not of a profile.

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::TENANT;

#[tokio::test]
async fn everybody_has_his_own_profile_and_managers_that_of_others() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&TENANT).await;
        let tenant = server.sign_in(&TENANT).await;
        let manager = server.by_cookie(&MANAGER).await;
        let own = tenant.get(PROFILE).send().await.json()["data"].clone();
        assert_eq!((&own["uuid"], &own["own_permissions"]), (&json!(me.uuid), &json!([])));
        let by_uuid = |uuid: &str| format!("{PROFILE}?user_uuid={uuid}");
        assert_eq!(tenant.get(&by_uuid(&me.uuid)).send().await.status, 200);
        assert_eq!(manager.get(&by_uuid(&me.uuid)).send().await.json()["data"], own);
        // Whether somebody is there is not told to those who may not look.
        let clerk = server.add(&CLERK).await.uuid;
        for uuid in [clerk.as_str(), "nobody"] {
            let verdict = tenant.get(&by_uuid(uuid)).send().await.verdict();
            assert_eq!(verdict, "403 permission_missing", "{uuid}");
            let body = json!({"user_uuid": uuid, "first_name": "X"});
            assert_eq!(put(&tenant, PROFILE, &body).await.verdict(), "403 permission_missing");
        }
        assert_eq!(manager.get(&by_uuid("nobody")).send().await.verdict(), "404 not_found");

        let body = json!({"user_uuid": me.uuid, "first_name": " Tess ", "phone": "1"});
        let answer = put(&tenant, PROFILE, &body).await;
        assert_eq!(answer.json()["data"]["first_name"], "Tess", "{answer:?}");
        assert_eq!(tenant.get("/api/auth/me").send().await.json()["name"], "Tess Smith");
        let event = &server.events("user_updated", 1).await[0];
        assert_eq!(event.detail, json!({"fields": ["first_name", "phone"]}));
        assert_eq!(put(&tenant, PROFILE, &json!({})).await.verdict(), "400 invalid");
        let form = tenant.fetch_csrf().await;
        let fields =
            [("user_uuid", me.uuid.as_str()), ("last_name", "Form"), ("csrf_token", &form)];
        let answer = tenant.request(Method::PUT, PROFILE).form(&fields).send().await;
        assert_eq!(answer.json()["data"]["last_name"], "Form", "{answer:?}");
    })
    .await;
}

/// Neither does staff without the permission move itself to another branch.
#[tokio::test]
async fn only_who_may_manage_users_moves_himself() {
    on_each_database(async |server| {
        make_roles(server).await;
        let (clerk_uuid, manager_uuid) =
            (server.add(&CLERK).await.uuid, server.add(&MANAGER).await.uuid);
        let (clerk, manager) = (server.sign_in(&CLERK).await, server.sign_in(&MANAGER).await);
        let to = |uuid: &str| json!({"user_uuid": uuid, "branch_id": 7, "first_name": "New"});
        let verdict = put(&clerk, PROFILE, &to(&clerk_uuid)).await.verdict();
        assert_eq!(verdict, "403 permission_missing");
        let kept = user(&manager, &clerk_uuid).await;
        assert_eq!((&kept["branch_id"], &kept["first_name"]), (&json!(1), &json!("Jane")));
        let same = json!({"user_uuid": clerk_uuid, "branch_id": 1, "first_name": "New"});
        assert_eq!(put(&clerk, PROFILE, &same).await.status, 200, "control");
        assert_eq!(put(&manager, PROFILE, &to(&manager_uuid)).await.status, 200, "control");
        assert_eq!(user(&manager, &manager_uuid).await["branch_id"], 7);
    })
    .await;
}

#[tokio::test]
async fn a_branch_is_a_number_that_clients_can_hold() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&MANAGER).await;
        let manager = server.sign_in(&MANAGER).await;
        let fault = "branch_id: must be from 1 to 2147483647";
        for (branch, error) in [
            (json!(0), fault),
            (json!(-1), fault),
            (json!(2_147_483_648_i64), fault),
            (json!(i64::MAX), fault),
            (json!("0"), fault),
            (json!(1.5), "branch_id: must be a whole number"),
            (json!("north"), "branch_id: must be a whole number"),
        ] {
            let body = json!({"user_uuid": me.uuid, "branch_id": branch});
            let answer = put(&manager, PROFILE, &body).await;
            assert_eq!(answer.verdict(), "400 invalid", "{branch}");
            assert_eq!(answer.json()["error"], error, "{branch}");
            assert_eq!(answer.json()["success"], false, "{branch}");
        }
        for branch in [1, 2_147_483_647] {
            let body = json!({"user_uuid": me.uuid, "branch_id": branch, "first_name": "X"});
            assert_eq!(put(&manager, PROFILE, &body).await.status, 200, "control {branch}");
            assert_eq!(user(&manager, &me.uuid).await["branch_id"], branch);
        }
    })
    .await;
}

/// A52.
#[tokio::test]
async fn a52_what_is_not_of_a_profile_is_not_applied() {
    on_each_database(async |server| {
        make_roles(server).await;
        let me = server.add(&TENANT).await;
        let tenant = server.sign_in(&TENANT).await;
        let manager = server.by_cookie(&MANAGER).await;
        let before = user(&manager, &me.uuid).await;
        let owner = role_id(server, "owner").await.0;
        for (field, value, verdict) in [
            ("account_type_id", json!(1), "200"),
            ("account_type", json!("Staff"), "200"),
            ("account_status_id", json!(2), "200"),
            ("status", json!("disabled"), "200"),
            ("is_admin", json!(true), "200"),
            ("is_superuser", json!(true), "200"),
            ("org_id", json!(7), "200"),
            ("organization_id", json!(7), "200"),
            ("email", json!("evil@example.com"), "200"),
            ("username", json!("evil"), "200"),
            ("password", json!("another long password"), "200"),
            ("ID", json!(1), "200"),
            ("role", json!({"id": owner}), "200"),
            ("permissions", json!(["*"]), "200"),
            ("own_permissions", json!(["*"]), "200"),
            ("role_level", json!(100), "200"),
            ("role_id", json!(owner), "403 permission_missing"),
            ("branch_id", json!(2), "403 account_type"),
        ] {
            let body = json!({"user_uuid": me.uuid, "first_name": "Jane", field: value});
            assert_eq!(put(&tenant, PROFILE, &body).await.verdict(), verdict, "{field}");
            assert_eq!(user(&manager, &me.uuid).await, before, "{field}");
        }
        // What was there already is no change: a client may send back what it was given.
        let own = tenant.get(PROFILE).send().await.json()["data"].clone();
        let mut whole = own.clone();
        whole["user_uuid"] = own["uuid"].clone();
        assert_eq!(put(&tenant, PROFILE, &whole).await.status, 200);
        let body = json!({"user_uuid": me.uuid, "first_name": "Tess"});
        assert_eq!(put(&tenant, PROFILE, &body).await.status, 200);
        assert_eq!(user(&manager, &me.uuid).await["first_name"], "Tess");
    })
    .await;
}
