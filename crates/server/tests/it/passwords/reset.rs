//! A forgotten password, in the documents' three forms.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::role::Authority;
use portcullis_server::flows::administration::Halt;
use portcullis_server::flows::first_run::PLACEHOLDER;
use portcullis_server::flows::password_reset::{self, Handed};
use portcullis_server::flows::reset_tokens;
use portcullis_server::flows::roles::Acting;
use portcullis_store::{one_time_links, users};
use serde_json::json;

use super::{
    MINUTE, NEW, can_sign_in, code_by_mail, letters, letters_so_far, me, post, reset, token_by_mail,
};
use crate::first_run;
use crate::harness::people::{PASSWORD, STAFF, STAFF0, TENANT, Z1, sign_in};
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

const BAD_TOKEN: &str = "Reset token is invalid or has expired.";

#[tokio::test]
async fn tp56_a_token_is_good_once() {
    on_each_database(async |server| {
        let signed_in = server.by_cookie(&Z1).await;
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(me(&signed_in).await, 200, "asking alone changes nothing");
        let done = reset(server, &token, NEW).await;
        let message = "Password reset successfully. You can now log in.";
        assert_eq!(done.json(), json!({"success": true, "message": message}));
        assert_eq!(done.status, 200);
        assert!(done.set_cookie("sessionid").is_none(), "nobody is signed in by it");
        assert_eq!(me(&signed_in).await, 401, "everybody is signed out");

        let ended = server.events("session_ended", 1).await;
        let reasons = ended.iter().filter(|event| event.detail["reason"] == "password_changed");
        assert_eq!(reasons.count(), 1);

        let again = reset(server, &token, "and yet another phrase").await;
        assert_eq!(again.verdict(), "400 link_used");
        assert_eq!(again.json()["error"], BAD_TOKEN);
        assert!(can_sign_in(server, &Z1, NEW).await, "it is still the first one");
        assert!(!can_sign_in(server, &Z1, PASSWORD).await);
        let subjects: Vec<_> =
            letters(server, Z1.email, 2).await.into_iter().map(|letter| letter.subject).collect();
        assert_eq!(subjects, ["Set a new password", "Your password was changed"]);
    })
    .await;
}

#[tokio::test]
async fn the_events_of_a_reset_say_where_it_came_from() {
    on_each_database(async |server| {
        let id = server.add(&Z1).await.id;
        let mut tx = server.app.db.write().await.unwrap();
        users::doubt_email(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &token, NEW).await.status, 200);
        for name in ["user_updated", "authn_password_change"] {
            let events = server.events(name, 1).await;
            let context = &events[0].context;
            assert!(context.ip.is_some() && context.request_id.is_some(), "{name}: {context:?}");
        }
        assert!(server.events("session_ended", 0).await.is_empty(), "nobody was signed in");
    })
    .await;
}

#[tokio::test]
async fn ts34_five_wrong_codes_and_the_right_one_is_refused() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let code = code_by_mail(server, &Z1).await;
        let wrong = if code == "123456" { "654321" } else { "123456" };
        let verify = async |code: &str| {
            let body = json!({"email": Z1.email, "code": code});
            post(server, "/api/auth/verify-reset-code", &body).await
        };
        for _ in 0..5 {
            let answer = verify(wrong).await;
            assert_eq!(answer.verdict(), "400 code_refused");
            assert_eq!(answer.json()["message"], "Invalid or expired reset code");
        }
        let answer = verify(&code).await;
        assert_eq!(answer.verdict(), "400 code_exhausted");
        let message = "Too many failed attempts. Please request a new reset code.";
        assert_eq!(answer.json()["message"], message);
        assert!(can_sign_in(server, &Z1, PASSWORD).await);
        // Another mail, another five.
        let code = code_by_mail(server, &Z1).await;
        assert_eq!(verify(&code).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn ts35_a_code_gives_a_token_and_that_a_password() {
    on_each_database(async |server| {
        let older = server.by_cookie(&Z1).await;
        let script = server
            .client()
            .bearer(server.login_by_email(&Z1).await.json()["accessToken"].as_str().unwrap());
        let code = code_by_mail(server, &Z1).await;
        let body = json!({"email": Z1.email, "code": code});
        let verified = post(server, "/api/auth/verify-reset-code", &body).await;
        assert_eq!(verified.status, 201, "{verified:?}");
        assert_eq!(verified.json()["success"], true);
        let token = verified.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 32, "as documented");
        let again = post(server, "/api/auth/verify-reset-code", &body).await;
        assert_eq!(again.verdict(), "400 code_refused", "a code is good once");

        let body = json!({"token": token, "newPassword": NEW});
        let done = post(server, "/api/auth/reset-password", &body).await;
        let message = "Password has been reset successfully";
        assert_eq!(done.json(), json!({"success": true, "message": message}));
        assert_eq!(done.status, 201);
        assert_eq!((me(&older).await, me(&script).await), (401, 401), "the older sign-ins");
        assert!(can_sign_in(server, &Z1, NEW).await);
        // The optional slash, with no token in the path, is the same endpoint.
        let reused = post(server, "/api/auth/reset-password/", &body).await;
        assert_eq!(reused.verdict(), "400 link_used");
        assert_eq!(reused.json()["message"], "Invalid or expired reset token");
    })
    .await;
}

