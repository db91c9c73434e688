//! `/api/security/mobile-auth`: both documented shapes of POST, and DELETE (C18, P17–P19).

use http::Method;
use portcullis_store::users::User;
use serde_json::{Value, json};

use super::{assert_p, assert_token, me, post_job, text};
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, STAFF, STAFF0, TENANT};

const PATH: &str = "/api/security/mobile-auth";

#[tokio::test]
async fn tp41_email_and_password_give_a_token() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let device = json!({
            "email": TENANT.email, "password": PASSWORD,
            "platform": "ios", "device_type": "iPhone", "app_version": "2.1.0",
        });
        for body in [json!({"email": TENANT.email, "password": PASSWORD}), device] {
            let client = server.client();
            let answer = client.post(PATH).json(&body).send().await;
            let answer_body = answer.json();
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer_body["success"], true);
            assert_eq!(answer_body["message"], "Mobile authentication token issued");
            let token = text(&answer_body, "/data/token");
            assert_token(&token);
            assert_eq!(answer.set_cookie("sessionid"), None, "{answer:?}");
            assert_eq!(me(&client.bearer(&token)).await, 200);
        }
        let client = server.client();
        let form = client.post(PATH).form(&[("email", TENANT.email), ("password", PASSWORD)]);
        assert_eq!(form.send().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn tp42_a_wrong_password_gives_none() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        for (email, password) in [(TENANT.email, "wrong"), ("nobody@example.com", PASSWORD)] {
            let body = json!({"email": email, "password": password});
            let answer = server.client().post(PATH).json(&body).send().await;
            assert_p(&answer, 401, "Invalid email or password");
            assert!(answer.json().get("data").is_none(), "{answer:?}");
        }
        let empty = server.client().post(PATH).json(&json!({})).send().await;
        assert_p(&empty, 400, "Invalid or missing required parameter: email, password");
        let platform = json!({"email": TENANT.email, "password": PASSWORD, "platform": "fridge"});
        let answer = server.client().post(PATH).json(&platform).send().await;
        assert_p(&answer, 400, "platform: must be ios or android");
    })
    .await;
}

#[tokio::test]
async fn tp43_validating_gives_a_session_token_and_the_user() {
    on_each_database(async |server| {
        let user = server.add(&TENANT).await;
        let token = server.mobile_token(&TENANT).await;
        let bearer = server.client().bearer(&token);
        let answer = validate(&bearer, &token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["success"], true);
        assert_eq!(body["message"], "Operation completed successfully");
        assert_eq!(body["user"], expected(&user));
        let session_token = text(&body, "/session_token");
        assert_token(&session_token);
        assert_ne!(session_token, token);
        assert_eq!(body["data"]["token"], session_token, "C18: in both places");
        assert_token(&text(&body, "/csrf_token"));
        assert_eq!(me(&server.client().bearer(&session_token)).await, 200);
    })
    .await;
}

#[tokio::test]
async fn tp43_the_csrf_token_beside_it_is_good_again_and_again() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let token = server.mobile_token(&STAFF).await;
        let bearer = server.client().bearer(&token);
        let body = validate(&bearer, &token).await.json();
        let session = server.client().bearer(&text(&body, "/session_token"));
        let csrf = text(&body, "/csrf_token");
        for _ in 0..2 {
            let sent = post_job(&session).header("x-csrf-token", &csrf).send().await;
            assert_eq!(sent.status, 201, "{sent:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn tp45_what_an_action_must_be() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let token = server.mobile_token(&TENANT).await;
        let bearer = server.client().bearer(&token);
        let missing = bearer.post(PATH).json(&json!({"action": "validate_token"})).send().await;
        assert_p(&missing, 400, "Invalid or missing required parameter: token");
        for action in [json!("bogus"), json!(""), json!(7), json!(null)] {
            let body = json!({"action": action, "token": token});
            let answer = bearer.post(PATH).json(&body).send().await;
            assert_p(&answer, 400, "action: must be validate_token or logout");
        }
        assert_eq!(validate(&bearer, &token).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn p18_an_action_needs_a_bearer_that_may() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let token = server.mobile_token(&TENANT).await;
        let stranger = validate(&server.client(), &token).await;
        assert_p(&stranger, 401, "Authentication required. Please log in.");
        assert_eq!(stranger.verdict(), "401 credential_missing");
        // A cookie would make it an act that another site can cause.
        let browser = server.sign_in(&TENANT).await;
        assert_eq!(validate(&browser, &token).await.verdict(), "401 bearer_required");
        let login = server.login_by_email(&TENANT).await.json();
        let access = server.client().bearer(&text(&login, "/accessToken"));
        assert_eq!(validate(&access, &token).await.verdict(), "401 bearer_required");

        server.add(&STAFF0).await;
        let own = server.mobile_token(&STAFF0).await;
        let denied = validate(&server.client().bearer(&own), &own).await;
        assert_p(&denied, 403, "You do not have permission to perform this action");
        assert_eq!(denied.json()["rule"], "api.security.mobile_auth.use");
        assert_eq!(validate(&server.client().bearer(&token), &token).await.status, 200);
        server.events("authz_fail", 1).await;
    })
    .await;
}

