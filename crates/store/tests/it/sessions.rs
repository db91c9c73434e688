//! Sessions: made, ended, rotated, forgotten.

use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::session::SignInForm;
use portcullis_store::credentials::{self, CredentialKind};
use portcullis_store::sessions::{self, NewSession, Session};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, TestDb, ada, credential, each, later, mac, new_session, race, session};

#[tokio::test]
async fn a_session_reads_back_with_and_without_the_optional() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let full = NewSession {
            form: SignInForm::Mobile,
            user_epoch: 3,
            platform: Some("ios".to_owned()),
            device_type: Some("phone".to_owned()),
            app_version: Some("1.2".to_owned()),
            ..new_session(2, user)
        };
        for (number, new) in [(1, new_session(1, user)), (2, full)] {
            sessions::insert(&mut tx, &new, later(5)).await.unwrap();
            let expected = Session {
                id: new.id.clone(),
                handle: new.handle,
                user_id: user,
                user_epoch: new.user_epoch,
                form: new.form,
                csrf_epoch: 0,
                created_at: later(5),
                auth_time: NOW,
                ip: new.ip,
                peer: new.peer,
                user_agent: new.user_agent,
                platform: new.platform,
                device_type: new.device_type,
                app_version: new.app_version,
                remember_series: None,
                fetched_csrf_at: None,
                ended_at: None,
                end_reason: None,
            };
            credential(&mut tx, number, &new.id, CredentialKind::Cookie).await;
            assert_eq!(stored_session(&mut tx, number).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn ids_are_taken_and_users_must_exist() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        session(&mut tx, 1, user).await;
        tx.commit().await.unwrap();
        let same_handle =
            NewSession { handle: new_session(1, user).handle, ..new_session(2, user) };
        for new in [new_session(1, user), same_handle, new_session(3, UserId(99))] {
            let result = sessions::insert(&mut test.write().await, &new, NOW).await;
            assert!(matches!(result, Err(Error::Conflict)), "{result:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn ending_a_session_ends_its_credentials() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (one, two) = (session(&mut tx, 1, user).await, session(&mut tx, 2, user).await);
        credential(&mut tx, 1, &one, CredentialKind::Cookie).await;
        credential(&mut tx, 2, &two, CredentialKind::Cookie).await;
        assert!(sessions::end(&mut tx, &one, EndReason::Logout, later(1)).await.unwrap());
        assert!(!sessions::end(&mut tx, &one, EndReason::Replaced, later(2)).await.unwrap());
        let ended = stored_session(&mut tx, 1).await;
        assert_eq!((ended.ended_at, ended.end_reason.as_deref()), (Some(later(1)), Some("logout")));
        assert_eq!(ended_credentials(&mut tx).await, [true, false, false]);
    })
    .await;
}

#[tokio::test]
async fn ending_all_spares_one_and_other_users() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let role = crate::harness::role(&mut tx, "other", 1).await;
        let other = crate::harness::new_user("other", role);
        let other = portcullis_store::users::insert(&mut tx, &other, NOW).await.unwrap();
        let mut ids = Vec::new();
        for (number, user) in [(1, user), (2, user), (3, other)] {
            let id = session(&mut tx, number, user).await;
            credential(&mut tx, number, &id, CredentialKind::Api).await;
            ids.push(id);
        }
        let reason = EndReason::Replaced;
        let end = async |tx: &mut Tx, except| {
            sessions::end_all_of_user(tx, user, except, reason, later(1)).await.unwrap()
        };
        assert_eq!(end(&mut tx, Some(&ids[1])).await, 1);
        assert_eq!(ended_credentials(&mut tx).await, [true, false, false]);
        assert_eq!(end(&mut tx, None).await, 1);
        assert_eq!(end(&mut tx, None).await, 0);
        assert_eq!(ended_credentials(&mut tx).await, [true, true, false]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_rotations_and_first_fetches_one_wins() {
    each(async |test| {
        let id = one_session(test).await;
        let won = race(20, |_| {
            let (db, id) = (test.db.clone(), id.clone());
            async move {
                let mut tx = db.write_once().await.unwrap();
                let rotated = sessions::rotate_csrf(&mut tx, &id, 0).await.unwrap();
                drop(tx);
                let mut tx = db.write_once().await.unwrap();
                let first = sessions::claim_first_fetch(&mut tx, &id, later(2)).await.unwrap();
                (rotated, first)
            }
        });
        let won = won.await;
        assert_eq!(won.iter().filter(|(rotated, _)| *rotated).count(), 1);
        assert_eq!(won.iter().filter(|(_, first)| *first).count(), 1);
        let mut tx = test.write().await;
        credential(&mut tx, 1, &id, CredentialKind::Cookie).await;
        let session = stored_session(&mut tx, 1).await;
        assert_eq!((session.csrf_epoch, session.fetched_csrf_at), (1, Some(later(2))));
        sessions::end(&mut tx, &id, EndReason::Replaced, NOW).await.unwrap();
        assert!(!sessions::rotate_csrf(&mut tx, &id, 1).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn sweeping_forgets_what_is_long_dead() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=3 {
            let id = session(&mut tx, number, user).await;
            credential(&mut tx, number, &id, CredentialKind::Cookie).await;
        }
        let id = |number| new_session(number, user).id;
        sessions::end(&mut tx, &id(1), EndReason::Logout, later(10)).await.unwrap();
        assert_eq!(sweep(&mut tx, 10, 9).await, (0, 0));
        assert_eq!(sweep(&mut tx, 11, 9).await, (1, 1));
        assert!(credentials::find(&mut tx, &mac(1)).await.unwrap().is_none());
        assert!(credentials::find(&mut tx, &mac(2)).await.unwrap().is_some());
        assert_eq!(sweep(&mut tx, 3600, 9).await, (0, 0));
        assert_eq!(sweep(&mut tx, 3601, 1).await, (1, 1), "a slice");
        assert_eq!(sweep(&mut tx, 3601, 9).await, (1, 1));
    })
    .await;
}

#[tokio::test]
async fn sessions_stay_as_long_as_a_credential_does_and_are_swept_in_slices() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=4 {
            session(&mut tx, number, user).await;
        }
        let kept = new_session(1, user).id;
        credential(&mut tx, 1, &kept, CredentialKind::Cookie).await;
        assert_eq!(sessions::sweep(&mut tx, NOW, 9).await.unwrap(), 0);
        for expected in [2, 1, 0] {
            assert_eq!(sessions::sweep(&mut tx, later(1), 2).await.unwrap(), expected);
        }
        assert_eq!(stored_session(&mut tx, 1).await.id, kept);
    })
    .await;
}

