//! Credentials: found with all they hang on, touched, renewed, replaced, ended.

use std::sync::Arc;
use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::SessionId;
use portcullis_domain::permission::Grant;
use portcullis_domain::session::{CredentialFacts, Life};
use portcullis_store::credentials::{
    self, Credential, CredentialKind, Found, Grounds, NewCredential, SessionFacts, SessionGrounds,
};
use portcullis_store::{Error, Tx, roles, sessions, users};

use crate::harness::{NOW, ada, credential, each, later, mac, new_credential, race, session};
use crate::sessions::{one_session, stored_session};

#[tokio::test]
async fn everything_is_found_at_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let user = users::by_id(&mut tx, user).await.unwrap().unwrap();
        for grant in ["jobs.read", "leads.*"] {
            let grant = Grant::parse(grant).unwrap();
            roles::grant(&mut tx, user.role_id, &grant).await.unwrap();
        }
        let id = session(&mut tx, 1, user.id).await;
        let life = Life {
            expires_at: later(60),
            idle: Some(Duration::from_secs(30)),
            renew_until: Some(later(90)),
        };
        let new = NewCredential {
            platform: Some("ios".to_owned()),
            device_type: Some("phone".to_owned()),
            app_version: Some("1.2".to_owned()),
            life,
            ..new_credential(1, &id, CredentialKind::Mobile)
        };
        credentials::insert(&mut tx, &new, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let found = credentials::find(&mut test.db.read_once().await.unwrap(), &mac(1)).await;
        let mut tx = test.read().await;
        let session = stored_session(&mut tx, 1).await;
        let expected = Found {
            grounds: Grounds::Session(SessionGrounds {
                credential: Credential {
                    kind: CredentialKind::Mobile,
                    life,
                    last_active: NOW,
                    has_ended: false,
                },
                session: SessionFacts {
                    id: session.id,
                    handle: session.handle,
                    user_epoch: session.user_epoch,
                    form: session.form,
                    csrf_epoch: session.csrf_epoch,
                    auth_time: session.auth_time,
                },
            }),
            has_own_grants: false,
            role: Arc::new(roles::by_id(&mut tx, user.role_id).await.unwrap().unwrap()),
            user: Arc::new(user),
        };
        assert_eq!(found.unwrap(), Some(expected));
        assert_eq!(credentials::find(&mut tx, &mac(9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_role_without_grants_is_found_too() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        for (number, kind) in (1..).zip([
            CredentialKind::Cookie,
            CredentialKind::Api,
            CredentialKind::Child,
            CredentialKind::Access,
        ]) {
            credential(&mut tx, number, &id, kind).await;
            let found = find(&mut tx, number).await;
            assert_eq!(found.session().unwrap().credential.kind, kind);
            assert_eq!(found.session().unwrap().credential.life, new_credential(1, &id, kind).life);
            assert!(found.role.grants.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn macs_are_taken_and_sessions_must_exist() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        credential(&mut tx, 1, &id, CredentialKind::Cookie).await;
        tx.commit().await.unwrap();
        for new in [
            new_credential(1, &id, CredentialKind::Api),
            new_credential(2, &SessionId::from_random([9; 16]), CredentialKind::Api),
        ] {
            let result = credentials::insert(&mut test.write().await, &new, NOW).await;
            assert!(matches!(result, Err(Error::Conflict)), "{result:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn facts_are_those_of_all_it_hangs_on() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let id = session(&mut tx, 1, user).await;
        credential(&mut tx, 1, &id, CredentialKind::Mobile).await;
        let mut child = child_of(1, 2, &id, "ios");
        child.life.expires_at = later(9999);
        child.life.idle = Some(Duration::from_secs(5));
        credentials::insert(&mut tx, &child, later(1)).await.unwrap();
        let living = CredentialFacts {
            ended: false,
            expires_at: later(3600),
            idle: Some(Duration::from_secs(5)),
            last_active: later(1),
            user_active: true,
            session_epoch: 0,
            user_epoch: 0,
        };
        assert_eq!(find(&mut tx, 2).await.facts(), living);
        users::bump_epoch(&mut tx, user).await.unwrap();
        users::set_status(&mut tx, user, AccountStatus::Disabled, NOW).await.unwrap();
        let shut = CredentialFacts { user_epoch: 1, user_active: false, ..living };
        assert_eq!(find(&mut tx, 2).await.facts(), shut);
        sessions::end(&mut tx, &id, EndReason::Logout, NOW).await.unwrap();
        assert!(find(&mut tx, 1).await.facts().ended);
        tx.commit().await.unwrap();

        test.tamper("UPDATE credentials SET ended_at = NULL; UPDATE sessions SET ended_at = NULL")
            .await;
        let mut tx = test.read().await;
        assert!(!find(&mut tx, 2).await.facts().ended);
        drop(tx);
        test.tamper("DELETE FROM credentials WHERE kind = 'mobile'").await;
        assert!(find(&mut test.read().await, 2).await.facts().ended, "an orphan");
    })
    .await;
}

#[tokio::test]
async fn a_touch_only_moves_forward_and_raises_nobody() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        let mut new = new_credential(1, &id, CredentialKind::Cookie);
        new.life.idle = Some(Duration::from_secs(100));
        credentials::insert(&mut tx, &new, NOW).await.unwrap();
        credential(&mut tx, 2, &id, CredentialKind::Api).await;
        let touch = async |tx: &mut Tx, numbers: &[u8], now| {
            let macs: Vec<_> = numbers.iter().map(|number| mac(*number)).collect();
            credentials::touch(tx, &macs, later(now)).await.unwrap()
        };
        assert_eq!(touch(&mut tx, &[1], 0).await, 0, "noted already");
        assert_eq!(touch(&mut tx, &[1], 99).await, 1);
        assert_eq!(find(&mut tx, 1).await.session().unwrap().credential.last_active, later(99));
        assert_eq!(touch(&mut tx, &[1], 98).await, 0, "noted later");
        assert_eq!(touch(&mut tx, &[1], 199).await, 0, "idle");
        assert_eq!(touch(&mut tx, &[2, 9], 9999).await, 1, "no idle limit, and nobody");
        credentials::end(&mut tx, &mac(2), NOW).await.unwrap();
        assert_eq!(touch(&mut tx, &[2], 99_999).await, 0, "ended");
        for number in 10..=200 {
            credential(&mut tx, number, &id, CredentialKind::Api).await;
        }
        let many: Vec<u8> = (1..=200).chain(1..=200).collect();
        assert_eq!(touch(&mut tx, &many, 150).await, 192, "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_renewals_one_wins() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        let mut new = new_credential(1, &id, CredentialKind::Cookie);
        new.life.renew_until = Some(later(8000));
        credentials::insert(&mut tx, &new, NOW).await.unwrap();
        credential(&mut tx, 2, &id, CredentialKind::Cookie).await;
        assert!(!credentials::renew(&mut tx, &mac(1), later(3600), later(8001)).await.unwrap());
        assert!(!credentials::renew(&mut tx, &mac(2), later(3600), later(7200)).await.unwrap());
        tx.commit().await.unwrap();
        let won = race(20, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let renewed = credentials::renew(&mut tx, &mac(1), later(3600), later(7200)).await;
                tx.commit().await.unwrap();
                renewed.unwrap()
            }
        });
        assert_eq!(won.await.into_iter().filter(|won| *won).count(), 1);
        let found = find(&mut test.read().await, 1).await;
        assert_eq!(found.session().unwrap().credential.life.expires_at, later(7200));
    })
    .await;
}

#[tokio::test]
async fn ending_a_credential_ends_its_children() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        credential(&mut tx, 1, &id, CredentialKind::Mobile).await;
        credential(&mut tx, 3, &id, CredentialKind::Mobile).await;
        credentials::insert(&mut tx, &child_of(1, 2, &id, "ios"), NOW).await.unwrap();
        assert!(credentials::end(&mut tx, &mac(1), later(1)).await.unwrap());
        assert!(!credentials::end(&mut tx, &mac(1), later(2)).await.unwrap());
        assert_eq!(living(&mut tx, 3).await, [3]);
        assert!(find(&mut tx, 2).await.facts().ended);
    })
    .await;
}

