//! A key that tries to become more than it is: by making others, by changing itself, by what its owner
//! once was, and by what else a request may carry.

use http::Method;
use portcullis_domain::id::UserId;
use portcullis_store::{roles, users};
use serde_json::json;

use super::{KEYS, create, program};
use crate::harness::people::{STAFF, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

/// Needs a permission that only the owner's role has.
const ADMINISTERED: &str = "/api/admin/roles";

#[tokio::test]
async fn a46_no_key_makes_changes_or_renews_one() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let owner = server.mobile(&STAFF).await;
        let (client, id) = program(server, &STAFF, &["read", "write", "delete", "admin"]).await;
        assert_eq!(client.get(ADMINISTERED).send().await.status, 200, "control");
        let (one, body) = (format!("{KEYS}/{id}"), json!({"name": "more", "scopes": ["admin"]}));
        for (method, path) in [
            (Method::POST, KEYS.to_owned()),
            (Method::PATCH, one.clone()),
            (Method::POST, format!("{one}/regenerate")),
            (Method::POST, format!("{one}/revoke")),
            (Method::DELETE, one.clone()),
        ] {
            let answer = client.request(method.clone(), &path).json(&body).send().await;
            assert_eq!(answer.verdict(), "403 session_needed", "{method} {path}");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
        }
        let page = client.post("/-/account/keys").from_own_page();
        let form = [("action", "create"), ("name", "more"), ("scopes", "admin")];
        assert_eq!(page.form(&form).send().await.status, 403);
        // No session comes of a key either, by which keys could be made.
        for path in ["/api/auth/csrf-token", "/api/auth/refresh", "/api/security/csrf-token"] {
            for method in [Method::GET, Method::POST] {
                let answer = client.request(method, path).json(&json!({})).send().await;
                assert!((400..500).contains(&answer.status.as_u16()), "{path}: {answer:?}");
                assert!(answer.set_cookie("sessionid").is_none(), "{path}");
            }
        }
        let keys = owner.get(KEYS).send().await.json();
        assert_eq!(keys.as_array().unwrap().len(), 1);
        assert_eq!((&keys[0]["name"], &keys[0]["status"]), (&json!("program"), &json!("ACTIVE")));
        create(&owner, &body).await;
    })
    .await;
}

