//! A role that asks for a second factor: told by when, let in until then, and afterwards led to setting
//! one up and nowhere else, on every way in. People of other roles are the controls.

use std::time::Duration;

use http::Method;
use portcullis_domain::text::Name;
use portcullis_server::flows::required_factor::unknown_roles;
use portcullis_store::{roles, users};
use serde_json::{Value, json};

use super::pages::{press, send, shown_codes, shown_key};
use super::{LATER, assert_gives_nothing, code_at, give, login, me, sign_in, ticket};
use crate::first_run;
use crate::harness::client::{Answer, Client, send_form};
use crate::harness::factors;
use crate::harness::letters::{letters, letters_so_far};
use crate::harness::people::{PASSWORD, Person, TENANT, Z1};
use crate::harness::{Setup, TestApp, on_each_database_with};

const WEEK: Duration = Duration::from_hours(7 * 24);
const NEEDED: &str = "403 second_factor_setup_needed";
const MOBILE: &str = "/api/security/mobile-auth";
const OVERVIEW: &str = "/-/account/second-factor";
const SET_UP: &str = "/-/second-factor/set-up";

/// Z1 is one of those who must; the tenant is not.
fn required() -> Setup {
    with("")
}

fn with(more: &str) -> Setup {
    Setup::with(&format!(
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [sign_in]\nrequire_second_factor = [\"Worker\"]\n{more}"
    ))
}

/// Every form of API.
async fn by_api(server: &TestApp, person: &Person) -> [Answer; 3] {
    let client = server.client();
    let answers = [
        sign_in(&client, "/api/auth/login", json!({"username": person.username}), None).await,
        sign_in(&client, "/api/auth/login", json!({"email": person.email}), None).await,
        sign_in(&server.client(), MOBILE, json!({"email": person.email}), None).await,
    ];
    server.advance(Duration::from_mins(1));
    answers
}

fn due(answer: &Answer) -> Value {
    let body = answer.json();
    let body = if body["data"].is_object() { &body["data"] } else { &body };
    body["twoFactorRequiredBy"].clone()
}

/// Fills in the sign-in page.
async fn by_page(client: &Client, person: &Person) -> Answer {
    let fields = [("username", person.email), ("password", PASSWORD), ("next", "/jobs")];
    send_form(client, "/-/sign-in", &fields).await
}

/// Sends the form of a sign-in that goes on, with what stands in it.
async fn go_on(client: &Client, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let text = page.text();
    let value = |name: &str| {
        let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (ticket, next) = (value("ticket"), value("next"));
    let own = [("ticket", ticket.as_str()), ("next", next.as_str())];
    let fields: Vec<_> = own.iter().chain(fields).copied().collect();
    send(client, page, SET_UP, &fields).await
}

#[tokio::test]
async fn every_way_in_tells_by_when_and_is_closed_then() {
    on_each_database_with(required(), async |server| {
        server.add(&Z1).await;
        server.add(&TENANT).await;
        let first = server.app.clock.now();
        for answer in by_api(server, &Z1).await {
            assert!(answer.status.is_success(), "{answer:?}");
            assert_eq!(due(&answer), json!(first.plus(WEEK).iso()), "{answer:?}");
        }
        for answer in by_api(server, &TENANT).await {
            assert!(answer.status.is_success() && due(&answer).is_null(), "control: {answer:?}");
        }
        let told = letters(server, Z1.email, 1).await;
        assert_eq!(told[0].subject, "Please set up a second factor");
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 1, "once");
        let browser = server.client();
        let body = json!({"username": Z1.username, "password": PASSWORD, "remember": true});
        let stays = browser.post("/api/auth/login").from_own_page().json(&body).send().await;
        assert_eq!(stays.status, 201, "{stays:?}");
        let remembered = browser.cookie("remember").unwrap();
        let account = browser.get("/-/account").send().await.text();
        assert!(account.contains("Please set one up before"), "{account}");
        let mobile = sign_in(&server.client(), MOBILE, json!({"email": Z1.email}), None).await;
        let mobile = mobile.json()["data"]["token"].as_str().unwrap().to_owned();

        server.advance(Duration::from_mins(7 * 24 * 60 - 3));
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201, "the last minute");
        server.advance(Duration::from_mins(1));
        for answer in by_api(server, &Z1).await {
            assert_eq!(answer.verdict(), NEEDED);
            assert!(answer.text().contains("/-/sign-in"), "{answer:?}");
            assert_gives_nothing(&answer);
        }
        for answer in by_api(server, &TENANT).await {
            assert!(answer.status.is_success(), "control: {answer:?}");
        }
        let back = server.client();
        back.set_cookie("remember", &remembered);
        assert_eq!(me(&back).await, 401, "nobody comes back past it");
        assert_eq!(me(&browser).await, 200, "what began before goes on");
        let overdue = browser.get("/-/account").send().await.text();
        assert!(overdue.contains("The next sign-in will ask for one"), "{overdue}");
        assert_eq!(me(&server.client().bearer(&mobile)).await, 200);
        let asked = json!({"email": Z1.email});
        let asked = server.client().post("/api/auth/magic-link").json(&asked).send().await;
        assert_eq!(asked.status, 201, "{asked:?}");
        let link = letters(server, Z1.email, 2).await.pop().unwrap().token();
        let link = json!({"token": link});
        let by_link = server.client().post("/api/auth/magic-link/verify").json(&link).send().await;
        assert_eq!(by_link.verdict(), NEEDED);
        server.events("authn_factor_setup_asked", 4).await;
    })
    .await;
}

