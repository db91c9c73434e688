//! Signing in: what is written down, what is counted, and what happens when the password threads
//! have no place left.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::Context;
use portcullis_domain::password::Params;
use portcullis_domain::role::Authority;
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::users;
use portcullis_store::users as stored;
use serde_json::json;

use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1, sign_in};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

#[tokio::test]
async fn a_sign_in_is_written_down_with_its_request_id() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let answer = sign_in(&server.client(), "fredkiss3", PASSWORD).await;
        let id = answer.header("x-request-id").unwrap();
        for name in ["authn_login_success", "session_created", "authn_token_created"] {
            let events = server.events(name, 1).await;
            assert_eq!(events.len(), 1, "{name}");
            let context = &events[0].context;
            assert_eq!(context.request_id.as_deref(), Some(id), "{name}");
            assert_eq!(context.subject, Some(user.id), "{name}");
            assert_eq!(context.ip.as_deref(), Some("127.0.0.1"), "{name}");
        }
        let wrong = sign_in(&server.client(), "fredkiss3", "wrong").await;
        assert_eq!(wrong.verdict(), "401 wrong_credentials");
        let failed = server.events("authn_login_fail", 1).await;
        assert_eq!(failed[0].detail["reason"], "wrong_password");
        assert_eq!(failed[0].context.request_id.as_deref(), wrong.header("x-request-id"));
        let after = sign_in(&server.client(), "fredkiss3", PASSWORD).await;
        assert_eq!(after.status, 201);
        let events = server.events("authn_login_successafterfail", 1).await;
        assert_eq!(events[0].detail["failures"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_is_an_answer_and_costs_no_attempt() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"\nlockout = \"10/15m\"");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let seats: Vec<_> = std::iter::from_fn(|| server.app.hasher.seat().ok()).collect();
        for _ in 0..12 {
            let busy = sign_in(&server.client(), "fredkiss3", PASSWORD).await;
            assert_eq!(busy.verdict(), "503 busy");
            assert_eq!(busy.header("retry-after"), Some("1"));
        }
        drop(seats);
        let answer = sign_in(&server.client(), "fredkiss3", PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("4"));
    })
    .await;
}

#[tokio::test]
async fn a_cheap_hash_is_made_dear_by_a_right_password_only() {
    let dear = Params { memory_kib: 16, iterations: 2, parallelism: 1 };
    let setup = Setup { argon2: Some(dear), ..Setup::default() };
    on_each_database_with(setup, async |server| {
        let user = server.add(&Z1).await;
        assert!(phc(server, user.id).await.contains("m=8,t=1"));
        assert_eq!(sign_in(&server.client(), "fredkiss3", "wrong").await.status, 401);
        assert!(phc(server, user.id).await.contains("m=8,t=1"));
        assert_eq!(sign_in(&server.client(), "fredkiss3", PASSWORD).await.status, 201);
        for _ in 0..100 {
            if phc(server, user.id).await.contains("m=16,t=2") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(phc(server, user.id).await.contains("m=16,t=2"));
        assert_eq!(sign_in(&server.client(), "fredkiss3", PASSWORD).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_told_of_only_to_whoever_knows_its_password() {
    on_each_database(async |server| {
        let user = server.add(&TENANT).await;
        let cookie = server.sign_in(&TENANT).await;
        let bearer = server.mobile(&TENANT).await;
        assert_eq!(cookie.get("/api/auth/me").send().await.status, 200);
        let (authority, context) = (Authority::operator(), Context::default());
        let acting = Acting {
            db: &server.app.db,
            random: server.app.random,
            now: server.app.clock.now(),
            authority: &authority,
            context: &context,
        };
        users::disable(&acting, user.id).await.unwrap();
        // The command line is another process: it is felt within the revocation bound.
        server.advance(server.app.config.session.revocation_bound);
        assert_eq!(cookie.get("/api/auth/me").send().await.verdict(), "401 session_revoked");
        let answer = bearer.get("/api/auth/me").send().await;
        assert_eq!(answer.verdict(), "401 session_revoked");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
        let wrong = sign_in(&server.client(), "tenant", "wrong").await;
        assert_eq!(wrong.verdict(), "401 wrong_credentials");
        let right = sign_in(&server.client(), "tenant", PASSWORD).await;
        assert_eq!(right.verdict(), "403 account_disabled");
        users::enable(&acting, user.id).await.unwrap();
        assert_eq!(sign_in(&server.client(), "tenant", PASSWORD).await.status, 201);
        let mut tx = server.app.db.read().await.unwrap();
        let user = stored::by_id(&mut tx, user.id).await.unwrap().unwrap();
        assert_eq!(user.status, AccountStatus::Active);
    })
    .await;
}

#[tokio::test]
async fn a_browser_collects_no_bearer_tokens() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let body = json!({"email": STAFF.email, "password": PASSWORD});
        let script = server.client().post("/api/auth/login").json(&body).send().await;
        assert!(script.json()["token"].is_string());
        let page = server.client().post("/api/auth/login").from_own_page().json(&body).send().await;
        assert_eq!(page.status, 201);
        assert!(page.json()["token"].is_null());
        assert!(page.json()["accessToken"].is_string());
        assert!(page.set_cookie("sessionid").unwrap().contains("Max-Age=7200"));
    })
    .await;
}

async fn phc(server: &TestApp, user: portcullis_domain::id::UserId) -> String {
    let mut tx = server.app.db.read().await.unwrap();
    let password = stored::password(&mut tx, user).await.unwrap().unwrap();
    password.phc.unwrap().reveal().to_owned()
}
