//! The log of what nodes must read anew: who writes to it, in which order, and who is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::UserId;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_store::credentials::{self, CredentialKind};
use portcullis_store::invalidations::{self, Invalidation, Logged};
use portcullis_store::notify::{Heard, Listener};
use portcullis_store::{Db, Error, Tx, counters, roles, sessions, users};

use crate::credentials::child_of;
use crate::harness::{NOW, TestDb, ada, credential, each, later, mac, new_user, race, session};
use crate::one_time_links::first_password;

/// Every function that changes who may pass, and whom it makes others read anew.
#[tokio::test]
async fn whatever_changes_who_may_pass_is_logged() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let role = users::by_id(&mut tx, user).await.unwrap().unwrap().role_id;
        let ids = [session(&mut tx, 1, user).await, session(&mut tx, 2, user).await];
        for number in [1, 2, 3] {
            credential(&mut tx, number, &ids[0], CredentialKind::Api).await;
        }
        tx.commit().await.unwrap();
        let hers = Invalidation::User(user);
        let grant = Grant::parse("jobs.read").unwrap();
        let (end, ended) = (EndReason::Logout, later(1));

        check(test, "rotate", hers, async |tx| drop(sessions::rotate_csrf(tx, &ids[0], 0).await))
            .await;
        check(test, "end of a token", hers, async |tx| {
            assert!(credentials::end(tx, &mac(1), ended).await.unwrap());
        })
        .await;
        check(test, "a child's replacement", hers, async |tx| {
            let child = child_of(2, 9, &ids[0], "ios");
            assert!(credentials::replace_child(tx, &child, NOW).await.unwrap());
        })
        .await;
        check(test, "earlier tokens", hers, async |tx| {
            let count = credentials::end_api_tokens_of_user(tx, user, &ids[1], ended).await;
            assert_eq!(count.unwrap(), 2);
        })
        .await;
        check(test, "end of a session", hers, async |tx| {
            assert!(sessions::end(tx, &ids[0], end, ended).await.unwrap());
        })
        .await;
        check(test, "end of all", hers, async |tx| {
            sessions::end_all_of_user(tx, user, None, end, ended).await.unwrap();
        })
        .await;
        check(test, "status", hers, async |tx| {
            users::set_status(tx, user, AccountStatus::Disabled, ended).await.unwrap();
        })
        .await;
        check(test, "epoch", hers, async |tx| {
            users::bump_epoch(tx, user).await.unwrap();
        })
        .await;
        let mut tx = test.write().await;
        let grace = users::insert(&mut tx, &new_user("grace", role), NOW).await.unwrap();
        tx.commit().await.unwrap();
        check(test, "first password", Invalidation::User(grace), async |tx| {
            let new = first_password("grace@example.org");
            assert!(users::set_first_password(tx, grace, &new, NOW).await.unwrap());
        })
        .await;
        check(test, "role", hers, async |tx| drop(users::set_role(tx, user, role, NOW).await))
            .await;
        let all = Invalidation::Everybody;
        check(test, "grant", all, async |tx| drop(roles::grant(tx, role, &grant).await)).await;
        check(test, "no grant", all, async |tx| drop(roles::revoke(tx, role, &grant).await)).await;
        check(test, "level", all, async |tx| {
            roles::update_level(tx, role, Level::MAX, NOW).await.unwrap();
        })
        .await;
    })
    .await;
}

/// One change in one transaction is one row, once it is committed; one that is rolled back is
/// none, and takes no number.
async fn check(test: &TestDb, why: &str, expected: Invalidation, change: impl AsyncFn(&mut Tx)) {
    let before = last(test).await;
    let mut tx = test.write().await;
    change(&mut tx).await;
    drop(tx);
    assert_eq!(last(test).await, before, "{why}, rolled back");
    let mut tx = test.write().await;
    change(&mut tx).await;
    tx.commit().await.unwrap();
    let logged = invalidations::from(&mut test.read().await, before + 1, 9).await.unwrap();
    assert_eq!(logged, [Logged { number: before + 1, what: expected }], "{why}");
}

async fn last(test: &TestDb) -> i64 {
    invalidations::last(&mut test.read().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_no_gaps_and_are_seen_in_order() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let before = last(test).await;
        let db = test.db.clone();
        race(32, move |number| commit_and_look(db.clone(), user, number, before)).await;
        assert_eq!(last(test).await, before + 24);
    })
    .await;
}