/// A browser that comes back is let in until then, and that starts the time, too.
#[tokio::test]
async fn coming_back_by_itself_starts_the_time() {
    let grace = with("second_factor_grace = \"1h\"");
    on_each_database_with(Setup { config: "[sign_in]\n".to_owned(), ..grace }, async |server| {
        let browser = server.client();
        server.add(&Z1).await;
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        browser.post("/api/auth/login").from_own_page().json(&body).send().await;
        let ruled = server.second_node(&with("second_factor_grace = \"1h\"")).await;
        let come_back = async |secret: &str| {
            let client = ruled.client();
            client.set_cookie("remember", secret);
            (me(&client).await, client.cookie("remember"))
        };
        let (status, next) = come_back(&browser.cookie("remember").unwrap()).await;
        assert_eq!(status, 200);
        assert_eq!(letters(&ruled, Z1.email, 1).await.len(), 1, "told by mail");
        ruled.advance(Duration::from_mins(59));
        let (status, next) = come_back(&next.unwrap()).await;
        assert_eq!(status, 200, "control");
        ruled.advance(Duration::from_mins(1));
        assert_eq!(come_back(&next.unwrap()).await.0, 401);
    })
    .await;
}

#[tokio::test]
async fn the_page_leads_to_setting_one_up_and_then_in() {
    on_each_database_with(with("second_factor_grace = \"off\""), async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let asked = by_page(&client, &Z1).await;
        assert_eq!(asked.status, 401, "{asked:?}");
        assert!(asked.set_cookie("sessionid").is_none() && me(&client).await == 401);
        let key = shown_key(&asked);
        let wrong = go_on(&client, &asked, &[("code", "000000")]).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
        assert!(!wrong.text().contains("otpauth"), "shown once");
        assert_eq!(me(&client).await, 401);
        let code = code_at(&key, server.app.clock.now());
        // A ticket for setting up is none for a code.
        let ticket_of = asked.text();
        let (_, rest) = ticket_of.split_once("name=\"ticket\" value=\"").unwrap();
        let its_ticket = rest.split_once('"').unwrap().0;
        let other = give(&server.client(), its_ticket, &code).await;
        assert_eq!(other.verdict(), "401 second_factor_over");

        let done = go_on(&client, &wrong, &[("code", &code)]).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(shown_codes(&done).len(), 10);
        assert!(done.text().contains("href=\"/jobs\""), "{}", done.text());
        assert_eq!(me(&client).await, 200);
        let again = go_on(&server.client(), &asked, &[("code", &code)]).await;
        assert_ne!(again.status, 200, "{again:?}");
        ticket(&login(&server.client(), &Z1, None).await);
        server.advance(LATER);
        let code = code_at(&key, server.app.clock.now());
        let next = login(&server.client(), &Z1, Some(&code)).await;
        assert!(next.status == 201 && due(&next).is_null(), "{next:?}");
        server.events("authn_factor_enabled", 1).await;
    })
    .await;
}

