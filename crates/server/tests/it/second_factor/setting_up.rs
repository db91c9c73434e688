//! Setting a second factor up and taking it away: what ends by it, and what does not count.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{LATER, Owner, code_at, login, me, sign_in, ticket};
use crate::harness::letters::letters;
use crate::harness::on_each_database;
use crate::harness::people::{PASSWORD, Z1};

/// The account's secret as another program reads it: what a phone shows signs in.
#[tokio::test]
async fn the_codes_of_oathtool_sign_in() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let at = server.app.clock.now().secs();
        let run = Command::new("oathtool")
            .args(["--totp", "--base32", "--now", &format!("@{at}"), &owner.secret])
            .output()
            .expect("oathtool is missing: apt-get install oathtool");
        assert!(run.status.success(), "{run:?}");
        let code = String::from_utf8(run.stdout).unwrap().trim().to_owned();
        assert_eq!(code, owner.code(server), "two implementations agree");
        assert_eq!(login(&server.client(), &Z1, Some(&code)).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn nothing_that_began_without_the_factor_outlives_it() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (cookie, remembered) = (server.client(), server.client());
        login(&cookie, &Z1, None).await;
        let body = json!({"email": Z1.email, "password": PASSWORD, "remember": true});
        let answer = remembered.post("/api/auth/login").from_own_page().json(&body).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let secret = remembered.cookie("remember").unwrap();
        let token = login(&server.client(), &Z1, None).await.json()["token"].clone();
        let bearer = server.client().bearer(token.as_str().unwrap());
        let mobile = json!({"email": Z1.email});
        let mobile = sign_in(&server.client(), "/api/security/mobile-auth", mobile, None).await;
        let mobile = server.client().bearer(mobile.json()["data"]["token"].as_str().unwrap());
        for client in [&cookie, &remembered, &bearer, &mobile] {
            assert_eq!(me(client).await, 200, "control");
        }

        // The session of `cookie` sets it up, and goes on under another cookie.
        let before = cookie.cookie("sessionid").unwrap();
        let csrf = cookie.fetch_csrf().await;
        let begun = cookie.post("/api/two-factor/setup").header("x-csrf-token", &csrf);
        let begun = begun.send().await.json();
        let code = code_at(begun["secret"].as_str().unwrap(), server.app.clock.now());
        let csrf = cookie.fetch_csrf().await;
        let verify = cookie.post("/api/two-factor/verify-setup").header("x-csrf-token", &csrf);
        let enabled = verify.json(&json!({"code": code})).send().await;
        assert_eq!(enabled.status, 201, "{enabled:?}");
        assert_ne!(cookie.cookie("sessionid").unwrap(), before);
        assert_eq!(me(&cookie).await, 200);
        let old = server.client();
        old.set_cookie("sessionid", &before);
        for client in [&old, &remembered, &bearer, &mobile] {
            assert_eq!(me(client).await, 401);
        }
        let back = server.client();
        back.set_cookie("remember", &secret);
        assert_eq!(me(&back).await, 401, "and no browser comes back without it");
        let letters = letters(server, Z1.email, 1).await;
        assert_eq!(letters[0].subject, "Your second factor is switched on");
        let events = server.events("authn_factor_enabled", 1).await;
        assert!(events[0].detail["sessions"].as_i64().unwrap() >= 3, "{:?}", events[0].detail);
        ticket(&login(&server.client(), &Z1, None).await);
    })
    .await;
}

/// D3 54: the code that set it up is used by that.
#[tokio::test]
async fn the_code_of_the_set_up_signs_nobody_in() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
        let program = server.client().bearer(token.as_str().unwrap());
        let begun = program.post("/api/two-factor/setup").send().await.json();
        let secret = begun["secret"].as_str().unwrap();
        let code = code_at(secret, server.app.clock.now());
        let verify = async |code: &str| {
            let sending = program.post("/api/two-factor/verify-setup");
            sending.json(&json!({"code": code})).send().await
        };
        assert_eq!(verify(&code).await.status, 201);
        let replayed = login(&server.client(), &Z1, Some(&code)).await;
        assert_eq!(replayed.verdict(), "401 second_factor_wrong");
        assert_eq!(verify(&code).await.verdict(), "404 second_factor_not_begun");
        let again = program.post("/api/two-factor/setup").send().await;
        assert_eq!(again.verdict(), "400 second_factor_enabled");
        server.advance(LATER);
        let next = code_at(secret, server.app.clock.now());
        assert_eq!(login(&server.client(), &Z1, Some(&next)).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_is_over_after_ten_minutes_or_by_a_new_beginning() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let token = login(&server.client(), &Z1, None).await.json()["accessToken"].clone();
        let program = server.client().bearer(token.as_str().unwrap());
        let begin = async || {
            let begun = program.post("/api/auth/2fa/setup").send().await.json();
            begun["secret"].as_str().unwrap().to_owned()
        };
        let verify = async |secret: &str| {
            let code = code_at(secret, server.app.clock.now());
            let sending = program.post("/api/auth/2fa/verify-setup");
            sending.json(&json!({"code": code})).send().await
        };
        let (first, second) = (begin().await, begin().await);
        assert_eq!(verify(&first).await.verdict(), "400 second_factor_wrong", "replaced");
        server.advance(Duration::from_mins(10));
        assert_eq!(verify(&second).await.verdict(), "404 second_factor_not_begun");
        let third = begin().await;
        server.advance(Duration::from_mins(9));
        assert_eq!(verify(&third).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn it_is_taken_away_by_the_password_or_a_code_and_by_nothing_else() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let disable =
            async |body| owner.program.post("/api/two-factor/disable").json(&body).send().await;
        let wrong = disable(json!({"password": "wrong horse battery staple"})).await;
        assert_eq!(wrong.verdict(), "401 wrong_password");
        let wrong = disable(json!({"code": owner.wrong(server)})).await;
        assert_eq!(wrong.verdict(), "401 second_factor_wrong");
        assert_eq!(disable(json!({})).await.verdict(), "400 invalid");
        // Whoever holds the session draws new backup codes: they prove nothing here, and are not used up.
        let backup = &owner.backup_codes[0];
        let refused = disable(json!({"code": backup})).await;
        assert_eq!(refused.verdict(), "401 second_factor_wrong");
        assert_eq!(login(&server.client(), &Z1, Some(backup)).await.status, 201, "control");
        let both = disable(json!({"password": "wrong", "code": owner.code(server)})).await;
        assert_eq!(both.verdict(), "401 wrong_password", "a password that came is looked at");
        ticket(&login(&server.client(), &Z1, None).await);

        let other = server.client();
        assert_eq!(login(&other, &Z1, Some(&owner.code(server))).await.status, 201);
        let done = disable(json!({"password": PASSWORD})).await;
        assert_eq!(done.status, 201, "{done:?}");
        assert_eq!(done.json()["message"], "Two-factor authentication disabled");
        assert_eq!(me(&other).await, 401);
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201);
        let removed = server.events("authn_factor_removed", 1).await;
        assert_eq!(removed[0].detail["by"], "owner");

        let begun = owner.program.post("/api/two-factor/setup").send().await.json();
        let secret = begun["secret"].as_str().unwrap();
        let code = code_at(secret, server.app.clock.now());
        let verify = owner.program.post("/api/two-factor/verify-setup");
        assert_eq!(verify.json(&json!({"code": code})).send().await.status, 201);
        server.advance(LATER);
        let code = code_at(secret, server.app.clock.now());
        assert_eq!(disable(json!({"code": code})).await.status, 201);
        assert_eq!(login(&server.client(), &Z1, None).await.status, 201);
    })
    .await;
}
