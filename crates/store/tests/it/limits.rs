//! Throttles and lock-outs hold in parallel, and what they count can be read.

use portcullis_domain::throttle::{Limit, Lock, Verdict, Window};
use portcullis_domain::time::Time;
use portcullis_store::{Tx, lockouts, throttle};

use crate::harness::{NOW, each, later, race};

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_parallel_attempts_the_limit_is_admitted() {
    each(async |test| {
        let admitted = race(1000, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let verdict =
                    throttle::reserve(&mut tx, "key", limit("37/60s"), NOW).await.unwrap();
                tx.commit().await.unwrap();
                matches!(verdict, Verdict::Admitted { .. })
            }
        });
        assert_eq!(admitted.await.into_iter().filter(|admitted| *admitted).count(), 37);
        let window = throttle::get(&mut test.read().await, "key").await.unwrap();
        assert_eq!(window, Some(Window { started: NOW, count: 37 }));
    })
    .await;
}

#[tokio::test]
async fn a_window_ends_and_keys_are_apart() {
    each(async |test| {
        let mut tx = test.write().await;
        let mut check = async |key: &str, now: Time, remaining: Option<u32>| {
            let expected = remaining;
            let verdict = throttle::reserve(&mut tx, key, limit("2/60s"), now).await.unwrap();
            let remaining = match verdict {
                Verdict::Admitted { remaining, .. } => Some(remaining),
                Verdict::Refused { .. } => None,
            };
            assert_eq!(remaining, expected, "{key} {now:?}");
        };
        check("a", NOW, Some(1)).await;
        check("a", later(1), Some(0)).await;
        check("a", later(59), None).await;
        check("b", later(59), Some(1)).await;
        check("a", later(60), Some(1)).await;
        assert_eq!(throttle::get(&mut tx, "none").await.unwrap(), None);
        assert_eq!(throttle::sweep(&mut tx, later(119), 9).await.unwrap(), 0);
        assert_eq!(throttle::sweep(&mut tx, later(120), 9).await.unwrap(), 1);
        assert_eq!(throttle::get(&mut tx, "b").await.unwrap(), None);
        throttle::reserve(&mut tx, "c", limit("2/60s"), NOW).await.unwrap();
        for expected in [1, 1, 0] {
            assert_eq!(throttle::sweep(&mut tx, later(121), 1).await.unwrap(), expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_guesses_the_limit_is_let_through() {
    each(async |test| {
        let open = race(100, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let lock = guess(&mut tx, "key", NOW).await;
                tx.commit().await.unwrap();
                matches!(lock, Lock::Open { .. })
            }
        });
        assert_eq!(open.await.into_iter().filter(|open| *open).count(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_lock_ends_by_time_or_by_success() {
    each(async |test| {
        let mut tx = test.write().await;
        for last in [false, false, true] {
            assert_eq!(guess(&mut tx, "a", NOW).await, Lock::Open { last });
        }
        let locked = guess(&mut tx, "a", later(899)).await;
        assert!(matches!(locked, Lock::Locked { until, .. } if until == later(900)), "{locked:?}");
        assert_eq!(guess(&mut tx, "b", NOW).await, Lock::Open { last: false });
        assert_eq!(guess(&mut tx, "a", later(900)).await, Lock::Open { last: false });
        assert!(lockouts::clear(&mut tx, "a").await.unwrap());
        assert!(!lockouts::clear(&mut tx, "a").await.unwrap());
        guess(&mut tx, "c", NOW).await;
        assert_eq!(lockouts::sweep(&mut tx, later(86_400), 9).await.unwrap(), 0);
        for expected in [1, 1, 0] {
            assert_eq!(lockouts::sweep(&mut tx, later(86_401), 1).await.unwrap(), expected);
        }
    })
    .await;
}

async fn guess(tx: &mut Tx, key: &str, now: Time) -> Lock {
    lockouts::reserve_failure(tx, key, limit("3/15m"), now).await.unwrap()
}

fn limit(text: &str) -> Limit {
    text.parse().unwrap()
}