#[tokio::test]
async fn a47_scopes_beyond_the_owner_give_nothing() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        server.add(&STAFF).await;
        let owner = server.mobile(&TENANT).await;
        let (client, id) = program(server, &TENANT, &["read"]).await;
        let one = format!("{KEYS}/{id}");
        for scopes in [
            json!(["owner"]),
            json!(["*"]),
            json!(["READ"]),
            json!(["read", "api.roles.manage"]),
            json!(["admin:org"]),
            json!("read;admin"),
            json!([["admin"]]),
            json!({"admin": true}),
            json!([]),
        ] {
            let answer = owner.act(Method::PATCH, &one, &json!({"scopes": scopes})).await;
            assert_eq!(answer.status, 400, "{scopes}: {answer:?}");
        }
        for (field, value) in [
            ("userId", json!(1)),
            ("key", json!(format!("sk_{}", "0".repeat(64)))),
            ("keyPrefix", json!("sk_000000000")),
            ("usageCount", json!(0)),
            ("roleId", json!(1)),
            ("organizationId", json!(1)),
            ("createdAt", json!("2020-01-01T00:00:00Z")),
        ] {
            let answer = owner.act(Method::PATCH, &one, &json!({(field): value})).await;
            assert_eq!(answer.status, 400, "{field}: {answer:?}");
        }
        assert_eq!(client.post("/").send().await.verdict(), "403 scope_missing", "as it was");
        let most = owner.act(Method::PATCH, &one, &json!({"scopes": ["admin"]})).await;
        assert_eq!(most.json()["scopes"], json!(["admin"]));
        assert_eq!(client.post("/").send().await.status, 201, "control: what he may himself");
        let refused = client.get(ADMINISTERED).send().await.verdict();
        assert_eq!(refused, owner.get(ADMINISTERED).send().await.verdict());
        assert!(refused.starts_with("403"), "{refused}");
        let (of_staff, _) = program(server, &STAFF, &["admin"]).await;
        assert_eq!(of_staff.get(ADMINISTERED).send().await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn a47_a_key_is_demoted_with_its_owner_and_comes_back_with_him() {
    on_each_database(async |server| {
        let staff = server.add(&STAFF).await;
        server.add(&Z1).await;
        let (client, _) = program(server, &STAFF, &["admin"]).await;
        let role = json!({"action": "create_role", "name": "made by a key", "level": 1});
        let act = async || client.post(ADMINISTERED).json(&role).send().await.verdict();
        assert_eq!(client.get(ADMINISTERED).send().await.status, 200, "control");
        give_role(server, staff.id, Z1.role).await;
        assert_eq!(client.get(ADMINISTERED).send().await.verdict(), "403 permission_missing");
        assert_eq!(act().await, "403 permission_missing");
        assert_eq!(client.get("/").send().await.status, 200, "control: it is still his");
        give_role(server, staff.id, STAFF.role).await;
        assert!(act().await.starts_with("20"), "control: with him");
    })
    .await;
}

/// The scope is that of the method in the request line, and the right is that of the key alone.
#[tokio::test]
async fn a46_nothing_beside_a_key_lends_it_more() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let tenant = server.add(&TENANT).await;
        let (reader, _) = program(server, &TENANT, &["read"]).await;
        let strong = server.sign_in(&STAFF).await;
        let cookie = format!("sessionid={}", strong.cookie("sessionid").unwrap());
        let token = strong.fetch_csrf().await;
        for (name, value) in [
            ("x-http-method-override", "GET"),
            ("x-method-override", "GET"),
            ("x-http-method", "GET"),
            ("x-forwarded-method", "GET"),
            ("cookie", &*cookie),
            ("x-csrf-token", &*token),
            ("x-auth-user", "1"),
        ] {
            let answer = reader.post("/?_method=GET").header(name, value).send().await;
            assert_eq!(answer.verdict(), "403 scope_missing", "{name}");
        }
        let beside = reader.get(ADMINISTERED).header("cookie", &cookie).send().await;
        assert!(beside.verdict().starts_with("403"), "{beside:?}");
        assert_eq!(strong.get(ADMINISTERED).send().await.status, 200, "control");
        assert_eq!(reader.get("/").header("cookie", &cookie).send().await.status, 200, "control");
        let seen = server.upstream.seen();
        assert_eq!(seen.last().unwrap().headers["x-auth-user"], tenant.id.to_string());
    })
    .await;
}

/// A key proves nobody, so where a fresh sign-in is asked of programs too it is none.
#[tokio::test]
async fn a47_where_programs_must_be_fresh_a_key_does_no_lasting_harm() {
    let all = "[sign_in]\nstep_up = \"all\"";
    for (config, expected) in [("", "200"), (all, "403 step_up_required")] {
        on_each_database_with(Setup::with(config), async |server| {
            server.add(&STAFF).await;
            let (client, _) = program(server, &STAFF, &["admin"]).await;
            let role = json!({"action": "create_role", "name": "made by a key", "level": 1});
            let answer = client.post(ADMINISTERED).json(&role).send().await;
            assert_eq!(answer.verdict(), expected, "{config}");
            assert_eq!(client.get(ADMINISTERED).send().await.status, 200, "control");
        })
        .await;
    }
}

async fn give_role(server: &TestApp, user: UserId, role: &str) {
    let mut tx = server.app.db.write().await.unwrap();
    let role = roles::by_name(&mut tx, role).await.unwrap().unwrap();
    assert!(users::set_role(&mut tx, user, role.id, server.app.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
}
