//! The e-mail address of an account: proving it, and having another one.

use std::time::Duration;

use http::Method;
use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_domain::text::Email;
use portcullis_server::flows::email;
use portcullis_store::{Tx, users};
use serde_json::{Value, json};

use super::{NEW, letters, letters_so_far, me, post, reset, send_form, token_by_mail};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{PASSWORD, STAFF, TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

const NEW_ADDRESS: &str = "frederic@example.com";

async fn ask(client: &Client, to: &str, password: &str) -> Answer {
    let token = client.cookie("csrftoken").unwrap();
    let body = json!({"email": to, "current_password": password});
    client.post("/api/account/email").header("x-csrftoken", &token).json(&body).send().await
}

/// As the documented script uses a link.
async fn redeem(server: &TestApp, token: &str) -> Answer {
    let path = format!("/api/auth/verify-email?token={token}");
    server.client().get(&path).header("accept", "application/json").send().await
}

async fn address_of(client: &Client) -> Value {
    client.get("/api/auth/me").send().await.json()["email"].clone()
}

#[tokio::test]
async fn another_address_counts_once_its_link_is_used() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        let elsewhere = server.sign_in(&Z1).await;
        assert_eq!(ask(&client, NEW_ADDRESS, "not that one").await.verdict(), "401 wrong_password");
        let asked = ask(&client, NEW_ADDRESS, PASSWORD).await;
        assert_eq!(asked.status, 200, "{asked:?}");
        let notice = letters(server, Z1.email, 1).await.pop().unwrap();
        assert_eq!(notice.subject, "Your email address is about to change");
        assert!(notice.link.is_none() && notice.code.is_none());
        let letter = letters(server, NEW_ADDRESS, 1).await.pop().unwrap();
        assert_eq!(address_of(&client).await, Z1.email, "nothing has changed yet");
        // What was mailed to the old address must not outlive it.
        let old_link = token_by_mail(server, &Z1).await;

        let done = redeem(server, &letter.token()).await;
        let message = "Email verified successfully";
        assert_eq!(done.json(), json!({"success": true, "message": message}));
        assert_eq!(address_of(&client).await, NEW_ADDRESS);
        assert_eq!(me(&elsewhere).await, 200, "whoever is signed in stays so");
        let body = json!({"email": NEW_ADDRESS, "password": PASSWORD});
        assert_eq!(post(server, "/api/auth/login", &body).await.status, 201);
        let body = json!({"email": Z1.email, "password": PASSWORD});
        assert_eq!(post(server, "/api/auth/login", &body).await.status, 401);
        assert_eq!(reset(server, &old_link, NEW).await.verdict(), "400 link_used");
        let told = letters(server, Z1.email, 3).await.pop().unwrap();
        assert_eq!(told.subject, "Your email address was changed");
        assert_eq!(redeem(server, &letter.token()).await.verdict(), "400 link_used", "once more");
    })
    .await;
}

#[tokio::test]
async fn looking_spends_nothing() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        assert_eq!(ask(&client, NEW_ADDRESS, PASSWORD).await.status, 200);
        let token = letters(server, NEW_ADDRESS, 1).await.pop().unwrap().token();
        let path = format!("/api/auth/verify-email?token={token}");
        let anybody = server.client();
        let scanner = anybody.request(Method::HEAD, &path).header("accept", "application/json");
        let browser = anybody.get(&path).header("sec-fetch-mode", "navigate");
        let browser = browser.header("accept", "text/html,application/json");
        let bot = anybody.get(&path).header("accept", "*/*");
        for (who, sending) in [("scanner", scanner), ("browser", browser), ("bot", bot)] {
            let answer = sending.send().await;
            assert_eq!(answer.status, 303, "{who}");
            let there = format!("/-/verify-email#t={token}");
            assert_eq!(answer.header("location"), Some(there.as_str()), "{who}");
        }
        assert_eq!(address_of(&client).await, Z1.email);
        let page = anybody.get("/-/verify-email").send().await;
        assert!(page.status.is_success() && !page.text().contains(&token));
        let done = send_form(&anybody, "/-/verify-email", &[("code", &token)]).await;
        assert!(done.text().contains("Your account has the new address"), "{}", done.text());
        assert_eq!(address_of(&client).await, NEW_ADDRESS);
        let again = send_form(&anybody, "/-/verify-email", &[("code", &token)]).await;
        assert_eq!(again.status, 410, "{}", again.text());
    })
    .await;
}

#[tokio::test]
async fn an_address_of_somebody_else_is_not_told() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        server.add(&TENANT).await;
        let free = ask(&client, NEW_ADDRESS, PASSWORD).await;
        let taken = ask(&client, TENANT.email, PASSWORD).await;
        assert_eq!((taken.status, taken.json()), (free.status, free.json()));
        letters(server, Z1.email, 2).await;
        assert_eq!(letters_so_far(server, TENANT.email).await.len(), 0);

        // Taken after the link was mailed: the link is dead, and nothing is lost.
        let token = letters(server, NEW_ADDRESS, 1).await.pop().unwrap().token();
        let mut tx = server.app.db.write().await.unwrap();
        let tenant = id_of(&mut tx, TENANT.email).await;
        let address = Email::parse(NEW_ADDRESS).unwrap();
        users::set_email(&mut tx, tenant, &address, server.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(redeem(server, &token).await.verdict(), "400 link_used");
        assert_eq!(address_of(&client).await, Z1.email);
    })
    .await;
}

async fn id_of(tx: &mut Tx, address: &str) -> UserId {
    let email = Email::parse(address).unwrap();
    users::by_email(tx, &email).await.unwrap().unwrap().id
}

