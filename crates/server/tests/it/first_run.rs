//! The first run: whoever has the code of the link, and nobody else, gives the owner a password,
//! once. Each refusal stands beside the good code, which is still good afterwards.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use portcullis_domain::event::{Context, PasswordChanger};
use portcullis_domain::role::Authority;
use portcullis_domain::text::Email;
use portcullis_server::flows::first_run::{self, Hindrance, PLACEHOLDER, Prepared};
use portcullis_server::flows::new_password::{Judge, Person};
use portcullis_server::flows::roles::Acting;
use portcullis_server::flows::users;
use portcullis_store::users as stored;
use serde_json::json;

use crate::harness::client::{Answer, Client};
use crate::harness::people::{STAFF, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const PAGE: &str = "/-/first-run";
pub(crate) const EMAIL: &str = "grace@example.com";
pub(crate) const PASSWORD: &str = "four words of her own";
const DAY: Duration = Duration::from_hours(24);

/// The code of a new link, as `portcullis init` makes it.
pub(crate) async fn new_code(server: &TestApp) -> String {
    match prepare(server).await {
        Prepared::Link(link) => link.code.reveal(),
        Prepared::Hindered(hindrance) => panic!("{hindrance:?}"),
    }
}

async fn prepare(server: &TestApp) -> Prepared {
    let (authority, context) = (Authority::operator(), Context::default());
    let acting = acting(server, &authority, &context);
    let email = Email::parse(PLACEHOLDER).unwrap();
    first_run::prepare(&acting, &server.app.keys.credential, &email).await.unwrap()
}

fn acting<'a>(server: &'a TestApp, authority: &'a Authority, context: &'a Context) -> Acting<'a> {
    let now = server.app.clock.now();
    Acting { db: &server.app.db, random: server.app.random, now, authority, context }
}

/// Opens the page and sends its form, with these fields in place of the good ones.
pub(crate) async fn send(client: &Client, code: &str, changes: &[(&str, &str)]) -> Answer {
    let page = client.get(PAGE).send().await;
    assert_eq!(page.status, 200, "{page:?}");
    let token = csrf_token(&page.text());
    let good = [
        ("csrf_token", token.as_str()),
        ("code", code),
        ("email", EMAIL),
        ("first_name", "Grace"),
        ("last_name", "Hopper"),
        ("password", PASSWORD),
    ];
    let changed = |name: &str| changes.iter().find(|(other, _)| *other == name).copied();
    let fields: Vec<_> = good.iter().map(|field| changed(field.0).unwrap_or(*field)).collect();
    client.post(PAGE).header("sec-fetch-site", "same-origin").form(&fields).send().await
}

fn csrf_token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Status and reason of the page.
fn verdict(answer: &Answer) -> String {
    let (status, text) = (answer.status.as_u16(), answer.text());
    match text.split_once("Reason: <code>").and_then(|(_, rest)| rest.split_once('<')) {
        Some((code, _)) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

#[tokio::test]
async fn the_owner_sets_a_password_and_is_signed_in() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let nobody = json!({"email": PLACEHOLDER, "password": PASSWORD});
        let before = server.client().post("/api/auth/login").json(&nobody).send().await;
        assert_eq!(before.verdict(), "401 wrong_credentials");
        let client = server.client();
        assert_eq!(client.get("/-/account").send().await.verdict(), "401 credential_missing");

        let done = send(&client, &code, &[]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/")), "{done:?}");
        assert!(done.set_cookie("sessionid").unwrap().contains("HttpOnly"));
        assert!(done.set_cookie("csrftoken").is_some());
        assert_eq!(client.get("/").send().await.status, 200);
        let seen = server.upstream.last();
        assert_eq!(seen.headers["x-auth-email"], EMAIL);
        assert_eq!(seen.headers["x-auth-name"], "Grace Hopper");
        assert_eq!(seen.headers["x-auth-role"], "owner");
        let login = json!({"email": EMAIL, "password": PASSWORD});
        let again = server.client().post("/api/auth/login").json(&login).send().await;
        assert_eq!(again.status, 201, "{again:?}");
        assert!(matches!(prepare(server).await, Prepared::Hindered(Hindrance::OwnerExists)));
    })
    .await;
}

#[tokio::test]
async fn it_is_written_down_with_its_request() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let made = &server.events("authn_link_created", 1).await[0];
        assert_eq!(made.detail["purpose"], "first_run");
        let owner = made.context.subject;
        assert!(owner.is_some());
        let done = send(&server.client(), &code, &[]).await;
        let id = done.header("x-request-id");
        for (name, field, value) in [
            ("authn_link_used", "purpose", "first_run"),
            ("user_updated", "field", "email"),
            ("authn_password_change", "by", "link"),
            ("authn_login_success", "form", "page"),
            ("session_created", "form", "page"),
        ] {
            let events = server.events(name, 1).await;
            assert_eq!((events.len(), &events[0].detail[field]), (1, &value.into()), "{name}");
            assert_eq!(events[0].context.subject, owner, "{name}");
            assert_eq!(events[0].context.request_id.as_deref(), id, "{name}");
        }
        let late = send(&server.client(), &code, &[]).await;
        let refused = server.events("authn_link_fail", 1).await;
        assert_eq!(refused[0].detail, json!({"purpose": "first_run", "reason": "used"}));
        assert_eq!(refused[0].context.request_id.as_deref(), late.header("x-request-id"));
    })
    .await;
}

