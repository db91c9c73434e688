//! What an attacker tries: who exists (A57), what outlives a reset (A22), and being faster than the
//! counters.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::text::Email;
use portcullis_store::{blacklist, users};
use serde_json::json;

use super::{NEW, code_by_mail, letters_so_far, masked, me, post, reset, send_form, token_by_mail};
use crate::harness::people::{Person, STAFF, STAFF0, TENANT, Z1};
use crate::harness::{Setup, TestApp, database, on_each_database, on_each_database_with};

#[tokio::test]
async fn tp55_a57_the_answer_is_the_same_for_every_address() {
    let setup = Setup::with("[limits]\nsensitive = \"50/60s\"");
    on_each_database_with(setup, async |server| {
        server.add(&STAFF).await;
        let closed = server.add(&TENANT).await;
        let kept_out = server.add(&Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        let now = server.app.clock.now();
        blacklist::add(&mut tx, kept_out.id, None, None, now).await.unwrap();
        users::set_status(&mut tx, closed.id, AccountStatus::Disabled, now).await.unwrap();
        tx.commit().await.unwrap();
        for (path, status) in [
            ("/api/password-reset", 200),
            ("/api/auth/forgot-password", 201),
            ("/api/auth/resend-verification", 201),
        ] {
            // Fresh counters, so that the limit headers are compared as well; the last two rounds are
            // past the three letters that one address gets.
            for round in 0..5 {
                let ask = async |email: &str| {
                    server.advance(Duration::from_secs(61));
                    let body = json!({"action": "request", "email": email});
                    masked(&post(server, path, &body).await)
                };
                let known = ask(STAFF.email).await;
                let unknown = ask("nobody@example.com").await;
                assert_eq!(known, unknown, "{path} round {round}");
                assert_eq!(ask(TENANT.email).await, unknown, "{path} round {round}: closed");
                assert_eq!(ask(Z1.email).await, unknown, "{path} round {round}: kept out");
                assert_eq!(known.0, status);
            }
            server.advance(Duration::from_mins(20));
        }
        let written = letters_so_far(server, TENANT.email).await.len()
            + letters_so_far(server, Z1.email).await.len();
        assert_eq!(written, 0, "nobody who is kept out is written to");
        // Nor do the codes tell: who has one, who has none, who is nobody.
        code_by_mail(server, &STAFF).await;
        for round in 0..7 {
            let guess = async |email: &str| {
                let body = json!({"email": email, "code": "00000x"});
                masked(&post(server, "/api/auth/verify-reset-code", &body).await)
            };
            let known = guess(STAFF.email).await;
            assert_eq!(known, guess("nobody@example.com").await, "round {round}");
            assert_eq!(known, guess(TENANT.email).await, "round {round}: closed");
            assert!(known.2.contains(if round < 5 { "code_refused" } else { "code_exhausted" }));
        }
    })
    .await;
}

#[tokio::test]
async fn a57_the_page_says_the_same() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let page = async |email: &str| {
            masked(&send_form(&server.client(), "/-/forgot", &[("email", email)]).await)
        };
        let known = page(STAFF.email).await;
        assert_eq!(known, page("nobody@example.com").await);
        assert_eq!(known.0, 200);
        assert!(known.2.contains("Check your mail"), "{}", known.2);
        assert_eq!(page("no address").await.0, 400, "control");
    })
    .await;
}

/// The mean of the middle half: a pause of the machine is not the server's doing.
fn middle_mean(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let quarter = times.len() / 4;
    let middle = &times[quarter..times.len() - quarter];
    let count = u32::try_from(middle.len()).unwrap();
    middle.iter().sum::<Duration>().as_secs_f64() / f64::from(count)
}

const NAMES: usize = 60;

