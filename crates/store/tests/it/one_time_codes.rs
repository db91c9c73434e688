//! Codes that people type: tried a few times, spent by one, voided by a newer one, forgotten.

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::{CodePurpose, MAX_ATTEMPTS};
use portcullis_store::one_time_codes::{self, NewCode, Tried};
use portcullis_store::{Error, Tx, users};

use crate::harness::{NOW, ada, each, later, mac, race};

const PURPOSE: CodePurpose = CodePurpose::PasswordReset;
/// The MAC of the right code, whatever the ticket.
const RIGHT: u8 = 100;
const WRONG: u8 = 101;

#[tokio::test]
async fn a_code_is_good_once_in_its_time_and_with_its_ticket() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_codes::issue(&mut tx, &new_code(1, ada), NOW).await.unwrap();
        assert_eq!(try_code(&mut tx, 2, RIGHT, 0).await, Tried::Over, "another ticket");
        assert_eq!(try_code(&mut tx, 1, RIGHT, 60).await, Tried::Over, "its time is over");
        let elsewhere = CodePurpose::NewPlace;
        let tried = one_time_codes::try_code(&mut tx, elsewhere, &mac(1), &mac(RIGHT), NOW).await;
        assert_eq!(tried.unwrap(), Tried::Over, "another purpose");
        assert_eq!(try_code(&mut tx, 1, WRONG, 59).await, Tried::Wrong { left: 4 });
        let right = Tried::Right { user: ada, detail: "{}".to_owned() };
        assert_eq!(try_code(&mut tx, 1, RIGHT, 59).await, right);
        assert_eq!(try_code(&mut tx, 1, RIGHT, 59).await, Tried::Over, "once more");
    })
    .await;
}

#[tokio::test]
async fn a_code_that_was_guessed_at_is_dead() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_codes::issue(&mut tx, &new_code(1, ada), NOW).await.unwrap();
        for left in (0..MAX_ATTEMPTS).rev() {
            assert_eq!(try_code(&mut tx, 1, WRONG, 1).await, Tried::Wrong { left });
        }
        assert_eq!(try_code(&mut tx, 1, RIGHT, 1).await, Tried::Exhausted);
        one_time_codes::issue(&mut tx, &new_code(2, ada), NOW).await.unwrap();
        assert_eq!(try_code(&mut tx, 1, RIGHT, 1).await, Tried::Over, "a newer one is in force");
        assert!(matches!(try_code(&mut tx, 2, RIGHT, 1).await, Tried::Right { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_there_stays_with_the_tries_that_are_left() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        assert!(one_time_codes::issue_once(&mut tx, &new_code(1, ada), NOW).await.unwrap());
        assert_eq!(try_code(&mut tx, 1, WRONG, 1).await, Tried::Wrong { left: 4 });
        assert!(!one_time_codes::issue_once(&mut tx, &new_code(1, ada), NOW).await.unwrap());
        assert_eq!(try_code(&mut tx, 1, WRONG, 1).await, Tried::Wrong { left: 3 });
        assert!(one_time_codes::issue_once(&mut tx, &new_code(2, ada), NOW).await.unwrap());
        assert_eq!(try_code(&mut tx, 1, RIGHT, 1).await, Tried::Over, "another is in force");
        assert!(matches!(try_code(&mut tx, 2, RIGHT, 1).await, Tried::Right { .. }));
        assert!(!one_time_codes::issue_once(&mut tx, &new_code(2, ada), NOW).await.unwrap());
        assert_eq!(
            try_code(&mut tx, 2, RIGHT, 1).await,
            Tried::Over,
            "a used one is not made anew"
        );
    })
    .await;
}

#[tokio::test]
async fn a_code_is_dead_under_another_epoch_and_known_by_its_user() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let ticket = one_time_codes::ticket_of(&mut tx, PURPOSE, ada).await.unwrap();
        assert_eq!(ticket, None);
        one_time_codes::issue(&mut tx, &new_code(1, ada), NOW).await.unwrap();
        let ticket = one_time_codes::ticket_of(&mut tx, PURPOSE, ada).await.unwrap();
        assert_eq!(ticket, Some(mac(1)));
        users::bump_epoch(&mut tx, ada).await.unwrap();
        assert_eq!(try_code(&mut tx, 1, RIGHT, 1).await, Tried::Over);
        let nobody = one_time_codes::issue(&mut tx, &new_code(9, UserId(99)), NOW).await;
        assert!(matches!(nobody, Err(Error::Conflict)), "{nobody:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_do_not_outrun_the_counter() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_codes::issue(&mut tx, &new_code(1, ada), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let tried = race(24, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let tried = try_code(&mut tx, 1, WRONG, 1).await;
                tx.commit().await.unwrap();
                tried
            }
        })
        .await;
        let compared = tried.iter().filter(|tried| matches!(tried, Tried::Wrong { .. })).count();
        assert_eq!(compared, usize::try_from(MAX_ATTEMPTS).unwrap(), "{tried:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_callers_one_wins() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_codes::issue(&mut tx, &new_code(1, ada), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let tried = race(16, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let tried = try_code(&mut tx, 1, RIGHT, 1).await;
                tx.commit().await.unwrap();
                tried
            }
        })
        .await;
        let won = tried.iter().filter(|tried| matches!(tried, Tried::Right { .. })).count();
        assert_eq!(won, 1, "{tried:?}");
    })
    .await;
}

#[tokio::test]
async fn codes_are_forgotten_some_time_after_their_end() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        for number in 1..=3 {
            one_time_codes::issue(&mut tx, &new_code(number, ada), NOW).await.unwrap();
        }
        assert_eq!(one_time_codes::sweep(&mut tx, later(60), 9).await.unwrap(), 0);
        assert_eq!(one_time_codes::sweep(&mut tx, later(61), 2).await.unwrap(), 2);
        assert_eq!(one_time_codes::sweep(&mut tx, later(61), 2).await.unwrap(), 1);
    })
    .await;
}

async fn try_code(tx: &mut Tx, ticket: u8, code: u8, seconds: u64) -> Tried {
    let (ticket, code, now) = (mac(ticket), mac(code), later(seconds));
    one_time_codes::try_code(tx, PURPOSE, &ticket, &code, now).await.unwrap()
}

/// A code that is good for a minute.
fn new_code(ticket: u8, user_id: UserId) -> NewCode<'static> {
    NewCode {
        ticket: mac(ticket),
        purpose: PURPOSE,
        user_id,
        user_epoch: 0,
        code: mac(RIGHT),
        detail: "{}",
        expires_at: later(60),
    }
}
