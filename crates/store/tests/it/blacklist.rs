//! The blacklist: put on, taken off, paged; what ends with it, and how fast.

#![expect(clippy::disallowed_methods, reason = "one test measures by the machine's clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_domain::blacklist::Reason;
use portcullis_domain::id::{SessionHandle, SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;
use portcullis_store::blacklist::{self, Added, After};
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::remember::{self, NewSeries};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::{Error, Tx, users};
use tokio::sync::Notify;

use crate::harness::{
    NOW, ada, credential, each, later, mac, new_credential, new_session, new_user, race, session,
};

#[tokio::test]
async fn who_is_put_on_the_list_loses_everything() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let other = other(&mut tx, "other").await;
        let series = a_series(&mut tx, user).await;
        let remembered =
            NewSession { remember_series: Some(series.id.clone()), ..new_session(1, user) };
        sessions::insert(&mut tx, &remembered, NOW).await.unwrap();
        credential(&mut tx, 1, &remembered.id, CredentialKind::Cookie).await;
        let plain = session(&mut tx, 2, user).await;
        credential(&mut tx, 2, &plain, CredentialKind::Api).await;
        let spared = session(&mut tx, 3, other).await;
        credential(&mut tx, 3, &spared, CredentialKind::Api).await;

        let added = add(&mut tx, user, Some("gone"), Some(other)).await;
        assert_eq!(added, Some(Added { is_new: true, ended: 2 }));
        for number in [1, 2] {
            let found = credentials::find(&mut tx, &mac(number)).await.unwrap().unwrap();
            assert!(found.session().unwrap().credential.has_ended, "{number}");
            assert_ne!(found.session().unwrap().session.user_epoch, found.user.epoch, "{number}");
            let ended = sessions::by_id(&mut tx, &found.session().unwrap().session.id)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(ended.end_reason.as_deref(), Some("blacklisted"), "{number}");
        }
        let found = credentials::find(&mut tx, &mac(3)).await.unwrap().unwrap();
        assert!(!found.session().unwrap().credential.has_ended, "control");
        let series = remember::hold(&mut tx, &series.id).await.unwrap().unwrap();
        assert_eq!(series.ended_at, Some(later(1)));
        assert_eq!(
            (is_listed(&mut tx, user).await, is_listed(&mut tx, other).await),
            (true, false)
        );
    })
    .await;
}

#[tokio::test]
async fn no_session_is_made_for_who_is_on_the_list() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        assert_eq!(add(&mut tx, user, None, None).await.unwrap().ended, 0);
        tx.commit().await.unwrap();
        let refused = sessions::insert(&mut test.write().await, &new_session(1, user), NOW).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");

        let mut tx = test.write().await;
        assert!(blacklist::remove(&mut tx, user).await.unwrap());
        assert!(!blacklist::remove(&mut tx, user).await.unwrap());
        assert!(!blacklist::remove(&mut tx, UserId(99)).await.unwrap());
        session(&mut tx, 1, user).await;
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_is_on_it_gets_the_new_reason_and_keeps_his_date() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let other = other(&mut tx, "other").await;
        assert_eq!(add(&mut tx, UserId(99), None, None).await, None);
        assert!(add(&mut tx, user, Some("one"), None).await.unwrap().is_new);
        let again = Reason::parse("two").unwrap();
        let changed = blacklist::add(&mut tx, user, Some(&again), Some(other), later(9)).await;
        assert_eq!(changed.unwrap(), Some(Added { is_new: false, ended: 0 }));
        let listed = blacklist::list(&mut tx, None, 9).await.unwrap();
        let [row] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!((row.user.id, row.user.email.as_str()), (user, "ada@example.com"));
        assert_eq!((row.reason.as_deref(), row.created_at), (Some("two"), later(1)));
        assert_eq!(row.added_by.as_ref().map(|by| by.id), Some(other));
        add(&mut tx, user, None, None).await;
        let row = blacklist::list(&mut tx, None, 9).await.unwrap().remove(0);
        assert_eq!((row.reason, row.added_by), (None, None));
    })
    .await;
}

#[tokio::test]
async fn the_list_comes_in_pages_the_last_first() {
    each(async |test| {
        let mut tx = test.write().await;
        ada(&mut tx).await;
        let mut expected = Vec::new();
        for (name, seconds) in [("a", 1), ("b", 3), ("c", 2), ("d", 3)] {
            let user = other(&mut tx, name).await;
            blacklist::add(&mut tx, user, None, None, later(seconds)).await.unwrap();
            expected.push((later(seconds), user));
        }
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = blacklist::list(&mut tx, after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(After { created_at: last.created_at, user: last.user.id });
            seen.extend(page.iter().map(|row| (row.created_at, row.user.id)));
        }
        assert_eq!(seen, expected);
        assert_eq!(blacklist::count(&mut tx).await.unwrap(), 4);
    })
    .await;
}

/// What is over anyway was not ended by anybody.
#[tokio::test]
async fn only_what_could_be_used_is_counted() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=4 {
            let id = session(&mut tx, number, user).await;
            let mut new = new_credential(number, &id, CredentialKind::Cookie);
            match number {
                1 => new.life.expires_at = NOW,
                2 => new.life.idle = Some(Duration::from_millis(1)),
                3 => new.life.idle = Some(Duration::from_mins(1)),
                _ => {}
            }
            credentials::insert(&mut tx, &new, NOW).await.unwrap();
        }
        let ended = new_session(4, user).id;
        let reason = portcullis_domain::event::EndReason::Logout;
        sessions::end(&mut tx, &ended, reason, NOW).await.unwrap();
        assert_eq!(add(&mut tx, user, None, None).await.unwrap().ended, 1);
    })
    .await;
}

