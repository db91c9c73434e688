//! What resource servers ask: introspection (RFC 7662), revocation (RFC 7009), metadata (RFC 8414), and
//! the keys with their time to live.

use http::Method;
use serde_json::json;

use super::{claims, token, verdict};
use crate::api_keys::create;
use crate::harness::client::{Answer, Client};
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, Person, STAFF, STAFF0, TENANT};

const INTROSPECT: &str = "/-/oauth/introspect";
const REVOKE: &str = "/-/oauth/revoke";

async fn ask(client: &Client, path: &str, token: &str) -> Answer {
    client.post(path).form(&[("token", token), ("token_type_hint", "access_token")]).send().await
}

#[tokio::test]
async fn introspection_tells_the_good_from_everything_else() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&STAFF0).await;
        let tenant = server.add(&TENANT).await;
        let asker = server.mobile(&STAFF).await;
        let login = server.login_by_email(&TENANT).await.json();
        let jwt = login["accessToken"].as_str().unwrap();
        let answer = ask(&asker, INTROSPECT, jwt).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let (body, said) = (answer.json(), claims(jwt));
        assert_eq!(body["active"], true, "{body}");
        assert_eq!((&body["sub"], &body["username"]), (&json!(tenant.uuid), &json!(TENANT.email)));
        for name in ["iss", "aud", "sid", "jti", "iat", "nbf", "exp"] {
            assert_eq!(body[name], said[name], "{name}");
        }
        let hex = login["token"].as_str().unwrap();
        let body = ask(&asker, INTROSPECT, hex).await.json();
        assert_eq!((&body["active"], &body["jti"]), (&json!(true), &json!(null)));

        let cookie = server.sign_in(&STAFF).await.cookie("sessionid").unwrap();
        let altered = format!("{jwt}A");
        for other in ["x", "a.b.c", &"0".repeat(64), &cookie, &altered, "sk_00"] {
            let answer = ask(&asker, INTROSPECT, other).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"active": false})));
        }
        assert_eq!(ask(&asker, INTROSPECT, "").await.json()["error"], "invalid_request");
        assert_eq!(ask(&server.client(), INTROSPECT, jwt).await.status, 401);
        let refused = ask(&server.mobile(&STAFF0).await, INTROSPECT, jwt).await;
        assert_eq!(refused.verdict(), "403 permission_missing");
        assert_eq!(asker.get(INTROSPECT).send().await.status, 405);

        server.client().bearer(jwt).post("/api/auth/logout").send().await;
        for ended in [jwt, hex] {
            let answer = ask(&asker, INTROSPECT, ended).await;
            assert_eq!(answer.json(), json!({"active": false}));
        }
    })
    .await;
}

