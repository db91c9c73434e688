//! `GET /api/security/sessions?action=list` (P2): who is signed in.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_domain::id::{SessionHandle, SessionId};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::{Life, SignInForm};
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::users::User;
use serde_json::{Value, json};

use super::{DAY, HOUR, MINUTE, assert_p};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, PASSWORD, STAFF, STAFF0, TENANT};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const LIST: &str = "/api/security/sessions?action=list";
const DENIED: &str = "You do not have permission to perform this action";

#[tokio::test]
async fn tp04_staff_see_every_session_and_their_own_is_marked() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        server.mobile(&TENANT).await;
        server.advance(MINUTE);
        let staff = server.by_cookie(&STAFF).await;
        let body = list(&staff, "").await;
        assert_eq!(body["success"], true);
        assert_eq!(body["count"], 2);
        assert!(body.get("next").is_none(), "{body}");
        let rows = body["data"].as_array().unwrap();
        for row in rows {
            assert!(row["session_id"].as_str().unwrap().starts_with("sess_"), "{row}");
            for key in ["user_name", "ip_address", "user_agent", "kind", "email"] {
                assert!(row[key].is_string(), "{key}: {row}");
            }
            for key in ["last_active", "created_at", "expires_at"] {
                assert!(row[key].as_str().unwrap().ends_with('Z'), "{key}: {row}");
            }
            assert!(row["user_id"].is_i64() && row["is_current"].is_boolean(), "{row}");
            assert_eq!(row["location"], Value::Null);
        }
        let current = rows.iter().filter(|row| row["is_current"] == true).count();
        assert_eq!((rows.len(), current), (2, 1), "{body}");
        assert_eq!(rows[0]["is_current"], true, "the newest sign-in is the first");
        assert_eq!(rows[1]["user_id"], tenant.id.0);
        assert_eq!(rows[1]["user_name"], "Jane Smith");
        assert_eq!(rows[1]["email"], TENANT.email);
        assert_eq!((&rows[1]["kind"], &rows[0]["kind"]), (&json!("mobile"), &json!("username")));
        assert_eq!(rows[1]["account_type"], "Tenant");
        assert_eq!(rows[1]["ip_address"], "127.0.0.1");
    })
    .await;
}