/// The time for addresses that are somebody's by that for those that are not, one after the other.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's time")]
async fn measure(server: &TestApp, round: usize) -> f64 {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..NAMES {
        for (who, times) in [("known", &mut known), ("nobody", &mut unknown)] {
            let body = json!({"email": format!("{who}{round}x{number}@example.com")});
            let started = std::time::Instant::now();
            let answer = post(server, "/api/auth/forgot-password", &body).await;
            times.push(started.elapsed());
            assert_eq!(answer.status, 201);
        }
    }
    middle_mean(known) / middle_mean(unknown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a57_the_answer_takes_the_same_time() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &Setup::default()).await;
        let template = server.add(&STAFF).await;
        let mut ratios = Vec::new();
        // Other tests may load the machine for one measurement; a leak shows in all of them.
        while ratios.len() < 4 && !ratios.last().is_some_and(|ratio| (0.75..1.33).contains(ratio)) {
            let round = ratios.len();
            let mut tx = server.app.db.write().await.unwrap();
            for number in 0..NAMES {
                let new = users::NewUser {
                    uuid: uuid::Uuid::from_bytes(server.app.random.bytes()).to_string(),
                    email: Email::parse(&format!("known{round}x{number}@example.com")).unwrap(),
                    username: None,
                    first_name: template.first_name.clone(),
                    last_name: template.last_name.clone(),
                    phone: None,
                    branch_id: 1,
                    account_type: template.account_type,
                    role_id: template.role_id,
                    password: None,
                };
                users::insert(&mut tx, &new, server.app.clock.now()).await.unwrap();
            }
            tx.commit().await.unwrap();
            ratios.push(measure(&server, round).await);
        }
        let is_equal = ratios.last().is_some_and(|ratio| (0.75..1.33).contains(ratio));
        assert!(is_equal, "{kind:?}: {ratios:?}");
        server.finish().await;
    }
}

#[tokio::test]
async fn a22_a_reset_ends_every_credential_on_every_node() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let browser = server.sign_in(&Z1).await;
        let remembered = server.remembered(&Z1).await;
        let phone = server.mobile(&Z1).await;
        let login = server.login_by_email(&Z1).await.json();
        let script = server.client().bearer(login["accessToken"].as_str().unwrap());
        let somebody_else = server.by_cookie(&TENANT).await;
        let everything = [
            ("cookie", &browser),
            ("remembered", &remembered),
            ("phone", &phone),
            ("JWT", &script),
        ];
        // The nodes of a test have addresses of their own, so no access token is good at both.
        let everywhere = &everything[..3];
        for (what, client) in everywhere {
            assert_eq!(me(&client.at(other.address)).await, 200, "control: {what}");
        }
        assert_eq!(me(&script).await, 200, "control: JWT");
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &token, NEW).await.status, 200);
        // The other node may believe what it read for as long as the revocation bound.
        other.advance(Duration::from_secs(3));
        for (what, client) in everything {
            assert_eq!(me(client).await, 401, "{what}");
        }
        for (what, client) in everywhere {
            assert_eq!(me(&client.at(other.address)).await, 401, "{what}, on the other node");
        }
        assert_eq!(me(&somebody_else.at(other.address)).await, 200, "another person");
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_resets_with_one_token_one_wins() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let token = token_by_mail(server, &Z1).await;
        let attempt = async |number: usize| {
            let node = if number.is_multiple_of(2) { server } else { &other };
            let password = format!("{NEW} number {number}");
            // Where the queue of passwords is full, the client comes back as it is told.
            loop {
                let answer = reset(node, &token, &password).await;
                if answer.status != 503 {
                    return (number, answer.verdict());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answers = join_all((0..100).map(attempt)).await;
        let won: Vec<_> = answers.iter().filter(|(_, verdict)| verdict == "200").collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let lost = answers.iter().filter(|(_, verdict)| verdict == "400 link_used").count();
        assert_eq!(lost, 99, "{answers:?}");
        let password = format!("{NEW} number {}", won[0].0);
        assert!(super::can_sign_in(server, &Z1, &password).await);
        assert_eq!(server.events("authn_password_change", 1).await.len(), 1);
        other.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_guesses_at_a_code_five_are_compared() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        server.add(&Z1).await;
        let code = code_by_mail(server, &Z1).await;
        let wrong = if code == "123456" { "654321" } else { "123456" };
        let body = json!({"email": Z1.email, "code": wrong});
        let guess = async |number: usize| {
            let node = if number.is_multiple_of(2) { server } else { &other };
            post(node, "/api/auth/verify-reset-code", &body).await.verdict()
        };
        let verdicts = join_all((0..100).map(guess)).await;
        let count = |wanted: &str| verdicts.iter().filter(|verdict| *verdict == wanted).count();
        assert_eq!(
            (count("400 code_refused"), count("400 code_exhausted")),
            (5, 95),
            "{verdicts:?}"
        );
        let right = json!({"email": Z1.email, "code": code});
        let answer = post(server, "/api/auth/verify-reset-code", &right).await;
        assert_eq!(answer.verdict(), "400 code_exhausted");
        other.finish().await;
    })
    .await;
}

