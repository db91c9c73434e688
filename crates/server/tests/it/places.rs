//! Signing in from a new place: who is asked, what the code is worth, and what cannot be got without
//! it. Networks are those that a trusted proxy names.

mod known;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::UserId;
use portcullis_domain::secret::MasterSecret;
use portcullis_domain::text::Email;
use portcullis_store::users;
use serde_json::{Value, json};

use crate::cli;
use crate::harness::client::{Answer, Client};
use crate::harness::letters::mails;
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::revoking::blacklist;
use crate::harness::{Setup, TestApp, on_each_database_with};

const HOME: &str = "192.0.2.7";
/// In the same network as home.
const NEXT_DOOR: &str = "192.0.2.200";
const AWAY: &str = "198.51.100.9";
const ELSEWHERE: &str = "203.0.113.50";

fn setup() -> Setup {
    with("")
}

fn with(more: &str) -> Setup {
    Setup::with(&format!("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{more}"))
}

/// Signs in as a browser's script does.
async fn by_browser(client: &Client, from: &str, password: &str) -> Answer {
    let body = json!({"email": Z1.email, "password": password, "remember": true});
    let sending = client.post("/api/auth/login").from_own_page();
    sending.header("x-forwarded-for", from).json(&body).send().await
}

/// Signs in as a program does.
async fn by_program(server: &TestApp, from: &str) -> Answer {
    let body = json!({"email": Z1.email, "password": PASSWORD});
    let client = server.client();
    let sending = client.post("/api/auth/login").header("x-forwarded-for", from);
    sending.json(&body).send().await
}

async fn verify(client: &Client, from: &str, ticket: &str, code: &str) -> Answer {
    let body = json!({"ticket": ticket, "code": code});
    let sending = client.post("/api/auth/verify-place").from_own_page();
    sending.header("x-forwarded-for", from).json(&body).send().await
}

/// The ticket of an answer that asks for a code.
fn ticket(answer: &Answer) -> String {
    assert_eq!(answer.verdict(), "401 new_place", "{answer:?}");
    assert_eq!(answer.headers.get("set-cookie"), None, "{answer:?}");
    assert_eq!(answer.json()["expires_in"], 600, "{answer:?}");
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

/// The code that was mailed last.
async fn code(server: &TestApp) -> String {
    let mails = mails(server).await;
    let mut codes = mails.iter().filter_map(|mail| mail.split_once("X-Portcullis-Code: "));
    codes.next_back().expect("no code").1[..6].to_owned()
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

/// Somebody who signed in at home once, by a browser that is gone.
async fn at_home(server: &TestApp) {
    server.add(&Z1).await;
    let answer = by_browser(&server.client(), HOME, PASSWORD).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(mails(server).await.len(), 0, "the first place is learned silently");
}

#[tokio::test]
async fn a_browser_at_a_new_place_needs_the_code_and_then_is_at_home_there() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let neighbour = by_browser(&server.client(), NEXT_DOOR, PASSWORD).await;
        assert_eq!(neighbour.status, 201, "the same network is no new place: {neighbour:?}");
        let client = server.client();
        let ticket = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let mail = mails(server).await.pop().unwrap();
        assert!(mail.contains(&format!("Address: {AWAY}\r\n")), "{mail}");
        let answer = verify(&client, AWAY, &ticket, &code(server).await).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        assert_eq!((&body["user"]["email"], &body["token"]), (&Z1.email.into(), &Value::Null));
        for cookie in ["sessionid", "csrftoken", "remember"] {
            assert!(answer.set_cookie(cookie).is_some(), "{cookie}: {answer:?}");
        }
        assert_eq!(client.get("/api/auth/me").send().await.status, 200);
        let again = verify(&client, AWAY, &ticket, &code(server).await).await;
        assert_eq!(again.verdict(), "401 place_ticket_over", "a ticket is good once");

        let asked = server.events("authn_place_asked", 1).await;
        assert_eq!(asked[0].detail["network"], "198.51.100.0/24");
        let confirmed = server.events("authn_place_confirmed", 1).await;
        assert_eq!(confirmed.len(), 1);
        assert_eq!(server.events("session_created", 3).await[0].detail["form"], "email");
        let stranger = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(stranger.status, 201, "the place is known now: {stranger:?}");
        let elsewhere = by_browser(&client, ELSEWHERE, PASSWORD).await;
        assert_eq!(elsewhere.status, 201, "the browser is known: {elsewhere:?}");
        let stranger = by_browser(&server.client(), ELSEWHERE, PASSWORD).await;
        assert_eq!(stranger.verdict(), "401 new_place", "and vouches for nobody beside it");
    })
    .await;
}

