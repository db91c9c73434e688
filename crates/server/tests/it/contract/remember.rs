//! Browsers that stay signed in (C38, ruling 2): what is given for which key, when it brings a browser
//! back and as whom, and what ends it.

use http::{Method, Response};
use portcullis_domain::account::AccountStatus;
use portcullis_store::users;
use serde_json::{Value, json};

use super::{DAY, MINUTE, me, text};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const LOGIN: &str = "/api/auth/login";
const ME: &str = "/api/auth/me";

#[tokio::test]
async fn c38_either_key_that_says_yes_keeps_the_browser_signed_in() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let check = async |form: &str, key: &str, value: Value, expected: bool| {
            let name = if form == "email" { Z1.email } else { "Fredkiss3" };
            let body = json!({form: name, "password": PASSWORD, key: value});
            let answer = server.client().post(LOGIN).json(&body).send().await;
            assert_eq!(answer.status, 201, "{body}");
            let given = answer.set_cookie("remember");
            assert_eq!(given.is_some(), expected, "{body}: {given:?}");
            if let Some(line) = given {
                let attributes = "; Max-Age=2592000; Path=/; SameSite=Lax; HttpOnly";
                assert!(line.ends_with(attributes), "{line}");
            }
        };
        for form in ["email", "username"] {
            for key in ["remember", "remember_me"] {
                for yes in [json!(true), json!(1), json!("true"), json!("1"), json!("on")] {
                    check(form, key, yes, true).await;
                }
                for no in [json!(false), json!(0), json!("false"), json!(""), json!(null)] {
                    check(form, key, no, false).await;
                }
            }
        }
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        let mobile = server.client().post("/api/security/mobile-auth").json(&body).send().await;
        assert_eq!((mobile.status.as_u16(), mobile.header("set-cookie")), (200, None));
    })
    .await;
}

#[tokio::test]
async fn a_browser_comes_back_as_a_new_session_of_the_same_sign_in() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.remembered(&STAFF).await;
        let before = client.get(ME).send().await.json();
        let [session, remember] = ["sessionid", "remember"].map(|name| client.cookie(name));
        server.advance(MINUTE * 29);
        let used = client.get(ME).send().await;
        assert_eq!(used.header("set-cookie"), None, "a session that lives is enough");
        server.advance(MINUTE * 30);
        let back = client.get(ME).send().await;
        assert_eq!(back.status, 200, "{back:?}");
        assert_eq!(back.headers.get_all("set-cookie").iter().count(), 3, "{back:?}");
        assert_ne!(client.cookie("sessionid"), session);
        assert_ne!(client.cookie("remember"), remember);
        let line = back.set_cookie("sessionid").unwrap();
        assert!(line.contains("; Max-Age=7200; "), "{line}");
        let line = back.set_cookie("remember").unwrap();
        let left = 2_592_000 - 59 * 60;
        assert!(line.contains(&format!("; Max-Age={left}; ")), "{line}");
        let after = back.json();
        assert_eq!(after["lastLoginAt"], before["lastLoginAt"], "nobody gave a password");
        // The token that came with the session is good.
        let token = client.cookie("csrftoken").unwrap();
        let post = client.post("/api/jobs/manage").header("x-csrftoken", &token).json(&json!({}));
        assert_eq!(post.send().await.status, 201);
        assert_eq!(server.upstream.last().headers["x-auth-email"], STAFF.email);
        let made = server.events("session_created", 2).await;
        assert_eq!(made[0].detail["form"], "remembered");
        assert_ne!(made[0].context.session, made[1].context.session);
    })
    .await;
}

#[tokio::test]
async fn a_browser_with_nothing_but_that_cookie_comes_back() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        for sessionid in [None, Some("garbage"), Some(&*"0".repeat(64))] {
            let first = server.remembered(&Z1).await;
            let client = holding(server, &first.cookie("remember").unwrap());
            if let Some(sessionid) = sessionid {
                client.set_cookie("sessionid", sessionid);
            }
            assert_eq!(me(&client).await, 200, "{sessionid:?}");
            assert_eq!(me(&first).await, 200, "the session before lives on");
        }
    })
    .await;
}

