//! How things stand, in numbers: each with what counts and with what does not; what is counted by the
//! hour and at its edges; and that no statement looks at everybody.

use std::time::Duration;

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::delivery::Undelivered;
use portcullis_domain::id::{RoleId, SeriesId, UserId};
use portcullis_domain::permission::Grant;
use portcullis_domain::report::{Bounded, Standing};
use portcullis_domain::session::{Life, SignInForm};
use portcullis_domain::throttle::parse_limit;
use portcullis_domain::time::Time;
use portcullis_domain::totp::Step;
use portcullis_store::credentials::{self, CredentialKind, NewCredential};
use portcullis_store::factors::{self, NewFactor};
use portcullis_store::outbox::{self, NewMail};
use portcullis_store::remember::{self, NewSeries};
use portcullis_store::report::posture;
use portcullis_store::sessions::NewSession;
use portcullis_store::users::NewUser;
use portcullis_store::{Tx, blacklist, lockouts, roles, sessions, user_grants, users};

use crate::harness::{NOW, each, full_user, later, mac, new_session, new_user, role};

const LOCKOUT: &str = "3/15m";

fn ago(days: u64) -> Time {
    NOW.minus(Duration::from_hours(days * 24))
}

async fn standing(tx: &mut Tx) -> Standing {
    posture::standing(tx, parse_limit(LOCKOUT).unwrap(), NOW).await.unwrap()
}

async fn user(tx: &mut Tx, name: &str, role: RoleId, since: Time) -> UserId {
    users::insert(tx, &full_user(name, role), since).await.unwrap()
}

#[tokio::test]
async fn owners_and_whoever_is_as_mighty_are_counted() {
    each(async |test| {
        let mut tx = test.write().await;
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        let owner = roles::by_name(&mut tx, "owner").await.unwrap().unwrap().id;
        let plain = role(&mut tx, "plain", 10).await;
        let before = standing(&mut tx).await;
        assert_eq!((before.owners, before.roles_with_everything), (0, 0));
        assert_eq!(before.people_with_everything, Bounded::default());

        user(&mut tx, "good", owner, NOW).await;
        let blocked = user(&mut tx, "blocked", owner, NOW).await;
        blacklist::add(&mut tx, blocked, None, None, NOW).await.unwrap();
        let closed = user(&mut tx, "closed", owner, NOW).await;
        users::set_status(&mut tx, closed, AccountStatus::Disabled, NOW).await.unwrap();
        let locked = user(&mut tx, "locked", owner, NOW).await;
        users::disable_password(&mut tx, locked).await.unwrap();
        users::insert(&mut tx, &new_user("waiting", owner), NOW).await.unwrap();

        let mighty = role(&mut tx, "mighty", 10).await;
        let everything = Grant::parse("*").unwrap();
        roles::grant(&mut tx, mighty, &everything).await.unwrap();
        roles::grant(&mut tx, plain, &Grant::parse("api.*").unwrap()).await.unwrap();
        user(&mut tx, "by-role", mighty, NOW).await;
        let itself = user(&mut tx, "by-itself", plain, NOW).await;
        user(&mut tx, "control", plain, NOW).await;
        user_grants::grant(&mut tx, itself, &everything, NOW).await.unwrap();
        let gone = user(&mut tx, "gone", mighty, NOW).await;
        users::set_status(&mut tx, gone, AccountStatus::Disabled, NOW).await.unwrap();

        let after = standing(&mut tx).await;
        assert_eq!((after.owners, after.roles_with_everything), (1, 1));
        assert_eq!(after.people_with_everything, 2.into());
        assert_eq!((after.blacklisted, after.disabled), (1, 2.into()));
        assert_eq!(after.passwords_disabled, 1.into());
        assert_eq!(after.without_password, 1.into());
    })
    .await;
}

#[tokio::test]
async fn second_factors_are_counted_of_those_who_can_sign_in() {
    each(async |test| {
        let mut tx = test.write().await;
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        let owner = roles::by_name(&mut tx, "owner").await.unwrap().unwrap().id;
        let clerk = role(&mut tx, "clerk", 20).await;
        let with = user(&mut tx, "with", owner, NOW).await;
        user(&mut tx, "without", owner, NOW).await;
        let begun = user(&mut tx, "begun", clerk, NOW).await;
        let tenant = NewUser { account_type: AccountType::Tenant, ..full_user("tenant", clerk) };
        let tenant = users::insert(&mut tx, &tenant, NOW).await.unwrap();
        users::insert(&mut tx, &new_user("nobody", clerk), NOW).await.unwrap();
        let closed = user(&mut tx, "closed", clerk, NOW).await;
        for (number, id) in [with, begun, tenant, closed].into_iter().enumerate() {
            let id_of_factor = number.to_string();
            let new = NewFactor {
                begun_by: "somebody",
                id: &id_of_factor,
                user: id,
                secret: b"sealed",
                backup_codes: &[],
                expires_at: later(600),
            };
            assert!(factors::begin(&mut tx, &new, NOW).await.unwrap());
            if id != begun {
                assert!(factors::enable(&mut tx, &id_of_factor, Step(1), NOW).await.unwrap());
            }
        }
        users::set_status(&mut tx, closed, AccountStatus::Disabled, NOW).await.unwrap();
        let now = standing(&mut tx).await;
        assert_eq!(now.owners_without_factor, 1);
        assert_eq!(now.staff_without_factor, 2.into(), "the owner without, and whoever only began");
        assert_eq!(now.with_factor, 2.into());
    })
    .await;
}

