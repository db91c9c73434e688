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
use crate::harness::client::{Answer, masked, me, send_form};
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
