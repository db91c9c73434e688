//! A link is worth a session in the browser that asked for it, and a code everywhere else.

use portcullis_domain::account::AccountStatus;
use portcullis_store::{blacklist, users};
use serde_json::json;

use super::{
    ASK, MARK, MINUTE, SECOND, TYPE, asked_by_program, asked_in, follow, me, other_than, post,
    post_in_browser, type_code, verify, verify_in,
};
use crate::harness::on_each_database;
use crate::harness::people::{TENANT, Z1};

#[tokio::test]
async fn a_link_signs_in_where_it_was_asked_for_and_nowhere_else() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let asking = server.client();
        let token = asked_in(server, &asking, &Z1).await;
        let mark = asking.cookie(MARK).unwrap();
        // A scanner that runs scripts and presses buttons, a program, and a browser that asked for
        // another link: each is shown the code, and nothing is spent.
        let another = server.client();
        server.add(&TENANT).await;
        asked_in(server, &another, &TENANT).await;
        let mut codes = Vec::new();
        for (what, client) in [("scanner", server.client()), ("another", another)] {
            let answer = verify_in(&client, &token).await;
            assert_eq!(answer.verdict(), "401 magic_link_elsewhere", "{what}");
            assert!(answer.set_cookie("sessionid").is_none(), "{what}");
            codes.push(answer.json()["confirmation_code"].as_str().unwrap().to_owned());
            assert_eq!(me(&client).await, 401, "{what}");
        }
        let program = follow(&server.client(), &token).await;
        assert_eq!(program.verdict(), "401 magic_link_elsewhere");
        assert_eq!(codes[0], codes[1], "whoever opens it again sees the same code");
        // Two marks are none: somebody tossed one in.
        let tossed = asking.post(super::VERIFY).json(&json!({"token": token})).from_own_page();
        let tossed = tossed.header("cookie", &format!("{MARK}={mark}; {MARK}={}", "0".repeat(64)));
        assert_eq!(tossed.send().await.verdict(), "401 magic_link_elsewhere");

        let answer = verify_in(&asking, &token).await;
        assert_eq!(answer.status, 201, "control: {answer:?}");
        assert_eq!(me(&asking).await, 200);
        assert!(answer.json().get("token").is_none(), "pages collect no bearer tokens");
        assert_eq!(asking.cookie(MARK), None, "the mark has done its work");
        assert_eq!(type_code(&server.client(), &codes[0]).await.verdict(), "401 magic_code_over");
        assert_eq!(server.events("authn_magic_link_elsewhere", 4).await.len(), 4);
    })
    .await;
}

/// The fourth letter in a quarter of an hour is not written: the third link stays good where it was asked
/// for.
#[tokio::test]
async fn asking_once_too_often_takes_no_link_away() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let asking = server.client();
        let mut token = String::new();
        for _ in 0..3 {
            token = asked_in(server, &asking, &Z1).await;
        }
        let mark = asking.cookie(MARK);
        let fourth = post_in_browser(&asking, ASK, &json!({"email": Z1.email})).await;
        assert_eq!(fourth.status, 201);
        assert_eq!(asking.cookie(MARK), mark);
        assert_eq!(verify_in(&asking, &token).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn the_code_signs_in_where_the_link_was_asked_for() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (asking, phone) = (server.client(), server.client());
        let token = asked_in(server, &asking, &Z1).await;
        assert_eq!(
            type_code(&asking, "123456").await.verdict(),
            "401 magic_code_over",
            "too early"
        );
        let shown = verify_in(&phone, &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap();
        // Whoever has the code and not the mark has nothing, and takes nothing from the five tries.
        for _ in 0..6 {
            assert_eq!(type_code(&phone, code).await.verdict(), "401 magic_code_over");
        }
        assert_eq!(post(&phone, TYPE, &json!({"code": code})).await.status, 401, "nor a program");
        for _ in 0..4 {
            let answer = type_code(&asking, other_than(code)).await;
            assert_eq!(answer.verdict(), "401 magic_code_wrong");
        }
        for unreadable in ["12345", "1234567", "12345x", ""] {
            assert_eq!(type_code(&asking, unreadable).await.status, 400, "takes no try");
        }
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let answer = type_code(&asking, &spaced).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!((me(&asking).await, me(&phone).await), (200, 401));
        assert_eq!(verify_in(&phone, &token).await.verdict(), "400 link_used");
        asking.set_cookie(MARK, &"0".repeat(64));
        assert_eq!(type_code(&asking, code).await.verdict(), "401 magic_code_over");
    })
    .await;
}