#[tokio::test]
async fn passwords_have_an_age_and_addresses_a_proof() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let old = user(&mut tx, "old", role, ago(366)).await;
        user(&mut tx, "young", role, ago(364)).await;
        let tenant = NewUser { account_type: AccountType::Tenant, ..full_user("tenant", role) };
        users::insert(&mut tx, &tenant, ago(400)).await.unwrap();
        users::insert(&mut tx, &new_user("none", role), ago(400)).await.unwrap();
        assert_eq!(standing(&mut tx).await.old_staff_passwords, 1.into(), "staff, with one");
        let hash = users::password(&mut tx, old).await.unwrap().unwrap().phc.unwrap();
        users::rehash(&mut tx, old, &hash, "$argon2id$new").await.unwrap();
        assert_eq!(standing(&mut tx).await.old_staff_passwords, 1.into(), "it is the same");
        users::set_password(&mut tx, old, &users::NewPassword::unseen("$argon2id$other"), NOW)
            .await
            .unwrap();
        assert_eq!(standing(&mut tx).await.old_staff_passwords, 0.into());

        assert_eq!(standing(&mut tx).await.unproved_addresses, 0.into());
        users::doubt_email(&mut tx, old).await.unwrap();
        assert_eq!(standing(&mut tx).await.unproved_addresses, 1.into());
    })
    .await;
}

#[tokio::test]
async fn sessions_tokens_and_browsers_that_nobody_uses_are_counted() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let ada = user(&mut tx, "ada", role, ago(400)).await;
        for (number, kind, began, used) in [
            (1, CredentialKind::Mobile, 200, 95),
            (2, CredentialKind::Mobile, 200, 31),
            (3, CredentialKind::Mobile, 200, 1),
            (4, CredentialKind::Api, 80, 40),
            (5, CredentialKind::Api, 80, 2),
            (6, CredentialKind::Api, 20, 20),
            // Over, but not forgotten yet.
            (7, CredentialKind::Api, 300, 200),
        ] {
            let ends = if number == 7 { ago(1) } else { later(3600) };
            signed_in(&mut tx, ada, number, kind, ago(began), ends).await;
            credentials::touch(&mut tx, &[mac(number)], ago(used)).await.unwrap();
        }
        let now = standing(&mut tx).await;
        assert_eq!(now.unused_sessions, (3.into(), 1.into()));
        assert_eq!(now.long_sessions, 3.into());
        assert_eq!(now.unused_api_tokens, 1.into());

        for (number, began) in [(1, 20), (2, 13)] {
            series(&mut tx, ada, number, ago(began)).await;
        }
        assert_eq!(standing(&mut tx).await.unused_browsers, 1.into());
        users::bump_epoch(&mut tx, ada).await.unwrap();
        let none = standing(&mut tx).await;
        assert_eq!(none.unused_browsers, 0.into(), "they are dead");
        assert_eq!(none.unused_sessions, Default::default());
        assert_eq!(none.unused_api_tokens, 0.into());
    })
    .await;
}

#[tokio::test]
async fn lock_outs_and_mail_that_did_not_arrive_are_counted() {
    each(async |test| {
        let mut tx = test.write().await;
        let limit = parse_limit(LOCKOUT).unwrap().unwrap();
        let at = |minutes: u64| NOW.minus(Duration::from_mins(minutes));
        for (key, failures, minutes) in [
            ("user:1:192.0.2.0/24", 3, 1),
            ("user:2:192.0.2.0/24", 2, 1),
            ("user:3:192.0.2.0/24", 3, 16),
            ("name:4:192.0.2.0/24", 3, 1),
        ] {
            for _ in 0..failures {
                lockouts::reserve_failure(&mut tx, key, limit, at(minutes)).await.unwrap();
            }
        }
        for (id, queued) in [("a", ago(2)), ("b", ago(2)), ("c", at(59)), ("d", ago(9))] {
            outbox::insert(&mut tx, &mail(id), queued).await.unwrap();
        }
        outbox::give_up(&mut tx, "b", Undelivered::Refused, ago(1)).await.unwrap();
        outbox::give_up(&mut tx, "d", Undelivered::Refused, ago(8)).await.unwrap();
        let now = standing(&mut tx).await;
        assert_eq!(now.locked_out, 1.into());
        assert_eq!((now.mail_given_up, now.mail_waiting), (1.into(), 1.into()));
        let off = posture::standing(&mut tx, None, NOW).await.unwrap();
        assert_eq!(off.locked_out, 0.into(), "without a limit nobody is locked out");
    })
    .await;
}

async fn signed_in(
    tx: &mut Tx,
    user: UserId,
    number: u8,
    kind: CredentialKind,
    began: Time,
    expires_at: Time,
) {
    let session = new_session(number, user);
    let session = NewSession { form: SignInForm::Mobile, ..session };
    sessions::insert(tx, &session, began).await.unwrap();
    let new = NewCredential {
        mac: mac(number),
        session_id: session.id,
        kind,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life: Life { expires_at, idle: None, renew_until: None },
    };
    credentials::insert(tx, &new, began).await.unwrap();
}

async fn series(tx: &mut Tx, user_id: UserId, number: u8, began: Time) {
    let new = NewSeries {
        id: SeriesId::from_random([number; 16]),
        user_id,
        user_epoch: 0,
        ip: "192.0.2.1".to_owned(),
        peer: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        expires_at: began.plus(Duration::from_hours(30 * 24)),
    };
    remember::insert(tx, &new, began).await.unwrap();
}

fn mail(id: &str) -> NewMail {
    NewMail {
        id: id.to_owned(),
        recipient: "ada@example.com".to_owned(),
        subject: "s".to_owned(),
        body: "b".to_owned(),
        html: "h".to_owned(),
        link: None,
        code: None,
        worth_until: later(1),
    }
}
