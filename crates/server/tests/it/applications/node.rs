//! Express behind the gate, without a sign-in of its own: it hands the gate's CSRF token to its
//! page, and its scripts, forms, events and downloads work. Needs what `scripts/with-apps` installs.

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::process::{Process, installed};
use super::socket::Socket;
use super::{COMPAT, HARDENED, Place, examples};
use crate::harness::people::STAFF;
use crate::harness::{TestApp, on_each_database_with};

#[tokio::test]
async fn express_under_compat() {
    works(COMPAT).await;
}

#[tokio::test]
async fn express_under_hardened() {
    works(HARDENED).await;
}

async fn works(place: Place) {
    let node = start().await;
    on_each_database_with(place.setup("node", &node), async |server| {
        let user = server.add(&STAFF).await.id.to_string();
        let browser = Browser::new(server, place);
        let page = browser.sign_in_at_the_gate("/", &STAFF).await;
        page.assert_shows("/", "Jane Smith (staff@example.com), here 1 times.");
        let page = browser.open("/").await;
        page.assert_shows("/", "here 2 times.");
        knows_who_is_calling(server, &browser, place, &user).await;
        scripts_show_the_token(&browser, &page).await;
        forms_show_the_token(&browser, &page).await;
        events_come_one_by_one(&browser, &page).await;
        downloads_are_streamed(&browser).await;
        a_socket_echoes(&browser, &user).await;
        nothing_opens_after_signing_out(&browser, place).await;
    })
    .await;
}

async fn start() -> Process {
    let mut command = Command::new("node");
    command
        .arg("server.js")
        .current_dir(examples().join("node"))
        .env("NODE_PATH", installed("node_modules"))
        .env("SECRET_KEY", "of no use elsewhere")
        .env("PORT", "0");
    Process::start(command, tempfile::tempdir().unwrap()).await
}

async fn knows_who_is_calling(server: &TestApp, browser: &Browser, place: Place, user: &str) {
    let mut request = browser.fetch(Method::GET, "/api/me");
    for name in ["X-Auth-User", "X-Auth-Name", "X_Auth_User", "X-Forwarded-For"] {
        request = request.header(name, "forged");
    }
    for name in ["X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"] {
        request = request.header(name, "forged");
    }
    let seen = request.send().await.json();
    let expected = json!({
        "user": user, "email": STAFF.email, "name": "Jane Smith",
        "ip": "127.0.0.1", "protocol": place.scheme(), "host": place.host(server),
    });
    assert_eq!(seen, expected);
}

async fn scripts_show_the_token(browser: &Browser, page: &Page) {
    let note = json!({ "text": "From a script" });
    let post = || browser.fetch(Method::POST, "/api/notes").json(&note);
    assert_eq!(post().send().await.verdict(), "403 csrf_missing");
    let made_up = post().header("x-csrf-token", &"0".repeat(64)).send().await;
    assert_eq!(made_up.verdict(), "403 csrf_invalid");
    let accepted = post().header("x-csrf-token", &token(page)).send().await;
    assert_eq!(accepted.status, 201, "{accepted:?}");
    assert_eq!(accepted.json(), json!({ "text": "From a script", "author": STAFF.email }));
}

async fn forms_show_the_token(browser: &Browser, page: &Page) {
    let fields = [("text", "From a form")];
    let without = browser.submission("/notes", "same-origin").form(&fields).send().await;
    assert_eq!(without.status, 403, "{without:?}");
    let forged = browser.filled_in(page, "/notes", &fields, "cross-site").send().await;
    assert_eq!(forged.status, 403, "{forged:?}");
    let after = browser.submit(page, "/notes", &fields).await;
    after.assert_shows("/", "<li>From a script</li><li>From a form</li>");
}