#[tokio::test]
async fn new_codes_do_not_refill_the_guesses_of_a_day() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let mut compared = 0;
        for _ in 0..8 {
            let code = code_by_mail(server, &Z1).await;
            let wrong = if code == "123456" { "654321" } else { "123456" };
            for _ in 0..5 {
                let body = json!({"email": Z1.email, "code": wrong});
                let verdict = post(server, "/api/auth/verify-reset-code", &body).await.verdict();
                compared += usize::from(verdict == "400 code_refused");
            }
            server.advance(Duration::from_mins(6));
        }
        assert_eq!(compared, 20);
        // Links are not guessed at, and still work.
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &token, NEW).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn a_second_session_of_somebody_else_is_no_help() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        server.add(&STAFF0).await;
        let theirs = token_by_mail(server, &STAFF0).await;
        // A code for one address buys nothing for another.
        let code = code_by_mail(server, &STAFF0).await;
        let body = json!({"email": Z1.email, "code": code});
        let answer = post(server, "/api/auth/verify-reset-code", &body).await;
        assert_eq!(answer.verdict(), "400 code_refused");
        // The token of one purpose is none of another.
        let path = format!("/api/auth/verify-email?token={theirs}");
        let answer = server.client().get(&path).header("accept", "application/json").send().await;
        assert_eq!(answer.verdict(), "400 link_unknown");
        assert_eq!(reset(server, &theirs, NEW).await.status, 200, "control");
        assert!(super::can_sign_in(server, &Z1, crate::harness::people::PASSWORD).await);
    })
    .await;
}

/// No secret of a reset gets into an event, whatever went wrong with it.
#[tokio::test]
async fn events_hold_no_secret() {
    on_each_database(async |server| {
        let person: &Person = &Z1;
        server.add(person).await;
        let (first, second) =
            (token_by_mail(server, person).await, token_by_mail(server, person).await);
        let code = code_by_mail(server, person).await;
        let path = format!("/api/auth/reset-password/{second}");
        let body = json!({"new_password": NEW, "confirm_password": NEW});
        let anybody = server.client();
        let cross = anybody.post(&path).header("sec-fetch-site", "cross-site").json(&body);
        assert_eq!(cross.send().await.verdict(), "403 csrf_origin");
        assert_eq!(post(server, &path, &body).await.status, 200);
        assert_eq!(reset(server, &first, NEW).await.status, 400);
        let guess = json!({"email": person.email, "code": code});
        assert_eq!(post(server, "/api/auth/verify-reset-code", &guess).await.status, 400);
        let refused = server.events("csrf_fail", 1).await;
        let detail = format!("{refused:?}");
        assert!(detail.contains("/api/auth/reset-password/***"), "control: {detail}");
        server.events("authn_link_fail", 1).await;
        for name in [
            "csrf_fail",
            "authn_link_fail",
            "authn_link_created",
            "authn_link_used",
            "authn_password_reset_asked",
            "authn_code_fail",
            "authn_password_change",
        ] {
            let text = format!("{:?}", server.events(name, 1).await);
            for secret in [&first, &second, &code, NEW] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    })
    .await;
}
