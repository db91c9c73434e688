//! The life of a password: changed, forgotten and reset, the address that it rests on, and the proof
//! that stands before what may do lasting harm. Cases of the wire contract stand here under their ids
//! (TP55, TP56, TS32, TS34, TS35, TZ18, TZ19), attack cases too (A22, A57). Each refusal has a control.

mod attacks;
mod change;
mod email;
mod pages;
mod reset;
mod step_up;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::people::{Person, sign_in};

/// A password that nobody has yet.
const NEW: &str = "an entirely different phrase";
const MINUTE: Duration = Duration::from_mins(1);

/// A letter as it was captured.
struct Letter {
    subject: String,
    link: Option<String>,
    code: Option<String>,
}

impl Letter {
    /// The secret of its link.
    fn token(&self) -> String {
        let link = self.link.as_ref().unwrap_or_else(|| panic!("no link in {:?}", self.subject));
        link.split_once("#t=").unwrap().1.to_owned()
    }
}

/// The letters to somebody, oldest first, once there are `count` of them.
async fn letters(server: &TestApp, to: &str, count: usize) -> Vec<Letter> {
    for _ in 0..200 {
        let found = letters_so_far(server, to).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("fewer than {count} letters to {to}");
}

async fn letters_so_far(server: &TestApp, to: &str) -> Vec<Letter> {
    portcullis_server::mail::deliver_due(&server.app).await.unwrap();
    let directory = server.data_dir.join("outbox");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let suffix = format!("-{to}.eml");
    let is_theirs = |path: &std::path::PathBuf| path.to_string_lossy().ends_with(&suffix);
    files.into_iter().filter(is_theirs).map(|path| read(&path)).collect()
}

fn read(path: &std::path::Path) -> Letter {
    let text = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let (head, _) = text.split_once("\n\n").unwrap();
    let head = head.replace("\n ", " ");
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    Letter {
        subject: field("Subject:").unwrap(),
        link: field("X-Portcullis-Link:"),
        code: field("X-Portcullis-Code:"),
    }
}

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
