//! How often codes are tried: for the account, whoever tries, by whatever ticket, whatever else he
//! proves meanwhile (security.md 4.7; D3 49, 51, 52).

use std::time::Duration;

use serde_json::json;

use super::{Owner, give, login, me, ticket};
use crate::harness::letters::letters;
use crate::harness::on_each_database;
use crate::harness::people::{STAFF, Z1};

const QUARTER: Duration = Duration::from_mins(15);

#[tokio::test]
async fn five_wrong_codes_lock_whatever_the_ticket_and_the_password_do() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let other = Owner::new(server, &STAFF).await;
        // Fresh tickets, right passwords and another way in between: none refills it.
        for round in 0..5 {
            let wrong = owner.wrong(server);
            let answer = match round % 3 {
                0 => login(&server.client(), &Z1, Some(&wrong)).await,
                1 => {
                    let ticket = ticket(&login(&server.client(), &Z1, None).await);
                    give(&server.client(), &ticket, &wrong).await
                }
                _ => {
                    let sending = owner.program.post("/api/auth/2fa/verify");
                    sending.json(&json!({"code": wrong})).send().await
                }
            };
            assert_eq!(answer.verdict(), "401 second_factor_wrong", "{round}");
            let own = login(&server.client(), &STAFF, Some(&other.code(server))).await;
            assert!(own.status == 201 || round > 0, "somebody else's success: {own:?}");
        }
        let ticket = ticket(&login(&server.client(), &Z1, None).await);
        for code in [owner.code(server), owner.backup_codes[0].clone(), owner.wrong(server)] {
            let locked = give(&server.client(), &ticket, &code).await;
            assert_eq!(locked.verdict(), "429 second_factor_locked");
            let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
            assert!(wait > 800 && wait <= 900, "{wait}");
            let at_once = login(&server.client(), &Z1, Some(&code)).await;
            assert_eq!(at_once.verdict(), "429 second_factor_locked");
        }
        server.events("authn_factor_lock", 1).await;
        let subjects: Vec<String> =
            letters(server, Z1.email, 2).await.into_iter().map(|letter| letter.subject).collect();
        assert!(subjects.contains(&"Wrong codes for your account".to_owned()), "{subjects:?}");
        server.advance(QUARTER);
        let answer = login(&server.client(), &Z1, Some(&owner.code(server))).await;
        assert_eq!(answer.status, 201, "control, and nothing was used: {answer:?}");
    })
    .await;
}

/// A right code ends the row; a right password and a new one do not.
#[tokio::test]
async fn only_a_right_code_forgives() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        let wrong = async |count: usize| {
            for _ in 0..count {
                let code = owner.wrong(server);
                let answer = login(&server.client(), &Z1, Some(&code)).await;
                assert_eq!(answer.verdict(), "401 second_factor_wrong");
            }
        };
        wrong(4).await;
        assert_eq!(login(&server.client(), &Z1, Some(&owner.code(server))).await.status, 201);
        wrong(4).await;
        ticket(&login(&server.client(), &Z1, None).await);
        let mut tx = server.app.db.write().await.unwrap();
        let email = portcullis_domain::text::Email::parse(Z1.email).unwrap();
        let user = portcullis_store::users::by_email(&mut tx, &email).await.unwrap().unwrap();
        portcullis_store::users::unlock(&mut tx, user.id).await.unwrap();
        tx.commit().await.unwrap();
        wrong(1).await;
        let locked = login(&server.client(), &Z1, Some(&owner.wrong(server))).await;
        assert_eq!(locked.verdict(), "429 second_factor_locked");
    })
    .await;
}

/// A hundred in a row: no code of the app is good any more, a backup code is, and nobody gets in
/// without one.
#[tokio::test]
async fn a_hundred_wrong_codes_close_the_account_to_the_app_and_never_open_it() {
    on_each_database(async |server| {
        let owner = Owner::new(server, &Z1).await;
        for number in 0..100 {
            if number % 5 == 0 && number > 0 {
                server.advance(QUARTER);
            }
            let answer = login(&server.client(), &Z1, Some(&owner.wrong(server))).await;
            assert_eq!(answer.verdict(), "401 second_factor_wrong", "{number}");
        }
        server.events("authn_factor_exhausted", 1).await;
        server.advance(QUARTER);
        let right = login(&server.client(), &Z1, Some(&owner.code(server))).await;
        assert_eq!(right.verdict(), "401 second_factor_exhausted");
        let wrong = login(&server.client(), &Z1, Some(&owner.wrong(server))).await;
        assert_eq!(wrong.verdict(), "401 second_factor_exhausted", "right or not");
        ticket(&login(&server.client(), &Z1, None).await);
        let status = owner.program.get("/api/two-factor/status").send().await.json();
        assert_eq!(status["appCodesRefused"], true, "{status}");

        let client = server.client();
        let backup = login(&client, &Z1, Some(&owner.backup_codes[0])).await;
        assert_eq!(backup.status, 201, "{backup:?}");
        assert_eq!(me(&client).await, 200);
        let right = login(&server.client(), &Z1, Some(&owner.code(server))).await;
        assert_eq!(right.verdict(), "401 second_factor_exhausted", "that opens it to no app");
        let subjects: Vec<String> =
            letters(server, Z1.email, 3).await.into_iter().map(|letter| letter.subject).collect();
        let told = "Codes of your authenticator app are not taken any more".to_owned();
        assert!(subjects.contains(&told), "{subjects:?}");
    })
    .await;
}
