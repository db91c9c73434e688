//! Making accounts, changing and deleting them.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, STAFF0, sign_in};

const KEYS: [&str; 17] = [
    "ID",
    "account_status_id",
    "account_status_name",
    "account_type_id",
    "account_type_name",
    "branch_id",
    "created_at",
    "email",
    "first_name",
    "last_name",
    "phone",
    "role_id",
    "role_level",
    "role_name",
    "updated_at",
    "username",
    "uuid",
];

#[tokio::test]
async fn an_account_is_made_with_what_was_sent_and_nothing_else() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let clerk = role_id(server, "clerk").await.0;
        let body = json!({
            "action": "create_user", "email": "Ada@Example.com", "username": "ada",
            "first_name": "Ada", "last_name": "Lovelace", "phone": "07700 1", "branch_id": 3,
            "account_type_id": 2, "role_id": clerk, "password": PASSWORD,
            "ID": 1, "uuid": "mine", "account_status_id": 2, "is_admin": true,
        });
        let answer = post(&manager, USERS, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let made = answer.json()["data"].clone();
        assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
        assert_ne!(made["ID"], 1);
        assert_ne!(made["uuid"], "mine");
        assert_eq!((&made["email"], &made["role_id"]), (&json!("Ada@example.com"), &json!(clerk)));
        assert_eq!(made["account_status_name"], "Active");
        assert_eq!(sign_in(&server.client(), "ada", PASSWORD).await.status, 201);
        let event = &server.events("user_created", 1).await[0];
        assert_eq!(event.context.subject.map(|id| id.0), made["ID"].as_i64());
        assert!(event.context.actor.is_some());

        let bare = json!({"action": "create_user", "email": "bare@example.com"});
        let bare = post(&manager, USERS, &bare).await.json()["data"].clone();
        assert_eq!((&bare["role_name"], &bare["branch_id"]), (&json!("user"), &json!(1)));
        assert_eq!(bare["account_type_name"], "Tenant");
    })
    .await;
}

#[tokio::test]
async fn an_account_is_refused_that_cannot_be_or_is_above() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (owner, peer) = (role_id(server, "owner").await.0, role_id(server, "peer").await.0);
        let mut body = json!({"action": "create_user", "email": "new@example.com"});
        for (field, value, verdict) in [
            ("email", json!("MANAGER@example.com"), "409 email_taken"),
            ("username", json!("Manager"), "409 username_taken"),
            ("username", json!("manager@example.com"), "400 invalid"),
            ("username", json!("nobody@example.com"), "400 invalid"),
            ("email", json!("nope"), "400 invalid"),
            ("email", json!(null), "400 invalid"),
            ("email", json!(["new@example.com"]), "400 invalid"),
            ("email", json!("a\0@example.com"), "400 invalid"),
            ("first_name", json!("x".repeat(151)), "400 invalid"),
            ("first_name", json!("a\nb"), "400 invalid"),
            ("phone", json!("1".repeat(41)), "400 invalid"),
            ("username", json!("a b"), "400 invalid"),
            ("account_type_id", json!(6), "400 invalid"),
            ("account_type_id", json!("x"), "400 invalid"),
            ("branch_id", json!(1.5), "400 invalid"),
            ("password", json!("short"), "400 min_length"),
            ("role_id", json!(9999), "400 invalid"),
            ("role_id", json!(owner), "403 above_level"),
            ("role_id", json!(peer), "403 lacking_permission"),
            ("action", json!("complete_onboarding"), "400 invalid"),
            ("action", json!(null), "400 invalid"),
        ] {
            let before = body[field].take();
            body[field] = value.clone();
            let answer = post(&manager, USERS, &body).await;
            assert_eq!(answer.verdict(), verdict, "{field}: {value}: {answer:?}");
            body[field] = before;
        }
        assert_eq!(post(&manager, USERS, &body).await.status, 200);
        let staff0 = server.by_cookie(&STAFF0).await;
        assert_eq!(post(&staff0, USERS, &body).await.verdict(), "403 permission_missing");
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_is_felt_at_once_and_written_down() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let uuid = server.add(&DEPUTY).await.uuid;
        let deputy = server.sign_in(&DEPUTY).await;
        assert_eq!(deputy.get(USERS).send().await.status, 200);
        let clerk = role_id(server, "clerk").await.0;
        let body = on("update_role", &uuid, &json!({"role_id": clerk}));
        assert_eq!(post(&manager, USERS, &body).await.status, 200);
        // No time passes in between.
        assert_eq!(deputy.get(USERS).send().await.verdict(), "403 permission_missing");
        let event = &server.events("privilege_permissions_changed", 1).await[0];
        assert_eq!(event.detail, json!({"role": "clerk", "from": "manager"}));

        // Turned over twice, an account is open again and nothing of before lives.
        for (status, is_open) in [("Disabled", false), ("Active", true)] {
            let answer = post(&manager, USERS, &on("toggle_status", &uuid, &json!({}))).await;
            assert_eq!(answer.json()["data"]["account_status_name"], status);
            assert!(!is_in(&deputy).await);
            let again = sign_in(&server.client(), "deputy", PASSWORD).await;
            assert_eq!(again.status == 201, is_open, "{again:?}");
        }

        let deputy = server.sign_in(&DEPUTY).await;
        let body = on("update", &uuid, &json!({"email": "new@example.com", "phone": ""}));
        let answer = post(&manager, USERS, &body).await;
        assert_eq!(answer.json()["data"]["email"], "new@example.com");
        assert_eq!(answer.json()["data"]["phone"], json!(null));
        let renamed = async |name: &str| {
            post(&manager, USERS, &on("update", &uuid, &json!({"username": name}))).await.verdict()
        };
        assert_eq!(renamed("deputy@example.com").await, "400 invalid", "no longer his own");
        assert!(renamed("New@example.com").await.starts_with("200"), "the control");
        // A link that was mailed to the earlier address, and who signed in by it, are of no more use.
        assert!(!is_in(&deputy).await);
    })
    .await;
}

