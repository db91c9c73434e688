//! What people do with their keys by API (contract S25–S32), and what they may not do with those of
//! others.

use http::Method;
use serde_json::{Value, json};

use super::{KEYS, create, program, text};
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, STAFF, TENANT};

#[tokio::test]
async fn ts08_a_key_is_shown_once_and_a45_never_again() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let made = create(&owner, &json!({"name": "import"})).await;
        let key = text(&made["key"]).to_owned();
        let digits = key.strip_prefix("sk_").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit()), "{key}");
        assert_eq!(made["keyPrefix"], key[..12]);
        assert_eq!(made["scopes"], json!(["read"]));
        assert_eq!((&made["rateLimit"], &made["rateLimitWindow"]), (&json!(1000), &json!(3600)));
        assert_eq!(made["expiresAt"], Value::Null);
        assert_eq!(made["message"], "Store this key securely. It will not be shown again.");
        let id = text(&made["id"]);
        let caller = server.client().key(&key);
        assert_eq!(caller.get("/").send().await.status, 200, "control");
        for path in ["", "/ID", "/ID/usage", "/ID/stats"] {
            let path = format!("{KEYS}{}", path.replace("ID", id));
            let answer = owner.get(&path).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(!answer.text().contains(&digits[9..]), "{path}");
        }
        let shown = owner.get(&format!("{KEYS}/{id}")).send().await.json();
        for name in [
            "id",
            "name",
            "description",
            "keyPrefix",
            "scopes",
            "rateLimit",
            "rateLimitWindow",
            "ipWhitelist",
            "status",
            "expiresAt",
            "lastUsedAt",
            "usageCount",
            "createdAt",
            "updatedAt",
        ] {
            assert!(shown.get(name).is_some(), "{name}: {shown}");
        }
        assert!(shown.get("key").is_none());
        caller.request(Method::POST, "/").send().await;
        let written = String::from_utf8_lossy(&server.everything_written().await).into_owned();
        assert!(!written.contains(&digits[9..]), "it stands in the store");
        let event = &server.events("api_key_created", 1).await[0];
        let detail = json!({"key": id, "prefix": key[..12], "scopes": "read"});
        assert_eq!(event.detail, detail);
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_for_is_checked_and_all_faults_are_told() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let whole = json!({
            "name": "import", "description": "every night", "scopes": ["write", "read"],
            "rateLimit": 5, "rateLimitWindow": 60, "allowedIps": ["192.0.2.0/24", "::1"],
            "expiresAt": "2030-01-01T00:00:00Z",
        });
        let made = create(&owner, &whole).await;
        assert_eq!(made["scopes"], json!(["read", "write"]));
        assert_eq!(made["allowedIps"], json!(["192.0.2.0/24", "::1/128"]));
        assert_eq!(made["expiresAt"], "2030-01-01T00:00:00Z");
        for (field, value) in [
            ("name", json!("")),
            ("name", json!("x".repeat(101))),
            ("name", json!(7)),
            ("scopes", json!(["read", "everything"])),
            ("scopes", json!(["*"])),
            ("scopes", json!([])),
            ("scopes", json!([7])),
            ("rateLimit", json!(0)),
            ("rateLimit", json!(1_000_001)),
            ("rateLimit", json!("many")),
            ("rateLimitWindow", json!(0)),
            ("rateLimitWindow", json!(86_401)),
            ("allowedIps", json!(["10.0.0.0/33"])),
            ("allowedIps", json!(["example.com"])),
            ("expiresAt", json!("2020-01-01")),
            ("expiresAt", json!("soon")),
            ("expiresAt", json!(7)),
            ("userId", json!(1)),
            ("status", json!("ACTIVE")),
        ] {
            let mut body = whole.clone();
            body[field] = value.clone();
            let answer = owner.act(Method::POST, KEYS, &body).await;
            assert_eq!(answer.status, 400, "{field} {value}: {answer:?}");
            assert!(answer.json()["message"].to_string().contains(field), "{answer:?}");
        }
        let unknown = owner.act(Method::POST, KEYS, &json!({"name": "x", "userId": 1})).await;
        assert_eq!(unknown.json()["message"], json!(["property userId should not exist"]));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_changed_taken_back_and_made_anew() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let (client, id) = program(server, &TENANT, &["read"]).await;
        let one = format!("{KEYS}/{id}");
        let changed = owner.act(Method::PATCH, &one, &json!({"name": "other"})).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["name"]), (200, &json!("other")));
        assert_eq!(changed.json()["scopes"], json!(["read"]));
        let anew = owner.act(Method::POST, &format!("{one}/regenerate"), &json!({})).await;
        assert_eq!(anew.status, 201, "{anew:?}");
        let new = server.client().key(text(&anew.json()["key"]));
        assert_eq!(client.get("/").send().await.verdict(), "401 key_expired");
        assert_eq!(new.get("/").send().await.status, 200);
        let revoked = owner.act(Method::POST, &format!("{one}/revoke"), &json!({})).await;
        assert_eq!(revoked.status, 201);
        assert_eq!(revoked.json(), json!({"id": id, "name": "other", "status": "REVOKED"}));
        assert_eq!(new.get("/").send().await.verdict(), "401 key_revoked");
        let back = owner.act(Method::PATCH, &one, &json!({"status": "ACTIVE"})).await;
        assert_eq!(back.verdict(), "409 key_revoked", "what was taken back stays so");
        let anew = owner.act(Method::POST, &format!("{one}/regenerate"), &json!({})).await;
        let newest = server.client().key(text(&anew.json()["key"]));
        assert_eq!(newest.get("/").send().await.status, 200);
        assert_eq!(new.get("/").send().await.verdict(), "401 key_expired");
        let deleted = owner.act(Method::DELETE, &one, &json!({})).await;
        assert_eq!((deleted.status.as_u16(), deleted.json()), (200, json!({"success": true})));
        assert_eq!(newest.get("/").send().await.verdict(), "401 key_revoked");
        let list = async |query: &str| {
            let answer = owner.get(&format!("{KEYS}{query}")).send().await;
            answer.json().as_array().unwrap().len()
        };
        assert_eq!((list("").await, list("?status=REVOKED").await), (1, 1));
        assert_eq!(list("?status=ACTIVE").await, 0);
        assert_eq!(owner.get(&format!("{KEYS}?status=x")).send().await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn d4_57_nobody_reaches_the_keys_of_others_or_makes_one_for_them() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let agent = server.add(&AGENT).await;
        server.add(&TENANT).await;
        let (client, id) = program(server, &AGENT, &["admin"]).await;
        let (tenant, nobody) = (server.mobile(&TENANT).await, server.client());
        for (method, path) in [
            (Method::GET, ""),
            (Method::PATCH, ""),
            (Method::DELETE, ""),
            (Method::POST, "/revoke"),
            (Method::POST, "/regenerate"),
            (Method::GET, "/usage"),
            (Method::GET, "/stats"),
        ] {
            let path = format!("{KEYS}/{id}{path}");
            for other in [&tenant, &server.mobile(&STAFF).await] {
                let answer = other.act(method.clone(), &path, &json!({})).await;
                assert_eq!(answer.verdict(), "404 key_unknown", "{method} {path}");
                assert_eq!(answer.json()["message"], "API key not found");
            }
            let answer = nobody.request(method.clone(), &path).json(&json!({})).send().await;
            assert_eq!(answer.status, 401, "{method} {path}");
            let by_key = client.request(method.clone(), &path).json(&json!({})).send().await;
            assert_eq!(by_key.verdict(), "403 session_needed", "{method} {path}");
        }
        let for_agent = json!({"name": "x", "userId": agent.id});
        assert_eq!(nobody.post(KEYS).json(&for_agent).send().await.status, 401);
        assert_eq!(tenant.act(Method::POST, KEYS, &for_agent).await.status, 400);
        assert_eq!(client.get("/").send().await.status, 200, "control");
        let totals = format!("{KEYS}/stats");
        assert_eq!(tenant.get(&totals).send().await.verdict(), "403 permission_missing");
        let found = server.mobile(&STAFF).await.get(&totals).send().await.json();
        let keys = json!({"total": 1, "active": 1, "revoked": 0, "expired": 0, "suspended": 0});
        assert_eq!(found["keys"], keys);
    })
    .await;
}

#[tokio::test]
async fn there_are_fifty_keys_at_most_and_of_many_at_once_too() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.sign_in(&TENANT).await;
        let token = owner.get("/api/security/csrf-token?use=session").send().await.json();
        let token = text(&token["data"]["token"]).to_owned();
        let tries = (0..60).map(|number| {
            let body = json!({"name": format!("key {number}")});
            owner.post(KEYS).header("x-csrf-token", &token).json(&body).send()
        });
        let answers = futures_util::future::join_all(tries).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 50);
        assert!(answers.iter().all(|it| it.status == 201 || it.verdict() == "409 keys_full"));
    })
    .await;
}