#[tokio::test]
async fn a_program_is_let_in_and_its_owner_is_told_once() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        for round in 0..3 {
            let answer = by_program(server, AWAY).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert!(answer.json()["token"].is_string());
            let mails = mails(server).await;
            assert_eq!(mails.len(), 1, "round {round}");
            assert!(mails[0].contains("Subject: New sign-in to your account"), "{}", mails[0]);
            assert!(mails[0].contains(AWAY) && !mails[0].contains("X-Portcullis-Code"));
        }
        assert_eq!(server.events("authn_place_told", 1).await.len(), 1);
        let browser = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(browser.verdict(), "401 new_place", "told is not confirmed");
        assert_eq!(by_program(server, HOME).await.status, 201);
        assert_eq!(mails(server).await.len(), 2, "home is no news");
    })
    .await;
}

#[tokio::test]
async fn where_nobody_is_asked_everybody_is_told() {
    on_each_database_with(with("[sign_in]\nconfirm_new_place = false"), async |server| {
        at_home(server).await;
        let answer = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(mails(server).await.len(), 1);
    })
    .await;
}

/// Without the password nothing tells that a place is new.
#[tokio::test]
async fn who_does_not_know_the_password_learns_nothing() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let masked = |answer: &Answer| {
            let mut body = answer.json();
            body["requestId"] = Value::Null;
            body
        };
        let known = by_browser(&server.client(), HOME, "wrong horse battery staple").await;
        let new = by_browser(&server.client(), AWAY, "wrong horse battery staple").await;
        assert_eq!(new.verdict(), "401 wrong_credentials");
        assert_eq!(masked(&known), masked(&new));
        assert_eq!(mails(server).await.len(), 0);
        let made_up = verify(&server.client(), AWAY, &"0f".repeat(32), "123456").await;
        assert_eq!(made_up.verdict(), "401 place_ticket_over");
        let nonsense = verify(&server.client(), AWAY, "x", "12345").await;
        assert_eq!(nonsense.verdict(), "400 invalid");
    })
    .await;
}

#[tokio::test]
async fn a_code_is_guessed_at_five_times_and_is_good_with_its_ticket_alone() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        server.add(&STAFF).await;
        let client = server.client();
        let first = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let first_code = code(server).await;
        let second = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let second_code = code(server).await;
        let replaced = verify(&client, AWAY, &first, &first_code).await;
        assert_eq!(replaced.verdict(), "401 place_ticket_over", "a newer one took its place");
        if first_code != second_code {
            let crossed = verify(&client, AWAY, &second, &first_code).await;
            assert_eq!(crossed.verdict(), "401 place_code_wrong");
        }
        let wrong = another(&second_code);
        let mut verdicts = Vec::new();
        for _ in 0..6 {
            verdicts.push(verify(&client, AWAY, &second, &wrong).await.verdict());
        }
        assert_eq!(verdicts.last().unwrap(), "401 place_code_exhausted");
        let right = verify(&client, AWAY, &second, &second_code).await;
        assert_eq!(right.verdict(), "401 place_code_exhausted", "dead, even to the right code");
        assert_eq!(client.get("/api/auth/me").send().await.status, 401);

        let third = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let third_code = code(server).await;
        server.advance(Duration::from_mins(10));
        let late = verify(&client, AWAY, &third, &third_code).await;
        assert_eq!(late.verdict(), "401 place_ticket_over");
        let fourth = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let answer = verify(&client, AWAY, &fourth, &code(server).await).await;
        assert_eq!(answer.status, 201, "the control: {answer:?}");
    })
    .await;
}

