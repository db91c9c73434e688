//! What a key may do: its scopes by the method, and never more than its owner.

use http::Method;
use portcullis_domain::permission::Grant;
use portcullis_server::web::routes;
use portcullis_store::roles;
use serde_json::json;

use super::{ask, program};
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, STAFF0, TENANT, Z1};

#[tokio::test]
async fn ts09_ts10_a46_scopes_are_by_method() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let methods =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        for (scopes, covered) in [
            (&["read"][..], "GET HEAD"),
            (&["write"], "POST PUT PATCH"),
            (&["delete"], "DELETE"),
            (&["read", "delete"], "GET HEAD DELETE"),
            (&["admin"], "GET HEAD POST PUT PATCH DELETE"),
        ] {
            let (client, _) = program(server, &Z1, scopes).await;
            let mut passed = Vec::new();
            for method in &methods {
                let answer = ask(&client, method.clone(), "/api/projects").await;
                match answer.status.as_u16() {
                    200 | 201 => passed.push(method.to_string()),
                    403 if *method == Method::HEAD => {}
                    _ => {
                        assert_eq!(answer.verdict(), "403 scope_missing", "{scopes:?} {method}");
                        let message = "You do not have permission to perform this action";
                        assert_eq!(answer.json()["message"], message);
                        let challenge = answer.header("www-authenticate").unwrap();
                        assert!(challenge.contains("insufficient_scope"), "{challenge}");
                    }
                }
            }
            assert_eq!(passed.join(" "), covered, "{scopes:?}");
        }
    })
    .await;
}

/// Every mutating row of the table, by a key of somebody who may do everything.
#[tokio::test]
async fn d4_58_a_read_only_key_of_an_owner_changes_nothing() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let (reader, _) = program(server, &STAFF, &["read"]).await;
        let (writer, _) = program(server, &STAFF, &["admin"]).await;
        let is_safe = |method: &Method| matches!(*method, Method::GET | Method::HEAD);
        let (mut by_scope, mut by_session) = (0, 0);
        for row in routes::rows() {
            if is_safe(&row.method) || !row.level.wants_credential() {
                continue;
            }
            let answer = reader.request(row.method.clone(), row.path).json(&json!({})).send().await;
            let (verdict, door) = (answer.verdict(), format!("{} {}", row.method, row.path));
            match verdict.as_str() {
                "403 scope_missing" => by_scope += 1,
                "403 session_needed" => by_session += 1,
                // Pages are told by a page.
                "403" if row.path.starts_with("/-/") => by_session += 1,
                _ => panic!("{door}: {verdict}"),
            }
            let control =
                writer.request(row.method.clone(), row.path).json(&json!({})).send().await;
            assert_ne!(control.verdict(), "403 scope_missing", "control: {door}");
            assert!(control.status != 401, "control: {door} {control:?}");
        }
        assert!(by_scope > 10 && by_session > 20, "{by_scope} {by_session}");
    })
    .await;
}

#[tokio::test]
async fn own_routes_take_keys_where_they_administer_and_not_where_the_account_is() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let (reader, _) = program(server, &STAFF, &["read"]).await;
        for (path, expected) in [
            ("/api/users/users", "200"),
            ("/api/admin/roles", "200"),
            ("/api/security/sessions?action=list", "200"),
            ("/api/auth/me", "403 session_needed"),
            ("/api/auth/csrf-token", "403 session_needed"),
            ("/api/security/csrf-token", "403 session_needed"),
            ("/api/csrf", "403 session_needed"),
            ("/api/account/sessions", "403 session_needed"),
            ("/api/api-keys", "403 session_needed"),
            ("/-/account", "403 session_needed"),
            ("/-/admin", "403 session_needed"),
            ("/-/admin/users", "403 session_needed"),
            ("/-/admin/activity", "403 session_needed"),
            ("/healthz", "200"),
        ] {
            assert_eq!(reader.get(path).send().await.verdict(), expected, "{path}");
        }
        let (writer, _) = program(server, &STAFF, &["write"]).await;
        let role = json!({"action": "create_role", "name": "made by a key", "level": 1});
        let made = writer.post("/api/admin/roles").json(&role).send().await;
        assert!(made.status.is_success(), "without a CSRF token: {made:?}");
        let event = &server.events("role_created", 1).await[0];
        assert!(event.context.session.as_deref().unwrap().starts_with("key_"), "{event:?}");
    })
    .await;
}

#[tokio::test]
async fn a47_a_key_may_never_do_more_than_its_owner_and_feels_at_once_what_he_loses() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (client, _) = program(server, &Z1, &["admin"]).await;
        assert_eq!(ask(&client, Method::POST, "/api/projects").await.status, 201, "control");
        assert_eq!(ask(&client, Method::GET, "/api/admin/roles").await.status, 403, "no owner");
        let mut tx = server.app.db.write().await.unwrap();
        let role = roles::by_name(&mut tx, "worker").await.unwrap().unwrap();
        for grant in &role.grants {
            roles::revoke(&mut tx, role.id, grant).await.unwrap();
        }
        tx.commit().await.unwrap();
        let demoted = ask(&client, Method::POST, "/api/projects").await;
        assert_eq!(demoted.verdict(), "403 permission_missing");
        let mut tx = server.app.db.write().await.unwrap();
        let grant = Grant::parse("api.projects.manage").unwrap();
        roles::grant(&mut tx, role.id, &grant).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ask(&client, Method::POST, "/api/projects").await.status, 201, "again");
    })
    .await;
}

#[tokio::test]
async fn the_type_of_the_account_counts_for_its_keys() {
    on_each_database(async |server| {
        for person in [&STAFF0, &TENANT] {
            server.add(person).await;
        }
        let (staff, _) = program(server, &STAFF0, &["read"]).await;
        let (tenant, _) = program(server, &TENANT, &["read"]).await;
        assert_eq!(ask(&staff, Method::GET, "/admin").await.status, 200);
        assert_eq!(ask(&tenant, Method::GET, "/admin").await.verdict(), "403 account_type");
    })
    .await;
}