/// Every fourth is rolled back. Nobody may see a later number before an earlier one.
async fn commit_and_look(db: Db, user: UserId, number: usize, before: i64) {
    let mut tx = db.write().await.unwrap();
    users::bump_epoch(&mut tx, user).await.unwrap();
    if number.is_multiple_of(4) {
        return;
    }
    tx.commit().await.unwrap();
    let logged = invalidations::from(&mut db.read().await.unwrap(), before + 1, 99).await.unwrap();
    let numbers: Vec<_> = logged.iter().map(|logged| logged.number).collect();
    let expected: Vec<_> = (before + 1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
}

/// Somebody may mean well.
#[tokio::test]
async fn a_row_written_by_hand_hinders_nobody() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        users::bump_epoch(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        let before = last(test).await;
        test.tamper(&format!("INSERT INTO invalidations VALUES ({}, NULL)", before + 3)).await;
        for number in [before + 4, before + 5] {
            let mut tx = test.write().await;
            users::bump_epoch(&mut tx, user).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(last(test).await, number);
        }
    })
    .await;
}

/// A node that froze between the last statement and the commit of a revocation.
#[tokio::test]
async fn who_holds_the_counter_for_too_long_is_not_waited_for() {
    each(async |test| {
        if !test.is_postgres() {
            return;
        }
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let mut frozen = test.write().await;
        users::bump_epoch(&mut frozen, UserId(user.0 + 1)).await.unwrap();
        counters::next(&mut frozen, "invalidations").await.unwrap();
        let mut tx = test.write().await;
        users::bump_epoch(&mut tx, user).await.unwrap();
        let committed = tokio::time::timeout(Duration::from_secs(20), tx.commit()).await;
        // The database ends the frozen one at about the time when this one gives up.
        let committed = committed.expect("it waits for ever");
        assert!(matches!(committed, Ok(()) | Err(Error::Unavailable)), "{committed:?}");
        let mut tx = test.write().await;
        users::bump_epoch(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        assert!(frozen.commit().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_process_is_told_after_the_commit_and_only_then() {
    each(async |test| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        test.db.on_invalidation(move |noted| tell.lock().unwrap().extend_from_slice(noted));
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        tx.commit().await.unwrap();
        assert_eq!(*told.lock().unwrap(), []);
        let mut tx = test.db.clone().write().await.unwrap();
        for _ in 0..2 {
            users::bump_epoch(&mut tx, user).await.unwrap();
        }
        assert_eq!(*told.lock().unwrap(), []);
        tx.commit().await.unwrap();
        assert_eq!(*told.lock().unwrap(), [Invalidation::User(user)]);
        let mut tx = test.write().await;
        users::bump_epoch(&mut tx, UserId(1)).await.unwrap();
        drop(tx);
        assert_eq!(told.lock().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn other_nodes_hear_of_a_commit_where_the_database_can_tell_them() {
    each(async |test| {
        let listener = Listener::connect(&test.db).await.unwrap();
        let Some(mut listener) = listener else { return };
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        users::bump_epoch(&mut tx, user).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(100), listener.heard()).await;
        assert!(early.is_err(), "heard before the commit");
        tx.commit().await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(10), listener.heard()).await;
        assert_eq!(heard.expect("not heard in time").unwrap(), Heard::Announcement);
    })
    .await;
}

#[tokio::test]
async fn the_last_ones_are_kept() {
    each(async |test| {
        test.tamper(
            "INSERT INTO invalidations (number, user_id)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10005)
                SELECT i, NULL FROM n",
        )
        .await;
        let mut tx = test.write().await;
        assert_eq!(invalidations::sweep(&mut tx, 3).await.unwrap(), 3);
        assert_eq!(invalidations::sweep(&mut tx, 99).await.unwrap(), 2);
        assert_eq!(invalidations::sweep(&mut tx, 99).await.unwrap(), 0);
        let oldest = invalidations::from(&mut tx, 1, 1).await.unwrap();
        assert_eq!(oldest[0].number, 6);
        assert_eq!(invalidations::last(&mut tx).await.unwrap(), 10_005);
    })
    .await;
}