/// What is wrong with a code is told before the limit has its say.
#[tokio::test]
async fn the_sixth_code_of_a_minute_is_one_too_many_not_too_early() {
    on_each_database_with(with("[limits]\nlogin = \"5/60s\""), async |server| {
        at_home(server).await;
        let client = server.client();
        let waiting = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let right = code(server).await;
        for number in 0..6 {
            let verdict = verify(&client, AWAY, &waiting, &another(&right)).await.verdict();
            let expected =
                if number < 4 { "401 place_code_wrong" } else { "401 place_code_exhausted" };
            assert_eq!(verdict, expected, "{number}");
        }
        for _ in 6..30 {
            assert_eq!(verify(&client, AWAY, "00", &right).await.status, 401);
        }
        let answer = verify(&client, AWAY, &waiting, &right).await;
        assert_eq!(answer.verdict(), "429 too_many_requests");
        assert_eq!(verify(&client, HOME, "00", &right).await.status, 401, "control");
    })
    .await;
}

/// Whoever knows the password cannot buy guesses with new codes: 10^6 of them take a year and more.
#[tokio::test]
async fn an_account_is_sent_five_codes_an_hour() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        for _ in 0..5 {
            ticket(&by_browser(&server.client(), AWAY, PASSWORD).await);
        }
        let answer = by_browser(&server.client(), ELSEWHERE, PASSWORD).await;
        assert_eq!(answer.verdict(), "429 too_many_requests");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("3600"), "{answer:?}");
        assert_eq!(mails(server).await.len(), 5);
        assert_eq!(by_browser(&server.client(), HOME, PASSWORD).await.status, 201);
        server.advance(Duration::from_hours(1));
        ticket(&by_browser(&server.client(), ELSEWHERE, PASSWORD).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_right_codes_one_signs_in() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let ticket = ticket(&by_browser(&server.client(), AWAY, PASSWORD).await);
        let code = code(server).await;
        let clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        let tries = clients.iter().map(|client| verify(client, AWAY, &ticket, &code));
        let answers = join_all(tries).await;
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 401));
        assert_eq!(server.events("session_created", 2).await.len(), 2, "home and away");
    })
    .await;
}

#[tokio::test]
async fn what_changed_meanwhile_counts() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let id = id_of_z1(server).await;
        let client = server.client();
        let asked = ticket(&by_browser(&client, AWAY, PASSWORD).await);
        let mut tx = server.app.db.write().await.unwrap();
        users::bump_epoch(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        let answer = verify(&client, AWAY, &asked, &code(server).await).await;
        assert_eq!(answer.verdict(), "401 place_ticket_over", "another password");

        for (status, expected) in
            [(AccountStatus::Disabled, "403 account_disabled"), (AccountStatus::Active, "201")]
        {
            let asked = ticket(&by_browser(&server.client(), AWAY, PASSWORD).await);
            let mut tx = server.app.db.write().await.unwrap();
            users::set_status(&mut tx, id, status, server.app.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
            let answer = verify(&client, AWAY, &asked, &code(server).await).await;
            assert!(answer.verdict().starts_with(expected), "{answer:?}");
            let mut tx = server.app.db.write().await.unwrap();
            let now = server.app.clock.now();
            users::set_status(&mut tx, id, AccountStatus::Active, now).await.unwrap();
            tx.commit().await.unwrap();
        }
        let asked = ticket(&by_browser(&server.client(), ELSEWHERE, PASSWORD).await);
        let staff = server.by_cookie(&STAFF).await;
        assert_eq!(blacklist(&staff, id.0).await.status, 200);
        let answer = verify(&server.client(), ELSEWHERE, &asked, &code(server).await).await;
        assert_eq!(answer.verdict(), "401 place_ticket_over");
        let told = by_browser(&server.client(), ELSEWHERE, PASSWORD).await;
        assert_eq!(told.verdict(), "403 account_blacklisted");
    })
    .await;
}

