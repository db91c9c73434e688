//! `X-Auth-Assertion`: what it says, that anybody can check it, when a new one is made, and that it
//! opens no door of ours.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_domain::permission::Grant;
use portcullis_store::roles;
use serde_json::{Value, json};

use crate::harness::people::{AGENT, Z1};
use crate::harness::upstream::Upstream;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const ASSERTION: &str = "x-auth-assertion";

/// The assertion of the last request that reached this upstream.
fn last(upstream: &Upstream) -> String {
    let headers = upstream.last().headers;
    assert_eq!(headers.get_all(ASSERTION).iter().count(), 1, "{headers:?}");
    headers[ASSERTION].to_str().unwrap().to_owned()
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The claims, if the published keys agree.
async fn checked(server: &TestApp, token: &str) -> Value {
    let keys = server.client().get("/.well-known/jwks.json").send().await.json();
    let head = part(token, 0);
    let key =
        keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]).unwrap();
    assert_eq!(head, json!({"typ": "fwd+jwt", "alg": "EdDSA", "kid": key["kid"]}));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (said, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(said.as_bytes(), &signature).unwrap();
    part(token, 1)
}

#[tokio::test]
async fn an_assertion_says_who_calls_and_anybody_can_check_it() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let browser = server.sign_in(&Z1).await;
        browser.get("/page").header("X-Auth-Assertion", "evil").send().await;
        let claims = checked(server, &last(&server.upstream)).await;
        let now = server.app.clock.now().secs();
        let mut permissions: Vec<_> = claims["permissions"].as_array().unwrap().clone();
        permissions.sort_by_key(ToString::to_string);
        let session = claims["sid"].as_str().unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": format!("http://{}", server.address),
                "aud": format!("http://{}", server.upstream.address),
                "sub": user.uuid,
                "sid": session,
                "email": Z1.email,
                "role": Z1.role,
                "permissions": claims["permissions"],
                "iat": now,
                "exp": now + 60,
            })
        );
        assert_eq!(
            permissions,
            [
                "api.jobs.manage.manage",
                "api.leads.list",
                "api.projects.manage",
                "api.security.mobile_auth.use"
            ]
            .map(|key| json!(key))
        );
        let created = server.events("session_created", 1).await;
        assert_eq!(created[0].context.session.as_deref(), Some(session));
        server.client().get("/public").header("X-Auth-Assertion", "evil").send().await;
        assert!(!server.upstream.last().headers.contains_key(ASSERTION), "nobody is signed in");
    })
    .await;
}

#[tokio::test]
async fn an_assertion_is_used_again_while_half_of_its_life_is_left() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let ask = async |path: &str| {
            assert_eq!(browser.get(path).send().await.status, 200);
            last(&server.upstream)
        };
        let first = ask("/page").await;
        assert_eq!(ask("/other").await, first, "method and path are not in it");
        server.advance(Duration::from_secs(30));
        assert_eq!(ask("/page").await, first);
        server.advance(Duration::from_secs(1));
        let second = ask("/page").await;
        assert_ne!(second, first);
        assert_eq!(part(&second, 1)["exp"], server.app.clock.now().secs() + 60);
        // What it says has changed.
        let mut tx = server.app.db.write().await.unwrap();
        let role = roles::by_name(&mut tx, Z1.role).await.unwrap().unwrap();
        roles::grant(&mut tx, role.id, &Grant::parse("api.late.one").unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        server.advance(Duration::from_secs(3));
        let third = ask("/page").await;
        let listed =
            part(&third, 1)["permissions"].as_array().unwrap().contains(&json!("api.late.one"));
        assert!(third != second && listed);
        let other = server.by_cookie(&AGENT).await;
        other.get("/page").send().await;
        assert_eq!(part(&last(&server.upstream), 1)["email"], AGENT.email, "never another's");
        assert_eq!(ask("/page").await, third);
    })
    .await;
}

#[tokio::test]
async fn an_assertion_is_meant_for_one_upstream() {
    let other = Upstream::start().await;
    let rule = format!(
        "[gate]\nrule = [{{ id = \"home\", path = \"/\", allow = \"signed_in\" }}, \
         {{ id = \"other\", path = \"/other\", allow = \"signed_in\", upstream = \"http://{}\" }}]",
        other.address
    );
    on_each_database_with(Setup::with(&rule), async |server| {
        let browser = server.by_cookie(&Z1).await;
        for _ in 0..2 {
            browser.get("/page").send().await;
            browser.get("/other/page").send().await;
            for upstream in [&server.upstream, &other] {
                let claims = checked(server, &last(upstream)).await;
                assert_eq!(claims["aud"], format!("http://{}", upstream.address));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_assertion_opens_no_door_of_ours() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        browser.get("/page").send().await;
        let assertion = last(&server.upstream);
        for path in ["/page", "/api/auth/me"] {
            let answer = server.client().bearer(&assertion).get(path).send().await;
            assert_eq!(answer.verdict(), "401 access_token_invalid", "{path}");
        }
        let tossed = server.client();
        tossed.set_cookie("sessionid", &assertion);
        assert_eq!(tossed.get("/page").send().await.status, 401);
        assert_eq!(browser.get("/page").send().await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn too_many_permissions_are_left_out_and_said_to_be() {
    on_each_database(async |server| {
        let browser = server.by_cookie(&Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        let role = roles::by_name(&mut tx, Z1.role).await.unwrap().unwrap();
        for number in 0..200 {
            let key = format!("api.reports.number_{number}.view");
            roles::grant(&mut tx, role.id, &Grant::parse(&key).unwrap()).await.unwrap();
        }
        tx.commit().await.unwrap();
        server.advance(Duration::from_secs(3));
        browser.get("/page").send().await;
        let claims = checked(server, &last(&server.upstream)).await;
        assert_eq!(claims["permissions_truncated"], true);
        assert_eq!(claims.get("permissions"), None);
    })
    .await;
}
