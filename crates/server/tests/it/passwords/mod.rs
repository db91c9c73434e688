//! The life of a password: changed, forgotten and reset, the address that it rests on, and the proof
//! that stands before what may do lasting harm. Cases of the wire contract stand here under their ids
//! (TP55, TP56, TS32, TS34, TS35, TZ18, TZ19), attack cases too (A22, A57). Each refusal has a control.

mod attacks;
mod change;
mod email;
mod flood;
mod guesses;
mod pages;
mod races;
mod reset;
mod step_up;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::letters::{letters, letters_so_far};
use crate::harness::people::{Person, sign_in};

/// A password that nobody has yet.
const NEW: &str = "an entirely different phrase";
const MINUTE: Duration = Duration::from_mins(1);

async fn post(server: &TestApp, path: &str, body: &Value) -> Answer {
    server.client().post(path).json(body).send().await
}

/// Asks for a link by P and gives the token of the letter.
async fn token_by_mail(server: &TestApp, person: &Person) -> String {
    let before = letters_so_far(server, person.email).await.len();
    let asked = json!({"action": "request", "email": person.email});
    assert_eq!(post(server, "/api/password-reset", &asked).await.status, 200);
    letters(server, person.email, before + 1).await.pop().unwrap().token()
}

/// Asks for a code by S and gives it.
async fn code_by_mail(server: &TestApp, person: &Person) -> String {
    let before = letters_so_far(server, person.email).await.len();
    let asked = json!({"email": person.email});
    assert_eq!(post(server, "/api/auth/forgot-password", &asked).await.status, 201);
    letters(server, person.email, before + 1).await.pop().unwrap().code.unwrap()
}

/// The answer to a reset by P.
async fn reset(server: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"action": "reset", "token": token, "password": password});
    post(server, "/api/password-reset", &body).await
}

/// Whether somebody can sign in so.
async fn can_sign_in(server: &TestApp, person: &Person, password: &str) -> bool {
    sign_in(&server.client(), person.username.unwrap(), password).await.status == 201
}

async fn me(client: &Client) -> u16 {
    client.get("/api/auth/me").send().await.status.as_u16()
}

/// Sends the form of a page with the token that stands in it.
async fn send_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let page = client.get(path).header("accept", "text/html").send().await;
    assert_eq!(page.status, 200, "{path}: {page:?}");
    let text = page.text();
    let (_, rest) = text.rsplit_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let fields: Vec<_> = [("csrf_token", token)].iter().chain(fields).copied().collect();
    let action = path.split('?').next().unwrap();
    client.post(action).header("sec-fetch-site", "same-origin").form(&fields).send().await
}

/// An answer without what differs from request to request.
fn masked(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-request-id").unwrap().to_owned();
    let body = answer.text().replace(&id, "ID");
    let is_own = |name: &str| matches!(name, "x-request-id" | "date" | "x-ratelimit-reset");
    let headers = answer.headers.iter().filter(|(name, _)| !is_own(name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), headers.collect(), body)
}