#[tokio::test]
async fn a_code_can_be_tried_five_times_and_opening_the_link_again_refills_nothing() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (asking, phone) = (server.client(), server.client());
        let token = asked_in(server, &asking, &Z1).await;
        let shown = verify_in(&phone, &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap();
        for number in 1..=5 {
            let expected = if number < 5 { "magic_code_wrong" } else { "magic_code_exhausted" };
            let answer = type_code(&asking, other_than(code)).await;
            assert_eq!(answer.verdict(), format!("401 {expected}"), "{number}");
            assert_eq!(verify_in(&phone, &token).await.verdict(), "401 magic_link_elsewhere");
        }
        assert_eq!(type_code(&asking, code).await.verdict(), "401 magic_code_exhausted");
        assert_eq!(me(&asking).await, 401);
        // The link itself is as good as before.
        assert_eq!(verify_in(&asking, &token).await.status, 201, "control");
    })
    .await;
}

#[tokio::test]
async fn new_links_do_not_refill_the_tries_of_a_day() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let mut compared = 0;
        for _ in 0..6 {
            let asking = server.client();
            let token = asked_in(server, &asking, &Z1).await;
            let shown = verify_in(&server.client(), &token).await.json();
            let code = shown["confirmation_code"].as_str().unwrap();
            for _ in 0..4 {
                let verdict = type_code(&asking, other_than(code)).await.verdict();
                compared += usize::from(verdict == "401 magic_code_wrong");
            }
            server.advance(6 * MINUTE);
        }
        assert_eq!(compared, 20);
        let asking = server.client();
        let token = asked_in(server, &asking, &Z1).await;
        let shown = verify_in(&server.client(), &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap();
        assert_eq!(type_code(&asking, code).await.verdict(), "401 magic_code_exhausted");
        assert_eq!(
            verify_in(&asking, &token).await.status,
            201,
            "control: links are not guessed at"
        );
    })
    .await;
}

#[tokio::test]
async fn a_code_is_over_with_its_link() {
    on_each_database(async |server| {
        server.add(&Z1).await;
        let (asking, phone) = (server.client(), server.client());
        let token = asked_in(server, &asking, &Z1).await;
        server.advance(9 * MINUTE);
        let shown = verify_in(&phone, &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap().to_owned();
        server.advance(MINUTE + SECOND);
        assert_eq!(type_code(&asking, &code).await.verdict(), "401 magic_code_over");
        // A newer link takes the code of the older one along.
        let token = asked_in(server, &asking, &Z1).await;
        let shown = verify_in(&phone, &token).await.json();
        let code = shown["confirmation_code"].as_str().unwrap().to_owned();
        let mark = asking.cookie(MARK).unwrap();
        asked_in(server, &asking, &Z1).await;
        asking.set_cookie(MARK, &mark);
        assert_eq!(type_code(&asking, &code).await.verdict(), "401 magic_code_over");
        assert_eq!(me(&asking).await, 401);
    })
    .await;
}

#[tokio::test]
async fn a_closed_account_stays_closed_and_a_new_password_voids_links() {
    on_each_database(async |server| {
        let user = server.add(&Z1).await;
        let now = server.app.clock.now();
        let token = asked_by_program(server, &Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        blacklist::add(&mut tx, user.id, None, None, now).await.unwrap();
        tx.commit().await.unwrap();
        let barred = verify(&server.client(), &token).await;
        assert_eq!(barred.verdict(), "400 link_used", "whatever was handed out before is over");
        assert!(barred.set_cookie("sessionid").is_none());
        let mut tx = server.app.db.write().await.unwrap();
        blacklist::remove(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        let token = asked_by_program(server, &Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        users::set_status(&mut tx, user.id, AccountStatus::Disabled, now).await.unwrap();
        tx.commit().await.unwrap();
        let disabled = verify(&server.client(), &token).await;
        assert!(matches!(disabled.status.as_u16(), 400 | 403), "{disabled:?}");
        assert!(disabled.set_cookie("sessionid").is_none());
        let mut tx = server.app.db.write().await.unwrap();
        users::set_status(&mut tx, user.id, AccountStatus::Active, now).await.unwrap();
        tx.commit().await.unwrap();
        let token = asked_by_program(server, &Z1).await;
        let mut tx = server.app.db.write().await.unwrap();
        users::bump_epoch(&mut tx, user.id).await.unwrap();
        // The password is switched off, which is no matter of links.
        users::disable_password(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(verify(&server.client(), &token).await.verdict(), "400 link_used");
        // A fourth letter within a quarter of an hour would not be written.
        server.advance(16 * MINUTE);
        let token = asked_by_program(server, &Z1).await;
        assert_eq!(verify(&server.client(), &token).await.status, 201, "control");
    })
    .await;
}