#[tokio::test]
async fn the_page_keeps_the_code_to_itself() {
    on_each_database(async |server| {
        let page = server.client().get(PAGE).send().await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert!(page.text().contains("history.replaceState"));
        assert!(!page.text().contains("src=") && !page.text().contains("url("));
        // No other page lets a script run.
        let other = server.client().get("/-/sign-in").send().await;
        assert!(!other.header("content-security-policy").unwrap().contains("script-src"));
    })
    .await;
}

#[tokio::test]
async fn looking_at_the_page_spends_nothing() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        for path in [PAGE.to_owned(), format!("{PAGE}?t={code}"), format!("{PAGE}/?code={code}")] {
            for method in [Method::GET, Method::HEAD, Method::GET] {
                let scanner = server.client();
                let answer = scanner.request(method, &path).send().await;
                assert_eq!(answer.status, 200, "{path}");
                assert!(!answer.text().contains(&code), "{path}");
            }
        }
        assert_eq!(send(&server.client(), &code, &[]).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_none_is_refused() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let cookie = server.by_cookie(&Z1).await.cookie("sessionid").unwrap();
        let bearer = server.mobile_token(&Z1).await;
        let check = async |code: &str| {
            let client = server.client();
            let answer = send(&client, code, &[]).await;
            assert_eq!(verdict(&answer), "401 link_unknown", "{code}");
            assert!(client.cookie("sessionid").is_none());
        };
        for wrong in ["", "x", &"0".repeat(64), &code[1..], &code.to_uppercase()] {
            check(wrong).await;
        }
        // Secrets of other purposes, and the code for other purposes.
        check(&cookie).await;
        check(&bearer).await;
        let as_bearer = server.client().bearer(&code).get("/api/auth/me").send().await;
        assert_eq!(as_bearer.verdict(), "401 credential_unknown");
        let as_cookie = server.client();
        as_cookie.set_cookie("sessionid", &code);
        assert_eq!(as_cookie.get("/api/auth/me").send().await.verdict(), "401 credential_unknown");
        // Control, as people paste it.
        let link = format!("http://127.0.0.1:8080{PAGE}#t={code}&e=x%40y.example");
        assert_eq!(send(&server.client(), &link, &[]).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_link_is_good_no_longer_than_there_is_no_owner() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        server.add(&STAFF).await;
        let answer = send(&server.client(), &code, &[]).await;
        assert_eq!(answer.status, 410, "another owner has a password by now: {answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_good_once_for_a_day_and_until_a_newer_one() {
    on_each_database(async |server| {
        let refused = async |code: &str, expected: &str| {
            let client = server.client();
            let answer = send(&client, code, &[]).await;
            assert_eq!(verdict(&answer), expected);
            assert!(client.cookie("sessionid").is_none() && !answer.text().contains(PASSWORD));
        };
        let late = new_code(server).await;
        server.advance(DAY);
        refused(&late, "410 link_expired").await;
        let older = new_code(server).await;
        let newer = new_code(server).await;
        refused(&late, "410 link_used").await;
        refused(&older, "410 link_used").await;
        server.advance(DAY.saturating_sub(Duration::from_millis(1)));
        assert_eq!(send(&server.client(), &newer, &[]).await.status, 303, "the last moment");
        refused(&newer, "410 link_used").await;
    })
    .await;
}

#[tokio::test]
async fn a_password_that_the_operator_set_ends_the_link() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let (authority, context) = (Authority::operator(), Context::default());
        let acting = acting(server, &authority, &context);
        let email = Email::parse(PLACEHOLDER).unwrap();
        let owner = users::find(&server.app.db, &email).await.unwrap().unwrap();
        let accepted = Judge::of(&server.app).accept(PASSWORD, 15, &Person::default()).await;
        let argon2 = &server.app.config.password.argon2;
        let new = accepted.ok().unwrap().hash_here(argon2, &[1; 16]).unwrap();
        let by = PasswordChanger::Operator;
        users::set_password(&acting, owner.id, &new, by, "").await.unwrap();
        assert_eq!(verdict(&send(&server.client(), &code, &[]).await), "410 link_used");
        let same = users::find(&server.app.db, &email).await.unwrap().unwrap();
        assert_eq!(same.email.as_str(), PLACEHOLDER);
        assert!(matches!(prepare(server).await, Prepared::Hindered(Hindrance::OwnerExists)));
    })
    .await;
}

