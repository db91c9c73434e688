//! Beginning anew without signing out: what dies with an epoch, what is carried over, and that of
//! parallel callers one wins. And the address of a user.

use portcullis_domain::id::{SeriesId, SessionId, UserId};
use portcullis_domain::text::{Email, Username};
use portcullis_store::credentials::{self, CredentialKind, Found, NewCredential};
use portcullis_store::remember::{self, NewSeries};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::{Error, Tx, rotation, users};

use crate::harness::{
    NOW, ada, credential, each, full_user, later, mac, new_credential, new_session, new_user, race,
    session,
};

/// Whether the store counts the session and its series as of the user's epoch now.
async fn is_current(tx: &mut Tx, id: &SessionId) -> (bool, Option<bool>) {
    let session = sessions::by_id(tx, id).await.unwrap().unwrap();
    let epoch = users::by_id(tx, session.user_id).await.unwrap().unwrap().epoch;
    let series = match &session.remember_series {
        Some(series) => remember::hold(tx, series).await.unwrap(),
        None => None,
    };
    (session.user_epoch == epoch, series.map(|series| series.user_epoch == epoch))
}

async fn remembered(tx: &mut Tx, number: u8, user_id: UserId) -> SessionId {
    let series = NewSeries {
        id: SeriesId::from_random([number; 16]),
        user_id,
        user_epoch: 0,
        ip: String::new(),
        peer: String::new(),
        user_agent: String::new(),
        expires_at: later(3600),
    };
    remember::insert(tx, &series, NOW).await.unwrap();
    let new = NewSession { remember_series: Some(series.id), ..new_session(number, user_id) };
    sessions::insert(tx, &new, NOW).await.unwrap();
    new.id
}

#[tokio::test]
async fn one_session_is_carried_over_and_the_others_are_dead() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let (kept, other) = (remembered(&mut tx, 1, ada).await, remembered(&mut tx, 2, ada).await);
        let plain = session(&mut tx, 3, ada).await;
        assert_eq!(
            rotation::raise_epoch(&mut tx, ada, 1).await.unwrap(),
            None,
            "not of this epoch"
        );
        assert_eq!(rotation::raise_epoch(&mut tx, ada, 0).await.unwrap(), Some(1));
        assert!(rotation::carry_over(&mut tx, &kept, 0, 1).await.unwrap());
        assert!(!rotation::carry_over(&mut tx, &kept, 0, 1).await.unwrap(), "once more");
        assert_eq!(is_current(&mut tx, &kept).await, (true, Some(true)));
        assert_eq!(is_current(&mut tx, &other).await, (false, Some(false)));
        assert_eq!(is_current(&mut tx, &plain).await, (false, None));
    })
    .await;
}

#[tokio::test]
async fn everything_living_is_carried_over() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let clerk = users::by_id(&mut tx, ada).await.unwrap().unwrap().role_id;
        let eve = users::insert(&mut tx, &new_user("eve", clerk), NOW).await.unwrap();
        let (first, second) = (remembered(&mut tx, 1, ada).await, session(&mut tx, 2, ada).await);
        let ended = session(&mut tx, 3, ada).await;
        let reason = portcullis_domain::event::EndReason::Logout;
        sessions::end(&mut tx, &ended, reason, NOW).await.unwrap();
        let hers = session(&mut tx, 4, eve).await;
        rotation::raise_epoch(&mut tx, ada, 0).await.unwrap();
        rotation::carry_over_all(&mut tx, ada, 0, 1).await.unwrap();
        assert_eq!(is_current(&mut tx, &first).await, (true, Some(true)));
        assert_eq!(is_current(&mut tx, &second).await, (true, None));
        assert_eq!(is_current(&mut tx, &ended).await, (false, None), "what is over stays over");
        assert_eq!(is_current(&mut tx, &hers).await, (true, None), "another's is untouched");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_changes_one_wins() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let won = race(16, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let won = rotation::raise_epoch(&mut tx, ada, 0).await.unwrap();
                tx.commit().await.unwrap();
                won
            }
        })
        .await;
        assert_eq!(won.iter().flatten().collect::<Vec<_>>(), [&1]);
    })
    .await;
}

#[tokio::test]
async fn a_cookie_gets_a_new_secret_and_keeps_its_life() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let id = session(&mut tx, 1, ada).await;
        let cookie = credential(&mut tx, 1, &id, CredentialKind::Cookie).await;
        let api = credential(&mut tx, 2, &id, CredentialKind::Api).await;
        let before = credentials::find(&mut tx, &cookie).await.unwrap().unwrap();
        assert!(rotation::replace_cookie(&mut tx, &cookie, &mac(9)).await.unwrap());
        assert!(!rotation::replace_cookie(&mut tx, &cookie, &mac(8)).await.unwrap(), "once more");
        assert!(!rotation::replace_cookie(&mut tx, &api, &mac(8)).await.unwrap(), "no cookie");
        assert_eq!(credentials::find(&mut tx, &cookie).await.unwrap(), None);
        let after = credentials::find(&mut tx, &mac(9)).await.unwrap().unwrap();
        let life = |found: &Found| found.session().unwrap().credential.clone();
        assert_eq!(life(&after), life(&before));
        credentials::end(&mut tx, &mac(9), NOW).await.unwrap();
        assert!(!rotation::replace_cookie(&mut tx, &mac(9), &mac(8)).await.unwrap(), "it is over");
    })
    .await;
}

