//! `GET /api/users/users` (P25): pages, searches, and names that were written to be dangerous.

use serde_json::json;

use super::*;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF0, TENANT};

#[tokio::test]
async fn pages_are_as_long_as_asked_and_nonsense_is_refused() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        for person in [&TENANT, &CLERK, &DEPUTY, &CHIEF] {
            server.add(person).await;
        }
        let check = async |query: &str, expected: Result<(usize, usize), &str>| {
            let answer = manager.get(&format!("{USERS}?{query}")).send().await;
            match expected {
                Ok((rows, count)) => {
                    let body = answer.json();
                    assert_eq!(body["success"], true, "{query}: {body}");
                    assert_eq!(body["count"], count, "{query}");
                    assert_eq!(body["data"].as_array().unwrap().len(), rows, "{query}");
                }
                Err(verdict) => assert_eq!(answer.verdict(), verdict, "{query}"),
            }
        };
        check("", Ok((5, 5))).await;
        check("action=get_all_users&limit=2", Ok((2, 5))).await;
        check("action=get_all_users&limit=2&offset=4", Ok((1, 5))).await;
        check("action=get_all_users&limit=200&offset=99999999999", Ok((0, 5))).await;
        for nonsense in ["0", "201", "-1", "1.5", "x", "", "1e3", "99999999999999999999", "1%00"] {
            check(&format!("limit={nonsense}"), Err("400 invalid")).await;
        }
        for nonsense in ["-1", "x", "99999999999999999999", "", "%2B1"] {
            check(&format!("offset={nonsense}"), Err("400 invalid")).await;
        }
        check("action=search&q=clerk", Ok((1, 1))).await;
        check("action=search&q=JANE+smith", Ok((5, 5))).await;
        check("action=search&q=%25", Ok((0, 0))).await;
        check("action=search&q=_", Ok((0, 0))).await;
        check("action=search", Err("400 invalid")).await;
        check("action=search&q=+", Err("400 invalid")).await;
        check(&format!("action=search&q={}", "x".repeat(201)), Err("400 invalid")).await;
        check("action=search&q=a%00", Err("400 invalid")).await;
        check("action=get_account_types", Ok((5, 5))).await;
        check("action=get_account_statuses", Ok((2, 2))).await;
        check("action=get_password_breach_status", Err("403 permission_missing")).await;
        check("action=bogus", Err("400 invalid")).await;
        check("action=get_user", Err("400 invalid")).await;
        check("action=get_user&uuid=nobody", Err("404 not_found")).await;
        check("action=get_audit_log", Err("400 invalid")).await;
        let health = manager.get(&format!("{USERS}?action=health_check")).send().await.json();
        assert_eq!(health["data"], json!({"status": "operational", "users": 5}));
        let total = manager.get(&format!("{USERS}?limit=1")).send().await.json();
        assert_eq!(total["count"], 5);
    })
    .await;
}

#[tokio::test]
async fn only_whoever_manages_users_sees_them() {
    on_each_database(async |server| {
        make_roles(server).await;
        let staff0 = server.by_cookie(&STAFF0).await;
        let tenant = server.by_cookie(&TENANT).await;
        let manager = server.by_bearer(&MANAGER).await;
        for query in ["", "?action=search&q=x", "?action=get_user&uuid=x", "?action=health_check"] {
            let path = format!("{USERS}{query}");
            assert_eq!(server.client().get(&path).send().await.verdict(), "401 credential_missing");
            for client in [&staff0, &tenant] {
                assert_eq!(client.get(&path).send().await.verdict(), "403 permission_missing");
            }
        }
        assert_eq!(manager.get(USERS).send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_happened_to_an_account_is_listed() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        let uuid = server.add(&CLERK).await.uuid;
        post(&manager, USERS, &on("toggle_status", &uuid, &json!({}))).await;
        let path = format!("{USERS}?action=get_audit_log&uuid={uuid}");
        let rows = manager.get(&path).send().await.json()["data"].clone();
        let row = &rows[0];
        assert_eq!(row["action"], "user_updated", "{rows}");
        assert_eq!(row["user_name"], "Jane Smith");
        assert_eq!(row["resource_id"], user(&manager, &uuid).await["ID"]);
        assert_eq!(row["detail"], json!({"field": "status", "value": "disabled", "sessions": 0}));
        let limited = manager.get(&format!("{path}&limit=1&offset=1")).send().await.json();
        assert_eq!(limited["count"], 0);
    })
    .await;
}

/// Manages users, and may not read the log.
const READER: Person = Person { role: "reader", ..PEER };

#[tokio::test]
async fn what_happened_is_for_those_who_may_read_the_log() {
    on_each_database(async |server| {
        make_roles(server).await;
        make_role(server, "reader", 50, &["api.users.users.manage"]).await;
        let manager = server.by_cookie(&MANAGER).await;
        let peer = server.by_cookie(&READER).await;
        let uuid = server.add(&CLERK).await.uuid;
        post(&manager, USERS, &on("toggle_status", &uuid, &json!({}))).await;
        let path = format!("{USERS}?action=get_audit_log&uuid={uuid}");
        assert_eq!(peer.get(&path).send().await.verdict(), "403 permission_missing");
        assert_eq!(manager.get(&path).send().await.status, 200, "control");
        for (client, shows) in [(&peer, false), (&manager, true)] {
            let page = client.get(&format!("/-/admin/user?uuid={uuid}")).send().await;
            assert_eq!(page.status, 200);
            assert_eq!(page.text().contains("What happened"), shows);
            assert_eq!(page.text().contains("<code>user_updated</code>"), shows);
        }
    })
    .await;
}

/// Stored as they are, and given back as they are: what a page or a table makes of them is its own.
#[tokio::test]
async fn hostile_names_come_back_as_they_were() {
    on_each_database(async |server| {
        make_roles(server).await;
        let manager = server.by_cookie(&MANAGER).await;
        for (number, name) in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "=cmd|' /C calc'!A0",
            "@SUM(1+1)",
            "a\u{200c}b",
            "Robert'); DROP TABLE users;--",
            "{{7*7}}",
            "🧨",
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("n{number}@example.com");
            let body = json!({"action": "create_user", "email": email, "first_name": name});
            let answer = post(&manager, USERS, &body).await;
            assert_eq!(answer.json()["data"]["first_name"], name, "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        let text = form_urlencoded::byte_serialize(b"DROP TABLE").collect::<String>();
        let found = manager.get(&format!("{USERS}?action=search&q={text}")).send().await.json();
        assert_eq!(found["count"], 1, "{found}");
    })
    .await;
}
