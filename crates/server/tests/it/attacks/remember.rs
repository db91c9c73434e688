//! A23 and A32 for browsers that stay signed in: a cookie that is kept too long, copied, made up,
//! tossed in, or sent by another site's page; and many requests at once with the same.

use std::time::Duration;

use futures_util::future::join_all;

use super::refused;
use crate::harness::client::{Answer, Client};
use crate::harness::letters::mails;
use crate::harness::people::{STAFF, Z1};
use crate::harness::{Setup, TestApp, on_each_database};

const ME: &str = "/api/auth/me";
const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

async fn me(client: &Client) -> Answer {
    client.get(ME).send().await
}

/// A client with nothing but this cookie.
fn holding(server: &TestApp, remember: &str) -> Client {
    let client = server.client();
    client.set_cookie("remember", remember);
    client
}

async fn remembered(server: &TestApp) -> String {
    server.remembered(&Z1).await.cookie("remember").unwrap()
}

#[tokio::test]
async fn a23_thirty_days_and_not_a_second_more() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (unused, late) = (remembered(server).await, remembered(server).await);
        let used = server.remembered(&Z1).await;
        for _ in 0..59 {
            server.advance(DAY / 2);
            assert_eq!(me(&used).await.status, 200, "steady use");
        }
        server.advance(Duration::from_secs(43_199));
        assert_eq!(me(&holding(server, &unused)).await.status, 200, "control: a second before");
        assert_eq!(me(&used).await.status, 200, "control: a second before");
        let session = used.cookie("sessionid").unwrap();
        server.advance(SECOND * 2);
        // The client keeps the cookies, whatever their Max-Age said.
        let answer = me(&holding(server, &late)).await;
        assert_eq!(answer.verdict(), "401 session_expired");
        assert!(answer.set_cookie("remember").unwrap().contains("Max-Age=0"), "{answer:?}");
        refused(server, used.get("/api/leads"), "401 session_expired", "steady use").await;
        let last = server.client();
        last.set_cookie("sessionid", &session);
        assert_eq!(me(&last).await.verdict(), "401 session_expired", "what it brought");
    })
    .await;
}

#[tokio::test]
async fn a32_a_spent_secret_ends_what_it_brought_to_whomever() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let elsewhere = server.remembered(&Z1).await;
        let browser = server.remembered(&Z1).await;
        let stolen = browser.cookie("remember").unwrap();
        server.advance(Duration::from_mins(31));
        assert_eq!(me(&browser).await.status, 200);
        let [session, next] = ["sessionid", "remember"].map(|name| browser.cookie(name).unwrap());

        server.advance(SECOND * 19);
        let tab = holding(server, &stolen);
        assert_eq!(me(&tab).await.status, 200, "control: a tab that was opened with it");
        assert_eq!(tab.cookie("remember").as_ref(), Some(&next));
        server.advance(SECOND);
        let thief = holding(server, &stolen);
        let answer = me(&thief).await;
        assert_eq!(answer.verdict(), "401 remember_reused");
        assert!(answer.set_cookie("remember").unwrap().contains("Max-Age=0"), "{answer:?}");
        assert_eq!(answer.set_cookie("sessionid"), None, "{answer:?}");

        // Neither stays: nobody knows which of the two is the thief.
        for client in [&browser, &tab] {
            for path in [ME, "/api/leads"] {
                let kept = server.client();
                kept.set_cookie("sessionid", &client.cookie("sessionid").unwrap());
                refused(server, kept.get(path), "401 session_ended", path).await;
            }
        }
        assert!(browser.cookie("sessionid") == Some(session));
        for secret in [&next, &stolen] {
            assert_eq!(me(&holding(server, secret)).await.verdict(), "401 session_ended");
        }
        assert_eq!(me(&elsewhere).await.status, 200, "control: another browser of his");

        let events = server.events("authn_token_reuse", 1).await;
        assert_eq!(events.len(), 1, "once");
        assert_eq!(events[0].context.subject, Some(user.id));
        assert_eq!(events[0].detail["kind"], "remember");
        let mails = mails(server).await;
        assert_eq!(mails.len(), 1, "once: {mails:?}");
        assert!(mails[0].contains("To: fred@example.com"), "{}", mails[0]);
        assert!(mails[0].contains("You were signed out for safety"), "{}", mails[0]);
        for secret in [&next, &stolen] {
            assert!(!mails[0].contains(secret.as_str()));
        }
    })
    .await;
}

#[tokio::test]
async fn a32_a_secret_before_the_one_before_has_no_grace() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let first = remembered(server).await;
        let browser = holding(server, &first);
        assert_eq!(me(&browser).await.status, 200);
        let again = holding(server, &browser.cookie("remember").unwrap());
        assert_eq!(me(&again).await.status, 200, "control: the current one, a moment later");
        assert_eq!(me(&holding(server, &first)).await.verdict(), "401 remember_reused");
        let get = again.get("/api/leads");
        refused(server, get, "401 session_ended", "the series is over").await;
    })
    .await;
}