#[tokio::test]
async fn places_are_listed_and_taken_back_by_their_owner() {
    on_each_database_with(setup(), async |server| {
        server.add(&Z1).await;
        let client = server.client();
        assert_eq!(by_browser(&client, HOME, PASSWORD).await.status, 201);
        let list = client.get("/api/account/places").send().await.json();
        assert_eq!(list["count"], 1);
        let place = &list["data"][0];
        assert_eq!(place["network"], "192.0.2.0/24");
        let path = format!("/api/account/places/{}", place["id"].as_str().unwrap());
        let page = client.get("/-/account").send().await.text();
        assert!(page.contains("192.0.2.0/24") && page.contains("Forget"), "{page}");

        let stranger = server.by_cookie(&STAFF).await;
        let token = stranger.fetch_csrf().await;
        let foreign = stranger.request(Method::DELETE, &path).header("x-csrf-token", &token);
        assert_eq!(foreign.send().await.status, 404, "somebody else's");
        let token = client.fetch_csrf().await;
        let own = client.request(Method::DELETE, &path).header("x-csrf-token", &token);
        assert_eq!(own.send().await.status, 200);
        assert_eq!(client.get("/api/account/places").send().await.json()["count"], 0);
        let token = client.fetch_csrf().await;
        let twice = client.request(Method::DELETE, &path).header("x-csrf-token", &token);
        assert_eq!(twice.send().await.status, 404);
        let answer = by_browser(&server.client(), HOME, PASSWORD).await;
        assert_eq!(answer.verdict(), "401 new_place", "the last one was no first again");
        let known = by_browser(&client, HOME, PASSWORD).await;
        assert_eq!(known.verdict(), "401 new_place", "nor is a browser of before believed");
        assert_eq!(server.events("authn_place_removed", 1).await.len(), 1);
    })
    .await;
}

async fn id_of_z1(server: &TestApp) -> UserId {
    let mut tx = server.app.db.read().await.unwrap();
    let email = Email::parse(Z1.email).unwrap();
    users::by_email(&mut tx, &email).await.unwrap().unwrap().id
}

/// A hidden field of a page's first form that has it.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect(page);
    rest.split('"').next().unwrap().to_owned()
}

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let sending = client.post(path).header("sec-fetch-site", "same-origin");
    sending.header("x-forwarded-for", AWAY).form(fields).send().await
}