/// What is left of a session when it has long been over goes at once.
#[tokio::test]
async fn what_ended_is_swept_with_its_credentials() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 1..=3 {
            let id = session(&mut tx, number, user).await;
            credential(&mut tx, number, &id, CredentialKind::Api).await;
        }
        add(&mut tx, user, None, None).await;
        assert_eq!(sessions::sweep(&mut tx, later(1), 9).await.unwrap(), 0);
        assert_eq!(sessions::sweep(&mut tx, later(2), 2).await.unwrap(), 2, "a slice");
        assert_eq!(sessions::sweep(&mut tx, later(2), 9).await.unwrap(), 1);
        for number in 1..=3 {
            assert!(credentials::find(&mut tx, &mac(number)).await.unwrap().is_none());
        }
    })
    .await;
}

/// After it returned nothing of the user lives, whoever was signing in meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_race_with_it_are_dead() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let signed_in = Arc::new(Notify::new());
        race(40, |number| {
            let (db, signed_in) = (test.db.clone(), Arc::clone(&signed_in));
            async move {
                if number == 20 {
                    // One is in already, so that there is somebody to end.
                    signed_in.notified().await;
                    let mut tx = db.write().await.unwrap();
                    blacklist::add(&mut tx, user, None, None, later(1)).await.unwrap();
                    return tx.commit().await.unwrap();
                }
                let mut tx = db.write().await.unwrap();
                let seen = users::by_id(&mut tx, user).await.unwrap().unwrap();
                let number = u8::try_from(number).unwrap();
                let new = NewSession { user_epoch: seen.epoch, ..new_session(number, user) };
                if sessions::insert(&mut tx, &new, NOW).await.is_ok() {
                    credential(&mut tx, number, &new.id, CredentialKind::Cookie).await;
                    tx.commit().await.unwrap();
                    signed_in.notify_one();
                }
            }
        })
        .await;
        let mut tx = test.read().await;
        let (mut made, epoch) = (0, users::by_id(&mut tx, user).await.unwrap().unwrap().epoch);
        for number in 0..40 {
            let Some(found) = credentials::find(&mut tx, &mac(number)).await.unwrap() else {
                continue;
            };
            made += 1;
            assert!(found.session().unwrap().session.user_epoch < epoch, "{number}");
        }
        assert!(made > 0, "control: nobody was faster");
    })
    .await;
}

/// Of parallel callers one puts him on, and one takes him off.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_callers_agree_who_did_it() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let added = race(20, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let added = blacklist::add(&mut tx, user, None, None, NOW).await.unwrap().unwrap();
                tx.commit().await.unwrap();
                added.is_new
            }
        })
        .await;
        assert_eq!(added.into_iter().filter(|is_new| *is_new).count(), 1);
        let removed = race(20, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let removed = blacklist::remove(&mut tx, user).await.unwrap();
                tx.commit().await.unwrap();
                removed
            }
        })
        .await;
        assert_eq!(removed.into_iter().filter(|removed| *removed).count(), 1);
    })
    .await;
}

/// Ten thousand sessions of one user go in one transaction, in well under a second.
#[tokio::test]
async fn ten_thousand_sessions_end_at_once() {
    const MANY: u32 = 10_000;
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        for number in 0..MANY {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let new = NewSession {
                id: SessionId::from_random(bytes[..16].try_into().unwrap()),
                handle: SessionHandle::from_random(bytes[..12].try_into().unwrap()),
                ..new_session(0, user)
            };
            sessions::insert(&mut tx, &new, NOW).await.unwrap();
            for kind in [CredentialKind::Cookie, CredentialKind::Access] {
                bytes[31] += 1;
                let mac = Mac::from_bytes(&bytes).unwrap();
                let new = NewCredential { mac, kind, ..new_credential(0, &new.id, kind) };
                credentials::insert(&mut tx, &new, NOW).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        // PostgreSQL does so by itself after a while, and plans for an empty table before.
        test.tamper("ANALYZE").await;
        let since = Instant::now();
        let mut tx = test.write().await;
        let added = add(&mut tx, user, None, None).await.unwrap();
        tx.commit().await.unwrap();
        let took = since.elapsed();
        assert_eq!(added.ended, u64::from(MANY));
        // A busy machine and a build without optimisation have room in it.
        assert!(took < Duration::from_secs(5), "{took:?}");
        println!("postgres: {}, {MANY} sessions ended in {took:?}", test.is_postgres());
    })
    .await;
}

async fn add(tx: &mut Tx, user: UserId, reason: Option<&str>, by: Option<UserId>) -> Option<Added> {
    let reason = reason.map(|text| Reason::parse(text).unwrap());
    blacklist::add(tx, user, reason.as_ref(), by, later(1)).await.unwrap()
}

async fn is_listed(tx: &mut Tx, user: UserId) -> bool {
    blacklist::is_listed(tx, user).await.unwrap()
}

/// Somebody with the role of `ada`, who must be there.
async fn other(tx: &mut Tx, name: &str) -> UserId {
    let role = portcullis_store::roles::by_name(tx, "clerk").await.unwrap().unwrap().id;
    users::insert(tx, &new_user(name, role), NOW).await.unwrap()
}

async fn a_series(tx: &mut Tx, user: UserId) -> NewSeries {
    let new = NewSeries {
        id: portcullis_domain::id::SeriesId::from_random([9; 16]),
        user_id: user,
        user_epoch: 0,
        ip: "192.0.2.1".to_owned(),
        peer: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        expires_at: Time(NOW.0 + 3_600_000),
    };
    remember::insert(tx, &new, NOW).await.unwrap();
    new
}
