//! The documented endpoints: what is asked, and what a link gives to a program.

use serde_json::json;

use super::{ASK, MINUTE, SECOND, asked_by_program, follow, letters_so_far, me, post, verify};
use crate::harness::people::{PASSWORD, Z1};
use crate::harness::{Setup, on_each_database, on_each_database_with};

#[tokio::test]
async fn ts14_the_answer_is_the_documented_one() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let message = "If an account exists with this email, a magic link has been sent.";
        for email in [Z1.email, "nobody@example.com"] {
            let answer = post(&server.client(), ASK, &json!({"email": email})).await;
            assert_eq!(answer.status, 201);
            assert_eq!(answer.json(), json!({"success": true, "message": message}));
            assert!(answer.set_cookie("portcullis_link").is_none(), "a program gets no mark");
        }
        for (body, message) in [
            (json!({"email": "nope"}), "email must be an email"),
            (json!({}), "email should not be empty"),
            (json!({"email": Z1.email, "name": "x"}), "property name should not exist"),
        ] {
            let answer = post(&server.client(), ASK, &body).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["message"][0]),
                (400, &json!(message))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn ts15_a_link_signs_in_once_and_answers_as_a_sign_in_does() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let login = server.login_by_email(&Z1).await;
        let keys = |answer: &crate::harness::client::Answer| {
            let json = answer.json();
            json.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        let program = server.client();
        let token = asked_by_program(server, &Z1).await;
        let answer = follow(&program, &token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(keys(&answer), keys(&login), "a superset of the documented body");
        assert!(answer.set_cookie("sessionid").unwrap().contains("HttpOnly"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(me(&server.client().bearer(&access)).await, 200);
        assert_eq!(me(&program).await, 200);
        let csrf = answer.json()["csrf_token"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            let act = program.request(http::Method::PATCH, "/api/auth/update-profile");
            let act = act.header("x-csrf-token", &csrf).json(&json!({"first_name": "Jane"}));
            assert_eq!(act.send().await.status, 200, "the token of a sign-in lives with it");
        }
        let again = follow(&server.client(), &token).await;
        assert_eq!(again.verdict(), "400 link_used");
        assert_eq!(again.json()["message"], "This magic link has already been used");
        assert!(again.set_cookie("sessionid").is_none());
        for (token, code, text) in [
            ("", "token_missing", "Token is required"),
            ("x", "link_unknown", "Invalid or expired magic link"),
            (&"0".repeat(64), "link_unknown", "Invalid or expired magic link"),
        ] {
            let answer = follow(&server.client(), token).await;
            assert_eq!(answer.verdict(), format!("400 {code}"));
            let json = answer.json();
            assert_eq!((&json["success"], &json["error"]), (&json!(false), &json!(text)));
        }
        let token = asked_by_program(server, &Z1).await;
        let posted = verify(&server.client(), &token).await;
        assert_eq!((posted.status.as_u16(), keys(&posted)), (201, keys(&login)));
        let event = &server.events("authn_login_success", 3).await[0];
        assert_eq!(event.detail["form"], "magic_link");
    })
    .await;
}

#[tokio::test]
async fn ts16_a69_a_link_is_good_for_ten_minutes_and_the_newest_alone() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = asked_by_program(server, &Z1).await;
        server.advance(9 * MINUTE + 59 * SECOND);
        let older = asked_by_program(server, &Z1).await;
        assert_eq!(verify(&server.client(), &token).await.verdict(), "400 link_used", "replaced");
        let newer = asked_by_program(server, &Z1).await;
        let voided = verify(&server.client(), &older).await;
        assert_eq!(voided.verdict(), "400 link_used", "an older one after a newer");
        server.advance(9 * MINUTE + 59 * SECOND);
        assert_eq!(verify(&server.client(), &newer).await.status, 201, "control");
        let late = asked_by_program(server, &Z1).await;
        server.advance(10 * MINUTE + SECOND);
        let over = follow(&server.client(), &late).await;
        assert_eq!(over.verdict(), "400 link_expired");
        assert_eq!(over.json()["message"], "Magic link has expired");
        assert!(over.set_cookie("sessionid").is_none());
    })
    .await;
}

#[tokio::test]
async fn links_can_be_switched_off() {
    let setup = Setup::with("[sign_in]\nmagic_link = \"off\"");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let client = server.client();
        let asked = post(&client, ASK, &json!({"email": Z1.email})).await;
        assert_eq!(asked.verdict(), "404 magic_link_off");
        assert_eq!(follow(&client, &"0".repeat(64)).await.verdict(), "404 magic_link_off");
        assert_eq!(verify(&client, &"0".repeat(64)).await.verdict(), "404 magic_link_off");
        for page in ["/-/magic", "/-/magic/ask", "/-/magic/wait"] {
            assert_eq!(client.get(page).send().await.status, 404, "{page}");
        }
        let page = client.get("/-/sign-in").send().await.text();
        assert!(!page.contains("/-/magic"), "{page}");
        assert!(letters_so_far(server, Z1.email).await.is_empty());
        let body = json!({"email": Z1.email, "password": PASSWORD});
        assert_eq!(post(&client, "/api/auth/login", &body).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn asking_is_limited_by_address_and_letters_by_mailbox() {
    let setup = Setup::with("[limits]\nsensitive = \"3/300s\"");
    on_each_database_with(setup, async |server| {
        server.add(&Z1).await;
        let ask = async || post(&server.client(), ASK, &json!({"email": Z1.email})).await;
        for left in ["2", "1", "0"] {
            let answer = ask().await;
            assert_eq!(answer.status, 201);
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        }
        let refused = ask().await;
        assert_eq!(refused.verdict(), "429 too_many_requests");
        assert!(refused.header("retry-after").is_some());
        server.advance(301 * SECOND);
        assert_eq!(ask().await.status, 201, "the fourth letter is not written, and nobody is told");
        assert_eq!(super::letters(server, Z1.email, 3).await.len(), 3);
        server.advance(10 * MINUTE);
        assert_eq!(ask().await.status, 201);
        super::letters(server, Z1.email, 4).await;
    })
    .await;
}
