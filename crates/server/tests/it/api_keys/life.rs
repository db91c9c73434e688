//! How keys end, and what does not end them.

use std::time::Duration;

use http::Method;
use portcullis_domain::account::AccountStatus;
use portcullis_store::{blacklist, users};
use serde_json::json;

use super::{KEYS, create, program, text};
use crate::harness::people::{PASSWORD, STAFF, TENANT};
use crate::harness::{Setup, on_each_database, on_each_database_with};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn ts12_what_is_over_is_401() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let ends = server.app.clock.now().plus(2 * HOUR).iso();
        let made = create(&owner, &json!({"name": "short", "expiresAt": ends})).await;
        let client = server.client().key(text(&made["key"]));
        assert_eq!(client.get("/").send().await.status, 200);
        server.advance(2 * HOUR);
        let over = client.get("/").send().await;
        assert_eq!(over.verdict(), "401 key_expired");
        assert!(over.header("www-authenticate").is_some());
        let one = format!("{KEYS}/{}", text(&made["id"]));
        assert_eq!(owner.get(&one).send().await.json()["status"], "EXPIRED");
        let anew = owner.act(Method::POST, &format!("{one}/regenerate"), &json!({})).await;
        assert_eq!(anew.verdict(), "409 key_expired");
        let later = json!({"expiresAt": server.app.clock.now().plus(HOUR).iso()});
        assert_eq!(owner.act(Method::PATCH, &one, &later).await.status, 200);
        assert_eq!(client.get("/").send().await.status, 200, "its owner gave it more time");
        for wrong in [format!("sk_{}", "0".repeat(64)), "sk_".to_owned(), "x".to_owned()] {
            let answer = server.client().key(&wrong).get("/").send().await;
            assert_eq!(answer.verdict(), "401 credential_unknown");
        }
    })
    .await;
}

#[tokio::test]
async fn the_old_value_goes_on_for_as_long_as_was_chosen() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let (old, id) = program(server, &TENANT, &["read"]).await;
        let path = format!("{KEYS}/{id}/regenerate");
        for overlap in [json!(-1), json!(2_592_001), json!("long")] {
            let answer = owner.act(Method::POST, &path, &json!({"overlap": overlap})).await;
            assert_eq!(answer.status, 400, "{overlap}");
        }
        let anew = owner.act(Method::POST, &path, &json!({"overlap": 3600})).await.json();
        let new = server.client().key(text(&anew["key"]));
        assert_eq!(old.get("/").send().await.status, 200);
        assert_eq!(new.get("/").send().await.status, 200);
        server.advance(HOUR);
        assert_eq!(old.get("/").send().await.verdict(), "401 key_expired");
        assert_eq!(new.get("/").send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_make_one_anew_one_has_the_value() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.sign_in(&TENANT).await;
        let (old, id) = program(server, &TENANT, &["read"]).await;
        let token = owner.get("/api/security/csrf-token?use=session").send().await.json();
        let token = text(&token["data"]["token"]).to_owned();
        let path = format!("{KEYS}/{id}/regenerate");
        let tries = (0..8)
            .map(|_| owner.post(&path).header("x-csrf-token", &token).json(&json!({})).send());
        let answers = futures_util::future::join_all(tries).await;
        let mut alive = 0;
        for answer in &answers {
            if answer.status == 201 {
                let client = server.client().key(text(&answer.json()["key"]));
                alive += usize::from(client.get("/").send().await.status == 200);
            } else {
                assert_eq!(answer.verdict(), "409 conflict");
            }
        }
        assert_eq!(alive, 1);
        assert_eq!(old.get("/").send().await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_revoked_while_it_is_used_is_refused_from_then_on() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let (client, id) = program(server, &TENANT, &["read"]).await;
        let use_it = async {
            let mut statuses = Vec::new();
            for _ in 0..40 {
                statuses.push(client.get("/").send().await.status.as_u16());
            }
            statuses
        };
        let (one, body) = (format!("{KEYS}/{id}"), json!({}));
        let revoke = owner.act(Method::DELETE, &one, &body);
        let (statuses, revoked) = tokio::join!(use_it, revoke);
        assert_eq!(revoked.status, 200);
        assert!(statuses.is_sorted(), "once refused, always refused: {statuses:?}");
        assert_eq!(client.get("/").send().await.verdict(), "401 key_revoked");
    })
    .await;
}