#[tokio::test]
async fn a37_revocation_ends_one_token_and_answers_alike_for_none() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&STAFF0).await;
        server.add(&TENANT).await;
        let jwt = token(server, &TENANT).await;
        let own = server.client().bearer(&jwt);
        let agent = server.client().bearer(&token(server, &STAFF0).await);
        assert_eq!(ask(&server.client(), REVOKE, &jwt).await.status, 401);
        assert_eq!(ask(&agent, REVOKE, &jwt).await.verdict(), "403 permission_missing");
        assert_eq!(verdict(server, &jwt).await, "200", "control");
        for nothing in ["x", "a.b.c", &"0".repeat(64)] {
            let answer = ask(&agent, REVOKE, nothing).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        }
        let answer = ask(&agent, REVOKE, "sk_0").await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].clone()),
            (400, json!("unsupported_token_type"))
        );
        assert_eq!(ask(&agent, REVOKE, "").await.json()["error"], "invalid_request");

        assert_eq!(ask(&own, REVOKE, &jwt).await.status, 200);
        assert_eq!(verdict(server, &jwt).await, "401 session_ended");
        let asker = server.mobile(&STAFF).await;
        let other = token(server, &TENANT).await;
        for _ in 0..2 {
            assert_eq!(ask(&asker, REVOKE, &other).await.status, 200);
            assert_eq!(verdict(server, &other).await, "401 session_ended");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_asks_in_its_header_or_as_the_password_of_basic() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&STAFF0).await;
        server.add(&TENANT).await;
        let jwt = token(server, &TENANT).await;
        let key = async |person: &Person, scopes: &[&str]| {
            let owner = server.mobile(person).await;
            let made = create(&owner, &json!({"name": "program", "scopes": scopes})).await;
            (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
        };
        let (id, writer) = key(&STAFF, &["write"]).await;
        let (_, reader) = key(&STAFF, &["read"]).await;
        let (_, other) = key(&STAFF0, &["write"]).await;
        let ways = |key: &str| {
            [
                server.client().key(key),
                server.client().basic("resource-server", key),
                server.client().basic("", key),
            ]
        };
        for way in ways(&writer) {
            let answer = ask(&way, INTROSPECT, &jwt).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["active"].clone()),
                (200, json!(true))
            );
        }
        for (key, expected) in [
            (reader.as_str(), "403 scope_missing"),
            (&other, "403 permission_missing"),
            (&format!("sk_{}", "0".repeat(64)), "401 credential_unknown"),
            (&writer[..66], "401 credential_unknown"),
            (PASSWORD, "401 credential_unknown"),
        ] {
            for way in ways(key) {
                for path in [INTROSPECT, REVOKE] {
                    assert_eq!(ask(&way, path, &jwt).await.verdict(), expected, "{path}");
                }
            }
        }
        assert_eq!(
            ask(&server.client().basic(STAFF.email, PASSWORD), INTROSPECT, &jwt).await.status,
            401
        );
        let with_basic = server.client().basic("x", &writer);
        let twice = with_basic.post(INTROSPECT).header("x-api-key", &writer);
        let answer = twice.form(&[("token", jwt.as_str())]).send().await;
        assert_eq!(answer.verdict(), "400 several_credentials");
        // Nowhere else.
        for path in [super::ME, "/api/leads", "/api/api-keys"] {
            let answer = server.client().basic("x", &writer).get(path).send().await;
            assert_eq!(answer.verdict(), "401 credential_unknown", "{path}");
        }

        // A key does not speak for its owner's own account.
        let own = token(server, &STAFF0).await;
        let [by_key, by_basic, _] = ways(&other);
        for way in [by_key, by_basic] {
            assert_eq!(ask(&way, REVOKE, &own).await.verdict(), "403 permission_missing");
        }
        assert_eq!(verdict(server, &own).await, "200");
        assert_eq!(ask(&server.client().basic("x", &writer), REVOKE, &jwt).await.status, 200);
        assert_eq!(verdict(server, &jwt).await, "401 session_ended");

        let owner = server.mobile(&STAFF).await;
        let path = format!("/api/api-keys/{id}/revoke");
        assert_eq!(owner.act(Method::POST, &path, &json!({})).await.status, 201);
        for way in ways(&writer) {
            assert_eq!(ask(&way, INTROSPECT, &jwt).await.verdict(), "401 key_revoked");
        }
    })
    .await;
}

#[tokio::test]
async fn the_metadata_leads_to_everything_and_the_keys_may_be_remembered() {
    on_each_database(async |server| {
        let client = server.client();
        let metadata = client.get("/.well-known/oauth-authorization-server").send().await.json();
        let issuer = metadata["issuer"].as_str().unwrap().to_owned();
        for (name, path) in [
            ("jwks_uri", "/.well-known/jwks.json"),
            ("introspection_endpoint", INTROSPECT),
            ("revocation_endpoint", REVOKE),
        ] {
            assert_eq!(metadata[name], format!("{issuer}{path}"));
        }
        let keys = client.get("/.well-known/jwks.json").send().await;
        assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
        let tag = keys.header("etag").unwrap().to_owned();
        assert!(!keys.text().contains("\"d\""), "{}", keys.text());
        let ask = |tag: &str| client.get("/.well-known/jwks.json").header("if-none-match", tag);
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let answer = ask(&known).send().await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        }
        assert_eq!(ask("\"x\"").send().await.status, 200, "control");
    })
    .await;
}
