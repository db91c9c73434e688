//! TP07–TP15, TP22, TX01: ending a session by its public name, with the CSRF token in each of the
//! documented places, and what is refused.

use serde_json::{Value, json};

use super::{assert_p, me};
use crate::harness::client::{Client, Sending};
use crate::harness::on_each_database;
use crate::harness::people::{AGENT, Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::revoking::{SESSIONS, act, terminate};

const DENIED: &str = "You do not have permission to perform this action";

/// Somebody with the documented keys, whose level is lower than an owner's.
const CLERK: Person =
    Person { email: "clerk@example.com", username: Some("clerk"), role: "staff", ..STAFF };

#[tokio::test]
async fn tp07_tp08_tp09_a_session_ends_wherever_the_token_stands() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.add(&TENANT).await;
        let kept = server.sign_in(&TENANT).await;
        for place in ["json", "header", "form", "multipart"] {
            let (ended, token) = (server.sign_in(&TENANT).await, staff.fetch_csrf().await);
            let handle = server.handle_of(&ended).await;
            let post = staff.post(SESSIONS);
            let fields = json!({"action": "terminate", "session_id": handle});
            let post = match place {
                "json" => {
                    let mut fields = fields.clone();
                    fields["csrf_token"] = token.into();
                    post.json(&fields)
                }
                "header" => post.header("x-csrf-token", &token).json(&fields),
                "form" => post.form(&[
                    ("action", "terminate"),
                    ("session_id", &handle),
                    ("csrf_token", &token),
                ]),
                _ => multipart(
                    post,
                    &[("action", "terminate"), ("session_id", &handle), ("csrf_token", &token)],
                ),
            };
            assert_eq!(me(&ended).await, 200, "{place}: control");
            let answer = post.send().await;
            assert_eq!(answer.status, 200, "{place}: {answer:?}");
            let body = json!({"success": true, "message": "Session terminated"});
            assert_eq!(answer.json(), body, "{place}");
            let after = ended.get("/api/auth/me").send().await;
            assert_eq!(after.verdict(), "401 session_ended", "{place}");
        }
        assert_eq!(me(&kept).await, 200, "another session of the same user");
        let events = server.events("session_ended", 4).await;
        assert!(events.iter().all(|event| event.detail == json!({"reason": "terminated"})));
    })
    .await;
}

#[tokio::test]
async fn tp10_tp11_a_token_of_another_session_is_none() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let same = server.sign_in(&STAFF).await;
        let tenant = server.by_cookie(&TENANT).await;
        let handle = server.handle_of(&tenant).await;
        let fields = json!({"action": "terminate", "session_id": handle});
        let without = staff.post(SESSIONS).json(&fields).send().await;
        assert_p(&without, 403, "Invalid or missing CSRF token");
        assert_eq!(without.verdict(), "403 csrf_missing");
        let foreign = same.fetch_csrf().await;
        let post = staff.post(SESSIONS).header("x-csrf-token", &foreign);
        assert_p(&post.json(&fields).send().await, 403, "Invalid or missing CSRF token");
        assert_eq!(me(&tenant).await, 200);
        assert_eq!(terminate(&staff, &handle).await.status, 200, "control");
        assert_eq!(me(&tenant).await, 401);
    })
    .await;
}

