//! Throttles and lock-outs hold in parallel, and what they count can be read.

use portcullis_domain::id::UserId;
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
        let window = throttle::get(&mut test.read().await, "key", limit("37/60s")).await.unwrap();
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
        assert_eq!(throttle::get(&mut tx, "none", limit("2/60s")).await.unwrap(), None);
        assert_eq!(throttle::sweep(&mut tx, later(119), 9).await.unwrap(), 0);
        assert_eq!(throttle::sweep(&mut tx, later(120), 9).await.unwrap(), 1);
        assert_eq!(throttle::get(&mut tx, "b", limit("2/60s")).await.unwrap(), None);
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

#[tokio::test]
async fn lock_outs_of_users_are_listed() {
    each(async |test| {
        let mut tx = test.write().await;
        let all = async |tx: &mut Tx, user, since| {
            let found = lockouts::of_users(tx, user, 3, since, 10).await.unwrap();
            let shown = |one: lockouts::LockedOut| format!("{} {}", one.user, one.what);
            found.into_iter().map(shown).collect::<Vec<_>>()
        };
        let keys = ["user:1:192.0.2.1/32", "user:1:device:ab", "user:12:2001:db8::/64"];
        for (number, key) in keys.into_iter().enumerate() {
            for _ in 0..3 {
                guess(&mut tx, key, later(number as u64)).await;
            }
        }
        // Not yet locked out, and nobody's account.
        guess(&mut tx, "user:1:192.0.2.2/32", NOW).await;
        for _ in 0..3 {
            guess(&mut tx, "unknown:x:192.0.2.1/32", NOW).await;
        }
        let (one, before) = (UserId(1), Time(NOW.0 - 1));
        let newest_first = ["12 2001:db8::/64", "1 device:ab", "1 192.0.2.1/32"];
        assert_eq!(all(&mut tx, None, before).await, newest_first);
        assert_eq!(all(&mut tx, Some(one), before).await, newest_first[1..]);
        assert_eq!(all(&mut tx, Some(one), NOW).await, ["1 device:ab"], "the other is over");
        assert_eq!(lockouts::of_users(&mut tx, None, 3, before, 2).await.unwrap().len(), 2);
        assert_eq!(lockouts::forget(&mut tx, "unknown:%:192.0.2.1/32").await.unwrap(), 1);
        assert_eq!(lockouts::forget(&mut tx, "unknown:%:192.0.2.1/32").await.unwrap(), 0);
        assert_eq!(all(&mut tx, None, before).await.len(), 3, "users' are left");
    })
    .await;
}

#[tokio::test]
async fn windows_that_are_used_up_are_counted_and_forgotten() {
    each(async |test| {
        let mut tx = test.write().await;
        for (key, times) in [("a:1", 2), ("a:2", 3), ("b:1", 2), ("a:3", 1)] {
            for _ in 0..times {
                throttle::reserve(&mut tx, key, limit("2/60s"), NOW).await.unwrap();
            }
        }
        let used_up = async |tx: &mut Tx, pattern: &str, text: &str, now| {
            throttle::used_up(tx, pattern, limit(text), now).await.unwrap()
        };
        assert_eq!(used_up(&mut tx, "a:%", "2/60s", NOW).await, 2);
        assert_eq!(used_up(&mut tx, "%", "2/60s", NOW).await, 3);
        assert_eq!(used_up(&mut tx, "a:%", "2/60s", later(60)).await, 0, "they are over");
        assert_eq!(used_up(&mut tx, "a:%", "2/30s", NOW).await, 0, "of another limit");
        assert_eq!(throttle::forget(&mut tx, "a:%").await.unwrap(), 3);
        assert_eq!(used_up(&mut tx, "%", "2/60s", NOW).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_is_changed_counts_anew() {
    each(async |test| {
        let mut tx = test.write().await;
        let mut check = async |text: &str, expected: bool| {
            let verdict = throttle::reserve(&mut tx, "a", limit(text), NOW).await.unwrap();
            let is_admitted = matches!(verdict, Verdict::Admitted { .. });
            assert_eq!(is_admitted, expected, "{text}");
        };
        check("2/60s", true).await;
        check("2/60s", true).await;
        check("2/60s", false).await;
        for other in ["1/60s", "2/1d", "1/1d"] {
            check(other, true).await;
        }
        check("1/1d", false).await;
        check("2/60s", false).await;
        assert_eq!(throttle::forget(&mut tx, "a").await.unwrap(), 4, "of every limit");
    })
    .await;
}
