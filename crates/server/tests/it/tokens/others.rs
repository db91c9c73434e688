//! Other people's libraries verify our tokens and assertions through the published keys, before and
//! after a new key: `PyJWT` and `jose`, which `scripts/with-apps` installs.

use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_domain::signing_key::{PUBLISHED_BEFORE, Pace};
use serde_json::Value;

use super::keys::rotate;
use super::{claims, part, token};
use crate::applications::installed;
use crate::harness::people::STAFF;
use crate::harness::{Setup, TestApp, on_each_database_with};

#[tokio::test]
async fn others_verify_eddsa() {
    verified_by_others("EdDSA").await;
}

#[tokio::test]
async fn others_verify_es256() {
    verified_by_others("ES256").await;
}

#[tokio::test]
async fn others_verify_rs256() {
    verified_by_others("RS256").await;
}

async fn verified_by_others(algorithm: &str) {
    let setup = Setup::with(&format!("[tokens]\nsigning = \"{algorithm}\""));
    on_each_database_with(setup, async |server| {
        // The libraries have no clock of ours.
        server.catch_up();
        server.add(&STAFF).await;
        let old = token(server, &STAFF).await;
        assert!(part(&old, 0).contains(algorithm), "{}", part(&old, 0));
        both(server, &old, "at+jwt").await;
        assertion(server).await;

        rotate(server, Pace::AtOnce).await;
        let new = token(server, &STAFF).await;
        assert_ne!(part(&old, 0), part(&new, 0), "another key");
        both(server, &new, "at+jwt").await;
        assertion(server).await;
        refused(server, &old).await;

        rotate(server, Pace::Planned).await;
        let before = token(server, &STAFF).await;
        server.advance(PUBLISHED_BEFORE);
        let after = token(server, &STAFF).await;
        assert_ne!(part(&before, 0), part(&after, 0), "the third key");
        both(server, &before, "at+jwt").await;
    })
    .await;
}

/// What the application is told, verified as the application would.
async fn assertion(server: &TestApp) {
    server.sign_in(&STAFF).await.get("/page").send().await;
    let seen = server.upstream.last();
    let assertion = seen.headers.get("x-auth-assertion").unwrap().to_str().unwrap().to_owned();
    both(server, &assertion, "fwd+jwt").await;
}

async fn both(server: &TestApp, token: &str, typ: &str) {
    for library in [python(), node()] {
        let said = run(server, library, token, typ).await;
        let said: Value =
            serde_json::from_str(&said.unwrap_or_else(|why| panic!("{why}"))).unwrap();
        assert_eq!(said, claims(token));
    }
}

/// A token whose key was withdrawn.
async fn refused(server: &TestApp, token: &str) {
    for library in [python(), node()] {
        assert!(run(server, library, token, "at+jwt").await.is_err());
    }
}

async fn run(
    server: &TestApp,
    mut library: Command,
    token: &str,
    typ: &str,
) -> Result<String, String> {
    let said = claims(token);
    let keys = format!("http://{}/.well-known/jwks.json", server.address);
    let (issuer, audience) = (said["iss"].as_str().unwrap(), said["aud"].as_str().unwrap());
    library.args([&keys, issuer, token, typ, audience]).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || library.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn python() -> Command {
    let mut python = Command::new(installed("jwt").join("bin/python"));
    python.arg(here().join("verify.py"));
    python
}

fn node() -> Command {
    let mut node = Command::new("node");
    node.arg(here().join("verify.cjs")).env("NODE_PATH", installed("jose/node_modules"));
    node
}

fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tokens"))
}