#[tokio::test]
async fn tp13_tp14_tp22_what_is_not_there_or_not_said() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let ended = server.by_cookie(&TENANT).await;
        let handle = server.handle_of(&ended).await;
        assert_eq!(terminate(&staff, &handle).await.status, 200);
        for unknown in [&handle, "sess_00112233445566778899aabb", "sess_", "1", "' OR 1=1 --"] {
            let answer = terminate(&staff, unknown).await;
            assert_p(&answer, 404, "Not found");
        }
        let long = "s".repeat(65);
        let check = async |fields: Value, named: &str| {
            let answer = act(&staff, &fields).await;
            assert_eq!(answer.verdict(), "400 invalid", "{fields}: {answer:?}");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(named), "{fields}: {error}");
            assert_eq!(answer.json()["success"], false);
        };
        check(json!({"action": "terminate"}), "session_id").await;
        check(json!({"action": "terminate", "session_id": ""}), "session_id").await;
        check(json!({"action": "terminate", "session_id": null}), "session_id").await;
        check(json!({"action": "terminate", "session_id": 7}), "session_id").await;
        check(json!({"action": "terminate", "session_id": long}), "session_id").await;
        check(json!({"action": "bogus"}), "action").await;
        check(json!({"action": "Terminate", "session_id": handle}), "action").await;
        check(json!({"action": 1}), "action").await;
        check(json!({"session_id": handle}), "action").await;
        check(json!({}), "action").await;
        let query = staff.get("/api/security/sessions?action=bogus").send().await;
        assert_eq!(query.verdict(), "400 invalid");
        let query = staff.get("/api/security/sessions?action=blacklist_list").send().await;
        assert_eq!(query.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn tp15_sessions_of_others_need_the_permission_and_the_level() {
    on_each_database(async |server| {
        let tenant = server.by_cookie(&TENANT).await;
        let owner = server.by_cookie(&STAFF).await;
        let clerk = server.by_cookie(&CLERK).await;
        let staff0 = server.by_cookie(&STAFF0).await;
        let agent = server.by_cookie(&AGENT).await;
        let check = async |by: &Client, whose: &Client, verdict: &str| {
            let answer = terminate(by, &server.handle_of(whose).await).await;
            assert_p(&answer, 403, DENIED);
            assert_eq!(answer.verdict(), verdict);
            assert_eq!(me(whose).await, 200);
        };
        check(&staff0, &tenant, "403 permission_missing").await;
        check(&agent, &tenant, "403 account_type").await;
        check(&tenant, &owner, "403 account_type").await;
        check(&clerk, &owner, "403 above_level").await;
        server.events("authz_fail", 4).await;
        assert_eq!(
            terminate(&clerk, &server.handle_of(&tenant).await).await.status,
            200,
            "control"
        );
        assert_eq!(terminate(&owner, &server.handle_of(&clerk).await).await.status, 200, "control");
        let stranger = server.client();
        let nobody = stranger.post(SESSIONS).json(&json!({"action": "terminate"}));
        assert_eq!(nobody.send().await.verdict(), "401 credential_missing");
    })
    .await;
}

/// Ruling 10: staff may end another session of their own without the permission.
#[tokio::test]
async fn staff_end_other_sessions_of_their_own() {
    on_each_database(async |server| {
        let staff0 = server.by_cookie(&STAFF0).await;
        let other = server.sign_in(&STAFF0).await;
        assert_eq!(terminate(&staff0, &server.handle_of(&other).await).await.status, 200);
        assert_eq!((me(&staff0).await, me(&other).await), (200, 401));
        let tenant = server.by_cookie(&TENANT).await;
        let other = server.sign_in(&TENANT).await;
        let answer = terminate(&tenant, &server.handle_of(&other).await).await;
        assert_eq!(answer.verdict(), "403 account_type");
        assert_eq!(me(&other).await, 200);
    })
    .await;
}

#[tokio::test]
async fn tx01_of_three_sign_ins_one_ends() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        let by_username = server.sign_in(&Z1).await;
        let by_email = server.login_by_email(&Z1).await.json();
        let (hex, jwt) = (by_email["token"].as_str().unwrap(), by_email["accessToken"].as_str());
        let (hex_client, jwt) = (server.client().bearer(hex), server.client().bearer(jwt.unwrap()));
        let mobile_token = server.mobile_token(&Z1).await;
        let mobile = server.client().bearer(&mobile_token);
        let all = async || {
            [me(&by_username).await, me(&hex_client).await, me(&jwt).await, me(&mobile).await]
        };
        assert_eq!(all().await, [200; 4], "control");
        let ended = server.handle_of_token(hex).await;
        assert_eq!(terminate(&staff, &ended).await.status, 200);
        assert_eq!(all().await, [200, 401, 401, 200], "the whole sign-in and no other");
        let ended = server.handle_of_token(&mobile_token).await;
        assert_eq!(terminate(&staff, &ended).await.status, 200);
        assert_eq!(all().await, [200, 401, 401, 401]);
    })
    .await;
}

/// A browser that stays signed in does not come back.
#[tokio::test]
async fn a_remembered_browser_ends_with_its_session() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.add(&Z1).await;
        let (browser, kept) = (server.remembered(&Z1).await, server.remembered(&Z1).await);
        let remember = browser.cookie("remember").unwrap();
        assert_eq!(terminate(&staff, &server.handle_of(&browser).await).await.status, 200);
        let holding = server.client();
        holding.set_cookie("remember", &remember);
        assert_eq!((me(&browser).await, me(&holding).await, me(&kept).await), (401, 401, 200));
    })
    .await;
}

fn multipart<'c>(post: Sending<'c>, fields: &[(&str, &str)]) -> Sending<'c> {
    let part = |(name, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body: String = fields.iter().map(part).collect();
    post.body("multipart/form-data; boundary=x", body + "--x--\r\n")
}
