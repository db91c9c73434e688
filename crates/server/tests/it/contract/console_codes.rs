//! The console of the Z family (Z14): codes for those who forgot their password and get no mail, and
//! taking them back.

use http::Method;
use serde_json::json;

use super::assert_z;
use super::console::add_deputy;
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{Person, STAFF, STAFF0, TENANT, Z1, sign_in};

const OTHER_OWNER: Person =
    Person { email: "second@example.com", username: Some("second"), ..STAFF };

const USERS: &str = "/api/console/users";
const TOKENS: &str = "/api/console/password-tokens";

async fn code(client: &Client, id: i64) -> Answer {
    let path = format!("{USERS}/{id}/generate-password-reset-code");
    client.act(Method::POST, &path, &json!({})).await
}

#[tokio::test]
async fn z14_codes_for_a_new_password() {
    on_each_database(async |server| {
        let owner = server.by_cookie(&STAFF).await;
        let worker = server.add(&Z1).await.id.0;
        let tenant = server.add(&TENANT).await.id.0;
        let answer = code(&owner, worker).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let is_hex = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(token.len() == 32 && is_hex, "as documented");
        assert_eq!(code(&owner, tenant).await.status, 201);
        assert_eq!(code(&owner, 99).await.verdict(), "404 not_found");
        let listed = owner.get(TOKENS).send().await;
        let body = listed.json();
        assert_eq!(body["count"], 2, "{body}");
        assert_eq!(body["results"][0]["user"], json!({"id": worker, "username": "Fredkiss3"}));
        assert!(!listed.text().contains(&token), "the code is shown once");

        // Taken back, it is good no longer.
        let taken = owner.act(Method::DELETE, &format!("{TOKENS}/{worker}"), &json!({})).await;
        assert_eq!(taken.status, 204, "{taken:?}");
        let again = owner.act(Method::DELETE, &format!("{TOKENS}/{worker}"), &json!({})).await;
        assert_eq!(again.verdict(), "404 not_found");
        let new = "a wholly new password of mine";
        let body = json!({"new_password": new, "confirm_password": new});
        let reset = async |token: &str| {
            let path = format!("/api/auth/reset-password/{token}");
            server.client().post(&path).json(&body).send().await
        };
        assert_eq!(reset(&token).await.status, 404);
        let fresh = code(&owner, worker).await.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(reset(&fresh).await.status, 200, "control");
        assert_eq!(sign_in(&server.client(), "Fredkiss3", new).await.status, 201);
        assert_eq!(owner.get(TOKENS).send().await.json()["count"], 1);
        assert_eq!(owner.act(Method::DELETE, TOKENS, &json!({})).await.status, 204);
        assert_eq!(owner.get(TOKENS).send().await.json()["count"], 0);
        assert_eq!(server.events("authn_link_revoked", 2).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn z14_codes_are_for_superusers_and_nobody_above() {
    on_each_database(async |server| {
        let deputy = add_deputy(server).await;
        let helper = server.by_cookie(&STAFF0).await;
        let owner = server.add(&STAFF).await.id.0;
        let worker = server.add(&Z1).await.id.0;
        for (method, path) in [
            (Method::POST, format!("{USERS}/{worker}/generate-password-reset-code")),
            (Method::GET, TOKENS.to_owned()),
            (Method::DELETE, TOKENS.to_owned()),
            (Method::DELETE, format!("{TOKENS}/{worker}")),
        ] {
            let answer = helper.act(method.clone(), &path, &json!({})).await;
            let detail = "You do not have permission to perform this action.";
            assert_z(&answer, 403, "permission_denied", detail);
            let nobody = server.client().request(method, &path).send().await;
            assert_eq!(nobody.status, 401, "{path}");
        }
        assert_eq!(code(&deputy, owner).await.verdict(), "403 above_level");
        assert_eq!(code(&deputy, worker).await.status, 201, "control");
        let owners = server.sign_in(&STAFF).await;
        assert_eq!(code(&owners, owner).await.verdict(), "409 own_account");
        let other = server.by_cookie(&OTHER_OWNER).await;
        assert_eq!(code(&other, owner).await.status, 201, "control");
        let above = format!("{TOKENS}/{owner}");
        let refused = deputy.act(Method::DELETE, &above, &json!({})).await;
        assert_eq!(refused.verdict(), "403 above_level");
        // All that he may take back, and no more.
        assert_eq!(deputy.act(Method::DELETE, TOKENS, &json!({})).await.status, 204);
        let left = deputy.get(TOKENS).send().await.json();
        assert_eq!((&left["count"], &left["results"][0]["id"]), (&json!(1), &json!(owner)));
    })
    .await;
}
