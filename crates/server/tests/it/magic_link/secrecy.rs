//! Who exists is not told (A57), nothing is spent by looking (A68), nobody is signed in as somebody else
//! (A17), and no secret is written anywhere.

use std::time::Duration;

use http::Method;
use portcullis_domain::account::AccountStatus;
use portcullis_store::{blacklist, users};
use serde_json::json;

use super::{
    ASK, VERIFY, asked_by_program, asked_in, follow, letters_so_far, masked, me, post,
    post_in_browser, type_code, verify, verify_in,
};
use crate::harness::people::{STAFF, TENANT, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

#[tokio::test]
async fn a57_the_answer_is_the_same_for_every_address() {
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
        for is_browser in [false, true] {
            for round in 0..5 {
                let ask = async |email: &str| {
                    server.advance(Duration::from_secs(61));
                    let (client, body) = (server.client(), json!({"email": email}));
                    if is_browser {
                        masked(&post_in_browser(&client, ASK, &body).await)
                    } else {
                        masked(&post(&client, ASK, &body).await)
                    }
                };
                let known = ask(STAFF.email).await;
                if round == 0 {
                    super::letters(server, STAFF.email, 1 + usize::from(is_browser)).await;
                }
                let unknown = ask("nobody@example.com").await;
                assert_eq!(known, unknown, "round {round}");
                assert_eq!(ask(TENANT.email).await, unknown, "round {round}: closed");
                assert_eq!(ask(Z1.email).await, unknown, "round {round}: kept out");
                assert_eq!(known.0, 201);
                let has_mark = known.1.iter().any(|(name, _)| name == "set-cookie");
                // Of five in twenty minutes the fourth is one too many.
                assert_eq!(has_mark, is_browser && round != 3, "with each link that is made");
                assert!(known.1.iter().any(|(name, _)| name == "x-ratelimit-remaining"));
            }
            server.advance(Duration::from_mins(20));
        }
        let written = letters_so_far(server, TENANT.email).await.len()
            + letters_so_far(server, Z1.email).await.len();
        assert_eq!(written, 0, "nobody who is kept out is written to");
    })
    .await;
}

#[tokio::test]
async fn a57_the_pages_say_the_same() {
    on_each_database(async |server| {
        server.add(&STAFF).await;
        let page = async |email: &str| {
            let client = server.client();
            let asked = super::send_form(&client, "/-/magic/ask", &[("email", email)]).await;
            let waiting = client.get("/-/magic/wait").send().await;
            let token = waiting.text();
            let token =
                token.split("name=\"csrf_token\" value=\"").nth(1).unwrap()[..64].to_owned();
            let (status, headers, body) = masked(&waiting);
            (masked(&asked), status, headers, body.replace(&token, "TOKEN"))
        };
        let known = page(STAFF.email).await;
        assert_eq!(known, page("nobody@example.com").await);
        assert_eq!((known.0.0, known.1), (303, 200));
        assert_eq!(page("no address").await.0.0, 400, "control");
    })
    .await;
}

