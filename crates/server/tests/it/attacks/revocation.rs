//! A25, A51 and races: one's own session by its name, names of other people's sessions, and what many
//! send at once. A22 is measured in `barrier`.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::client::{Answer, Client, me};
use crate::harness::on_each_database;
use crate::harness::people::{self, PASSWORD, STAFF, STAFF0, TENANT};
use crate::harness::revoking::{SESSIONS, act, blacklist, terminate};

#[tokio::test]
async fn a25_nobody_ends_the_session_that_he_is_in() {
    on_each_database(async |server| {
        for person in [&STAFF, &STAFF0] {
            let own = server.by_cookie(person).await;
            let other = server.sign_in(person).await;
            let answer = terminate(&own, &server.handle_of(&own).await).await;
            assert_eq!(answer.verdict(), "400 own_session");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with("session_id: "), "{error}");
            assert_eq!(me(&own).await, 200, "it lives");
            assert_eq!(terminate(&own, &server.handle_of(&other).await).await.status, 200);
            assert_eq!(me(&own).await, 200, "control");
        }
        // Whichever credential of a sign-in comes along, it is the same session.
        let by_email = server.login_by_email(&STAFF).await.json();
        let token = by_email["token"].as_str().unwrap();
        let bearer = server.client().bearer(token);
        let answer = terminate(&bearer, &server.handle_of_token(token).await).await;
        assert_eq!((answer.verdict().as_str(), me(&bearer).await), ("400 own_session", 200));
        let denied = server.events("authz_fail", 3).await;
        assert!(denied.iter().all(|event| event.detail["reason"] == "own_session"), "{denied:?}");
    })
    .await;
}

/// Who may end only his own learns nothing of other sessions.
#[tokio::test]
async fn a51_names_of_foreign_sessions_tell_nothing() {
    on_each_database(async |server| {
        let staff0 = server.by_cookie(&STAFF0).await;
        let foreign = server.by_cookie(&TENANT).await;
        let ended = server.sign_in(&TENANT).await;
        let owner = server.by_cookie(&STAFF).await;
        let (foreign_name, ended_name) =
            (server.handle_of(&foreign).await, server.handle_of(&ended).await);
        assert_eq!(terminate(&owner, &ended_name).await.status, 200);
        let unknown = terminate(&staff0, "sess_00112233445566778899aabb").await;
        for name in [foreign_name.as_str(), &ended_name, &server.handle_of(&owner).await, "x"] {
            let answer = terminate(&staff0, name).await;
            assert_eq!(without_id(&answer), without_id(&unknown), "{name}");
            assert_eq!(answer.status, unknown.status, "{name}");
        }
        assert_eq!(unknown.verdict(), "403 permission_missing");
        assert_eq!((me(&foreign).await, me(&owner).await), (200, 200));
        // A name opens nothing.
        let holding = server.client();
        holding.set_cookie("sessionid", &foreign_name);
        assert_eq!(me(&holding).await, 401);
        assert_eq!(me(&server.client().bearer(&foreign_name)).await, 401);
        assert_eq!(terminate(&owner, &foreign_name).await.status, 200, "control");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_end_one_session_one_does() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.by_cookie(&TENANT).await;
        let fields = json!({"action": "terminate", "session_id": server.handle_of(&tenant).await});
        let token = session_token(&staff).await;
        let mut sent = JoinSet::new();
        for _ in 0..100 {
            let (staff, token, fields) = (staff.clone(), token.clone(), fields.clone());
            sent.spawn(async move {
                let post = staff.post(SESSIONS).header("x-csrf-token", &token);
                post.json(&fields).send().await.verdict()
            });
        }
        let answers = sent.join_all().await;
        let count = |verdict: &str| answers.iter().filter(|found| *found == verdict).count();
        assert_eq!((count("200"), count("404 not_found")), (1, 99), "{answers:?}");
        assert_eq!(me(&tenant).await, 401);
        assert_eq!(server.events("session_ended", 1).await.len(), 1);
    })
    .await;
}

/// Whoever was signing in meanwhile: after the answer nothing of the user lives.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_slips_in_while_he_is_put_on_the_list() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let mut signing_in = JoinSet::new();
        for number in 0..50 {
            let client = server.client();
            signing_in.spawn(async move {
                // Some come later than others.
                for _ in 0..number % 10 {
                    tokio::task::yield_now().await;
                }
                let answer = people::sign_in(&client, "tenant", PASSWORD).await;
                (answer.status.as_u16(), client)
            });
        }
        let (answer, signed_in) = tokio::join!(blacklist(&staff, tenant), signing_in.join_all());
        assert_eq!(answer.status, 200, "{answer:?}");
        for (status, client) in &signed_in {
            // 401: the account changed while the password was looked at. 503: the threads are busy.
            assert!(matches!(status, 201 | 401 | 403 | 503), "{status}");
            assert_eq!(me(client).await, 401);
        }
        let late = people::sign_in(&server.client(), "tenant", PASSWORD).await;
        assert_eq!(late.verdict(), "403 account_blacklisted");
    })
    .await;
}

/// What somebody writes as a reason is kept as it is and does nothing.
#[tokio::test]
async fn hostile_reasons_are_inert() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        for reason in [
            "<script>alert(1)</script><img src=x onerror=alert(1)>",
            "=HYPERLINK(\"http://evil.example\",\"click\")",
            "one line\r\nSet-Cookie: sessionid=evil\nlevel=error msg=forged",
            "\u{202e}txt.exe\u{2066}\u{200f}",
            "'; DROP TABLE blacklist; --",
            "{{7*7}}${7*7}\\u0000\u{1b}[31m",
        ] {
            let fields = json!({"action": "blacklist_add", "user_id": tenant, "reason": reason});
            let answer = act(&staff, &fields).await;
            assert_eq!(answer.status, 200, "{reason:?}: {answer:?}");
            assert_eq!(answer.set_cookie("sessionid"), None);
            let list = "/api/security/sessions?action=blacklist_list";
            let listed = staff.get(list).send().await;
            assert_eq!(listed.header("content-type"), Some("application/json"));
            assert_eq!(listed.json()["data"][0]["reason"], reason);
            let page = staff.get("/-/admin/blacklist").send().await;
            assert_eq!(page.status, 200);
            let html = page.text();
            assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{html}");
            let steers = |char: char| matches!(char, '\u{202e}' | '\u{1b}');
            assert!(!html.contains(steers), "what is written right to left turns nothing else");
        }
        let newest = server.events("user_blacklist_updated", 5).await.remove(0);
        assert_eq!(newest.detail["reason"], "{{7*7}}${7*7}\\u0000\u{1b}[31m");
    })
    .await;
}

/// A token that may be used often.
async fn session_token(client: &Client) -> String {
    let answer = client.get("/api/auth/csrf-token").send().await.json();
    answer["csrf_token"].as_str().unwrap().to_owned()
}

/// The body but for the request's own id.
fn without_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["requestId"] = Value::Null;
    body
}