#[tokio::test]
async fn a_key_waits_while_its_owner_is_kept_out_and_outlives_his_password() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let (client, _) = program(server, &TENANT, &["read"]).await;
        let now = server.app.clock.now();
        let status = async || client.get("/").send().await.verdict();
        assert_eq!(status().await, "200");
        let mut tx = server.app.db.write().await.unwrap();
        blacklist::add(&mut tx, tenant.id, None, None, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(status().await, "401 account_disabled");
        let mut tx = server.app.db.write().await.unwrap();
        assert!(blacklist::remove(&mut tx, tenant.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(status().await, "200", "it comes back with him");

        let owner = server.mobile(&TENANT).await;
        let body = json!({"currentPassword": PASSWORD, "newPassword": "another battery staple"});
        let changed = owner.act(Method::POST, "/api/auth/change-password", &body).await;
        assert_eq!(changed.status, 201, "{changed:?}");
        assert_eq!(status().await, "200", "a new password does not stop integrations");

        let mut tx = server.app.db.write().await.unwrap();
        assert!(users::set_status(&mut tx, tenant.id, AccountStatus::Disabled, now).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(status().await, "401 account_disabled");
    })
    .await;
}

#[tokio::test]
async fn ts11_a_key_has_its_own_limit() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let asked = json!({"name": "few", "rateLimit": 2, "rateLimitWindow": 60});
        let made = create(&owner, &asked).await;
        let client = server.client().key(text(&made["key"]));
        for left in ["1", "0"] {
            let answer = client.get("/").send().await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("x-ratelimit-limit"), Some("2"));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        }
        let refused = client.get("/").send().await;
        assert_eq!(refused.verdict(), "429 too_many_requests");
        assert_eq!(refused.json()["message"], "Too Many Requests");
        assert!(refused.header("retry-after").is_some());
        let (other, _) = program(server, &TENANT, &["read"]).await;
        assert_eq!(other.get("/").send().await.status, 200, "another key");
        server.advance(Duration::from_mins(1));
        assert_eq!(client.get("/").send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_with_a_key_is_counted_and_told() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let owner = server.mobile(&STAFF).await;
        let (client, id) = program(server, &STAFF, &["read"]).await;
        for path in ["/api/leads", "/api/leads", "/api/jobs", "/api/admin/roles"] {
            client.get(path).send().await;
        }
        client.post("/api/jobs").send().await;
        server.app.key_usage.write(&server.app.db).await.unwrap();
        let stats = owner.get(&format!("{KEYS}/{id}/stats")).send().await.json();
        for name in ["total", "last24h", "last7d", "last30d"] {
            assert_eq!(stats[name], 5, "{name}: {stats}");
        }
        let top = json!([
            {"endpoint": "jobs", "count": 2},
            {"endpoint": "leads", "count": 2},
            {"endpoint": "/api/admin/roles", "count": 1},
        ]);
        assert_eq!(stats["topEndpoints"], top);
        assert_eq!(stats["rateLimit"], json!({"limit": 1000, "window": 3600}));
        let usage = owner.get(&format!("{KEYS}/{id}/usage?limit=2&page=1")).send().await.json();
        assert_eq!(
            usage["pagination"],
            json!({"page": 1, "limit": 2, "total": 5, "totalPages": 3})
        );
        let last = &usage["logs"][0];
        assert_eq!((&last["method"], &last["status"]), (&json!("POST"), &json!(403)));
        let shown = owner.get(&format!("{KEYS}/{id}")).send().await.json();
        assert_eq!(shown["usageCount"], 5);
        assert!(shown["lastUsedAt"].is_string());
    })
    .await;
}

#[tokio::test]
async fn ts13_a_key_is_refused_from_elsewhere() {
    let setup = Setup::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    on_each_database_with(setup, async |server| {
        server.add(&TENANT).await;
        let owner = server.mobile(&TENANT).await;
        let asked = json!({"name": "office", "allowedIps": ["203.0.113.0/24", "2001:db8::7"]});
        let made = create(&owner, &asked).await;
        let client = server.client().key(text(&made["key"]));
        for (from, expected) in [
            ("203.0.113.7", "200"),
            ("::ffff:203.0.113.7", "200"),
            ("2001:db8::7", "200"),
            ("203.0.114.7", "403 key_address"),
            ("2001:db8::8", "403 key_address"),
            ("203.0.113.7, 198.51.100.1", "403 key_address"),
            ("198.51.100.1, 203.0.113.7", "200"),
            ("nonsense", "403 key_address"),
        ] {
            let answer = client.get("/").header("x-forwarded-for", from).send().await;
            assert_eq!(answer.verdict(), expected, "{from}");
        }
        assert_eq!(client.get("/").send().await.verdict(), "403 key_address", "the proxy itself");
        let denied = &server.events("authz_fail", 1).await[0];
        assert_eq!(denied.detail["reason"], "key_address");
    })
    .await;
}
