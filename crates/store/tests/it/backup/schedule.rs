//! Whose turn it is, what is noted of good and failed backups, and what a restore ends.

use std::time::Duration;

use portcullis_domain::backup::{LEASE, TRIED_AGAIN};
use portcullis_domain::event::BackupFailure;
use portcullis_domain::time::Time;
use portcullis_store::backup::{self, Good, State};
use portcullis_store::credentials::CredentialKind;
use portcullis_store::sessions;

use crate::harness::{NOW, TestDb, ada, credential, each, later, race, session};

const DAY: Duration = Duration::from_hours(24);

async fn claims(test: &TestDb, now: Time) -> bool {
    let mut tx = test.write().await;
    let is_ours = backup::claim(&mut tx, DAY, now).await.unwrap();
    tx.commit().await.unwrap();
    is_ours
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_one_takes_the_turn() {
    each(async |test| {
        let won = race(8, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let is_ours = backup::claim(&mut tx, DAY, NOW).await.unwrap();
                tx.commit().await.unwrap();
                is_ours
            }
        })
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        // Whoever took it is never heard of again.
        assert!(!claims(test, NOW.plus(LEASE).minus(Duration::from_millis(1))).await);
        let began = NOW.plus(LEASE);
        assert!(claims(test, began).await);
        let mut tx = test.write().await;
        backup::release(&mut tx, began).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!claims(test, began.plus(DAY).minus(Duration::from_millis(1))).await);
        let began = began.plus(DAY);
        assert!(claims(test, began).await);
        let mut tx = test.write().await;
        backup::give_back(&mut tx, began).await.unwrap();
        tx.commit().await.unwrap();
        assert!(claims(test, began).await);
        let mut tx = test.write().await;
        backup::note_failure(&mut tx, BackupFailure::Full, began).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!claims(test, began.plus(Duration::from_secs(1))).await);
        assert!(claims(test, began.plus(TRIED_AGAIN)).await);
    })
    .await;
}

#[tokio::test]
async fn the_last_good_one_is_noted_and_a_failure_until_there_is_one() {
    each(async |test| {
        let good =
            |seconds, file: &str| Good { at: later(seconds), file: file.to_owned(), bytes: 7 };
        let mut tx = test.write().await;
        assert_eq!(backup::state(&mut tx).await.unwrap(), State::default());
        backup::note_failure(&mut tx, BackupFailure::Unwritable, NOW).await.unwrap();
        let state = backup::state(&mut tx).await.unwrap();
        assert_eq!(state.failed, Some((NOW, "unwritable".to_owned())));
        backup::note_good(&mut tx, &good(5, "b")).await.unwrap();
        // One that was begun before, and took longer.
        backup::note_good(&mut tx, &good(4, "a")).await.unwrap();
        let noted = State { good: Some(good(5, "b")), failed: None };
        assert_eq!(backup::state(&mut tx).await.unwrap(), noted);
        backup::note_restored(&mut tx, &good(3, "c")).await.unwrap();
        assert_eq!(backup::state(&mut tx).await.unwrap().good, Some(good(3, "c")));
    })
    .await;
}

#[tokio::test]
async fn a_restore_ends_what_signs_in_and_counts_what_lived() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (first, second) = (session(&mut tx, 1, user).await, session(&mut tx, 2, user).await);
        credential(&mut tx, 1, &first, CredentialKind::Cookie).await;
        credential(&mut tx, 2, &second, CredentialKind::Cookie).await;
        sessions::end(&mut tx, &second, portcullis_domain::event::EndReason::Logout, NOW)
            .await
            .unwrap();
        let ended = backup::end_everything(&mut tx, later(9)).await.unwrap();
        assert_eq!(ended.sessions, 1);
        let found = sessions::by_id(&mut tx, &first).await.unwrap().unwrap();
        assert_eq!(
            (found.ended_at, found.end_reason.as_deref()),
            (Some(later(9)), Some("restored"))
        );
        let found = sessions::by_id(&mut tx, &second).await.unwrap().unwrap();
        assert_eq!((found.ended_at, found.end_reason.as_deref()), (Some(NOW), Some("logout")));
        let user = portcullis_store::users::by_id(&mut tx, user).await.unwrap().unwrap();
        assert_eq!(user.epoch, later(9).0);
    })
    .await;
}