#[tokio::test]
async fn api_tokens_of_other_sessions_end_with_their_children() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let old = session(&mut tx, 1, user).await;
        let new = session(&mut tx, 2, user).await;
        credential(&mut tx, 1, &old, CredentialKind::Api).await;
        credentials::insert(&mut tx, &child_of(1, 2, &old, "ios"), NOW).await.unwrap();
        credential(&mut tx, 3, &old, CredentialKind::Cookie).await;
        credential(&mut tx, 4, &new, CredentialKind::Api).await;
        let end = async |tx: &mut Tx| {
            credentials::end_api_tokens_of_user(tx, user, &new, later(1)).await.unwrap()
        };
        assert_eq!(end(&mut tx).await, 1);
        assert_eq!(end(&mut tx).await, 0);
        assert_eq!(living(&mut tx, 4).await, [3, 4]);
        assert!(find(&mut tx, 2).await.session().unwrap().credential.has_ended);
    })
    .await;
}

#[tokio::test]
async fn a_parent_has_one_child_for_each_device() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        credential(&mut tx, 1, &id, CredentialKind::Mobile).await;
        let replace = async |tx: &mut Tx, number, platform| {
            let new = child_of(1, number, &id, platform);
            credentials::replace_child(tx, &new, later(number.into())).await.unwrap()
        };
        assert!(replace(&mut tx, 2, "ios").await);
        assert!(replace(&mut tx, 3, "android").await);
        assert!(replace(&mut tx, 4, "ios").await);
        assert_eq!(living(&mut tx, 4).await, [1, 3, 4]);
        assert!(find(&mut tx, 2).await.session().unwrap().credential.has_ended);
        let orphan = new_credential(7, &id, CredentialKind::Child);
        assert!(!credentials::replace_child(&mut tx, &orphan, NOW).await.unwrap());
        tx.commit().await.unwrap();

        let second = child_of(1, 5, &id, "ios");
        let beside = credentials::insert(&mut test.write().await, &second, NOW).await;
        assert!(matches!(beside, Err(Error::Conflict)), "{beside:?}");
        let mut tx = test.write().await;
        credentials::end(&mut tx, &mac(1), NOW).await.unwrap();
        assert!(!replace(&mut tx, 6, "ios").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_children_made_in_parallel_one_lives() {
    each(async |test| {
        let id = one_session(test).await;
        let mut tx = test.write().await;
        credential(&mut tx, 1, &id, CredentialKind::Mobile).await;
        tx.commit().await.unwrap();
        let made = race(20, |number| {
            let db = test.db.clone();
            let new = child_of(1, u8::try_from(number + 2).unwrap(), &id, "ios");
            async move {
                let mut tx = db.write().await.unwrap();
                let made = credentials::replace_child(&mut tx, &new, later(1)).await.unwrap();
                tx.commit().await.unwrap();
                made
            }
        });
        assert!(made.await.into_iter().all(|made| made));
        assert_eq!(living(&mut test.read().await, 21).await.len(), 2, "the parent and one child");
    })
    .await;
}

pub(crate) fn child_of(
    parent: u8,
    number: u8,
    session: &SessionId,
    platform: &str,
) -> NewCredential {
    NewCredential {
        parent: Some(mac(parent)),
        platform: Some(platform.to_owned()),
        ..new_credential(number, session, CredentialKind::Child)
    }
}

async fn find(tx: &mut Tx, number: u8) -> Found {
    credentials::find(tx, &mac(number)).await.unwrap().unwrap()
}

/// Which of the credentials 1 to `last` have not ended.
async fn living(tx: &mut Tx, last: u8) -> Vec<u8> {
    let mut living = Vec::new();
    for number in 1..=last {
        let found = credentials::find(tx, &mac(number)).await.unwrap();
        if found.is_some_and(|found| !found.session().unwrap().credential.has_ended) {
            living.push(number);
        }
    }
    living
}