#[tokio::test]
async fn the_page_asks_in_a_second_form() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let client = server.client();
        let page = client.get("/-/sign-in?next=/home").send().await.text();
        let token = hidden(&page, "csrf_token");
        let fields = [
            ("csrf_token", token.as_str()),
            ("next", "/home"),
            ("username", Z1.email),
            ("password", PASSWORD),
            ("remember", "1"),
        ];
        let asked = submit(&client, "/-/sign-in", &fields).await;
        assert_eq!(asked.status, 401, "{asked:?}");
        assert_eq!(asked.set_cookie("sessionid"), None);
        let page = asked.text();
        assert!(page.contains("Enter your code") && page.contains("good for 10 minutes"), "{page}");
        let (token, ticket) = (hidden(&page, "csrf_token"), hidden(&page, "ticket"));
        let code = code(server).await;
        let wrong = another(&code);
        let form = |code: &str, ticket: &str| {
            [("csrf_token", &*token), ("ticket", ticket), ("next", "/home"), ("code", code)]
                .map(|(name, value)| (name, value.to_owned()))
        };
        for (typed, status, says) in
            [("12 34", 400, "six digits"), (&*wrong, 401, "That is not the code")]
        {
            let fields = form(typed, &ticket);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
            let again = submit(&client, "/-/verify-place", &fields).await;
            assert_eq!(again.status, status, "{again:?}");
            let page = again.text();
            assert!(page.contains(says) && hidden(&page, "ticket") == ticket, "{page}");
        }
        let stale = [("csrf_token", "x"), ("ticket", &*ticket), ("code", &*code)];
        assert_eq!(submit(&client, "/-/verify-place", &stale).await.status, 403);

        let resend =
            [("csrf_token", &*token), ("ticket", &*ticket), ("again", "1"), ("next", "/home")];
        let page = submit(&client, "/-/verify-place", &resend).await.text();
        let newer = hidden(&page, "ticket");
        assert_ne!(newer, ticket);
        let code = self::code(server).await;
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let fields = form(&spaced, &newer);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let done = submit(&client, "/-/verify-place", &fields).await;
        assert_eq!(
            (done.status.as_u16(), done.header("location")),
            (303, Some("/home")),
            "{done:?}"
        );
        assert!(done.set_cookie("remember").is_some(), "the choice was kept: {done:?}");
        assert_eq!(client.get("/api/auth/me").send().await.status, 200);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let replayed = submit(&server.client(), "/-/verify-place", &fields).await;
        assert_eq!(replayed.status, 401, "a code is good once: {replayed:?}");
        assert_eq!(replayed.set_cookie("sessionid"), None);
    })
    .await;
}

#[tokio::test]
async fn codes_are_sent_again_within_the_sensitive_limit() {
    let limits = "[limits]\nsensitive = \"2/300s\"";
    on_each_database_with(with(limits), async |server| {
        at_home(server).await;
        let client = server.client();
        let page = client.get("/-/sign-in").send().await.text();
        let token = hidden(&page, "csrf_token");
        let fields = [("csrf_token", &*token), ("username", Z1.email), ("password", PASSWORD)];
        let mut page = submit(&client, "/-/sign-in", &fields).await.text();
        for status in [401, 401, 429] {
            let (token, ticket) = (hidden(&page, "csrf_token"), hidden(&page, "ticket"));
            let resend = [("csrf_token", &*token), ("ticket", &*ticket), ("again", "1")];
            let answer = submit(&client, "/-/verify-place", &resend).await;
            assert_eq!(answer.status, status, "{answer:?}");
            page = answer.text();
        }
        assert_eq!(mails(server).await.len(), 3);
    })
    .await;
}

/// The secret of the servers of these tests, where a command looks for it.
fn write_secret(server: &TestApp) {
    let path = server.data_dir.join("secret");
    std::fs::write(&path, &*MasterSecret::from_random([7; 32]).to_file_text()).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

// The server is at work while a command is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_vouches_for_a_place_and_forgets_them_all() {
    on_each_database_with(setup(), async |server| {
        at_home(server).await;
        let config = server.data_dir.join("portcullis.toml");
        write_secret(server);
        let line = format!("user places {} --json", Z1.email);
        let listed = cli::run(&config, &line, b"");
        assert_eq!(listed.assert(0).json()[0]["network"], "192.0.2.0/24");
        cli::run(&config, &format!("{line} --trust {AWAY}"), b"").assert(0);
        let answer = by_browser(&server.client(), AWAY, PASSWORD).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(by_browser(&server.client(), ELSEWHERE, PASSWORD).await.status, 401);
        let forgotten = cli::run(&config, &format!("{line} --forget"), b"");
        assert_eq!(forgotten.assert(0).json()["forgotten"], 2);
        let answer = by_browser(&server.client(), ELSEWHERE, PASSWORD).await;
        assert_eq!(answer.status, 201, "learned as the first was: {answer:?}");
        cli::run(&config, "user places nobody@example.com", b"").assert(1);
        cli::run(&config, &format!("{line} --trust home"), b"").assert(2);
    })
    .await;
}