#[tokio::test]
async fn z7_a_token_in_the_path() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = token_by_mail(server, &Z1).await;
        let path = format!("/api/auth/reset-password/{token}");
        let body = |again: &str| json!({"new_password": NEW, "confirm_password": again});
        let differs = post(server, &path, &body("something else entirely")).await;
        assert_eq!(differs.status, 400, "{differs:?}");
        let error = &differs.json()["errors"][0];
        assert_eq!(
            (&error["attr"], &error["detail"]),
            (&json!("confirm_password"), &json!("Passwords do not match"),)
        );
        for wrong in [&"0".repeat(64), "x", "%2e%2e", &token.to_uppercase()] {
            let path = format!("/api/auth/reset-password/{wrong}");
            let answer = post(server, &path, &body(NEW)).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{wrong}: {answer:?}");
        }
        let unknown = post(server, "/api/auth/reset-password/abc", &body(NEW)).await;
        assert_eq!(unknown.verdict(), "404 link_unknown");
        assert_eq!(unknown.json()["errors"][0]["detail"], "Invalid or expired token.");
        let done = post(server, &format!("{path}/"), &body(NEW)).await;
        assert_eq!((done.status.as_u16(), done.json()), (200, json!({"success": true})));
        assert!(can_sign_in(server, &Z1, NEW).await);
    })
    .await;
}

