//! A password that turns out to be breached when somebody signs in with it: found out after the answer, told
//! once, and taken no more when the time is over.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::password::{BreachStanding, BreachState};
use portcullis_domain::text::Identifier;
use portcullis_store::users;
use serde_json::json;
use tokio::time::Instant;

use super::offline::write;
use super::service::{Manner, Service};
use crate::harness::client::send_form;
use crate::harness::letters::{letters, letters_so_far};
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1, sign_in};
use crate::harness::{Setup, TestApp, on_each_database_with};

const DAY: Duration = Duration::from_hours(24);

/// Those who are asked, and what else stands in the section.
fn setup(service: &Service, more: &str) -> Setup {
    Setup::with(&format!("{}{more}\n", service.config_with_sign_in(r#""list", "online""#)))
}

/// How it stands with a password, as soon as somebody has looked.
async fn standing(server: &TestApp, name: &str, state: BreachState) -> BreachStanding {
    for _ in 0..200 {
        let now = standing_now(server, name).await;
        if now.state == state {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{:?}", standing_now(server, name).await)
}

async fn standing_now(server: &TestApp, name: &str) -> BreachStanding {
    let mut tx = server.app.db.read().await.unwrap();
    let name = Identifier::parse(name).unwrap();
    let user = users::by_identifier(&mut tx, &name).await.unwrap().unwrap();
    users::breach_standing(&mut tx, user.id).await.unwrap().unwrap()
}

async fn verdict(server: &TestApp, name: &str, password: &str) -> String {
    sign_in(&server.client(), name, password).await.verdict()
}

#[tokio::test]
async fn it_is_found_out_told_once_and_counted() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, ""), async |server| {
        let client = server.by_cookie(&Z1).await;
        let found = standing(server, "fred@example.com", BreachState::Breached).await;
        assert_eq!(found.count, 42);
        let event = &server.events("authn_password_breached", 1).await[0];
        assert_eq!(event.detail, json!({"source": "online", "count": 42}));
        assert!(event.context.subject.is_some() && event.context.ip.is_some());
        let letter = letters(server, Z1.email, 1).await.pop().unwrap();
        assert_eq!(letter.subject, "Please change your password");
        let due = server.app.clock.now().plus(DAY * 7).to_the_minute();
        assert!(letter.body.contains(&due), "{due}: {}", letter.body);
        assert!(!letter.body.contains("staple"), "{}", letter.body);
        let page = client.get("/-/account").send().await.text();
        assert!(page.contains("Your password has appeared in a data breach"), "{page}");

        for _ in 0..3 {
            assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "201");
        }
        assert_eq!(server.events("authn_password_breached", 1).await.len(), 1);
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 1);
        let staff = server.by_cookie(&STAFF).await;
        standing(server, "staff", BreachState::Breached).await;
        let report = staff.get("/api/admin/security-report").send().await.json();
        assert_eq!(report["data"]["password_breaches_detected"], 2, "{report}");
    })
    .await;
}