#[tokio::test]
async fn a68_looking_spends_nothing() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = asked_by_program(server, &Z1).await;
        let path = format!("{ASK}?token={token}");
        let get = |name: &'static str, value: &'static str| (Method::GET, vec![(name, value)]);
        let json = ("accept", "application/json");
        for (method, headers) in [
            get("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            get("accept", "*/*"),
            get("user-agent", "scanner"),
            (Method::HEAD, vec![json]),
            (Method::GET, vec![json, ("sec-fetch-mode", "navigate")]),
            (Method::GET, vec![json, ("sec-purpose", "prefetch")]),
            (Method::GET, vec![json, ("purpose", "prefetch")]),
        ] {
            let anybody = server.client();
            let mut sending = anybody.request(method.clone(), &path);
            for (name, value) in &headers {
                sending = sending.header(name, value);
            }
            let answer = sending.send().await;
            assert_eq!(answer.status, 303, "{method} {headers:?}");
            assert_eq!(answer.header("location"), Some(format!("/-/magic#t={token}").as_str()));
            assert!(answer.set_cookie("sessionid").is_none());
        }
        for method in [Method::GET, Method::HEAD] {
            let page = server.client().request(method, "/-/magic").send().await;
            assert_eq!(page.status, 200);
            assert_eq!(page.header("referrer-policy"), Some("same-origin"));
            assert_eq!(page.header("cache-control"), Some("no-store"));
            let policy = page.header("content-security-policy").unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(
                policy.contains("script-src 'sha256-") && !policy.contains("unsafe"),
                "{policy}"
            );
        }
        for malformed in [&token[1..], &token.to_uppercase(), &format!("{token}0"), " ", "0x"] {
            let answer = verify(&server.client(), malformed).await;
            assert_eq!(answer.verdict(), "400 link_unknown", "{malformed}");
        }
        for body in [json!({}), json!({"token": ""}), json!({"token": 1}), json!({"token": null})] {
            assert_eq!(post(&server.client(), VERIFY, &body).await.status, 400, "{body}");
        }
        assert_eq!(follow(&server.client(), &token).await.status, 200, "control: still good, once");
        assert_eq!(follow(&server.client(), &token).await.verdict(), "400 link_used");
    })
    .await;
}

#[tokio::test]
async fn a17_no_other_site_signs_anybody_in() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let attackers = asked_by_program(server, &Z1).await;
        let victim = server.client();
        for site in ["cross-site", "same-site"] {
            let path = format!("{ASK}?token={attackers}");
            let get = victim.get(&path).header("accept", "application/json");
            let get = get.header("sec-fetch-site", site).header("sec-fetch-mode", "no-cors");
            assert_eq!(get.send().await.verdict(), "403 csrf_origin", "{site}");
            for (path, body) in [
                (VERIFY, json!({"token": attackers})),
                (ASK, json!({"email": Z1.email})),
                (super::TYPE, json!({"code": "123456"})),
            ] {
                let cross = victim.post(path).json(&body).header("sec-fetch-site", site);
                assert_eq!(cross.send().await.verdict(), "403 csrf_origin", "{site} {path}");
            }
            for path in ["/-/magic", "/-/magic/ask", "/-/magic/wait"] {
                let form = [("code", attackers.as_str()), ("email", Z1.email), ("named", "1")];
                let cross = victim.post(path).form(&form).header("sec-fetch-site", site);
                assert_eq!(cross.send().await.status, 403, "{site} {path}");
            }
        }
        // A form of our own without its token.
        let form = [("code", attackers.as_str()), ("named", "1")];
        let bare = victim.post("/-/magic").form(&form).from_own_page().send().await;
        assert_eq!(bare.status, 403);
        assert_eq!(me(&victim).await, 401);
        assert_eq!(verify(&server.client(), &attackers).await.status, 201, "control: not spent");
        let own = asked_in(server, &victim, &Z1).await;
        let path = format!("{ASK}?token={own}");
        let get = victim.get(&path).header("accept", "application/json").from_own_page();
        assert_eq!(get.send().await.status, 200, "control: our own page may");
    })
    .await;
}

#[tokio::test]
async fn no_secret_is_written() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (asking, phone) = (server.client(), server.client());
        let token = asked_in(server, &asking, &Z1).await;
        let mark = asking.cookie(super::MARK).unwrap();
        let shown = verify_in(&phone, &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap().to_owned();
        follow(&phone, &token).await;
        type_code(&asking, super::other_than(&code)).await;
        assert_eq!(type_code(&asking, &code).await.status, 201);
        assert_eq!(follow(&phone, &token).await.verdict(), "400 link_used");
        server.events("authn_link_fail", 1).await;
        let written = server.everything_written().await;
        let has =
            |secret: &str| written.windows(secret.len()).any(|part| part == secret.as_bytes());
        for name in [
            "authn_magic_link_asked",
            "authn_link_created",
            "authn_link_used",
            "authn_link_fail",
            "authn_magic_link_elsewhere",
            "authn_magic_code_fail",
        ] {
            let text = format!("{:?}", server.events(name, 1).await);
            for secret in [&token, &mark, &code] {
                assert!(!text.contains(secret.as_str()), "{name}: {text}");
            }
        }
        assert!(!has(&mark), "the mark is kept as a MAC alone");
    })
    .await;
}