#[tokio::test]
async fn weak_passwords_are_refused_in_each_familys_shape_and_the_token_stays_good() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = token_by_mail(server, &Z1).await;
        let p = reset(server, &token, "short").await;
        assert_eq!(p.json()["error"], "password: must have at least 15 characters");
        let body = json!({"token": token, "newPassword": "short"});
        let s = post(server, "/api/auth/reset-password", &body).await;
        assert_eq!(s.json()["message"], json!(["newPassword must have at least 15 characters"]));
        let body = json!({"new_password": Z1.email, "confirm_password": Z1.email});
        let z = post(server, &format!("/api/auth/reset-password/{token}"), &body).await;
        let error = &z.json()["errors"][0];
        assert_eq!(
            (&error["attr"], &error["code"]),
            (&json!("new_password"), &json!("password_too_similar"),)
        );
        for answer in [p, s, z] {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        assert_eq!(reset(server, &token, NEW).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn what_voids_a_token() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let older = token_by_mail(server, &Z1).await;
        let newer = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &older, NEW).await.verdict(), "400 link_used", "a newer one");

        let code = code_by_mail(server, &Z1).await;
        let token = client.cookie("csrftoken").unwrap();
        let change =
            json!({"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW});
        let path = "/api/auth/change-password";
        let changed = client.post(path).header("x-csrftoken", &token).json(&change).send().await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(reset(server, &newer, PASSWORD).await.verdict(), "400 link_used", "a change");
        let body = json!({"email": Z1.email, "code": code});
        let answer = post(server, "/api/auth/verify-reset-code", &body).await;
        assert_eq!(answer.verdict(), "400 code_refused", "a change, to a code");

        server.advance(16 * MINUTE);
        let late = token_by_mail(server, &Z1).await;
        server.advance(60 * MINUTE);
        let answer = reset(server, &late, PASSWORD).await;
        assert_eq!(answer.verdict(), "400 link_expired");
        assert_eq!(answer.json()["error"], BAD_TOKEN);
        let code = code_by_mail(server, &Z1).await;
        server.advance(30 * MINUTE);
        let body = json!({"email": Z1.email, "code": code});
        let answer = post(server, "/api/auth/verify-reset-code", &body).await;
        assert_eq!(answer.verdict(), "400 code_refused", "its time is over");
        let good = token_by_mail(server, &Z1).await;
        server.advance(59 * MINUTE);
        assert_eq!(reset(server, &good, PASSWORD).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn ts32_the_fourth_question_of_an_address_must_wait() {
    let setup = Setup::with("[limits]\nsensitive = \"3/300s\"");
    on_each_database_with(setup, async |server| {
        let ask = async |email: &str| {
            post(server, "/api/auth/forgot-password", &json!({"email": email})).await
        };
        for name in ["a", "b", "c"] {
            assert_eq!(ask(&format!("{name}@example.com")).await.status, 201);
        }
        let fourth = ask("d@example.com").await;
        assert_eq!(fourth.status, 429);
        assert_eq!(fourth.json()["statusCode"], 429);
        assert_eq!(fourth.json()["message"], "Too Many Requests");
        assert_eq!(fourth.header("retry-after"), Some("300"));
        assert_eq!(fourth.header("x-ratelimit-remaining"), Some("0"));
        let body = json!({"action": "request", "email": "d@example.com"});
        let by_p = post(server, "/api/password-reset", &body).await;
        assert_eq!(by_p.verdict(), "429 too_many_requests", "one count for all forms");
        assert_eq!(server.events("excess_rate_limit_exceeded", 2).await.len(), 2);
        server.advance(5 * MINUTE);
        assert_eq!(ask("d@example.com").await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn three_letters_in_a_quarter_of_an_hour_and_nobody_is_told() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let ask = async || {
            let body = json!({"action": "request", "email": Z1.email});
            post(server, "/api/password-reset", &body).await.text()
        };
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(ask().await);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        server.events("authn_password_reset_asked", 3).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(letters_so_far(server, Z1.email).await.len(), 3);
        assert_eq!(server.events("authn_password_reset_asked", 3).await.len(), 3);
        server.advance(15 * MINUTE);
        ask().await;
        assert_eq!(letters(server, Z1.email, 4).await.len(), 4, "control");
    })
    .await;
}

#[tokio::test]
async fn it_forgives_wrong_passwords_and_opens_no_closed_account() {
    let setup = Setup::with("[limits]\nlockout = \"3/15m\"");
    on_each_database_with(setup, async |server| {
        let user = server.add(&Z1).await;
        for _ in 0..3 {
            assert_eq!(sign_in(&server.client(), "Fredkiss3", "wrong wrong").await.status, 401);
        }
        assert!(!can_sign_in(server, &Z1, PASSWORD).await, "locked out");
        let mut tx = server.app.db.write().await.unwrap();
        users::disable_password(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &token, NEW).await.status, 200);
        assert!(can_sign_in(server, &Z1, NEW).await, "both are forgiven");

        // A token from before the account was closed, and a question after it.
        let token = token_by_mail(server, &Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        let now = server.app.clock.now();
        users::set_status(&mut tx, user.id, AccountStatus::Disabled, now).await.unwrap();
        tx.commit().await.unwrap();
        let refused = reset(server, &token, PASSWORD).await;
        assert_eq!(refused.verdict(), "400 link_used");
        let before = letters_so_far(server, Z1.email).await.len();
        let body = json!({"action": "request", "email": Z1.email});
        assert_eq!(post(server, "/api/password-reset", &body).await.status, 200);
        server.events("authn_password_reset_asked", 3).await;
        assert_eq!(letters_so_far(server, Z1.email).await.len(), before, "nothing was mailed");
        assert!(!can_sign_in(server, &Z1, NEW).await, "it is still closed");
    })
    .await;
}

#[tokio::test]
async fn the_first_owner_has_a_way_of_his_own_alone() {
    on_each_database(async |server| {
        let code = first_run::new_code(server).await;
        server.add(&Z1).await;
        for email in [PLACEHOLDER, Z1.email] {
            let body = json!({"action": "request", "email": email});
            assert!(matches!(
                post(server, "/api/password-reset", &body).await.status.as_u16(),
                200 | 400
            ));
        }
        letters(server, Z1.email, 1).await;
        assert_eq!(letters_so_far(server, PLACEHOLDER).await.len(), 0);
        let set = first_run::send(&server.client(), &code, &[]).await;
        assert_eq!(set.status, 303, "control: the code is still good");
    })
    .await;
}

#[tokio::test]
async fn a_token_handed_out_by_an_administrator() {
    on_each_database(async |server| {
        let (user, above) = (server.add(&Z1).await, server.add(&STAFF).await);
        let clerk = server.add(&STAFF0).await;
        let Handed { token, until } = hand_out(server, user.id, None).await.unwrap();
        assert_eq!(until.since(server.app.clock.now()), 30 * MINUTE);
        let mailed = letters_so_far(server, Z1.email).await.len();
        assert_eq!(mailed, 0, "how it gets there is not our business");
        assert_eq!(reset(server, &token.reveal(), NEW).await.status, 200);
        assert!(can_sign_in(server, &Z1, NEW).await);
        let refused = hand_out(server, above.id, Some(clerk.id)).await;
        assert!(matches!(refused, Err(Halt::Refused(_))), "nobody above oneself");
        let unknown = hand_out(server, UserId(999), None).await;
        assert!(matches!(unknown, Err(Halt::UnknownUser)));
    })
    .await;
}

/// Anybody may ask for a letter, at any time.
#[tokio::test]
async fn a_token_that_was_handed_out_is_not_voided_by_whoever_asks_for_a_letter() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let token = async || {
            let Ok(handed) = hand_out(server, user.id, None).await else { panic!("no token") };
            handed.token.reveal()
        };
        let (older, handed) = (token().await, token().await);
        assert_eq!(reset(server, &older, NEW).await.verdict(), "400 link_used", "a newer one");
        let first = token_by_mail(server, &Z1).await;
        let mailed = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &first, NEW).await.verdict(), "400 link_used", "control");
        let mut tx = server.app.db.read().await.unwrap();
        let (purposes, now) = (LinkPurpose::RESETS, server.app.clock.now());
        let count = one_time_links::count_waiting(&mut tx, purposes, now).await.unwrap();
        drop(tx);
        assert_eq!(count, 1, "one user");
        assert_eq!(reset(server, &handed, NEW).await.status, 200);
        let voided = reset(server, &mailed, PASSWORD).await;
        assert_eq!(voided.verdict(), "400 link_used", "a new password voids both");
        let event = &server.events("authn_link_used", 1).await[0];
        assert_eq!(event.detail["purpose"], "password_reset_handed_out");

        let (handed, mailed) = (token().await, token_by_mail(server, &Z1).await);
        let (operator, context) = (Authority::operator(), Context::default());
        let acting = Acting {
            db: &server.app.db,
            random: server.app.random,
            now: server.app.clock.now(),
            authority: &operator,
            context: &context,
        };
        assert!(matches!(reset_tokens::revoke(&acting, user.id).await, Ok(true)));
        for token in [handed, mailed] {
            assert_eq!(
                reset(server, &token, PASSWORD).await.verdict(),
                "400 link_used",
                "taken back"
            );
        }
    })
    .await;
}