#[tokio::test]
async fn wrong_input_spends_nothing_and_keeps_what_was_typed() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"");
    on_each_database_with(setup, async |server| {
        server.add(&TENANT).await;
        let code = new_code(server).await;
        let long = "x".repeat(151);
        let check = async |changes: &[(&str, &str)], expected: &str, texts: &[&str]| {
            let client = server.client();
            let answer = send(&client, &code, changes).await;
            assert_eq!(verdict(&answer), expected, "{changes:?}");
            let page = answer.text();
            for text in texts.iter().chain(&["value=\"Hopper\"", &code]) {
                assert!(page.contains(*text), "{text}: {page}");
            }
            let password = changes.iter().find(|(name, _)| *name == "password");
            let password = password.map_or(PASSWORD, |(_, text)| text);
            assert!(password.is_empty() || !page.contains(password), "{page}");
            assert!(client.cookie("sessionid").is_none());
        };
        let mail = format!("value=\"{EMAIL}\"");
        let weak = "at least 15 characters";
        check(&[("password", "fourteen chars")], "400 invalid", &[weak, &mail]).await;
        check(&[("password", "")], "400 invalid", &[weak]).await;
        check(&[("email", "grace")], "400 invalid", &["valid email", "value=\"grace\""]).await;
        check(&[("email", "")], "400 invalid", &["Email: "]).await;
        check(&[("first_name", &long)], "400 invalid", &["First name: ", &mail]).await;
        let both = [("email", "a@b@c"), ("password", "short")];
        check(&both, "400 invalid", &["valid email", weak]).await;
        let taken = TENANT.email.to_uppercase();
        check(&[("email", &taken)], "409 email_taken", &["another user"]).await;
        let done = send(&server.client(), &code, &[("first_name", ""), ("last_name", "")]).await;
        assert_eq!(done.status, 303, "only codes that were looked at are counted: {done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let client = server.client();
        let fields = [("code", code.as_str()), ("email", EMAIL), ("password", PASSWORD)];
        let bare = client.post(PAGE).form(&fields).send().await;
        assert_eq!(verdict(&bare), "403 csrf_missing");
        let token = csrf_token(&client.get(PAGE).send().await.text());
        let with_token = [("csrf_token", token.as_str()), fields[0], fields[1], fields[2]];
        let foreign = client.post(PAGE).form(&with_token).header("sec-fetch-site", "cross-site");
        assert_eq!(foreign.send().await.verdict(), "403 csrf_origin");
        let own = client.post(PAGE).form(&with_token).header("sec-fetch-site", "same-origin");
        assert_eq!(own.send().await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let setup = Setup::with("[limits]\nlogin = \"5/60s\"");
    on_each_database_with(setup, async |server| {
        let code = new_code(server).await;
        for _ in 0..5 {
            let answer = send(&server.client(), &"0".repeat(64), &[]).await;
            assert_eq!(verdict(&answer), "401 link_unknown");
        }
        let limited = send(&server.client(), &code, &[]).await;
        assert_eq!(verdict(&limited), "429 too_many_requests");
        assert_eq!(limited.header("retry-after"), Some("60"));
        assert_eq!(limited.header("x-ratelimit-remaining"), Some("0"));
        server.advance(Duration::from_mins(1));
        assert_eq!(send(&server.client(), &code, &[]).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_spends_nothing() {
    on_each_database(async |server| {
        let code = new_code(server).await;
        let seats: Vec<_> = std::iter::from_fn(|| server.app.hasher.seat().ok()).collect();
        let busy = send(&server.client(), &code, &[]).await;
        assert_eq!(busy.status, 503, "{busy:?}");
        drop(seats);
        assert_eq!(send(&server.client(), &code, &[]).await.status, 303);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_submissions_over_two_nodes_one_wins() {
    const PARALLEL: usize = 8;
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        let code = new_code(server).await;
        let addresses: Vec<_> =
            (0..PARALLEL).map(|number| format!("owner{number}@example.com")).collect();
        let clients: Vec<_> = (0..PARALLEL)
            .map(|number| if number % 2 == 0 { server.client() } else { other.client() })
            .collect();
        let sent = clients
            .iter()
            .zip(&addresses)
            .map(async |(client, address)| send(client, &code, &[("email", address)]).await);
        let answers = join_all(sent).await;
        let verdicts: Vec<_> = answers.iter().map(verdict).collect();
        let winners: Vec<_> = (0..PARALLEL).filter(|number| verdicts[*number] == "303").collect();
        let losers = verdicts.iter().filter(|verdict| *verdict == "410 link_used").count();
        // A queue of passwords that is full is an answer, too; it spends nothing.
        let busy = answers.iter().filter(|answer| answer.status == 503).count();
        assert_eq!((winners.len(), losers + busy), (1, PARALLEL - 1), "{verdicts:?}");
        let signed_in = clients.iter().filter(|client| client.cookie("sessionid").is_some());
        assert_eq!(signed_in.count(), 1);
        let mut tx = server.app.db.read().await.unwrap();
        let winner = Email::parse(&addresses[winners[0]]).unwrap();
        assert!(stored::by_email(&mut tx, &winner).await.unwrap().is_some());
        drop(tx);
        other.finish().await;
    })
    .await;
}
