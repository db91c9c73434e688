//! One-time tokens: each is spent once, however many ask at once.

use portcullis_domain::event::EndReason;
use portcullis_domain::id::SessionId;
use portcullis_domain::time::Time;
use portcullis_store::csrf_spent::{self, BATCH, Spend};
use portcullis_store::{Db, sessions};

use crate::harness::{NOW, ada, each, later, race, session};
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
        assert_eq!(csrf_spent::sweep(&mut tx, later(60)).await.unwrap(), 1);
        assert_eq!(csrf_spent::sweep(&mut tx, Time(i64::MAX)).await.unwrap(), 1);
    })
    .await;
}

fn spend(session: &SessionId, number: [usize; 2]) -> Spend<'_> {
    let mut nonce = [0; 12];
    let bytes = number.map(|number| u8::try_from(number).unwrap());
    nonce[..2].copy_from_slice(&bytes);
    Spend { session, nonce, csrf_epoch: 0, expires_at: NOW }
}