/// The stream never ends, so nothing would arrive if it were collected on the way.
async fn events_come_one_by_one(browser: &Browser, page: &Page) {
    let answer = browser.fetch(Method::GET, "/events").stream().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut events = Events { body: answer.into_body(), text: String::new() };
    assert_eq!(events.next("hello").await["email"], STAFF.email);
    for count in 1..=3 {
        let tick = events.next("tick").await;
        assert_eq!(tick["count"], count);
        let age = since_epoch().abs_diff(tick["sent"].as_u64().unwrap().into());
        assert!(age < 2_000, "a tick was {age} ms on its way");
    }
    let note = json!({ "text": "While you listen" });
    let post = browser.fetch(Method::POST, "/api/notes").json(&note);
    assert_eq!(post.header("x-csrf-token", &token(page)).send().await.status, 201);
    assert_eq!(events.next("note").await["text"], "While you listen");
    // Whoever goes away is gone for the application, too.
    drop(events);
    for _ in 0..200 {
        if browser.fetch(Method::GET, "/api/listeners").send().await.json() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the application still writes to a browser that went away");
}

async fn downloads_are_streamed(browser: &Browser) {
    // A terabyte: the beginning arrives although the end is days away.
    let endless = browser.fetch(Method::GET, "/download/1000000000").stream().await;
    let mut body = endless.into_body();
    let mut read = 0;
    while read < 1_000_000 {
        read += next_piece(&mut body).await.unwrap().len();
    }
    drop(body);

    let whole = browser.fetch(Method::GET, "/download/32768").send().await;
    let disposition = whole.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=numbers.txt"));
    assert_eq!(whole.body.len(), 32 * 1024 * 1024);
    let lines = whole.body.chunks(1024).zip(1..);
    for (line, number) in lines {
        assert_eq!(line, format!("{:.>1024}", format!("{number}\n")).as_bytes());
    }
}

async fn a_socket_echoes(browser: &Browser, user: &str) {
    let dialled = browser.dial("/socket", "same-origin").header("x-auth-user", "forged");
    let mut socket = Socket::open(dialled).await;
    let seen: Value = serde_json::from_slice(&socket.hear().await).unwrap();
    assert_eq!(seen, json!({ "user": user, "email": STAFF.email }));
    socket.say("Hello").await;
    assert_eq!(socket.hear().await, b"Hello");
    let large: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    socket.say_bytes(&large).await;
    assert!(socket.hear().await == large, "200,000 bytes came back changed");
    socket.close().await;

    let from_elsewhere = browser.dial("/socket", "cross-site").send().await;
    assert_eq!(from_elsewhere.verdict(), "403 csrf_origin");
}

async fn nothing_opens_after_signing_out(browser: &Browser, place: Place) {
    let mut open = Socket::open(browser.dial("/socket", "same-origin")).await;
    open.hear().await;
    let page = browser.open("/logout").await;
    page.assert_shows("/-/sign-in", "Sign in");
    assert_eq!(browser.cookie(&place.own_cookie("sessionid")), None);
    open.has_ended().await;
    let refused = browser.dial("/socket", "same-origin").send().await;
    assert_eq!(refused.verdict(), "401 credential_missing");
    assert!(browser.cookie("session.sig").is_some(), "the application's own cookie stays");
    for path in ["/api/me", "/events", "/download/1"] {
        let answer = browser.fetch(Method::GET, path).send().await;
        assert_eq!(answer.verdict(), "401 credential_missing", "{path}");
    }
}

/// The gate's token, as the application's page hands it out.
fn token(page: &Page) -> String {
    let html = page.html();
    let (_, rest) = html.split_once("<meta name=\"csrf-token\" content=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The machine's own time in milliseconds, which is the application's, too.
fn since_epoch() -> u128 {
    UNIX_EPOCH.elapsed().unwrap().as_millis()
}

/// Server-sent events as they arrive.
struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    /// The data of the next event of this name; others are passed over.
    async fn next(&mut self, name: &str) -> Value {
        let wanted = format!("event: {name}\ndata: ");
        loop {
            let (event, rest) = self.next_event().await;
            self.text = rest;
            if let Some(data) = event.strip_prefix(&wanted) {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The next event whole, and what has come behind it.
    async fn next_event(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                return (event.to_owned(), rest.to_owned());
            }
            let piece = next_piece(&mut self.body).await.expect("the stream ended");
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

async fn next_piece(body: &mut Incoming) -> Option<Bytes> {
    let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await;
    frame.expect("nothing came in ten seconds").map(|frame| frame.unwrap().into_data().unwrap())
}