#[tokio::test]
async fn no_mailbox_is_filled_by_an_account_that_asks_again() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        for _ in 0..5 {
            assert_eq!(ask(&client, NEW_ADDRESS, PASSWORD).await.status, 200);
        }
        assert_eq!(letters(server, NEW_ADDRESS, 3).await.len(), 3);
        server.advance(Duration::from_mins(15));
        assert_eq!(ask(&client, NEW_ADDRESS, PASSWORD).await.status, 200);
        assert_eq!(letters(server, NEW_ADDRESS, 4).await.len(), 4, "control");
    })
    .await;
}

#[tokio::test]
async fn a_doubted_address_is_proved_by_its_link() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let app = &server.app;
        let again = async || {
            let idle = app.tasks.len();
            let asked = json!({"email": Z1.email});
            let answer = post(server, "/api/auth/resend-verification", &asked).await;
            // What the answer must not tell of is done after it.
            while app.tasks.len() > idle {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answer
        };
        assert_eq!(again().await.status, 201);
        let mut tx = app.db.write().await.unwrap();
        email::doubt(app, &mut tx, &user, &Context::default(), app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_proved(server, user.id).await);
        let first = letters(server, Z1.email, 1).await.pop().unwrap().token();
        assert_eq!(again().await.status, 201);
        let second = letters(server, Z1.email, 2).await;
        assert_eq!(second.len(), 2, "a proved address got no letter before");
        let second = second.into_iter().last().unwrap().token();
        assert_eq!(redeem(server, &first).await.verdict(), "400 link_used", "a newer one");
        assert_eq!(redeem(server, &second).await.status, 200);
        assert!(is_proved(server, user.id).await);

        // A link lives for a day.
        let mut tx = app.db.write().await.unwrap();
        email::doubt(app, &mut tx, &user, &Context::default(), app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let late = letters(server, Z1.email, 3).await.pop().unwrap().token();
        server.advance(Duration::from_hours(24));
        let answer = redeem(server, &late).await;
        assert_eq!(answer.verdict(), "400 link_expired");
        let message = "Verification link has expired. Please request a new one.";
        assert_eq!(answer.json()["message"], message);
        // Whoever reads the mail of a reset has the address, too.
        let token = token_by_mail(server, &Z1).await;
        assert_eq!(reset(server, &token, NEW).await.status, 200);
        assert!(is_proved(server, user.id).await);
    })
    .await;
}

async fn is_proved(server: &TestApp, id: UserId) -> bool {
    let mut tx = server.app.db.read().await.unwrap();
    users::email_verified_at(&mut tx, id).await.unwrap().is_some()
}

#[tokio::test]
async fn what_is_no_token_proves_nothing() {
    on_each_database(async |server| {
        for token in ["", "x", &"0".repeat(64), &"0".repeat(5000), "%00", "'; DROP TABLE users"] {
            let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            let answer = redeem(server, &token).await;
            assert_eq!(answer.verdict(), "400 link_unknown", "{token}");
            assert_eq!(answer.json()["message"], "Invalid or expired verification token");
        }
    })
    .await;
}

/// Otherwise the life of an earlier link would tell whether somebody has the address.
#[tokio::test]
async fn an_earlier_link_is_void_whoever_has_the_address_that_is_asked_for_next() {
    on_each_database(async |server| {
        let client = server.by_cookie(&Z1).await;
        server.add(&TENANT).await;
        for (number, next) in ["free@example.com", TENANT.email].into_iter().enumerate() {
            let first = format!("first{number}@example.com");
            assert_eq!(ask(&client, &first, PASSWORD).await.status, 200);
            let token = letters(server, &first, 1).await.pop().unwrap().token();
            assert_eq!(ask(&client, next, PASSWORD).await.status, 200);
            assert_eq!(redeem(server, &token).await.verdict(), "400 link_used", "{next}");
        }
        assert_eq!(letters_so_far(server, TENANT.email).await.len(), 0);
        assert_eq!(ask(&client, NEW_ADDRESS, PASSWORD).await.status, 200);
        let token = letters(server, NEW_ADDRESS, 1).await.pop().unwrap().token();
        assert_eq!(redeem(server, &token).await.status, 200, "control");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_an_administrator_gives_is_doubted() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let act = async |body: Value| {
            let answer = staff.act(Method::POST, "/api/users/users", &body).await;
            assert!(answer.status.is_success(), "{answer:?}");
        };
        act(json!({
            "action": "create_user", "email": NEW_ADDRESS, "first_name": "Fred",
            "last_name": "Kiss", "account_type_id": 4,
        }))
        .await;
        let token = letters(server, NEW_ADDRESS, 1).await.pop().unwrap().token();
        let mut tx = server.app.db.read().await.unwrap();
        let id = id_of(&mut tx, NEW_ADDRESS).await;
        let uuid = users::by_id(&mut tx, id).await.unwrap().unwrap().uuid;
        drop(tx);
        assert!(!is_proved(server, id).await);
        assert_eq!(redeem(server, &token).await.status, 200);
        assert!(is_proved(server, id).await);

        assert_eq!(letters_so_far(server, NEW_ADDRESS).await.len(), 1);
        let other = "kiss@example.com";
        act(json!({"action": "update", "uuid": uuid, "email": other})).await;
        let token = letters(server, other, 1).await.pop().unwrap().token();
        let told = letters(server, NEW_ADDRESS, 2).await.pop().unwrap();
        assert_eq!(told.subject, "Your email address was changed");
        assert!(!is_proved(server, id).await);
        assert_eq!(redeem(server, &token).await.status, 200);
        assert!(is_proved(server, id).await);
    })
    .await;
}