#[tokio::test]
async fn when_the_time_is_over_another_one_must_be_set_first() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, ""), async |server| {
        let client = server.by_cookie(&Z1).await;
        server.add(&TENANT).await;
        standing(server, "fred@example.com", BreachState::Breached).await;
        letters(server, Z1.email, 1).await;
        server.advance((DAY * 7).saturating_sub(Duration::from_millis(1)));
        assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "201", "the last moment");
        server.advance(Duration::from_millis(1));
        assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "403 password_breached");
        let body = json!({"email": Z1.email, "password": PASSWORD});
        for path in ["/api/auth/login", "/api/auth/mobile-login"] {
            let answer = server.client().post(path).json(&body).send().await;
            assert_ne!(answer.status.as_u16() / 100, 2, "{path}: {answer:?}");
        }
        let fields = [("username", Z1.email), ("password", PASSWORD)];
        let page = send_form(&server.client(), "/-/sign-in", &fields).await;
        assert_eq!(page.status, 403);
        assert!(page.text().contains("data breach") && page.set_cookie("sessionid").is_none());
        assert_eq!(verdict(server, "Fredkiss3", "another phrase").await, "401 wrong_credentials");
        assert_eq!(verdict(server, "tenant", PASSWORD).await, "201", "whose time has not begun");
        // Who is signed in goes on.
        assert_eq!(client.get("/api/auth/me").send().await.status, 200);

        let asked = json!({"action": "request", "email": Z1.email});
        server.client().post("/api/password-reset").json(&asked).send().await;
        let mail = letters(server, Z1.email, 2).await.pop().unwrap();
        let reset = |password: &str| {
            let token = mail.token();
            let body = json!({"action": "reset", "token": token, "password": password});
            let client = server.client();
            async move { client.post("/api/password-reset").json(&body).send().await }
        };
        assert_eq!(reset(PASSWORD).await.verdict(), "400 password_breached", "the same one");
        assert_eq!(reset("a quiet harbour").await.status, 200);
        assert_eq!(verdict(server, "Fredkiss3", "a quiet harbour").await, "201");
        let clear = standing(server, "Fredkiss3", BreachState::Clear).await;
        assert_eq!(clear.count, 0);

        let mut tx = server.app.db.write().await.unwrap();
        let name = Identifier::parse("tenant").unwrap();
        let user = users::by_identifier(&mut tx, &name).await.unwrap().unwrap();
        let now = server.app.clock.now();
        users::set_status(&mut tx, user.id, AccountStatus::Disabled, now).await.unwrap();
        tx.commit().await.unwrap();
        server.advance(DAY * 8);
        let closed = verdict(server, "tenant", PASSWORD).await;
        assert_eq!(closed, "403 account_disabled", "what is wrong with the account comes first");
    })
    .await;
}

#[tokio::test]
async fn who_is_signed_in_sets_another_one_and_is_told_no_more() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, ""), async |server| {
        let client = server.by_cookie(&Z1).await;
        standing(server, "Fredkiss3", BreachState::Breached).await;
        let fields = [("current_password", PASSWORD), ("password", "a quiet harbour")];
        let done = send_form(&client, "/-/account/password", &fields).await;
        assert_eq!(done.status, 200, "{}", done.text());
        let page = client.get("/-/account").send().await.text();
        assert!(!page.contains("data breach"), "{page}");
        server.advance(DAY * 8);
        assert_eq!(verdict(server, "Fredkiss3", "a quiet harbour").await, "201");
    })
    .await;
}

#[tokio::test]
async fn the_operator_says_what_is_done() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, "at_sign_in = \"tell\""), async |server| {
        server.by_cookie(&Z1).await;
        standing(server, "Fredkiss3", BreachState::Breached).await;
        let letter = letters(server, Z1.email, 1).await.pop().unwrap();
        assert!(!letter.body.contains("not accepted any more"), "{}", letter.body);
        server.advance(DAY * 900);
        assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "201");
    })
    .await;
    on_each_database_with(setup(&service, "grace = \"off\""), async |server| {
        server.by_cookie(&Z1).await;
        standing(server, "Fredkiss3", BreachState::Breached).await;
        assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "403 password_breached");
    })
    .await;
    let asked = service.asked().len();
    on_each_database_with(setup(&service, "at_sign_in = \"off\""), async |server| {
        server.by_cookie(&Z1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(standing_now(server, "Fredkiss3").await.state, BreachState::Unchecked);
    })
    .await;
    assert_eq!(service.asked().len(), asked);
}

