//! Second factors and the tickets that wait for one: each used once, under its conditions.

use std::time::Duration;

use portcullis_domain::id::UserId;
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::totp::Step;
use portcullis_store::credentials::CredentialKind;
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::sessions::{self, Filter, NewSession, Page};
use portcullis_store::sign_in_tickets::{self, NewTicket};
use portcullis_store::users::{NewPassword, Strength};
use portcullis_store::{Error, Tx, users};

use crate::harness::{NOW, ada, credential, each, mac, new_session, session};

const LIFE: Duration = Duration::from_mins(10);

async fn begin(tx: &mut Tx, user: UserId, id: &str) -> bool {
    let (macs, expires_at) = ([mac(1), mac(2)], NOW.plus(LIFE));
    let new = NewFactor {
        id,
        user,
        begun_by: "session",
        secret: b"sealed",
        backup_codes: &macs,
        expires_at,
    };
    factors::begin(tx, &new, NOW).await.unwrap()
}

#[tokio::test]
async fn a_factor_is_pending_then_active_then_gone() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        assert!(begin(&mut tx, user, "one").await && begin(&mut tx, user, "two").await);
        assert!(factors::active(&mut tx, user).await.unwrap().is_none());
        let over = NOW.plus(LIFE);
        let pending =
            async |tx: &mut Tx, by, now| factors::pending(tx, user, by, now).await.unwrap();
        assert!(pending(&mut tx, "session", over).await.is_none());
        assert!(pending(&mut tx, "another", NOW).await.is_none());
        assert_eq!(pending(&mut tx, "session", NOW).await.unwrap().id, "two");
        let enable =
            async |tx: &mut Tx, id, now| factors::enable(tx, id, Step(7), now).await.unwrap();
        assert!(!enable(&mut tx, "one", NOW).await, "replaced");
        assert!(!enable(&mut tx, "two", over).await, "over");
        assert!(enable(&mut tx, "two", NOW).await);
        assert!(!enable(&mut tx, "two", NOW).await, "once");
        assert!(!begin(&mut tx, user, "three").await, "there is one");
        assert_eq!(factors::sweep(&mut tx, over.plus(LIFE), 9).await.unwrap(), 0);
        let factor = factors::active(&mut tx, user).await.unwrap().unwrap();
        assert_eq!((factor.last_step, factor.enabled_at), (Step(7), NOW));
        assert!(factors::remove(&mut tx, user).await.unwrap());
        assert!(!factors::remove(&mut tx, user).await.unwrap());
        assert_eq!(factors::left(&mut tx, "two").await.unwrap(), 0, "its codes go with it");
        assert!(begin(&mut tx, user, "four").await);
        assert_eq!(factors::sweep(&mut tx, NOW.plus(LIFE * 2), 9).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn steps_go_up_and_codes_are_used_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        begin(&mut tx, user, "one").await;
        factors::enable(&mut tx, "one", Step(7), NOW).await.unwrap();
        for (step, expected) in [(7, false), (6, false), (8, true), (8, false), (9, true)] {
            assert_eq!(factors::use_step(&mut tx, "one", Step(step)).await.unwrap(), expected);
        }
        for (byte, expected) in [(3, false), (1, true), (1, false), (2, true)] {
            let used = factors::spend(&mut tx, "one", &mac(byte), NOW).await.unwrap();
            assert_eq!(used, expected, "{byte}");
        }
        assert!(!factors::spend(&mut tx, "two", &mac(2), NOW).await.unwrap());
        let listed = factors::list(&mut tx, "one").await.unwrap();
        assert!(listed.iter().all(|code| code.used_at == Some(NOW)), "{listed:?}");
        factors::renew(&mut tx, "one", &[mac(4)]).await.unwrap();
        assert_eq!(factors::left(&mut tx, "one").await.unwrap(), 1);

        for failures in [1, 2] {
            let factor = factors::count_try(&mut tx, user).await.unwrap().unwrap();
            assert_eq!(factor.failures, failures);
        }
        factors::passed(&mut tx, "one").await.unwrap();
        assert_eq!(factors::active(&mut tx, user).await.unwrap().unwrap().failures, 0);
        assert!(factors::exhaust(&mut tx, "one", NOW).await.unwrap());
        assert!(!factors::exhaust(&mut tx, "one", NOW).await.unwrap());
        assert!(!factors::use_step(&mut tx, "one", Step(99)).await.unwrap());
        assert!(factors::spend(&mut tx, "one", &mac(4), NOW).await.unwrap());
    })
    .await;
}