#[tokio::test]
async fn tp05_without_the_permission_or_as_somebody_else_it_is_denied() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        assert_eq!(staff.get(LIST).send().await.status, 200);
        let staff0 = server.by_bearer(&STAFF0).await;
        let denied = staff0.get(LIST).send().await;
        assert_p(&denied, 403, DENIED);
        assert_eq!(denied.json()["code"], "permission_missing");
        assert_eq!(denied.json()["rule"], "api.security.sessions.list");
        // An agent holds the key, and is no staff.
        let agent = server.by_bearer(&AGENT).await.get(LIST).send().await;
        assert_p(&agent, 403, DENIED);
        assert_eq!(agent.json()["code"], "account_type");
        let nobody = server.client().get(LIST).send().await;
        assert_p(&nobody, 401, "Authentication required. Please log in.");
        server.events("authz_fail", 2).await;
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let action = "Invalid or missing required parameter: action";
        assert_p(&staff.get("/api/security/sessions").send().await, 400, action);
        for (query, named) in [
            ("?action=everything", "action"),
            ("?action=list&limit=0", "limit"),
            ("?action=list&limit=1001", "limit"),
            ("?action=list&limit=-1", "limit"),
            ("?action=list&limit=+5", "limit"),
            ("?action=list&limit=ten", "limit"),
            ("?action=list&limit=", "limit"),
            ("?action=list&offset=-1", "offset"),
            ("?action=list&offset=18446744073709551616", "offset"),
            ("?action=list&after=sess_", "after"),
            ("?action=list&after=sess_000000000000000000000000", "after"),
            ("?action=list&user_id=ada", "user_id"),
            ("?action=list&user_id=0", "user_id"),
            ("?action=list&user=", "user"),
            ("?action=list&user=%00", "user"),
            ("?action=list&ip=localhost", "ip"),
            ("?action=list&ip=10.0.0.0/8", "ip"),
            ("?action=list&kind=cookie", "kind"),
            ("?action=list&session_id=1", "session_id"),
        ] {
            let answer = staff.get(&format!("/api/security/sessions{query}")).send().await;
            let body = answer.json();
            assert_eq!((answer.status.as_u16(), &body["success"]), (400, &json!(false)), "{query}");
            assert!(body["error"].as_str().unwrap().contains(named), "{query}: {body}");
        }
        for query in ["&limit=1", "&limit=1000", "&offset=0", "&offset=9223372036854775807"] {
            assert_eq!(list(&staff, query).await["count"], 1, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_not_listed() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let of_tenant = format!("&user_id={}", tenant.id.0);
        let staff = server.by_cookie(&STAFF).await;
        let count = async || list(&staff, &of_tenant).await["count"].as_u64().unwrap();
        let by_page = async || {
            let client = server.client();
            let body = json!({"email": TENANT.email, "password": PASSWORD});
            let sending = client.post("/api/auth/login").from_own_page().json(&body);
            assert_eq!(sending.send().await.status, 201);
            client
        };
        // Idle for half an hour; the access token that came with it lives for a day.
        let idle = by_page().await;
        assert_eq!(count().await, 1);
        let cookie_only = server.client();
        let page = cookie_only.get("/-/sign-in").send().await.text();
        let token = form_token(&page);
        let form = [("csrf_token", token), ("username", TENANT.email), ("password", PASSWORD)];
        let signed_in = cookie_only.post("/-/sign-in").from_own_page().form(&form).send().await;
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        assert_eq!(count().await, 2);
        server.advance(MINUTE * 20);
        assert_eq!(cookie_only.get("/api/auth/me").send().await.status, 200);
        server.advance(MINUTE * 20);
        assert_eq!(count().await, 2, "it was used meanwhile");
        server.advance(MINUTE * 20);
        assert_eq!(count().await, 1, "idle for too long");
        assert_eq!(cookie_only.get("/api/auth/me").send().await.verdict(), "401 session_idle");
        assert_eq!(idle.get("/api/auth/me").send().await.verdict(), "401 session_idle");
        server.advance(DAY);
        assert_eq!(count().await, 0, "the access token has expired");
        // Signed out.
        let client = server.mobile(&TENANT).await;
        assert_eq!(count().await, 1);
        assert_eq!(
            client.request(http::Method::DELETE, "/api/security/mobile-auth").send().await.status,
            200
        );
        assert_eq!(count().await, 0, "its only credential was ended");
        // Disabled, and enabled again.
        server.mobile(&TENANT).await;
        assert_eq!(count().await, 1);
        set_disabled(server, &tenant, true).await;
        assert_eq!(count().await, 0, "the account is disabled");
        set_disabled(server, &tenant, false).await;
        assert_eq!(count().await, 0, "what was signed in before stays dead");
        server.mobile(&TENANT).await;
        assert_eq!(count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn filters_narrow_the_list_and_its_count() {
    let behind_a_proxy = Setup::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    on_each_database_with(behind_a_proxy, async |server| {
        let tenant = server.add(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        let body = json!({"email": TENANT.email, "password": PASSWORD});
        for address in ["203.0.113.7", "2001:db8::7"] {
            let client = server.client();
            let sending =
                client.post("/api/security/mobile-auth").header("x-forwarded-for", address);
            assert_eq!(sending.json(&body).send().await.status, 200);
        }
        let handle = list(&staff, "&ip=203.0.113.7").await["data"][0]["session_id"].clone();
        let handle = handle.as_str().unwrap();
        for (query, count) in [
            (String::new(), 3),
            (format!("&user_id={}", tenant.id.0), 2),
            ("&user_id=4711".to_owned(), 0),
            ("&user=tenant".to_owned(), 2),
            ("&user=STAFF%40example".to_owned(), 1),
            ("&user=jane".to_owned(), 3),
            ("&user=smi".to_owned(), 3),
            ("&user=mith".to_owned(), 0),
            ("&user=%25".to_owned(), 0),
            ("&ip=203.0.113.7".to_owned(), 1),
            ("&ip=2001:DB8:0::7".to_owned(), 1),
            ("&kind=mobile".to_owned(), 2),
            ("&kind=username".to_owned(), 1),
            ("&kind=mobile&user=staff".to_owned(), 0),
            ("&kind=mobile&user=jane&ip=2001:db8::7".to_owned(), 1),
            (format!("&session_id={handle}"), 1),
        ] {
            let body = list(&staff, &query).await;
            assert_eq!(body["count"], count, "{query}: {body}");
            assert_eq!(body["data"].as_array().unwrap().len(), count, "{query}: {body}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_and_next_give_every_session_once() {
    on_each_database(async |server| {
        let tenant = server.add(&TENANT).await;
        let staff = server.by_cookie(&STAFF).await;
        begin_sessions(server, &tenant, 1001).await;
        let first = list(&staff, "").await;
        assert_eq!(first["count"], 1002);
        assert_eq!(first["data"].as_array().unwrap().len(), 1000, "the first thousand");
        let mut seen = handles(&first);
        let path = "/api/security/sessions?action=list&after=sess_";
        assert!(first["next"].as_str().unwrap().starts_with(path), "{}", first["next"]);
        let rest = staff.get(first["next"].as_str().unwrap()).send().await.json();
        assert_eq!((&rest["count"], rest.get("next")), (&json!(1002), None));
        seen.append(&mut handles(&rest));
        assert_eq!(seen.len(), 1002, "each once");

        let of_tenant = format!("&user_id={}", tenant.id.0);
        let mut page = list(&staff, &format!("{of_tenant}&limit=200")).await;
        let mut seen = handles(&page);
        while let Some(next) = page.get("next") {
            // Others sign in meanwhile, and move nothing.
            server.mobile(&TENANT).await;
            page = staff.get(next.as_str().unwrap()).send().await.json();
            seen.append(&mut handles(&page));
        }
        assert_eq!(seen.len(), 1001);
        let newest = list(&staff, "&limit=2").await;
        let second = list(&staff, "&limit=1&offset=1").await;
        assert_eq!(newest["data"][1]["session_id"], second["data"][0]["session_id"]);
        let count = newest["count"].as_u64().unwrap();
        let last = list(&staff, &format!("&limit=7&offset={}", count - 1)).await;
        assert_eq!(last["data"].as_array().unwrap().len(), 1);
        assert_eq!(list(&staff, &format!("&offset={count}")).await["data"], json!([]));
    })
    .await;
}

/// Sessions of somebody, as mobile sign-ins leave them, without the work of signing in.
pub(super) async fn begin_sessions(server: &TestApp, user: &User, count: u32) {
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    for number in 0..count {
        let id = SessionId::from_random(server.app.random.bytes());
        let new = NewSession {
            id: id.clone(),
            handle: SessionHandle::from_random(server.app.random.bytes()),
            user_id: user.id,
            user_epoch: user.epoch,
            form: SignInForm::Mobile,
            second_factor: SecondFactor::NotAsked,
            auth_time: now,
            ip: "192.0.2.1".to_owned(),
            peer: "127.0.0.1".to_owned(),
            user_agent: "Field/1.0".to_owned(),
            platform: None,
            device_type: None,
            app_version: None,
            remember_series: None,
        };
        // Some of them in the same millisecond.
        let began = now.minus(HOUR).plus(Duration::from_millis(u64::from(number / 3)));
        sessions::insert(&mut tx, &new, began).await.unwrap();
        let token = NewCredential {
            mac: Mac::from_bytes(&server.app.random.bytes::<32>()).unwrap(),
            session_id: id,
            kind: CredentialKind::Mobile,
            parent: None,
            platform: None,
            device_type: None,
            app_version: None,
            life: Life { expires_at: now.plus(DAY), idle: None, renew_until: None },
        };
        credentials::insert(&mut tx, &token, began).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn set_disabled(server: &TestApp, user: &User, is_disabled: bool) {
    use portcullis_domain::account::AccountStatus;
    let mut tx = server.app.db.write().await.unwrap();
    let status = if is_disabled { AccountStatus::Disabled } else { AccountStatus::Active };
    let now = server.app.clock.now();
    assert!(portcullis_store::users::set_status(&mut tx, user.id, status, now).await.unwrap());
    if is_disabled {
        portcullis_store::users::bump_epoch(&mut tx, user.id).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn list(client: &Client, query: &str) -> Value {
    let answer: Answer = client.get(&format!("{LIST}{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

fn handles(body: &Value) -> BTreeSet<String> {
    let rows = body["data"].as_array().unwrap().iter();
    rows.map(|row| row["session_id"].as_str().unwrap().to_owned()).collect()
}

/// The CSRF token of the first form of a page.
pub(super) fn form_token(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}