#[tokio::test]
async fn tp47_logout_ends_the_session() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let first = server.mobile_token(&TENANT).await;
        let (first, other) = (server.client().bearer(&first), server.mobile(&TENANT).await);
        let answer = first.post(PATH).json(&json!({"action": "logout"})).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["success"], true);
        assert_eq!(answer.json()["message"], "Operation completed successfully");
        assert_eq!(first.get("/api/auth/me").send().await.verdict(), "401 session_ended");
        assert_eq!(me(&other).await, 200, "only that session");

        // With `token`, that session ends as well; another user's does not.
        let third = server.mobile_token(&TENANT).await;
        server.add(&STAFF).await;
        let foreign = server.mobile_token(&STAFF).await;
        let body = json!({"action": "logout", "token": foreign});
        assert_eq!(server.mobile(&TENANT).await.post(PATH).json(&body).send().await.status, 200);
        assert_eq!(me(&server.client().bearer(&foreign)).await, 200);
        let body = json!({"action": "logout", "token": third});
        assert_eq!(other.post(PATH).json(&body).send().await.status, 200);
        assert_eq!(me(&server.client().bearer(&third)).await, 401);
        assert_eq!(me(&other).await, 401);
    })
    .await;
}

#[tokio::test]
async fn p19_a_bearer_revokes_itself() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let (bearer, other) = (server.mobile(&TENANT).await, server.mobile(&TENANT).await);
        let answer = bearer.request(Method::DELETE, PATH).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), json!({"success": true, "message": "Token revoked"}));
        let again = bearer.request(Method::DELETE, PATH).send().await;
        assert_p(&again, 401, "Authentication required. Please log in.");
        assert_eq!(me(&other).await, 200);

        // An API token goes alone: the cookie and the access token of its sign-in stay.
        let login = server.login_by_email(&TENANT).await.json();
        let api = server.client().bearer(&text(&login, "/token"));
        let access = server.client().bearer(&text(&login, "/accessToken"));
        assert_eq!(api.request(Method::DELETE, PATH).send().await.status, 200);
        assert_eq!((me(&api).await, me(&access).await), (401, 200));

        let browser = server.sign_in(&TENANT).await;
        let cookie = browser.request(Method::DELETE, PATH).send().await;
        assert_eq!(cookie.verdict(), "401 bearer_required");
        assert_eq!(me(&browser).await, 200);
    })
    .await;
}

async fn validate(client: &Client, token: &str) -> Answer {
    let body = json!({
        "action": "validate_token", "token": token,
        "platform": "ios", "device_type": "iPhone", "app_version": "2.1.0",
    });
    client.post(PATH).json(&body).send().await
}

/// The thirteen documented keys, and none beside them.
fn expected(user: &User) -> Value {
    json!({
        "ID": user.id.0,
        "uuid": user.uuid,
        "first_name": "Jane",
        "last_name": "Smith",
        "email": "tenant@example.com",
        "phone": "07700000001",
        "account_type_id": 4,
        "account_type_name": "Tenant",
        "account_status_id": 1,
        "account_status_name": "Active",
        "branch_id": 1,
        "role_id": user.role_id.0,
        "created_at": user.created_at.iso(),
    })
}