#[tokio::test]
async fn a_sign_in_never_waits_and_what_was_silent_is_asked_later() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    service.is(Manner::Silent);
    on_each_database_with(setup(&service, ""), async |server| {
        server.add(&Z1).await;
        let began = Instant::now();
        assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "201");
        // The service is given a second and a half.
        assert!(began.elapsed() < Duration::from_millis(1_400), "{:?}", began.elapsed());
        let deferred = standing(server, "Fredkiss3", BreachState::Deferred).await;
        assert_eq!(deferred.count, 0);
        assert!(server.events("authn_password_breached", 0).await.is_empty());

        service.is(Manner::Honest);
        // When a service that was down is asked again is the breaker's.
        for _ in 0..20 {
            server.advance(Duration::from_mins(5));
            assert_eq!(verdict(server, "Fredkiss3", PASSWORD).await, "201");
            tokio::time::sleep(Duration::from_millis(100)).await;
            if standing_now(server, "Fredkiss3").await.state == BreachState::Breached {
                break;
            }
        }
        standing(server, "Fredkiss3", BreachState::Breached).await;
        service.is(Manner::Silent);
    })
    .await;
}

#[tokio::test]
async fn what_was_clear_is_looked_up_again_in_a_newer_index() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let text =
        format!("[breach]\nsources = [\"offline\"]\noffline_index = \"{}\"", index.display());
    write(folder.path(), "P@ssw0rd", 9, "2025-01-31");
    on_each_database_with(Setup::with(&text), async |server| {
        write(folder.path(), "P@ssw0rd", 9, "2025-01-31");
        let staff = server.by_cookie(&STAFF).await;
        let clear = standing(server, "staff", BreachState::Clear).await;
        assert_eq!(clear.corpus, "offline 2025-01-31 1");
        server.advance(DAY);
        assert_eq!(verdict(server, "staff", PASSWORD).await, "201");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let same = standing_now(server, "staff").await;
        assert_eq!(same.checked_at, clear.checked_at, "nobody looked again");

        write(folder.path(), PASSWORD, 9, "2026-06-30");
        let check = json!({"password": PASSWORD});
        for _ in 0..400 {
            let answer = staff.act(Method::POST, super::checks::PATH, &check).await;
            if answer.json()["date"] == "2026-06-30" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(verdict(server, "staff", PASSWORD).await, "201");
        assert_eq!(standing(server, "staff", BreachState::Breached).await.count, 9);
    })
    .await;
}

#[tokio::test]
async fn of_many_sign_ins_at_once_one_tells() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, ""), async |server| {
        server.add(&Z1).await;
        let all = (0..20).map(|_| verdict(server, "Fredkiss3", PASSWORD));
        let all = join_all(all).await;
        assert!(all.iter().any(|verdict| verdict == "201"), "{all:?}");
        standing(server, "Fredkiss3", BreachState::Breached).await;
        // Whoever else looked has come to his end by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(server.events("authn_password_breached", 1).await.len(), 1);
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 1);
    })
    .await;
}

/// What a sign-in finds out about a password says nothing of the one that took its place meanwhile.
#[tokio::test]
async fn a_new_password_is_not_blamed_for_the_old_one() {
    let service = Service::start(&[(PASSWORD, 42)]).await;
    on_each_database_with(setup(&service, ""), async |server| {
        let user = server.add(&Z1).await;
        let before = standing_now(server, "Fredkiss3").await;
        server.advance(Duration::from_millis(1));
        let now = server.app.clock.now();
        let note = async |set_at| {
            let state = BreachState::Breached;
            let checked = users::Checked { state, corpus: String::new() };
            let mut tx = server.app.db.write().await.unwrap();
            let noted = users::note_check(&mut tx, user.id, set_at, (&checked, 1), now).await;
            tx.commit().await.unwrap();
            noted.unwrap()
        };
        let mut tx = server.app.db.write().await.unwrap();
        let other = users::NewPassword::unseen("other");
        users::set_password(&mut tx, user.id, &other, now).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!note(before.set_at.unwrap()).await);
        assert_eq!(standing_now(server, "Fredkiss3").await.state, BreachState::Unchecked);
        assert!(note(now).await, "control");
        assert!(!note(now).await, "once");
    })
    .await;
}