/// What began in time without the factor ends when there is one.
#[tokio::test]
async fn setting_it_up_on_the_way_in_ends_what_began_without() {
    on_each_database_with(required(), async |server| {
        server.add(&Z1).await;
        let old = server.client();
        let body = json!({"username": Z1.username, "password": PASSWORD});
        old.post("/api/auth/login").from_own_page().json(&body).send().await;
        server.advance(WEEK);
        assert_eq!(me(&old).await, 200, "control");
        let (client, other) = (server.client(), server.client());
        let (asked, late) = (by_page(&client, &Z1).await, by_page(&other, &Z1).await);
        let code = |page: &Answer| code_at(&shown_key(page), server.app.clock.now());
        // Only what was begun last is good, and where it was begun.
        for code in [code(&asked), code(&late)] {
            let over = go_on(&client, &asked, &[("code", &code)]).await;
            assert_eq!(over.status, 401, "{over:?}");
        }
        let done = go_on(&other, &late, &[("code", &code(&late))]).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!((me(&other).await, me(&old).await), (200, 401));
        let over = go_on(&client, &asked, &[("code", &code(&late))]).await;
        assert_eq!(over.status, 401, "{over:?}");
        assert!(over.text().contains("took too long"), "{}", over.text());
    })
    .await;
}

/// Whoever only knows the password sets up no factor in his stead: first comes the place.
#[tokio::test]
async fn a_new_place_is_asked_about_first() {
    on_each_database_with(with("confirm_new_place = true"), async |server| {
        server.add(&Z1).await;
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201, "at home");
        letters(server, Z1.email, 1).await;
        server.advance(WEEK);
        let stranger = server.client();
        let page = stranger.get("/-/sign-in").send().await;
        let text = page.text();
        let (_, rest) = text.split_once("name=\"csrf_token\" value=\"").unwrap();
        let token = rest.split_once('"').unwrap().0;
        let fields = [("csrf_token", token), ("username", Z1.email), ("password", PASSWORD)];
        let sent = stranger.post("/-/sign-in").header("sec-fetch-site", "same-origin");
        let asked = sent.header("x-forwarded-for", "198.51.100.9").form(&fields).send().await;
        assert_eq!(asked.status, 401, "{asked:?}");
        assert!(asked.text().contains("/-/verify-place"), "{}", asked.text());
        assert!(!asked.text().contains("class=\"secret\""));
        let control = by_page(&server.client(), &Z1).await;
        assert!(control.text().contains("class=\"secret\""), "control: at home");
        let code = letters(server, Z1.email, 2).await.pop().unwrap().code.unwrap();
        let text = asked.text();
        let (_, rest) = text.split_once("name=\"ticket\" value=\"").unwrap();
        let fields = [("ticket", rest.split_once('"').unwrap().0), ("code", code.as_str())];
        let sent = send(&stranger, &asked, "/-/verify-place", &fields).await;
        assert!(sent.text().contains("class=\"secret\""), "{}", sent.text());
        assert_eq!(me(&stranger).await, 401);
    })
    .await;
}