#[tokio::test]
async fn many_are_changed_at_once_or_none() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let (clerk, deputy) = (server.add(&CLERK).await.uuid, server.add(&DEPUTY).await.uuid);
        let chief = server.add(&CHIEF).await.uuid;
        let bulk = |uuids: Value| json!({"action": "bulk_update", "uuids": uuids, "branch_id": 5});
        for (uuids, verdict) in [
            (json!([clerk, chief]), "403 above_level"),
            (json!([clerk, "nobody"]), "404 not_found"),
            (json!([]), "400 invalid"),
            (json!([1]), "400 invalid"),
            (json!(null), "400 invalid"),
            (json!(vec!["x"; 201]), "400 invalid"),
        ] {
            assert_eq!(post(&manager, USERS, &bulk(uuids)).await.verdict(), verdict);
            assert_eq!(user(&manager, &clerk).await["branch_id"], 1, "{verdict}");
        }
        let answer = post(&manager, USERS, &bulk(json!([clerk, deputy]))).await;
        assert_eq!(answer.json()["updated_count"], 2, "{answer:?}");
        let again = post(&manager, USERS, &bulk(json!([clerk, deputy]))).await;
        assert_eq!(again.json()["updated_count"], 0);
    })
    .await;
}

#[tokio::test]
async fn who_is_deleted_is_gone_and_his_name_is_free() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let gone = server.add(&CLERK).await;
        let (cookie, bearer) = (server.sign_in(&CLERK).await, server.mobile_token(&CLERK).await);
        let bearer = server.client().bearer(&bearer);
        assert!(is_in(&cookie).await && is_in(&bearer).await);
        let delete = on("delete_user", &gone.uuid, &json!({}));
        assert_eq!(post(&manager, USERS, &delete).await.status, 200);
        assert!(!is_in(&cookie).await && !is_in(&bearer).await);
        assert_eq!(sign_in(&server.client(), "clerk", PASSWORD).await.status, 401);
        assert_eq!(post(&manager, USERS, &delete).await.verdict(), "404 not_found");
        for action in ["toggle_status", "update"] {
            let body = on(action, &gone.uuid, &json!({"first_name": "x"}));
            assert_eq!(post(&manager, USERS, &body).await.verdict(), "404 not_found", "{action}");
        }
        let listed = manager.get(USERS).send().await.json();
        assert!(!listed.to_string().contains("clerk@example.com"), "{listed}");
        let event = &server.events("user_deleted", 1).await[0];
        assert_eq!(event.context.subject, Some(gone.id));
        // The log still knows who he was, and another may have the name.
        let again = server.add(&CLERK).await;
        assert_ne!(again.id, gone.id);
        server.advance(Duration::from_mins(1));
        assert_eq!(sign_in(&server.client(), "clerk", PASSWORD).await.status, 201);
        let owner = server.by_cookie(&STAFF).await;
        let role = role_id(server, "clerk").await.0;
        let body = json!({"action": "delete_role", "role_id": role});
        assert_eq!(post(&owner, ROLES, &body).await.verdict(), "409 role_in_use");
        assert_eq!(
            post(&owner, USERS, &on("delete_user", &again.uuid, &json!({}))).await.status,
            200
        );
        assert_eq!(post(&owner, ROLES, &body).await.status, 200);
    })
    .await;
}

