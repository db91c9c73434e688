//! Second factors by API and page: what the documented clients see, and that none is walked around,
//! guessed, used twice or outlived by what began without it. Each refusal has a control that passes.

mod attacks;
mod contract;
mod counting;
mod pages;
mod races;
mod required;
mod setting_up;
mod short_passwords;
mod ways_in;

use std::time::Duration;

use portcullis_domain::time::Time;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client, me};
use crate::harness::people::{PASSWORD, Person};

/// The longest that a code is good before the next one.
const STEP: Duration = Duration::from_secs(30);
/// More steps than a code is good for.
const LATER: Duration = Duration::from_secs(90);

/// Somebody who set a second factor up, by API.
pub(crate) struct Owner {
    /// As it was shown, in base32.
    secret: String,
    pub(crate) backup_codes: Vec<String>,
    /// Signed in by the access token with which it was set up.
    program: Client,
}

impl Owner {
    /// Makes an account and sets its factor up. The clock goes on, so that the next code is a new one.
    pub(crate) async fn new(server: &TestApp, person: &Person) -> Self {
        server.add(person).await;
        let signed_in = login(&server.client(), person, None).await;
        let token = signed_in.json()["accessToken"].as_str().unwrap().to_owned();
        let program = server.client().bearer(&token);
        let begun = program.post("/api/two-factor/setup").send().await;
        assert_eq!(begun.status, 201, "{begun:?}");
        let begun = begun.json();
        let secret = begun["secret"].as_str().unwrap().to_owned();
        let codes = begun["backupCodes"].as_array().unwrap();
        let backup_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        let owner = Self { secret, backup_codes, program };
        let answer = owner.program.post("/api/two-factor/verify-setup");
        let answer = answer.json(&json!({"code": owner.code(server)})).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        server.advance(LATER);
        owner
    }

    /// What the app shows now.
    pub(crate) fn code(&self, server: &TestApp) -> String {
        code_at(&self.secret, server.app.clock.now())
    }

    /// What it showed or will show so many steps from now.
    fn code_in(&self, server: &TestApp, steps: i64) -> String {
        code_at(&self.secret, Time(server.app.clock.now().0 + steps * 30_000))
    }

    /// Six digits that are none of those that are good now.
    fn wrong(&self, server: &TestApp) -> String {
        let good: Vec<String> = (-2..=2).map(|steps| self.code_in(server, steps)).collect();
        let digits = (0..10).map(|digit| format!("{digit}{digit}{digit}{digit}00"));
        digits.into_iter().find(|digits| !good.contains(digits)).unwrap()
    }
}

/// RFC 6238 as an app computes it from what was shown: no code of the server's.
pub(crate) fn code_at(secret: &str, at: Time) -> String {
    use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
    let step = (at.0 / 30_000).to_be_bytes();
    let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &from_base32(secret)), &step);
    let at = usize::from(tag.as_ref()[19] & 0x0f);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

fn from_base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for char in text.chars() {
        let five = u32::try_from(alphabet.find(char).unwrap()).unwrap();
        (bits, count) = ((bits << 5 | five) & 0xffff, count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Signs in by e-mail address, as a program, with a code if one is given.
pub(crate) async fn login(client: &Client, person: &Person, code: Option<&str>) -> Answer {
    sign_in(client, "/api/auth/login", json!({"email": person.email}), code).await
}

async fn sign_in(client: &Client, path: &str, name: Value, code: Option<&str>) -> Answer {
    let mut body = name;
    body["password"] = PASSWORD.into();
    if let Some(code) = code {
        body["twoFactorCode"] = code.into();
    }
    client.post(path).json(&body).send().await
}

/// Goes on with a sign-in.
pub(crate) async fn give(client: &Client, ticket: &str, code: &str) -> Answer {
    let body = json!({"ticket": ticket, "code": code});
    client.post("/api/auth/second-factor").json(&body).send().await
}

/// The ticket of a sign-in that asks for a second factor and gives nothing.
#[track_caller]
pub(crate) fn ticket(answer: &Answer) -> String {
    assert_eq!(answer.verdict(), "401 second_factor_needed", "{answer:?}");
    let body = answer.json();
    assert_eq!(body["requiresTwoFactor"], true, "{body}");
    assert_eq!(body["twoFactorMethod"], "TOTP", "{body}");
    assert_gives_nothing(answer);
    body["ticket"].as_str().unwrap().to_owned()
}

/// Neither a token nor a cookie.
#[track_caller]
fn assert_gives_nothing(answer: &Answer) {
    let body = answer.json();
    for key in ["token", "accessToken", "access_token", "csrf_token", "data", "user"] {
        assert!(body.get(key).is_none(), "{key}: {body}");
    }
    for cookie in ["sessionid", "csrftoken", "remember"] {
        assert!(answer.set_cookie(cookie).is_none(), "{cookie}: {answer:?}");
    }
}
