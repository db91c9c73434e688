//! Browsers that stay signed in: series are made, used in turn, ended with their sessions, forgotten.

use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SeriesId, SessionId, UserId};
use portcullis_domain::session::Dead;
use portcullis_store::credentials::{self, CredentialKind};
use portcullis_store::remember::{self, NewSeries, Series};
use portcullis_store::sessions::{self, NewSession};
use portcullis_store::{Error, Tx, users};

use crate::harness::{NOW, ada, credential, each, later, mac, new_session, race};
use crate::sessions::stored_session;

#[tokio::test]
async fn a_series_reads_back() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let new = series(&mut tx, 1, user).await;
        let expected = Series {
            id: new.id.clone(),
            user_id: user,
            user_epoch: 0,
            auth_time: NOW,
            counter: 0,
            rotated_at: NOW,
            session_id: None,
            expires_at: later(100),
            ended_at: None,
        };
        assert_eq!(remember::hold(&mut tx, &new.id).await.unwrap(), Some(expected.clone()));
        let other = SeriesId::from_random([9; 16]);
        assert_eq!(remember::hold(&mut tx, &other).await.unwrap(), None);
        let user = users::by_id(&mut tx, user).await.unwrap().unwrap();
        let life = expected.facts(&user).life;
        assert_eq!(portcullis_domain::session::alive(&life, later(99)), Ok(()));
        assert_eq!(portcullis_domain::session::alive(&life, later(100)), Err(Dead::Expired));
        assert!(users::bump_epoch(&mut tx, user.id).await.is_ok());
        let changed = users::by_id(&mut tx, user.id).await.unwrap().unwrap();
        let life = expected.facts(&changed).life;
        assert_eq!(portcullis_domain::session::alive(&life, NOW), Err(Dead::Epoch));
    })
    .await;
}

#[tokio::test]
async fn ids_are_taken_and_users_must_exist() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let new = series(&mut tx, 1, user).await;
        tx.commit().await.unwrap();
        let nobodys = NewSeries { user_id: UserId(99), ..new_series(2, user) };
        for new in [new, nobodys] {
            let result = remember::insert(&mut test.write().await, &new, NOW).await;
            assert!(matches!(result, Err(Error::Conflict)), "{result:?}");
        }
        let orphan = NewSession {
            remember_series: Some(SeriesId::from_random([9; 16])),
            ..new_session(1, user)
        };
        let result = sessions::insert(&mut test.write().await, &orphan, NOW).await;
        assert!(matches!(result, Err(Error::Conflict)), "{result:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a32_of_parallel_uses_of_one_secret_one_wins() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let id = series(&mut tx, 1, user).await.id;
        tx.commit().await.unwrap();
        let won = race(20, |number| {
            let (db, id) = (test.db.clone(), id.clone());
            async move {
                let session = SessionId::from_random([u8::try_from(number).unwrap(); 16]);
                let mut tx = db.write().await.unwrap();
                let held = remember::hold(&mut tx, &id).await.unwrap().unwrap();
                let counter = if held.counter == 0 { 0 } else { 7 };
                let won = remember::rotate(&mut tx, &id, counter, &session, later(1)).await;
                tx.commit().await.unwrap();
                (won.unwrap(), session)
            }
        })
        .await;
        let winners: Vec<_> = won.into_iter().filter(|(won, _)| *won).collect();
        assert_eq!(winners.len(), 1);
        let mut tx = test.write().await;
        let held = remember::hold(&mut tx, &id).await.unwrap().unwrap();
        assert_eq!((held.counter, held.rotated_at), (1, later(1)));
        assert_eq!(held.session_id.as_ref(), Some(&winners[0].1));
    })
    .await;
}

/// Without the hold, too: the condition is in the statement itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_used_once_a_series_that_is_over_not_at_all() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let id = series(&mut tx, 1, user).await.id;
        let over = series(&mut tx, 2, user).await.id;
        remember::end(&mut tx, &over, EndReason::Replaced, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let session = new_session(1, user).id;
        let won = race(20, |_| {
            let (db, id, session) = (test.db.clone(), id.clone(), session.clone());
            async move {
                let mut tx = db.write_once().await.unwrap();
                remember::rotate(&mut tx, &id, 0, &session, later(1)).await.unwrap()
            }
        })
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        let mut tx = test.write().await;
        let mut check = async |id, counter, now, expected| {
            let rotated = remember::rotate(&mut tx, id, counter, &session, now).await.unwrap();
            assert_eq!(rotated, expected, "{counter}");
        };
        check(&id, 0, later(2), false).await;
        check(&id, 2, later(2), false).await;
        check(&id, 1, later(100), false).await;
        check(&over, 0, later(2), false).await;
        check(&id, 1, later(99), true).await;
    })
    .await;
}

#[tokio::test]
async fn ending_a_session_ends_its_series_and_what_else_came_of_it() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (one, two) = three_sessions(&mut tx, user).await;
        let first = new_session(1, user).id;
        assert!(sessions::end(&mut tx, &first, EndReason::Logout, later(1)).await.unwrap());
        assert!(!sessions::end(&mut tx, &first, EndReason::Logout, later(2)).await.unwrap());
        assert_eq!(ended(&mut tx).await, [true, true, false]);
        assert_eq!(ended_series(&mut tx, &[&one, &two]).await, [true, false]);
        let sister = stored_session(&mut tx, 2).await;
        assert_eq!(sister.end_reason.as_deref(), Some("logout"));
        assert_eq!(sister.remember_series, Some(one));
    })
    .await;
}