/// The wall behind the question: whatever way in forgets to ask makes no session.
#[tokio::test]
async fn nobody_with_a_factor_gets_a_session_that_did_not_pass_it() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let passing =
            |number, second_factor| NewSession { second_factor, ..new_session(number, user) };
        let (without, with) = (SecondFactor::NotAsked, SecondFactor::Passed);
        begin(&mut tx, user, "one").await;
        sessions::insert(&mut tx, &passing(1, without), NOW).await.unwrap();
        factors::enable(&mut tx, "one", Step(7), NOW).await.unwrap();
        let refused = sessions::insert(&mut tx, &passing(2, without), NOW).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
        sessions::insert(&mut tx, &passing(3, with), NOW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_good_once_in_its_time_and_epoch() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let new = NewTicket {
            mac: mac(1),
            user,
            user_epoch: 0,
            detail: "{}",
            expires_at: NOW.plus(LIFE),
        };
        sign_in_tickets::insert(&mut tx, &new, NOW).await.unwrap();
        let other = NewTicket { mac: mac(2), ..new };
        sign_in_tickets::insert(&mut tx, &other, NOW).await.unwrap();
        let held = async |tx: &mut Tx, byte, now| {
            sign_in_tickets::hold(tx, &mac(byte), now).await.unwrap()
        };
        assert_eq!(held(&mut tx, 1, NOW).await, Some((user, "{}".to_owned())));
        assert_eq!(held(&mut tx, 3, NOW).await, None);
        assert_eq!(held(&mut tx, 1, NOW.plus(LIFE)).await, None);
        assert!(sign_in_tickets::spend(&mut tx, &mac(1), NOW).await.unwrap());
        assert!(!sign_in_tickets::spend(&mut tx, &mac(1), NOW).await.unwrap());
        assert_eq!(held(&mut tx, 1, NOW).await, None);
        assert!(held(&mut tx, 2, NOW).await.is_some(), "others stay good");
        users::bump_epoch(&mut tx, user).await.unwrap();
        assert_eq!(held(&mut tx, 2, NOW).await, None);
        assert_eq!(sign_in_tickets::sweep(&mut tx, NOW.plus(LIFE * 2), 9).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn who_was_told_is_told_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        assert_eq!(users::told_of_factor_at(&mut tx, user).await.unwrap(), None);
        assert!(users::tell_of_factor(&mut tx, user, NOW).await.unwrap());
        assert!(!users::tell_of_factor(&mut tx, user, NOW.plus(LIFE)).await.unwrap());
        assert_eq!(users::told_of_factor_at(&mut tx, user).await.unwrap(), Some(NOW));
        assert_eq!(users::told_of_factor_at(&mut tx, UserId(999)).await.unwrap(), None);
        assert!(!users::tell_of_factor(&mut tx, UserId(999), NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_password_that_needs_a_factor_is_not_unlocked_without() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let strength = async |tx: &mut Tx| users::password_strength(tx, user).await.unwrap();
        assert_eq!(strength(&mut tx).await, Strength::Alone);
        let short = NewPassword { strength: Strength::WithFactor, ..NewPassword::unseen("phc") };
        users::set_password(&mut tx, user, &short, NOW).await.unwrap();
        assert_eq!(strength(&mut tx).await, Strength::WithFactor);
        begin(&mut tx, user, "one").await;
        factors::enable(&mut tx, "one", Step(7), NOW).await.unwrap();
        let is_closed = async |tx: &mut Tx| {
            users::disable_password(tx, user).await.unwrap();
            users::unlock(tx, user).await.unwrap();
            users::password(tx, user).await.unwrap().unwrap().disabled
        };
        assert!(!is_closed(&mut tx).await, "control");
        factors::remove(&mut tx, user).await.unwrap();
        assert!(is_closed(&mut tx).await);
        users::set_password(&mut tx, user, &NewPassword::unseen("longer"), NOW).await.unwrap();
        assert_eq!(strength(&mut tx).await, Strength::Alone);
        assert!(!is_closed(&mut tx).await);
        assert_eq!(users::password_strength(&mut tx, UserId(999)).await.unwrap(), Strength::Alone);
    })
    .await;
}

#[tokio::test]
async fn a_session_says_whether_it_has_a_factor() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let passed = NewSession { second_factor: SecondFactor::Passed, ..new_session(2, user) };
        sessions::insert(&mut tx, &passed, NOW).await.unwrap();
        let without = session(&mut tx, 1, user).await;
        for (number, id) in [(1, &without), (2, &passed.id)] {
            credential(&mut tx, number, id, CredentialKind::Cookie).await;
        }
        let filter = Filter { user: Some(user), ..Filter::default() };
        let page = Page { limit: 9, skip: 0, after: None };
        let told = async |tx: &mut Tx| {
            let search = sessions::search(tx, &filter).await.unwrap();
            let list = sessions::list(tx, &search, &page, 2, NOW).await.unwrap();
            list.iter().filter(|session| session.second_factor).count()
        };
        assert_eq!(told(&mut tx).await, 1);
        sessions::passed_factor(&mut tx, &without).await.unwrap();
        assert_eq!(told(&mut tx).await, 2);
    })
    .await;
}
