//! One-time tokens: each is spent once, however many ask at once.

use portcullis_domain::event::EndReason;
use portcullis_domain::id::SessionId;
use portcullis_domain::session::Life;
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::csrf_spent::{self, BATCH, Spend};
use portcullis_store::{Db, Tx, sessions};

use crate::harness::{NOW, ada, credential, each, later, mac, new_credential, race, session};
use crate::sessions::one_session;

#[tokio::test]
async fn every_size_of_batch_is_spent_once() {
    each(async |test| {
        let id = one_session(test).await;
        for size in [0, 1, 2, 4, 5, 16, 17, BATCH, BATCH + 1, 3 * BATCH] {
            let spends: Vec<Spend<'_>> =
                (0..size).map(|number| spend(&id, [size, number])).collect();
            let mut tx = test.write().await;
            assert_eq!(csrf_spent::spend(&mut tx, &spends).await.unwrap(), vec![true; size]);
            assert_eq!(csrf_spent::spend(&mut tx, &spends).await.unwrap(), vec![false; size]);
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn the_answers_are_in_the_order_asked() {
    each(async |test| {
        let id = one_session(test).await;
        let [a, b, c] = [1, 2, 3].map(|number| spend(&id, [0, number]));
        let mut tx = test.write().await;
        assert_eq!(csrf_spent::spend(&mut tx, &[b]).await.unwrap(), [true]);
        let batch = [c, b, a, c, a];
        let spent = csrf_spent::spend(&mut tx, &batch).await.unwrap();
        assert_eq!(spent, [true, false, true, false, false]);
    })
    .await;
}

#[tokio::test]
async fn only_living_sessions_of_the_same_epoch_spend() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let [living, rotated, ended] = [1, 2, 3];
        let living = session(&mut tx, living, user).await;
        let rotated = session(&mut tx, rotated, user).await;
        let ended = session(&mut tx, ended, user).await;
        let unknown = SessionId::from_random([9; 16]);
        sessions::rotate_csrf(&mut tx, &rotated, 0).await.unwrap();
        sessions::end(&mut tx, &ended, EndReason::Logout, NOW).await.unwrap();
        let batch = [&living, &rotated, &ended, &unknown].map(|id| spend(id, [0, 1]));
        let spent = csrf_spent::spend(&mut tx, &batch).await.unwrap();
        assert_eq!(spent, [true, false, false, false]);
        let fresh = Spend { csrf_epoch: 1, ..spend(&rotated, [0, 1]) };
        assert_eq!(csrf_spent::spend(&mut tx, &[fresh]).await.unwrap(), [true]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_parallel_uses_one_passes() {
    each(async |test| {
        let id = one_session(test).await;
        let second_node = Db::open(&test.options).await.unwrap();
        let won = race(100, |number| {
            let db = if number % 2 == 0 { test.db.clone() } else { second_node.clone() };
            let id = id.clone();
            async move {
                let mut tx = db.write_once().await.unwrap();
                csrf_spent::spend(&mut tx, &[spend(&id, [0, 0])]).await.unwrap()
            }
        });
        assert_eq!(won.await.concat().into_iter().filter(|won| *won).count(), 1);
        second_node.close().await;
    })
    .await;
}

/// Every batch holds the same tokens in another order, so that two could wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_batches_each_token_passes_once() {
    each(async |test| {
        let id = one_session(test).await;
        let won = race(40, |turn| {
            let (db, id) = (test.db.clone(), id.clone());
            async move {
                let mut batch: Vec<Spend<'_>> =
                    (0..20).map(|number| spend(&id, [0, number])).collect();
                batch.rotate_left(turn % 20);
                let mut tx = db.write_once().await.unwrap();
                csrf_spent::spend(&mut tx, &batch).await.unwrap()
            }
        });
        assert_eq!(won.await.concat().into_iter().filter(|won| *won).count(), 20);
    })
    .await;
}

#[tokio::test]
async fn sweeping_forgets_expired_tokens() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        let batch = [spend(&id, [0, 1]), Spend { expires_at: later(60), ..spend(&id, [0, 2]) }];
        csrf_spent::spend(&mut tx, &batch).await.unwrap();
        assert_eq!(csrf_spent::sweep(&mut tx, later(60), 9).await.unwrap(), 1);
        assert_eq!(csrf_spent::sweep(&mut tx, Time(i64::MAX), 9).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn sweeping_forgets_at_most_so_many() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        let spends: Vec<Spend<'_>> = (0..25).map(|number| spend(&id, [0, number])).collect();
        csrf_spent::spend(&mut tx, &spends).await.unwrap();
        for expected in [10, 10, 5, 0] {
            assert_eq!(csrf_spent::sweep(&mut tx, later(1), 10).await.unwrap(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn the_tokens_of_dead_sessions_are_found_and_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let mut ids = Vec::new();
        for number in 1..=6 {
            let id = session(&mut tx, number, user).await;
            credential(&mut tx, number, &id, CredentialKind::Cookie).await;
            let spends: Vec<Spend<'_>> = (0..10).map(|number| spend(&id, [0, number])).collect();
            csrf_spent::spend(&mut tx, &spends).await.unwrap();
            ids.push(id);
        }
        let [ended, half, whole, _living, renewed, unspent] = ids.try_into().unwrap();
        sessions::end(&mut tx, &ended, EndReason::Logout, later(10)).await.unwrap();
        // Of two credentials one has ended; of another session both.
        credential(&mut tx, 12, &half, CredentialKind::Access).await;
        credential(&mut tx, 13, &whole, CredentialKind::Access).await;
        for number in [2, 3, 13] {
            assert!(credentials::end(&mut tx, &mac(number), later(10)).await.unwrap());
        }
        let long = Life { expires_at: later(9000), idle: None, renew_until: None };
        let long =
            NewCredential { life: long, ..new_credential(15, &renewed, CredentialKind::Api) };
        credentials::insert(&mut tx, &long, NOW).await.unwrap();
        csrf_spent::forget(&mut tx, std::slice::from_ref(&unspent), 99).await.unwrap();

        let left = async |tx: &mut Tx, seconds, limit| {
            csrf_spent::left_behind(tx, later(seconds), limit).await.unwrap()
        };
        assert_eq!(left(&mut tx, 10, 9).await, []);
        let dead = [ended.clone(), whole.clone()];
        assert_eq!(left(&mut tx, 11, 9).await, dead);
        assert_eq!(left(&mut tx, 11, 1).await, dead[..1]);
        for expected in [7, 7, 6, 0] {
            assert_eq!(csrf_spent::forget(&mut tx, &dead, 7).await.unwrap(), expected);
        }
        assert_eq!(left(&mut tx, 11, 9).await, []);
        // An hour later the credentials of all but one have expired.
        assert_eq!(left(&mut tx, 3600, 9).await, []);
        assert_eq!(left(&mut tx, 3601, 9).await.len(), 2);
        // What was spent and may still be presented was not forgotten.
        let again = csrf_spent::spend(&mut tx, &[spend(&renewed, [0, 1])]).await.unwrap();
        assert_eq!(again, [false]);
        assert_eq!(left(&mut tx, 9001, 9).await.len(), 3);
    })
    .await;
}

/// A session that has no row left has no credential either.
#[tokio::test]
async fn the_tokens_of_forgotten_sessions_are_found_too() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        csrf_spent::spend(&mut tx, &[spend(&id, [0, 1])]).await.unwrap();
        assert_eq!(sessions::sweep(&mut tx, later(1), 9).await.unwrap(), 1);
        assert_eq!(csrf_spent::left_behind(&mut tx, NOW, 9).await.unwrap(), [id]);
    })
    .await;
}

fn spend(session: &SessionId, number: [usize; 2]) -> Spend<'_> {
    let mut nonce = [0; 12];
    let bytes = number.map(|number| u8::try_from(number).unwrap());
    nonce[..2].copy_from_slice(&bytes);
    Spend { session, nonce, csrf_epoch: 0, expires_at: NOW }
}