#[tokio::test]
async fn the_application_sees_who_came_back_and_not_the_cookie() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        for (path, method) in
            [("/api/leads", Method::GET), ("/api/leads", Method::HEAD), ("/public/x", Method::GET)]
        {
            let client = holding(server, &server.remembered(&Z1).await.cookie("remember").unwrap());
            client.set_cookie("theme", "dark");
            let theirs = Response::builder().header("set-cookie", "remember=theirs");
            server.upstream.answer_next(theirs.body(bytes::Bytes::new().into()).unwrap());
            let answer = client.request(method, path).send().await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            let seen = server.upstream.last().headers;
            assert_eq!(seen["x-auth-email"], Z1.email, "{path}");
            assert_eq!(seen["cookie"], "theme=dark", "{path}");
            let lines: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert!(lines.iter().all(|line| *line != "remember=theirs"), "{answer:?}");
            assert_eq!(lines.len(), 3, "{answer:?}");
            assert_eq!(me(&client).await, 200, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_what_changes_nothing_and_asks_for_somebody_brings_back() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let remember = server.remembered(&Z1).await.cookie("remember").unwrap();
        for (method, path, expected) in [
            (Method::POST, "/api/leads", "401 credential_missing"),
            (Method::POST, "/forms/contact", "401 credential_missing"),
            (Method::OPTIONS, "/api/leads", "401 credential_missing"),
            (Method::POST, "/public/x", "201"),
            (Method::GET, "/api/csrf", "200"),
            (Method::GET, "/healthz", "200"),
            (Method::GET, "/-/openapi.json", "200"),
        ] {
            let answer = holding(server, &remember).request(method.clone(), path).send().await;
            assert_eq!(answer.verdict(), expected, "{method} {path}");
            assert_eq!(answer.set_cookie("remember"), None, "{method} {path}");
            assert_eq!(answer.set_cookie("sessionid"), None, "{method} {path}");
        }
        assert_eq!(me(&holding(server, &remember)).await, 200, "control: it was not used");
    })
    .await;
}

#[tokio::test]
async fn the_sign_in_page_offers_it_and_leads_on_at_once() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.client();
        let page = client.get("/-/sign-in").send().await.text();
        assert!(page.contains("Keep me signed in for 30 days on this device"), "{page}");
        let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").unwrap();
        let token = rest.split('"').next().unwrap();
        let submit = async |password: &str| {
            let fields = [("username", "staff"), ("password", password), ("csrf_token", token)];
            let fields = [&fields[..], &[("remember", "1"), ("next", "/jobs")]].concat();
            client.post("/-/sign-in").form(&fields).send().await
        };
        let wrong = submit("wrong").await;
        assert!(wrong.text().contains("value=\"1\" checked>"), "what was ticked stays ticked");
        assert_eq!(wrong.set_cookie("remember"), None);
        assert_eq!(submit(PASSWORD).await.status, 303);
        server.advance(DAY);
        let kept = client.cookie("remember").unwrap();
        for method in [Method::GET, Method::HEAD] {
            let browser = holding(server, &client.cookie("remember").unwrap());
            let answer = browser.request(method.clone(), "/-/sign-in?next=/jobs?a=1").send().await;
            assert_eq!(answer.status, 303, "{method}: {answer:?}");
            assert_eq!(answer.header("location"), Some("/jobs?a=1"), "{method}");
            assert_eq!(me(&browser).await, 200, "{method}");
        }
        server.advance(MINUTE);
        let spent = holding(server, &kept).get("/-/sign-in").send().await;
        assert_eq!(spent.status, 200, "the form, for whoever shows a spent one");
        assert!(spent.text().contains("name=\"password\""));
    })
    .await;
}

#[tokio::test]
async fn every_way_out_is_out_for_good() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let ways = [
            (Method::POST, "/api/auth/logout", 201, 401),
            (Method::DELETE, "/api/auth/logout", 204, 401),
            (Method::GET, "/logout", 302, 302),
            (Method::POST, "/-/sign-out", 303, 401),
        ];
        for (method, path, status, status_without) in ways {
            for is_idle in [false, true] {
                let client = server.remembered(&STAFF).await;
                let other = server.remembered(&STAFF).await;
                if is_idle {
                    server.advance(MINUTE * 31);
                }
                let why = format!("{method} {path} {is_idle}");
                let remember = client.cookie("remember").unwrap();
                let token = client.cookie("csrftoken").unwrap();
                let request = client.request(method.clone(), path).header("x-csrftoken", &token);
                let answer = request.send().await;
                let expected = if is_idle { status_without } else { status };
                assert_eq!(answer.status.as_u16(), expected, "{why}: {answer:?}");
                let line = answer.set_cookie("remember").unwrap();
                assert!(line.contains("Max-Age=0"), "{why}: {line}");
                let replayed = holding(server, &remember).get(ME).send().await;
                assert_eq!(replayed.verdict(), "401 session_ended", "{why}");
                assert_eq!(me(&other).await, 200, "{why}: another browser stays");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_ends_a_session_from_elsewhere_ends_what_would_bring_it_back() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let browser = server.remembered(&STAFF).await;
        let elsewhere = server.client();
        for name in ["sessionid", "csrftoken"] {
            elsewhere.set_cookie(name, &browser.cookie(name).unwrap());
        }
        let token = browser.cookie("csrftoken").unwrap();
        let out = elsewhere.post("/api/auth/logout").header("x-csrftoken", &token);
        assert_eq!(out.send().await.status, 201);
        refused(&browser, "401 session_ended").await;
    })
    .await;
}