#[tokio::test]
async fn a_series_ends_alone_or_with_its_sessions() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (one, two) = three_sessions(&mut tx, user).await;
        let (replaced, stolen) = (EndReason::Replaced, EndReason::Stolen);
        assert!(remember::end(&mut tx, &two, replaced, later(1)).await.unwrap());
        assert_eq!(ended(&mut tx).await, [false; 3]);
        assert!(!remember::end_with_sessions(&mut tx, &two, stolen, later(2)).await.unwrap());
        assert_eq!(ended(&mut tx).await, [false; 3]);
        assert!(remember::end_with_sessions(&mut tx, &one, stolen, later(3)).await.unwrap());
        assert_eq!(ended(&mut tx).await, [true, true, false]);
        let session = stored_session(&mut tx, 1).await;
        assert_eq!(session.end_reason.as_deref(), Some("stolen"));
        assert_eq!(session.ended_at, Some(later(3)));
    })
    .await;
}

#[tokio::test]
async fn ending_all_of_a_user_ends_his_series_but_the_spared_one() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (one, two) = three_sessions(&mut tx, user).await;
        let spared = new_session(3, user).id;
        let end = async |tx: &mut Tx, except| {
            sessions::end_all_of_user(tx, user, except, EndReason::Replaced, later(1)).await
        };
        assert_eq!(end(&mut tx, Some(&spared)).await.unwrap(), 2);
        assert_eq!(ended_series(&mut tx, &[&one, &two]).await, [true, false]);
        assert_eq!(ended(&mut tx).await, [true, true, false]);
        assert_eq!(end(&mut tx, None).await.unwrap(), 1);
        assert_eq!(ended_series(&mut tx, &[&one, &two]).await, [true, true]);
    })
    .await;
}

#[tokio::test]
async fn series_that_are_over_are_swept_in_slices_and_their_sessions_stay() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let (one, _) = three_sessions(&mut tx, user).await;
        remember::end(&mut tx, &one, EndReason::Replaced, later(10)).await.unwrap();
        let mut check = async |seconds, limit, expected| {
            let swept = remember::sweep(&mut tx, later(seconds), limit).await.unwrap();
            assert_eq!(swept, expected, "{seconds}");
        };
        check(10, 9, 0).await;
        check(11, 9, 1).await;
        check(100, 9, 0).await;
        check(101, 9, 1).await;
        for number in 4..=6 {
            series(&mut tx, number, user).await;
        }
        for expected in [2, 1, 0] {
            assert_eq!(remember::sweep(&mut tx, later(101), 2).await.unwrap(), expected);
        }
        assert_eq!(stored_session(&mut tx, 1).await.remember_series, None);
        assert_eq!(ended(&mut tx).await, [false; 3]);
    })
    .await;
}

#[tokio::test]
async fn a_session_has_a_public_name() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let new = new_session(1, user);
        sessions::insert(&mut tx, &new, NOW).await.unwrap();
        assert_eq!(sessions::handle(&mut tx, &new.id).await.unwrap(), Some(new.handle));
        let other = SessionId::from_random([9; 16]);
        assert_eq!(sessions::handle(&mut tx, &other).await.unwrap(), None);
    })
    .await;
}

fn new_series(number: u8, user_id: UserId) -> NewSeries {
    NewSeries {
        id: SeriesId::from_random([number; 16]),
        user_id,
        user_epoch: 0,
        ip: "192.0.2.1".to_owned(),
        peer: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        expires_at: later(100),
    }
}

async fn series(tx: &mut Tx, number: u8, user: UserId) -> NewSeries {
    let new = new_series(number, user);
    remember::insert(tx, &new, NOW).await.unwrap();
    new
}

/// Two sessions of a first series and one of a second, each with a cookie.
async fn three_sessions(tx: &mut Tx, user: UserId) -> (SeriesId, SeriesId) {
    let (one, two) = (series(tx, 1, user).await.id, series(tx, 2, user).await.id);
    for (number, series) in [(1, &one), (2, &one), (3, &two)] {
        let new = NewSession { remember_series: Some(series.clone()), ..new_session(number, user) };
        sessions::insert(tx, &new, NOW).await.unwrap();
        credential(tx, number, &new.id, CredentialKind::Cookie).await;
    }
    (one, two)
}

/// Whether the sessions 1 to 3 are over; their cookies must be, exactly when they are.
async fn ended(tx: &mut Tx) -> [bool; 3] {
    let mut ended = [false; 3];
    for (number, ended) in (1..).zip(&mut ended) {
        let found = credentials::find(tx, &mac(number)).await.unwrap().unwrap();
        let session =
            sessions::by_id(tx, &found.session().unwrap().session.id).await.unwrap().unwrap();
        *ended = session.ended_at.is_some();
        assert_eq!(found.session().unwrap().credential.has_ended, *ended, "{number}");
    }
    ended
}

async fn ended_series(tx: &mut Tx, ids: &[&SeriesId; 2]) -> [bool; 2] {
    let mut ended = [false; 2];
    for (id, ended) in ids.iter().zip(&mut ended) {
        *ended = remember::hold(tx, id).await.unwrap().unwrap().ended_at.is_some();
    }
    ended
}
