//! TP16–TP20: keeping somebody out, every way in, letting him in again, and the list.

use portcullis_domain::blacklist::Reason;
use portcullis_store::blacklist as rows;
use serde_json::{Value, json};

use super::{assert_p, me};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{self, AGENT, PASSWORD, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::revoking::{SESSIONS, act, blacklist, let_in};
use crate::harness::{TestApp, on_each_database};

const LIST: &str = "/api/security/sessions?action=blacklist_list";
const DENIED: &str = "You do not have permission to perform this action";
const DONE: &str = "User blacklisted and all sessions terminated";

/// Somebody with the documented keys, whose level is lower than an owner's.
const CLERK: Person =
    Person { email: "clerk@example.com", username: Some("clerk"), role: "staff", ..STAFF };

#[tokio::test]
async fn tp16_everything_that_a_user_has_ends() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let other = server.by_cookie(&Z1).await;
        let cookie = server.sign_in(&TENANT).await;
        let remembered = server.remembered(&TENANT).await;
        let bearer = server.mobile(&TENANT).await;
        let jwt = server.login_by_email(&TENANT).await.json();
        let jwt = server.client().bearer(jwt["accessToken"].as_str().unwrap());
        for client in [&cookie, &remembered, &bearer, &jwt] {
            assert_eq!(me(client).await, 200, "control");
        }
        let series = remembered.cookie("remember").unwrap();
        let answer = blacklist(&staff, tenant).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), json!({"success": true, "message": DONE}));
        for client in [&cookie, &remembered, &bearer, &jwt] {
            assert_eq!(me(client).await, 401);
        }
        let back = server.client();
        back.set_cookie("remember", &series);
        assert_eq!(me(&back).await, 401, "the remembered browser");
        assert_eq!((me(&other).await, me(&staff).await), (200, 200), "control");
        let event = server.events("user_blacklisted", 1).await.remove(0);
        assert_eq!(event.detail, json!({"reason": "Left the company", "sessions": 4}));
        assert_eq!(event.context.subject.map(|user| user.0), Some(tenant));
    })
    .await;
}

/// TP17: told so only after the right password; a wrong one is answered as ever.
#[tokio::test]
async fn tp17_every_way_in_is_closed() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        for (way, name, password, expected) in [
            (Way::Username, "tenant", PASSWORD, 201),
            (Way::Email, TENANT.email, PASSWORD, 201),
            (Way::Page, "tenant", PASSWORD, 303),
            (Way::Mobile, TENANT.email, PASSWORD, 200),
        ] {
            assert_eq!(
                way.enter(server, name, password).await.status.as_u16(),
                expected,
                "control"
            );
        }
        assert_eq!(blacklist(&staff, tenant).await.status, 200);
        for way in [Way::Username, Way::Email, Way::Page, Way::Mobile] {
            let name = if matches!(way, Way::Username) { "tenant" } else { TENANT.email };
            let right = way.enter(server, name, PASSWORD).await;
            assert_eq!(right.status, 403, "{way:?}: {right:?}");
            assert_eq!(right.set_cookie("sessionid"), None, "{way:?}");
            let wrong = way.enter(server, name, "not the right one").await;
            let nobody = way.enter(server, "nobody@example.com", "not the right one").await;
            assert_eq!((wrong.status.as_u16(), nobody.status.as_u16()), (401, 401), "{way:?}");
            if matches!(way, Way::Page) {
                assert!(right.text().contains("This account is blocked"), "{way:?}");
                assert!(!wrong.text().contains("blocked"), "{way:?}");
            } else {
                assert_eq!(right.verdict(), "403 account_blacklisted", "{way:?}");
                assert_eq!(without_id(&wrong), without_id(&nobody), "{way:?}");
                let keys = right.json();
                assert_eq!((&keys["success"], keys["error"].is_string()), (&json!(false), true));
            }
        }
        let failed = server.events("authn_login_fail", 12).await;
        let told = failed.iter().filter(|event| event.detail["reason"] == "blacklisted");
        assert_eq!(told.count(), 4);
    })
    .await;
}

#[tokio::test]
async fn tp18_who_is_let_in_signs_in_and_what_was_ended_stays_so() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let old = server.mobile(&TENANT).await;
        let remembered = server.remembered(&TENANT).await;
        assert_eq!(let_in(&staff, tenant).await.verdict(), "404 not_found", "not on the list");
        assert_eq!(blacklist(&staff, tenant).await.status, 200);
        let answer = let_in(&staff, tenant).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = json!({"success": true, "message": "User removed from blacklist"});
        assert_eq!(answer.json(), body);
        assert_eq!(let_in(&staff, tenant).await.verdict(), "404 not_found");
        let new = server.mobile(&TENANT).await;
        assert_eq!((me(&new).await, me(&old).await, me(&remembered).await), (200, 401, 401));
        server.events("user_unblacklisted", 1).await;
    })
    .await;
}