/// The thief was first, and the owner finds out by signing in or out.
#[tokio::test]
async fn a32_whoever_comes_second_ends_what_the_first_has() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        for way in ["in", "out"] {
            let owner = server.remembered(&Z1).await;
            let thief = holding(server, &owner.cookie("remember").unwrap());
            assert_eq!(me(&thief).await.status, 200, "{way}");
            server.advance(SECOND * 21);
            if way == "in" {
                let body = serde_json::json!({
                    "email": Z1.email, "password": crate::harness::people::PASSWORD,
                });
                let sent = owner.post("/api/auth/login").from_own_page().json(&body).send().await;
                assert_eq!(sent.status, 201);
                assert_eq!(owner.cookie("remember"), None, "it was replaced");
            } else {
                let token = owner.cookie("csrftoken").unwrap();
                let out = owner.post("/api/auth/logout").header("x-csrftoken", &token);
                assert_eq!(out.send().await.status, 201);
            }
            assert_eq!(me(&thief).await.verdict(), "401 session_ended", "{way}");
        }
        server.events("authn_token_reuse", 1).await;
    })
    .await;
}

#[tokio::test]
async fn made_up_cookies_bring_nobody_back() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let good = remembered(server).await;
        let mut tampered = good.clone().into_bytes();
        tampered[39] ^= 1;
        let tampered = String::from_utf8(tampered).unwrap();
        let capitals = good.to_uppercase();
        let zeros = "0".repeat(104);
        let long = good.repeat(2);
        for value in ["", "x", &zeros, &tampered, &capitals, &good[..103], &long, "\u{e9}"] {
            let client = holding(server, value);
            let answer =
                refused(server, client.get("/api/leads"), "401 credential_missing", value).await;
            assert!(answer.set_cookie("remember").unwrap().contains("Max-Age=0"), "{value}");
        }
        assert_eq!(me(&holding(server, &good)).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn a_cookie_that_a_sibling_tossed_in_signs_nobody_in() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        server.add(&STAFF).await;
        let mine = remembered(server).await;
        let evil = server.remembered(&STAFF).await.cookie("remember").unwrap();
        let client = server.client();
        let get = |line: &str| client.get("/api/leads").header("cookie", line);
        for line in
            [format!("remember={mine}; remember={evil}"), format!("remember=; remember={mine}")]
        {
            let answer = refused(server, get(&line), "401 cookie_tossed", &line).await;
            assert!(answer.set_cookie("remember").unwrap().contains("Max-Age=0"));
        }
        let session = "0".repeat(64);
        let line = format!("remember={mine}; sessionid={session}; sessionid=x");
        refused(server, get(&line), "401 cookie_tossed", "tossed sessions").await;
        let events = server.events("cookie_toss", 3).await;
        assert_eq!(events[1].detail["cookie"], "remember");
        let twice = format!("remember={mine}; remember={mine}");
        assert_eq!(get(&twice).send().await.status, 200, "control");
    })
    .await;
}

/// A browser may keep no cookie that comes with an embedded answer: the secret would be lost.
#[tokio::test]
async fn another_sites_page_uses_up_no_secret() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let remember = remembered(server).await;
        let embedded: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            &[],
        ];
        for headers in embedded {
            for path in ["/api/leads", ME] {
                let client = holding(server, &remember);
                let mut get = client.get(path).header("sec-fetch-site", "cross-site");
                for (name, value) in headers {
                    get = get.header(name, value);
                }
                let answer = refused(server, get, "401 credential_missing", path).await;
                assert_eq!(answer.header("set-cookie"), None, "{headers:?}");
            }
        }
        let client = holding(server, &remember);
        let link = client.get("/api/leads").header("sec-fetch-site", "cross-site");
        let link = link.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
        assert_eq!(link.send().await.status, 200, "control: a link that somebody follows");
    })
    .await;
}

#[tokio::test]
async fn a_credential_that_was_sent_on_purpose_decides_alone() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let remember = remembered(server).await;
        for (name, value, verdict) in [
            ("authorization", format!("Bearer {}", "0".repeat(64)), "401 credential_unknown"),
            ("authorization", "Basic YTpi".to_owned(), "401 credential_unknown"),
            ("x-api-key", "x".to_owned(), "401 credential_unknown"),
        ] {
            let client = holding(server, &remember);
            let get = client.get("/api/leads").header(name, &value);
            let answer = refused(server, get, verdict, &value).await;
            assert_eq!(answer.header("set-cookie"), None, "{value}");
            let open = client.get("/public/x").header(name, &value).send().await;
            assert_eq!(open.header("set-cookie"), None, "{value}");
            assert!(!server.upstream.last().headers.contains_key("x-auth-user"), "{value}");
        }
        assert_eq!(me(&holding(server, &remember)).await.status, 200, "control");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a32_tabs_that_open_at_once_share_one_session() {
    on_each_database(async |server| {
        let other = server.second_node(&Setup::default()).await;
        let user = server.add(&Z1).await;
        for round in 1..=3 {
            let remember = remembered(server).await;
            let tabs: Vec<_> = (0..40)
                .map(|number| {
                    let tab = holding(server, &remember);
                    if number % 2 == 0 { tab } else { tab.at(other.address) }
                })
                .collect();
            let answers = join_all(tabs.iter().map(me)).await;
            let next = tabs[0].cookie("remember").unwrap();
            assert_ne!(next, remember);
            for (tab, answer) in tabs.iter().zip(&answers) {
                assert_eq!(answer.json()["email"], Z1.email, "{answer:?}");
                assert_eq!(tab.cookie("remember").as_ref(), Some(&next));
                assert_eq!(me(tab).await.status, 200, "each has a cookie that is good");
            }
            let made = server.events("session_created", 2 * round).await;
            assert_eq!(made.len(), 2 * round, "one sign-in and one session that it brought");
            assert_eq!(made[0].detail["form"], "remembered");
            assert_eq!(made[0].context.subject, Some(user.id));
        }
        other.finish().await;
    })
    .await;
}