/// The same acts as at /api/security/sessions, with the same permissions.
#[tokio::test]
async fn sessions_and_the_blacklist_are_reached_from_here_too_but_not_more_easily() {
    on_each_database(async |server| {
        make_roles(server).await;
        make_role(server, "guard", 50, &["api.users.users.manage", "api.security.sessions.*"])
            .await;
        let guard = server.by_cookie(&staff("guard@example.com", "guard", "guard")).await;
        let manager = server.by_cookie(&MANAGER).await;
        let agency = server.by_cookie(&AGENCY).await;
        let uuid = server.add(&CLERK).await.uuid;
        let chief = server.add(&CHIEF).await.uuid;
        let clerk = server.sign_in(&CLERK).await;
        let add = |uuid: &str| on("add_to_blacklist", uuid, &json!({"reason": "Left"}));
        assert_eq!(post(&manager, USERS, &add(&uuid)).await.verdict(), "403 permission_missing");
        assert_eq!(post(&agency, USERS, &add(&uuid)).await.verdict(), "403 account_type");
        assert_eq!(post(&guard, USERS, &add(&chief)).await.verdict(), "403 above_level");
        assert_eq!(post(&guard, USERS, &add("nobody")).await.verdict(), "404 not_found");
        let unsaid = on("add_to_blacklist", &uuid, &json!({}));
        assert_eq!(post(&guard, USERS, &unsaid).await.verdict(), "400 invalid");
        assert!(is_in(&clerk).await);
        assert_eq!(post(&guard, USERS, &add(&uuid)).await.status, 200);
        assert!(!is_in(&clerk).await);
        let remove = on("remove_from_blacklist", &uuid, &json!({}));
        assert_eq!(post(&manager, USERS, &remove).await.verdict(), "403 permission_missing");
        assert_eq!(post(&guard, USERS, &remove).await.status, 200);

        let clerk = server.sign_in(&CLERK).await;
        let began = &server.events("session_created", 1).await[0];
        let end = json!({"action": "terminate_session", "session_id": began.context.session});
        assert_eq!(post(&manager, USERS, &end).await.verdict(), "403 permission_missing");
        assert!(is_in(&clerk).await);
        let answer = post(&guard, USERS, &end).await;
        assert_eq!(answer.json()["message"], "Session terminated", "{answer:?}");
        assert!(!is_in(&clerk).await);
    })
    .await;
}

#[tokio::test]
async fn who_is_signed_in_is_listed_for_staff_who_may_see_it() {
    on_each_database(async |server| {
        make_roles(server).await;
        let keys = ["api.users.users.manage", "api.security.sessions.list"];
        make_role(server, "guard", 50, &keys).await;
        let guard = server.by_cookie(&staff("guard@example.com", "guard", "guard")).await;
        let manager = server.by_cookie(&MANAGER).await;
        let outsider = Person {
            account_type: AccountType::Agent,
            ..staff("outsider@example.com", "outsider", "guard")
        };
        let outsider = server.by_cookie(&outsider).await;
        let uuid = server.add(&CLERK).await.uuid;
        let clerk = [server.sign_in(&CLERK).await, server.sign_in(&CLERK).await];
        let own = format!("{USERS}?action=get_user_sessions&uuid={uuid}");
        let all = format!("{USERS}?action=get_active_sessions");
        for path in [&own, &all] {
            let verdict = manager.get(path).send().await.verdict();
            assert_eq!(verdict, "403 permission_missing", "{path}");
            let verdict = outsider.get(path).send().await.verdict();
            assert_eq!(verdict, "403 account_type", "{path}");
        }
        let listed = guard.get(&own).send().await.json();
        assert_eq!(listed["count"], 2, "{listed}");
        assert_eq!(listed["data"][0]["email"], CLERK.email);
        let listed = guard.get(&all).send().await.json();
        assert_eq!(listed["count"], 5, "{listed}");
        let one = guard.get(&format!("{all}&limit=1&offset=1")).send().await.json();
        assert_eq!((&one["count"], &one["data"][0]), (&json!(5), &listed["data"][1]));
        let missing = guard.get(&format!("{USERS}?action=get_user_sessions&uuid=x")).send().await;
        assert_eq!(missing.verdict(), "404 not_found");
        // Whoever is signed out or deleted is in no list.
        let owner = server.by_cookie(&STAFF).await;
        assert_eq!(post(&owner, LOGOUT_USER, &json!({"uuid": uuid})).await.status, 200);
        assert!(!is_in(&clerk[0]).await);
        assert_eq!(guard.get(&own).send().await.json()["count"], 0);
        server.sign_in(&CLERK).await;
        assert_eq!(guard.get(&own).send().await.json()["count"], 1);
        post(&owner, USERS, &on("delete_user", &uuid, &json!({}))).await;
        let text = guard.get(&all).send().await.text();
        assert!(!text.contains(CLERK.email) && !text.contains("deleted.invalid"), "{text}");
    })
    .await;
}
