//! What the store holds of secrets (TX06): every file that the server writes, and every row of the
//! database, read as they are.

use serde_json::json;

use super::{post_job, text};
use crate::first_run;
use crate::harness::on_each_database_with;
use crate::harness::people::{PASSWORD, STAFF, TENANT};
use crate::harness::{Setup, TestApp};

#[tokio::test]
async fn tx06_no_secret_is_kept_as_it_is() {
    let setup = Setup::with("[limits]\nlogin = \"50/60s\"\nlockout = \"3/15m\"");
    on_each_database_with(setup, async |server| {
        let secrets = make_secrets(server).await;
        let written = server.everything_written().await;
        let holds = |needle: &[u8]| written.windows(needle.len()).any(|found| found == needle);
        // Proof that the search finds what is there.
        for known in [STAFF.email, "authn_token_created", "authn_link_used", "$argon2id$"] {
            assert!(holds(known.as_bytes()), "{known} should be there");
        }
        for (what, secret) in &secrets {
            assert!(!holds(secret.as_bytes()), "{what} is kept as it is: {secret}");
            if let Ok(bytes) = hex::decode(secret) {
                assert!(!holds(&bytes), "{what} is kept as bytes: {secret}");
            }
        }
        assert!(secrets.len() >= 17, "{secrets:?}");
    })
    .await;
}

/// Goes through everything that hands out or takes a secret.
async fn make_secrets(server: &TestApp) -> Vec<(&'static str, String)> {
    // First, because it is for a server without an owner who has a password.
    let unused = first_run::new_code(server).await;
    let used = first_run::new_code(server).await;
    assert_eq!(first_run::send(&server.client(), &used, &[]).await.status, 303);
    assert_eq!(first_run::send(&server.client(), &unused, &[]).await.status, 410);
    server.add(&STAFF).await;
    server.add(&TENANT).await;
    let mut secrets = vec![("password", PASSWORD.to_owned())];
    secrets.push(("code of a link", used));
    secrets.push(("code of an older link", unused));
    secrets.push(("password of the first run", first_run::PASSWORD.to_owned()));
    let login = server.login_by_email(&STAFF).await;
    let body = login.json();
    let access = text(&body, "/accessToken");
    secrets.push(("API token", text(&body, "/token")));
    secrets.push(("CSRF token of the session", text(&body, "/csrf_token")));
    secrets.push(("access token", access.clone()));
    secrets.push(("its signature", access.rsplit('.').next().unwrap().to_owned()));

    let browser = server.sign_in(&STAFF).await;
    for name in ["sessionid", "csrftoken", "portcullis_device"] {
        secrets.push((name, browser.cookie(name).unwrap()));
    }
    let mobile = server.mobile_token(&STAFF).await;
    let bearer = server.client().bearer(&mobile);
    let validate = json!({"action": "validate_token", "token": mobile, "platform": "ios"});
    let answer = bearer.post("/api/security/mobile-auth").json(&validate).send().await;
    secrets.push(("mobile token", mobile.clone()));
    secrets.push(("session token", text(&answer.json(), "/session_token")));
    let one_time = bearer.fetch_csrf().await;
    let spent = post_job(&bearer).header("x-csrf-token", &one_time).send().await;
    assert_eq!(spent.status, 201, "{spent:?}");
    assert_eq!(post_job(&bearer).header("x-csrf-token", &one_time).send().await.status, 403);
    secrets.push(("one-time CSRF token", one_time));
    secrets.push(("the next one", spent.header("x-csrf-token").unwrap().to_owned()));
    secrets.extend(mistakes(server).await);

    let out = bearer.request(http::Method::DELETE, "/api/security/mobile-auth").send().await;
    assert_eq!(out.status, 200, "{out:?}");
    secrets
}

/// Passwords that are wrong, and one that was typed where the name belongs: until the network is
/// locked out, which writes events and mail.
async fn mistakes(server: &TestApp) -> Vec<(&'static str, String)> {
    let (guess, slip) = ("wrong-but-close-guess", "MySecretTypedAsAName1");
    for _ in 0..4 {
        let body = json!({"email": TENANT.email, "password": guess});
        let answer = server.client().post("/api/auth/login").json(&body).send().await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    let body = json!({"username": slip, "password": "x"});
    let answer = server.client().post("/api/auth/login").json(&body).send().await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let unknown = server.client().bearer(&"5e".repeat(32));
    assert_eq!(post_job(&unknown).header("x-csrf-token", "garbage").send().await.status, 401);
    server.events("authn_login_lock", 1).await;
    server.events("csrf_fail", 1).await;
    vec![
        ("wrong password", guess.to_owned()),
        ("password as a name", slip.to_owned()),
        ("the same, folded", slip.to_lowercase()),
        ("unknown bearer", "5e".repeat(32)),
    ]
}