/// Signing out is signing out everything that came of one sign-in.
#[tokio::test]
async fn what_an_earlier_session_of_the_browser_still_holds_ends_with_it() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let client = server.client();
        let body = json!({"email": STAFF.email, "password": PASSWORD, "remember_me": "1"});
        let first = client.post(LOGIN).json(&body).send().await.json();
        let bearer = server.client().bearer(&text(&first, "/token"));
        server.advance(MINUTE * 31);
        assert_eq!((me(&client).await, me(&bearer).await), (200, 200));
        let token = client.cookie("csrftoken").unwrap();
        let out = client.post("/api/auth/logout").header("x-csrftoken", &token).send().await;
        assert_eq!(out.status, 201);
        assert_eq!(bearer.get(ME).send().await.verdict(), "401 session_ended");
    })
    .await;
}

#[tokio::test]
async fn a_new_sign_in_takes_the_place_of_what_was_remembered() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        server.add(&Z1).await;
        for (email, again) in
            [(STAFF.email, true), (STAFF.email, false), (Z1.email, true), (Z1.email, false)]
        {
            for is_idle in [false, true] {
                let client = server.remembered(&STAFF).await;
                let (old, why) = (client.cookie("remember").unwrap(), format!("{email} {again}"));
                if is_idle {
                    server.advance(MINUTE * 31);
                }
                let body = json!({"email": email, "password": PASSWORD, "remember": again});
                let answer = client.post(LOGIN).from_own_page().json(&body).send().await;
                let line = answer.set_cookie("remember").unwrap();
                assert_eq!(line.contains("Max-Age=2592000"), again, "{why}: {line}");
                assert_eq!(client.cookie("remember").is_some(), again, "{why}");
                let replayed = holding(server, &old).get(ME).send().await;
                assert_eq!(replayed.verdict(), "401 session_ended", "{why}");
                assert_eq!(client.get(ME).send().await.json()["email"], email, "{why}");
                server.advance(MINUTE * 31);
                assert_eq!(me(&client).await, if again { 200 } else { 401 }, "{why}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_ends_everything_of_an_account_ends_this_too() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let client = holding(server, &server.remembered(&Z1).await.cookie("remember").unwrap());
        let mut tx = server.app.db.write().await.unwrap();
        let now = server.app.clock.now();
        users::set_status(&mut tx, user.id, AccountStatus::Disabled, now).await.unwrap();
        tx.commit().await.unwrap();
        let refused = refused(&client, "401 account_disabled").await;
        assert!(refused.set_cookie("remember").unwrap().contains("Max-Age=0"));
        let mut tx = server.app.db.write().await.unwrap();
        users::set_status(&mut tx, user.id, AccountStatus::Active, now).await.unwrap();
        users::bump_epoch(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        let changed = server.client();
        changed.set_cookie("remember", &server.remembered(&Z1).await.cookie("remember").unwrap());
        assert_eq!(me(&changed).await, 200, "control: a sign-in after the change");
    })
    .await;
}

#[tokio::test]
async fn a_new_password_forgets_every_browser() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let client = holding(server, &server.remembered(&Z1).await.cookie("remember").unwrap());
        let control = holding(server, &server.remembered(&Z1).await.cookie("remember").unwrap());
        assert_eq!(me(&control).await, 200);
        let mut tx = server.app.db.write().await.unwrap();
        users::bump_epoch(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        refused(&client, "401 session_revoked").await;
    })
    .await;
}

#[tokio::test]
async fn a_deployment_may_remember_nobody_or_for_a_time_of_its_own() {
    on_each_database_with(Setup::with("[session]\nremember = \"7d\""), async |server| {
        server.add(&STAFF).await;
        let page = server.client().get("/-/sign-in").send().await.text();
        assert!(page.contains("Keep me signed in for 7 days on this device"), "{page}");
        let client = server.remembered(&STAFF).await;
        server.advance(DAY * 6 + MINUTE * (24 * 60 - 1));
        assert_eq!(me(&client).await, 200);
        server.advance(MINUTE);
        refused(&client, "401 session_expired").await;

        let remember = server.remembered(&STAFF).await.cookie("remember").unwrap();
        let off = server.second_node(&Setup::with("[session]\nremember = \"off\"")).await;
        let client = off.client();
        client.set_cookie("remember", &remember);
        refused(&client, "401 credential_missing").await;
        let page = client.get("/-/sign-in").send().await;
        assert!(!page.text().contains("checkbox"), "{page:?}");
        let body = json!({"email": STAFF.email, "password": PASSWORD, "remember": true});
        let answer = off.client().post(LOGIN).json(&body).send().await;
        assert_eq!((answer.status.as_u16(), answer.set_cookie("remember")), (201, None));
        off.finish().await;
    })
    .await;
}

/// A browser with nothing but this cookie.
fn holding(server: &TestApp, remember: &str) -> Client {
    let client = server.client();
    client.set_cookie("remember", remember);
    client
}

async fn refused(client: &Client, verdict: &str) -> Answer {
    let answer = client.get(ME).send().await;
    assert_eq!(answer.verdict(), verdict, "{answer:?}");
    answer
}