#[tokio::test]
async fn a_fresh_proof_is_noted_while_the_session_lives() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let id = session(&mut tx, 1, ada).await;
        assert!(rotation::prove_again(&mut tx, &id, later(60)).await.unwrap());
        let session = sessions::by_id(&mut tx, &id).await.unwrap().unwrap();
        assert_eq!(session.auth_time, later(60));
        sessions::end(&mut tx, &id, portcullis_domain::event::EndReason::Logout, NOW)
            .await
            .unwrap();
        assert!(!rotation::prove_again(&mut tx, &id, later(90)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_else_a_session_handed_out_ends() {
    each(async |test| {
        let check = async |kept: u8, alive: &[u8]| {
            let mut tx = test.write().await;
            let ada = ada(&mut tx).await;
            let (id, other) = (session(&mut tx, 1, ada).await, session(&mut tx, 2, ada).await);
            credential(&mut tx, 1, &id, CredentialKind::Cookie).await;
            let parent = credential(&mut tx, 2, &id, CredentialKind::Mobile).await;
            let child = new_credential(3, &id, CredentialKind::Child);
            let child = NewCredential { parent: Some(parent), ..child };
            credentials::insert(&mut tx, &child, NOW).await.unwrap();
            credential(&mut tx, 4, &id, CredentialKind::Access).await;
            credential(&mut tx, 5, &other, CredentialKind::Cookie).await;
            rotation::end_other_credentials(&mut tx, &id, &mac(kept), NOW).await.unwrap();
            let mut found = Vec::new();
            for number in 1..=5 {
                let credential = credentials::find(&mut tx, &mac(number)).await.unwrap().unwrap();
                if !credential.session().unwrap().credential.has_ended {
                    found.push(number);
                }
            }
            assert_eq!(found, alive, "kept {kept}");
        };
        check(1, &[1, 5]).await;
        check(2, &[2, 5]).await;
        // A child lives no longer than what it was made with.
        check(3, &[2, 3, 5]).await;
        check(4, &[4, 5]).await;
    })
    .await;
}

#[tokio::test]
async fn an_address_is_proved_doubted_and_replaced() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        let address = |text: &str| Email::parse(text).unwrap();
        let clerk = users::by_id(&mut tx, id).await.unwrap().unwrap().role_id;
        let mut eve = full_user("eve", clerk);
        eve.username = Some(Username::parse("eve@work.example").unwrap());
        users::insert(&mut tx, &eve, NOW).await.unwrap();
        assert_eq!(users::email_verified_at(&mut tx, id).await.unwrap(), Some(NOW));
        assert!(users::doubt_email(&mut tx, id).await.unwrap());
        assert!(!users::doubt_email(&mut tx, id).await.unwrap(), "once more");
        assert_eq!(users::email_verified_at(&mut tx, id).await.unwrap(), None);
        let (now, other) = (later(9), address("other@example.com"));
        assert!(!users::verify_email(&mut tx, id, &other, now).await.unwrap(), "not hers");
        let hers = address("ADA@example.com");
        assert!(users::verify_email(&mut tx, id, &hers, now).await.unwrap());
        assert!(!users::verify_email(&mut tx, id, &hers, later(10)).await.unwrap(), "once more");
        assert_eq!(users::email_verified_at(&mut tx, id).await.unwrap(), Some(now));

        for taken in ["eve@example.com", "EVE@work.example"] {
            assert!(!users::email_is_free(&mut tx, id, &address(taken)).await.unwrap(), "{taken}");
            let set = users::set_email(&mut tx, id, &address(taken), now).await;
            assert!(matches!(set, Err(Error::Conflict)), "{taken}");
        }
        users::doubt_email(&mut tx, id).await.unwrap();
        assert!(users::set_email(&mut tx, id, &other, later(20)).await.unwrap());
        assert!(
            !users::set_email(&mut tx, UserId(99), &address("x@example.com"), now).await.unwrap()
        );
        let user = users::by_email(&mut tx, &other).await.unwrap().unwrap();
        assert_eq!((user.id, user.email), (id, other));
        assert_eq!(users::email_verified_at(&mut tx, id).await.unwrap(), Some(later(20)));
    })
    .await;
}
