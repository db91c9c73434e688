//! A second factor that is switched on, used and switched off while the server is killed: after each
//! restart it is on or off as was acknowledged, and a code that was used is used.

use http::Method;
use serde_json::{Value, json};

use super::server::{Server, address_of};
use crate::harness::client::{Answer, Client};
use crate::harness::people::PASSWORD;

/// How it stands, as far as it was acknowledged.
pub(super) enum Factor {
    Off,
    /// The first code was sent.
    MayBeOn(Codes),
    On(Codes),
    /// It was asked to be switched off.
    MayBeOff(Codes),
}

/// What makes codes, and which were acknowledged as used.
#[derive(Clone)]
pub(super) struct Codes {
    pub(super) backup: Vec<String>,
    pub(super) used: Vec<String>,
}

impl Codes {
    pub(super) fn of(begun: &Value) -> Self {
        let codes = begun["backupCodes"].as_array().unwrap();
        let backup = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Self { backup, used: Vec::new() }
    }

    /// One that nobody uses but the look afterwards.
    fn spare(&self) -> &str {
        self.backup.last().unwrap()
    }
}

/// Looks at a server that has started again, and leaves the account without a factor.
pub(super) async fn check(server: &Server, person: &str, state: Factor, when: &str) {
    let (may_be_off, codes) = match state {
        Factor::Off => (true, None),
        Factor::MayBeOn(codes) | Factor::MayBeOff(codes) => (true, Some(codes)),
        Factor::On(codes) => (false, Some(codes)),
    };
    let asked = sign_in(server, person, None).await.1.verdict();
    if asked == "201" {
        assert!(may_be_off, "{when}: it was acknowledged that the factor is on");
        return;
    }
    assert_eq!(asked, "401 second_factor_needed", "{when}");
    let codes = codes.unwrap_or_else(|| panic!("{when}: it was acknowledged that it is off"));
    // Fewer than lock the account; the right one forgives them.
    for used in codes.used.iter().take(3) {
        let again = sign_in(server, person, Some(used)).await.1.verdict();
        assert_eq!(again, "401 second_factor_wrong", "{when}: a code was used");
    }
    let (client, answer) = sign_in(server, person, Some(codes.spare())).await;
    assert_eq!(answer.status, 201, "{when}: {answer:?}");
    let off = json!({"password": PASSWORD});
    let off = client.act(Method::POST, "/api/two-factor/disable", &off).await;
    assert_eq!(off.status, 201, "{when}: {off:?}");
}

async fn sign_in(server: &Server, person: &str, code: Option<&str>) -> (Client, Answer) {
    let client = server.client();
    let mut body = json!({"email": address_of(person), "password": PASSWORD});
    if let Some(code) = code {
        body["twoFactorCode"] = code.into();
    }
    let sending = client.post("/api/auth/login").from_own_page();
    let answer = sending.json(&body).send().await;
    (client, answer)
}
