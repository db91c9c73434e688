//! Access tokens: strict reading, keys that take each other's place, what others verify with, and what
//! resource servers ask.

mod keys;
mod oauth;
mod others;
mod refresh;
mod strict;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_domain::signing_key::{Algorithm, KeyLife};
use portcullis_store::signing_keys::{self, StoredKey};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::Client;
use crate::harness::people::{PASSWORD, Person};

const ME: &str = "/api/auth/me";

/// A token of a fresh sign-in.
pub(crate) async fn token(server: &TestApp, person: &Person) -> String {
    let body = json!({ "email": person.email, "password": PASSWORD });
    let login = asking(server).post("/api/auth/login").json(&body).send().await.json();
    login["accessToken"].as_str().unwrap_or_else(|| panic!("{login}")).to_owned()
}

/// A client that names the server by its public address, which a second node shares with the first.
fn asking(server: &TestApp) -> Client {
    let host = server.app.public_url.to_string();
    server.client().naming(host.trim_start_matches("http://"))
}

/// What is answered to this token, as status and code; `200` where it is good.
pub(crate) async fn verdict(server: &TestApp, token: &str) -> String {
    asking(server).bearer(token).get(ME).send().await.verdict()
}

/// What this node does anyway, every two seconds.
pub(crate) async fn hear_of_keys(server: &TestApp) {
    server.app.access_tokens.refresh(&server.app.db, &server.app.clock).await.unwrap();
}

/// The name of the key that signed a token.
pub(crate) fn kid(token: &str) -> String {
    let header: Value = serde_json::from_str(&part(token, 0)).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// One of the parts of a token, as text.
fn part(token: &str, number: usize) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_str(&part(token, 1)).unwrap()
}

/// Somebody who has the newest key of the server: whatever he signs has a good signature.
struct Forger {
    pair: Ed25519KeyPair,
    kid: String,
}

impl Forger {
    /// Puts a key that is known to the test in the place of the server's own.
    async fn with_key_of(server: &TestApp) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..8]);
        let private = pair.to_pkcs8v1().unwrap();
        let (app, algorithm) = (&server.app, Algorithm::EdDsa);
        let sealed = app.keys.signing.seal(&kid, algorithm, [1; 12], private.as_ref()).unwrap();
        let row = StoredKey {
            generation: 1_000,
            kid: kid.clone(),
            algorithm,
            public_jwk: "{}".to_owned(),
            private_key: sealed,
            life: KeyLife::of_first(app.clock.now()),
        };
        let mut tx = app.db.write().await.unwrap();
        assert!(signing_keys::insert(&mut tx, &row).await.unwrap());
        tx.commit().await.unwrap();
        app.access_tokens.refresh(&app.db, &app.clock).await.unwrap();
        Self { pair, kid }
    }

    fn header(&self) -> String {
        format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, self.kid)
    }

    /// Signs the parts as they are given.
    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_parts(&encode(header), &encode(claims))
    }
}
