//! Signing in by a link in a mail: what a link is worth where, and what an attacker tries with one.
//! Cases of the wire contract stand here under their ids (TS14, TS15, TS16), attack cases too (A17, A57,
//! A66, A68, A69). Each refusal has a control.

mod binding;
mod contract;
mod factor;
mod pages;
mod races;
mod secrecy;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client, masked_but, me, send_form};
use crate::harness::letters::{Letter, letters, letters_so_far};
use crate::harness::people::Person;

const ASK: &str = "/api/auth/magic-link";
const VERIFY: &str = "/api/auth/magic-link/verify";
const TYPE: &str = "/api/auth/magic-link/code";
const MARK: &str = "portcullis_link";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.post(path).json(body).send().await
}

/// The same as a browser's script.
async fn post_in_browser(client: &Client, path: &str, body: &Value) -> Answer {
    client.post(path).json(body).from_own_page().send().await
}

/// Asks as a program, and gives the token of the letter.
async fn asked_by_program(server: &TestApp, person: &Person) -> String {
    letter_to(server, person, async || {
        post(&server.client(), ASK, &json!({"email": person.email})).await
    })
    .await
    .token()
}

/// Asks in this browser, and gives the token of the letter.
async fn asked_in(server: &TestApp, browser: &Client, person: &Person) -> String {
    letter_to(server, person, async || {
        post_in_browser(browser, ASK, &json!({"email": person.email})).await
    })
    .await
    .token()
}

async fn letter_to(server: &TestApp, person: &Person, ask: impl AsyncFn() -> Answer) -> Letter {
    let before = letters_so_far(server, person.email).await.len();
    let answer = ask().await;
    assert!(matches!(answer.status.as_u16(), 201 | 303), "{answer:?}");
    letters(server, person.email, before + 1).await.pop().unwrap()
}

async fn verify(client: &Client, token: &str) -> Answer {
    post(client, VERIFY, &json!({"token": token})).await
}

/// As a script of a browser.
async fn verify_in(browser: &Client, token: &str) -> Answer {
    post_in_browser(browser, VERIFY, &json!({"token": token})).await
}

/// The documented GET of a script.
async fn follow(client: &Client, token: &str) -> Answer {
    let path = format!("{ASK}?token={token}");
    client.get(&path).header("accept", "application/json").send().await
}

async fn type_code(browser: &Client, code: &str) -> Answer {
    post_in_browser(browser, TYPE, &json!({"code": code})).await
}

/// Six digits that are not these.
fn other_than(code: &str) -> &'static str {
    if code == "123456" { "654321" } else { "123456" }
}

/// An answer without what differs from request to request, and from browser to browser.
fn masked(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    masked_but(answer, |name, value| match value.split_once('=') {
        // The mark, and its date, are of each browser alone.
        Some((cookie, rest)) if name == "set-cookie" => {
            let attributes: Vec<_> =
                rest.split("; ").skip(1).filter(|part| !part.starts_with("expires=")).collect();
            let length = rest.split(';').next().unwrap().len();
            format!("{cookie}={length}; {}", attributes.join("; "))
        }
        _ => value.to_owned(),
    })
}