/// Sweeps credentials, then sessions; how many of each.
async fn sweep(tx: &mut Tx, seconds: u64, limit: u32) -> (u64, u64) {
    let before = later(seconds);
    let credentials = credentials::sweep(tx, before, limit).await.unwrap();
    (credentials, sessions::sweep(tx, before, limit).await.unwrap())
}

pub(crate) async fn one_session(test: &TestDb) -> SessionId {
    let mut tx = test.write().await;
    let user = ada(&mut tx).await;
    let id = session(&mut tx, 1, user).await;
    tx.commit().await.unwrap();
    id
}

/// The session of a credential.
pub(crate) async fn stored_session(tx: &mut Tx, number: u8) -> Session {
    let found = credentials::find(tx, &mac(number)).await.unwrap().unwrap();
    sessions::by_id(tx, &found.session().unwrap().session.id).await.unwrap().unwrap()
}

/// Of the credentials 1 to 3; one that does not exist counts as living.
async fn ended_credentials(tx: &mut Tx) -> [bool; 3] {
    let mut ended = [false; 3];
    for (number, ended) in (1..).zip(&mut ended) {
        let found = credentials::find(tx, &mac(number)).await.unwrap();
        *ended = found.is_some_and(|found| found.session().unwrap().credential.has_ended);
    }
    ended
}