#[tokio::test]
async fn tp19_the_reason_is_asked_for_and_may_be_null() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let lives = server.sign_in(&TENANT).await;
        let long = "r".repeat(Reason::MAX_CHARS + 1);
        let check = async |mut fields: Value, named: &str| {
            fields["action"] = "blacklist_add".into();
            let answer = act(&staff, &fields).await;
            assert_eq!(answer.verdict(), "400 invalid", "{fields}: {answer:?}");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(named), "{fields}: {error}");
        };
        check(json!({"user_id": tenant}), "reason").await;
        check(json!({"user_id": tenant, "reason": ""}), "reason").await;
        check(json!({"user_id": tenant, "reason": " \n\t"}), "reason").await;
        check(json!({"user_id": tenant, "reason": 5}), "reason").await;
        check(json!({"user_id": tenant, "reason": "a\0b"}), "reason").await;
        check(json!({"user_id": tenant, "reason": long}), "reason").await;
        check(json!({"reason": "x"}), "user_id").await;
        for user in [json!(null), json!(""), json!("x"), json!(1.5), json!("1e3"), json!(true)] {
            check(json!({"user_id": user, "reason": "x"}), "user_id").await;
        }
        for user in [json!([tenant]), json!("+1"), json!(" 1"), json!("99999999999999999999")] {
            check(json!({"user_id": user, "reason": "x"}), "user_id").await;
        }
        for unknown in [0, -1, 9999, i64::MAX] {
            assert_p(&blacklist(&staff, unknown).await, 404, "Not found");
        }
        assert_eq!(me(&lives).await, 200, "nothing has happened so far");
        let null = json!({"action": "blacklist_add", "user_id": tenant, "reason": null});
        assert_eq!(act(&staff, &null).await.status, 200);
        assert_eq!(me(&lives).await, 401);
        let event = server.events("user_blacklisted", 1).await.remove(0);
        assert_eq!(event.detail, json!({"reason": null, "sessions": 1}));
    })
    .await;
}

#[tokio::test]
async fn a_user_who_was_deleted_is_unknown() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let (gone, listed) = (server.add(&TENANT).await, server.add(&Z1).await);
        assert_eq!(blacklist(&staff, listed.id.0).await.status, 200, "control");
        for user in [&gone, &listed] {
            let token = staff.fetch_csrf().await;
            let fields = json!({"action": "delete_user", "uuid": user.uuid});
            let delete = staff.post("/api/users/users").header("x-csrf-token", &token);
            let deleted = delete.json(&fields).send().await;
            assert_eq!(deleted.status, 200, "{deleted:?}");
            assert_p(&blacklist(&staff, user.id.0).await, 404, "Not found");
        }
        assert_eq!(server.events("user_blacklisted", 1).await.len(), 1);
        assert_eq!(staff.get(LIST).send().await.json()["count"], 0, "he is in no list");
        assert_p(&let_in(&staff, listed.id.0).await, 404, "Not found");
    })
    .await;
}

#[tokio::test]
async fn forms_say_the_same_as_json() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.to_string();
        let token = staff.fetch_csrf().await;
        let fields = [
            ("action", "blacklist_add"),
            ("user_id", tenant.as_str()),
            ("reason", "by form"),
            ("csrf_token", &token),
        ];
        let answer = staff.post(SESSIONS).form(&fields).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let listed = staff.get(LIST).send().await.json();
        assert_eq!(listed["data"][0]["reason"], "by form");
    })
    .await;
}