/// By the operator, or by this user.
async fn hand_out(server: &TestApp, id: UserId, actor: Option<UserId>) -> Result<Handed, Halt> {
    let context = Context { actor, ..Context::default() };
    let acting = Acting {
        db: &server.app.db,
        random: server.app.random,
        now: server.app.clock.now(),
        authority: &Authority::operator(),
        context: &context,
    };
    password_reset::hand_out(&acting, &server.app.keys.credential, id).await
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_nothing_breaks() {
    on_each_database(async |server| {
        server.add(&TENANT).await;
        let long = "x".repeat(10_000);
        for (path, body) in [
            ("/api/auth/forgot-password", json!({})),
            ("/api/auth/forgot-password", json!({"email": "nope"})),
            ("/api/auth/forgot-password", json!({"email": "a@b.example\r\nBcc: x@y.example"})),
            ("/api/auth/forgot-password", json!({"email": ["a@b.example"]})),
            ("/api/auth/forgot-password", json!({"email": long})),
            ("/api/auth/verify-reset-code", json!({"email": TENANT.email})),
            ("/api/auth/verify-reset-code", json!({"email": TENANT.email, "code": 123_456})),
            ("/api/auth/verify-reset-code", json!({"email": TENANT.email, "code": "1' OR '1'='1"})),
            ("/api/auth/verify-reset-code", json!({"email": TENANT.email, "code": long})),
            ("/api/auth/reset-password", json!({"token": long, "newPassword": NEW})),
            ("/api/auth/reset-password", json!({"token": null, "newPassword": NEW})),
            ("/api/auth/reset-password", json!({"token": "0".repeat(64), "newPassword": long})),
            ("/api/auth/reset-password", json!({"token": "\u{0}", "newPassword": NEW})),
            ("/api/password-reset", json!({})),
            ("/api/password-reset", json!({"action": "other"})),
            ("/api/password-reset", json!({"action": "reset"})),
            ("/api/password-reset", json!({"action": {"request": 1}, "email": TENANT.email})),
        ] {
            let answer = post(server, path, &body).await;
            assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        }
        let anybody = server.client();
        let cross = anybody.post("/api/password-reset").header("sec-fetch-site", "cross-site");
        let body = json!({"action": "request", "email": TENANT.email});
        assert_eq!(cross.json(&body).send().await.verdict(), "403 csrf_origin");
        assert_eq!(post(server, "/api/password-reset", &body).await.status, 200, "control");
    })
    .await;
}
