//! The fresh sign-in that stands before what may do lasting harm.

use serde_json::json;

use super::{MINUTE, NEW, letters_so_far, me, send_form};
use crate::harness::client::Client;
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const PAGE: &str = "/-/account/email";
const NEW_ADDRESS: &str = "frederic@example.com";

async fn look(client: &Client) -> (u16, Option<String>) {
    let answer = client.get(PAGE).header("accept", "text/html").send().await;
    (answer.status.as_u16(), answer.header("location").map(ToOwned::to_owned))
}

/// Somebody whose sign-in is no longer fresh.
async fn stale(server: &TestApp) -> Client {
    let client = server.by_cookie(&Z1).await;
    assert_eq!(look(&client).await.0, 200, "control: fresh");
    server.advance(15 * MINUTE);
    client
}

#[tokio::test]
async fn a_page_asks_again_and_leads_back() {
    on_each_database(async |server| {
        let client = stale(server).await;
        let before = client.cookie("sessionid").unwrap();
        let there = format!("/-/confirm?next={}", PAGE.replace('/', "%2F"));
        assert_eq!(look(&client).await, (303, Some(there.clone())));
        let script = client.get(PAGE).header("accept", "application/json").send().await;
        assert_eq!(script.verdict(), "403 step_up_required");
        assert_eq!(me(&client).await, 200, "all else goes on");

        let wrong =
            send_form(&client, &there, &[("current_password", "not it"), ("next", PAGE)]).await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.text().contains("<code>wrong_password</code>"), "{}", wrong.text());
        assert_eq!(look(&client).await.0, 303);

        let right = [("current_password", PASSWORD), ("next", PAGE)];
        let right = send_form(&client, &there, &right).await;
        assert_eq!((right.status.as_u16(), right.header("location")), (303, Some(PAGE)));
        assert_eq!(look(&client).await.0, 200);
        let copied = server.client();
        copied.set_cookie("sessionid", &before);
        assert_eq!(me(&copied).await, 401, "the old cookie is dead");
        server.advance(15 * MINUTE);
        assert_eq!(look(&client).await.0, 303, "a proof is fresh for a quarter of an hour");
    })
    .await;
}

#[tokio::test]
async fn a_form_that_was_open_for_too_long_does_nothing() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let page = client.get(PAGE).send().await.text();
        let token = page.rsplit_once("name=\"csrf_token\" value=\"").unwrap().1;
        let token = token.split_once('"').unwrap().0.to_owned();
        server.advance(15 * MINUTE);
        let fields = [("csrf_token", token.as_str()), ("email", NEW_ADDRESS)];
        let sending = client.post(PAGE).header("sec-fetch-site", "same-origin");
        let answer = sending.header("accept", "text/html").form(&fields).send().await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(answer.header("location"), Some("/-/confirm?next=%2F-%2Faccount%2Femail"));
        assert_eq!(letters_so_far(server, NEW_ADDRESS).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn it_leads_to_no_other_site() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"] {
            let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let path = format!("/-/confirm?next={encoded}");
            let fields = [("current_password", PASSWORD), ("next", next)];
            let answer = send_form(&client, &path, &fields).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("location")),
                (303, Some("/")),
                "{next}"
            );
        }
    })
    .await;
}

async fn change_email(client: &Client) -> String {
    let token = client.cookie("csrftoken").unwrap();
    let body = json!({"email": NEW_ADDRESS, "current_password": PASSWORD});
    let sending = client.post("/api/account/email").header("x-csrftoken", &token);
    sending.json(&body).send().await.verdict()
}

#[tokio::test]
async fn programs_are_asked_where_the_operator_says_so() {
    on_each_database(async |server| {
        let client = stale(server).await;
        assert_eq!(change_email(&client).await, "200", "by default they never are");
    })
    .await;
    let all = Setup::with("[sign_in]\nstep_up = \"all\"");
    on_each_database_with(all, async |server| {
        let client = stale(server).await;
        assert_eq!(change_email(&client).await, "403 step_up_required");
        let fresh = server.sign_in(&Z1).await;
        assert_eq!(change_email(&fresh).await, "200", "control");
        // The current password in the body is a proof of its own.
        let token = client.cookie("csrftoken").unwrap();
        let body =
            json!({"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW});
        let sending = client.post("/api/auth/change-password").header("x-csrftoken", &token);
        assert_eq!(sending.json(&body).send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn programs_that_administer_are_asked_where_the_operator_says_so() {
    const DOORS: [(&str, &str); 6] = [
        ("POST", "/api/admin/roles"),
        ("POST", "/api/admin/limits/unlock"),
        ("POST", "/api/users/users"),
        ("PUT", "/api/users/profile"),
        ("DELETE", "/api/console/password-tokens/9"),
        ("POST", "/api/security/sessions"),
    ];
    async fn knock(client: &Client) -> Vec<String> {
        let mut verdicts = Vec::new();
        for (method, path) in DOORS {
            let token = client.fetch_csrf().await;
            let sending = client.request(method.parse().unwrap(), path);
            let answer = sending.header("x-csrf-token", &token).json(&json!({})).send().await;
            verdicts.push(answer.verdict());
        }
        verdicts
    }
    let passed = [
        "400 invalid",
        "400 invalid",
        "400 invalid",
        "400 invalid",
        "404 not_found",
        "400 invalid",
    ];
    on_each_database(async |server| {
        let client = server.by_cookie(&STAFF).await;
        server.advance(15 * MINUTE);
        assert_eq!(knock(&client).await, passed, "by default they never are");
    })
    .await;
    let all = Setup::with("[sign_in]\nstep_up = \"all\"");
    on_each_database_with(all, async |server| {
        let client = server.by_cookie(&STAFF).await;
        assert_eq!(knock(&client).await, passed, "control: fresh");
        server.advance(15 * MINUTE);
        assert_eq!(knock(&client).await, ["403 step_up_required"; 6]);
    })
    .await;
}

#[tokio::test]
async fn forms_of_administration_ask_and_lead_back_to_their_page() {
    on_each_database(async |server| {
        let client = server.by_cookie(&STAFF).await;
        let page = client.get("/-/admin/blacklist").send().await.text();
        let token = page.rsplit_once("name=\"csrf_token\" value=\"").unwrap().1;
        let token = token.split_once('"').unwrap().0.to_owned();
        let knock = async |path: &str| {
            let sending = client.post(path).header("sec-fetch-site", "same-origin");
            let fields = [("csrf_token", token.as_str()), ("user_id", "999999")];
            let answer = sending.header("accept", "text/html").form(&fields).send().await;
            (answer.status.as_u16(), answer.header("location").map(ToOwned::to_owned))
        };
        let path = "/-/admin/blacklist/remove";
        let back = Some("/-/confirm?next=%2F-%2Fadmin%2Fblacklist".to_owned());
        assert_ne!(knock(path).await.1, back, "control: fresh");
        server.advance(15 * MINUTE);
        assert_eq!(knock(path).await, (303, back.clone()));
        assert_eq!(knock("/-/admin/blacklist").await, (303, back));
        let limits = Some("/-/confirm?next=%2F-%2Fadmin%2Flimits".to_owned());
        assert_eq!(knock("/-/admin/limits").await, (303, limits.clone()));
        assert_eq!(knock("/-/admin/limits/unlock").await, (303, limits));
        assert_eq!(client.get("/-/admin/blacklist").send().await.status, 200, "looking is free");
    })
    .await;
}