#[tokio::test]
async fn tp20_the_list_says_who_why_and_by_whom() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let empty = staff.get(LIST).send().await;
        assert_eq!(empty.json(), json!({"success": true, "data": [], "count": 0}));
        assert_eq!(blacklist(&staff, tenant).await.status, 200);
        let listed = staff.get(LIST).send().await.json();
        let created = listed["data"][0]["created_at"].as_str().unwrap().to_owned();
        assert!(created.ends_with('Z'), "{created}");
        let owner = listed["data"][0]["blacklisted_by_id"].clone();
        let row = json!({
            "user_id": tenant, "user_name": "Jane Smith", "email": TENANT.email,
            "reason": "Left the company", "blacklisted_by": "Jane Smith",
            "blacklisted_by_id": owner, "created_at": created,
        });
        assert_eq!(listed, json!({"success": true, "data": [row], "count": 1}));
        assert!(owner.is_i64() && owner != json!(tenant), "{owner}");

        // Once more: the new reason and actor, and the old date.
        let clerk = server.by_cookie(&CLERK).await;
        let again = json!({"action": "blacklist_add", "user_id": tenant, "reason": "Another"});
        assert_eq!(act(&clerk, &again).await.status, 200);
        let row = staff.get(LIST).send().await.json()["data"][0].clone();
        assert_eq!((&row["reason"], &row["created_at"]), (&json!("Another"), &json!(created)));
        assert_ne!(row["blacklisted_by_id"], owner);
        assert_eq!(server.events("user_blacklist_updated", 1).await.len(), 1);
        assert_eq!(server.events("user_blacklisted", 1).await.len(), 1);

        let refused = server.by_cookie(&STAFF0).await.get(LIST).send().await;
        assert_p(&refused, 403, DENIED);
        assert_eq!(refused.verdict(), "403 permission_missing");
        let agent = server.by_cookie(&AGENT).await.get(LIST).send().await;
        assert_eq!(agent.verdict(), "403 account_type");
        assert_eq!(server.client().get(LIST).send().await.verdict(), "401 credential_missing");
    })
    .await;
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let users = [&TENANT, &Z1, &AGENT];
        let mut expected = Vec::new();
        for person in users {
            let user = server.add(person).await.id;
            let mut tx = server.app.db.write().await.unwrap();
            let now = server.app.clock.now();
            rows::add(&mut tx, user, None, None, now).await.unwrap().unwrap();
            tx.commit().await.unwrap();
            expected.insert(0, user.0);
        }
        let mut seen = Vec::new();
        let mut path = format!("{LIST}&limit=2");
        loop {
            let page = staff.get(&path).send().await.json();
            assert_eq!(page["count"], 3, "{page}");
            let rows = page["data"].as_array().unwrap();
            assert!(rows.iter().all(|row| row["blacklisted_by"].is_null()), "{page}");
            seen.extend(rows.iter().map(|row| row["user_id"].as_i64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            next.clone_into(&mut path);
        }
        assert_eq!(seen, expected);
        for nonsense in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=",
            "limit=-1",
            "limit=%2B7",
            "after=x",
            "after=1-",
        ] {
            let answer = staff.get(&format!("{LIST}&{nonsense}")).send().await;
            assert_eq!(answer.verdict(), "400 invalid", "{nonsense}");
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_keeps_himself_or_his_betters_out() {
    on_each_database(async |server| {
        let owner = server.add(&STAFF).await.id.0;
        let clerk_id = server.add(&CLERK).await.id.0;
        let (staff, clerk) = (server.sign_in(&STAFF).await, server.sign_in(&CLERK).await);
        let tenant = server.add(&TENANT).await.id.0;
        let agent = server.by_cookie(&AGENT).await;
        let staff0 = server.by_cookie(&STAFF0).await;
        let check = async |by: &Client, user: i64, verdict: &str| {
            let answer = blacklist(by, user).await;
            assert_eq!(answer.verdict(), verdict, "{answer:?}");
            assert_eq!((me(&staff).await, me(&clerk).await), (200, 200));
        };
        check(&clerk, clerk_id, "400 own_account").await;
        check(&staff, owner, "400 own_account").await;
        check(&clerk, owner, "403 above_level").await;
        check(&agent, tenant, "403 account_type").await;
        check(&staff0, tenant, "403 permission_missing").await;
        assert_eq!(let_in(&clerk, owner).await.verdict(), "403 above_level");
        check(&clerk, tenant, "200").await;
        assert_eq!(let_in(&staff0, tenant).await.verdict(), "403 permission_missing");
        assert_eq!(let_in(&clerk, tenant).await.status, 200, "control");
    })
    .await;
}

/// A form of sign-in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Username,
    Email,
    Page,
    Mobile,
}

impl Way {
    async fn enter(self, server: &TestApp, name: &str, password: &str) -> Answer {
        let client = server.client();
        let by_email = json!({"email": name, "password": password});
        match self {
            Self::Username => people::sign_in(&client, name, password).await,
            Self::Email => client.post("/api/auth/login").json(&by_email).send().await,
            Self::Mobile => client.post("/api/security/mobile-auth").json(&by_email).send().await,
            Self::Page => {
                let form = client.get("/-/sign-in").send().await.text();
                let (_, rest) = form.split_once("name=\"csrf_token\" value=\"").unwrap();
                let (token, _) = rest.split_once('"').unwrap();
                let fields = [("username", name), ("password", password), ("csrf_token", token)];
                client.post("/-/sign-in").form(&fields).send().await
            }
        }
    }
}

/// The body but for the request's own id.
fn without_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["requestId"] = Value::Null;
    body
}