#[tokio::test]
async fn it_cannot_be_switched_off() {
    on_each_database_with(required(), async |server| {
        let off = json!({"password": PASSWORD});
        for (person, expected) in [(&Z1, "403 second_factor_required"), (&TENANT, "201")] {
            let client = server.by_cookie(person).await;
            let begun = press(&client, OVERVIEW, "/-/account/second-factor/set-up", &[]).await;
            let code = code_at(&shown_key(&begun), server.app.clock.now());
            let enable = "/-/account/second-factor/enable";
            assert_eq!(send(&client, &begun, enable, &[("code", &code)]).await.status, 200);
            let page = client.get(OVERVIEW).send().await.text();
            assert_eq!(page.contains("cannot be switched off"), expected != "201", "{page}");
            assert_eq!(page.contains("turn-off"), expected == "201", "{page}");
            server.advance(LATER);
            let code = code_at(&shown_key(&begun), server.app.clock.now());
            let by_code = json!({"code": code});
            let turn_off = "/-/account/second-factor/turn-off";
            if expected != "201" {
                let refused =
                    press(&client, OVERVIEW, turn_off, &[("current_password", PASSWORD)]).await;
                assert!(refused.text().contains("<code>second_factor_required</code>"));
                let refused = client.act(Method::POST, "/api/two-factor/disable", &by_code).await;
                assert_eq!(refused.verdict(), expected);
            }
            let answer = client.act(Method::POST, "/api/two-factor/disable", &off).await;
            assert_eq!(answer.verdict(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn another_role_counts_from_the_next_sign_in() {
    on_each_database_with(required(), async |server| {
        server.add(&Z1).await;
        let user = server.add(&TENANT).await;
        let session = server.client();
        let body = json!({"email": TENANT.email, "password": PASSWORD});
        session.post("/api/auth/login").from_own_page().json(&body).send().await;
        server.advance(WEEK);
        let mut tx = server.app.db.write().await.unwrap();
        let name = Name::parse("worker").unwrap();
        let role = roles::by_name(&mut tx, name.as_str()).await.unwrap().unwrap();
        let now = server.app.clock.now();
        assert!(users::set_role(&mut tx, user.id, role.id, now).await.unwrap());
        tx.commit().await.unwrap();
        let answer = login(&server.client(), &TENANT, None).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(due(&answer), json!(now.plus(WEEK).iso()));
    })
    .await;
}

/// The link of the first run gives a password, and never a way past the factor.
#[tokio::test]
async fn the_first_run_leads_to_the_sign_in_page() {
    let owners = "[sign_in]\nrequire_second_factor = [\"owner\"]\nsecond_factor_grace = \"off\"";
    on_each_database_with(Setup::with(owners), async |server| {
        let client = server.client();
        let code = first_run::new_code(server).await;
        let done = first_run::send(&client, &code, &[]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/-/sign-in")));
        assert_eq!(me(&client).await, 401);
        let fields = [("username", first_run::EMAIL), ("password", first_run::PASSWORD)];
        let asked = send_form(&client, "/-/sign-in", &fields).await;
        let code = code_at(&shown_key(&asked), server.app.clock.now());
        assert_eq!(go_on(&client, &asked, &[("code", &code)]).await.status, 200);
        assert_eq!(me(&client).await, 200);
    })
    .await;
}

/// Of parallel first codes, of one ticket and of two, one signs in.
#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_first_codes_one_signs_in() {
    on_each_database_with(with("second_factor_grace = \"off\""), async |server| {
        server.add(&Z1).await;
        let (client, other) = (server.client(), server.client());
        let early = by_page(&client, &Z1).await;
        let late = by_page(&other, &Z1).await;
        let code = code_at(&shown_key(&late), server.app.clock.now());
        let fields = [("code", code.as_str())];
        let tries = (0..8).map(|number| {
            let (client, page) = if number % 2 == 0 { (&client, &early) } else { (&other, &late) };
            go_on(client, page, &fields)
        });
        let answers = futures_util::future::join_all(tries).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "{answers:?}");
        assert_eq!(server.events("authn_factor_enabled", 1).await.len(), 1);
    })
    .await;
}

/// Whoever has a factor already is asked for it, and the link is used.
#[tokio::test]
async fn the_first_run_of_an_owner_with_a_factor_leads_to_the_sign_in_page() {
    on_each_database_with(Setup::default(), async |server| {
        let link = first_run::new_code(server).await;
        let owner = server.events("user_created", 1).await[0].context.subject.unwrap();
        factors::enable(server, owner, "factor").await;
        let client = server.client();
        let done = first_run::send(&client, &link, &[]).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, Some("/-/sign-in")));
        assert_eq!(me(&client).await, 401);
        let fields = [("username", first_run::EMAIL), ("password", first_run::PASSWORD)];
        let asked = send_form(&client, "/-/sign-in", &fields).await;
        assert!(asked.text().contains("action=\"/-/second-factor\""), "{}", asked.text());
        let again = first_run::send(&server.client(), &link, &[]).await;
        assert!(again.text().contains("<code>link_used</code>"), "{}", again.text());
    })
    .await;
}

/// A name that is misspelled asks nothing of anybody, so the log of a start says it.
#[tokio::test]
async fn roles_that_do_not_exist_are_named() {
    let config = "[sign_in]\nrequire_second_factor = [\"owner\", \"onwer\"]";
    on_each_database_with(Setup::with(config), async |server| {
        assert_eq!(unknown_roles(&server.app).await.unwrap(), ["onwer"]);
    })
    .await;
}
