//! Users and their passwords.

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::permission::Grant;
use portcullis_domain::text::{Email, Identifier, Username};
use portcullis_domain::throttle::Limit;
use portcullis_store::users::{self, NewUser, Password};
use portcullis_store::{Error, Tx, lockouts, roles, user_grants};

use crate::harness::{NOW, ada, each, full_user, later, new_user, race, role};

#[tokio::test]
async fn a_user_reads_back_with_and_without_the_optional() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        for new in [new_user("bare", role), full_user("Full", role)] {
            let id = users::insert(&mut tx, &new, NOW).await.unwrap();
            let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
            assert_eq!((user.id, &user.uuid, &user.email), (id, &new.uuid, &new.email));
            assert_eq!((&user.username, &user.phone), (&new.username, &new.phone));
            assert_eq!((&user.first_name, &user.last_name), (&new.first_name, &new.last_name));
            assert_eq!((user.branch_id, user.account_type), (1, AccountType::Staff));
            assert_eq!((user.status, user.role_id), (AccountStatus::Active, role));
            assert_eq!((user.epoch, user.created_at, user.updated_at), (0, NOW, NOW));
            assert_eq!(users::by_email(&mut tx, &new.email).await.unwrap().unwrap(), user);
            let Password { phc, disabled, failures, .. } = password(&mut tx, id).await;
            assert_eq!(
                phc.as_ref().map(users::PasswordPhc::reveal),
                new.password.as_ref().map(|new| new.phc.as_str())
            );
            assert_eq!((disabled, failures), (false, 0));
        }
        assert_eq!(users::by_id(&mut tx, UserId(99)).await.unwrap(), None);
        assert!(users::password(&mut tx, UserId(99)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn identifiers_find_one_user() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        for (text, expected) in [
            ("ada", Some(id)),
            (" ADA ", Some(id)),
            ("Ada@Example.com", Some(id)),
            ("ada@example.org", None),
            ("ad%", None),
        ] {
            let identifier = Identifier::parse(text).unwrap();
            let found = users::by_identifier(&mut tx, &identifier).await.unwrap();
            assert_eq!(found.map(|user| user.id), expected, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn staff_are_found_by_what_they_were_granted() {
    each(async |test| {
        let mut tx = test.write().await;
        let grant = |text: &str| Grant::parse(text).unwrap();
        let mut expected = Vec::new();
        for (name, of_role, own, is_one) in [
            ("a", "api.files.view", None, false),
            ("b", "api.files.manage", None, true),
            ("c", "api.files_manage", None, false),
            ("d", "api.*", None, true),
            ("e", "*", None, true),
            ("f", "api.other.*", Some("api.files.*"), true),
            ("g", "api.other.*", Some("api.file.*"), false),
        ] {
            let role = role(&mut tx, name, 20).await;
            roles::grant(&mut tx, role, &grant(of_role)).await.unwrap();
            let id = users::insert(&mut tx, &new_user(name, role), NOW).await.unwrap();
            if let Some(own) = own {
                user_grants::grant(&mut tx, id, &grant(own), NOW).await.unwrap();
            }
            expected.extend(is_one.then_some(id));
        }
        let mut found = async |limit| {
            let found = users::staff_with(&mut tx, "api.files.manage", limit).await.unwrap();
            found.into_iter().map(|user| user.id).collect::<Vec<_>>()
        };
        assert_eq!(found(9).await, expected);
        assert_eq!(found(2).await, expected[..2], "whoever may not takes nobody's place");
    })
    .await;
}

#[tokio::test]
async fn what_identifies_a_user_is_taken() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let name = |text: &str| Some(Username::parse(text).unwrap());
        let first = NewUser { username: name("ada"), ..new_user("a", role) };
        let odd = NewUser { username: name("odd@example.com"), ..new_user("b", role) };
        users::insert(&mut tx, &first, NOW).await.unwrap();
        users::insert(&mut tx, &odd, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let email = |text: &str| Email::parse(text).unwrap();
        for (what, new) in [
            ("uuid", NewUser { uuid: first.uuid.clone(), ..new_user("c", role) }),
            ("email", NewUser { email: email("A@example.com"), ..new_user("c", role) }),
            ("username", NewUser { username: name("ADA"), ..new_user("c", role) }),
            (
                "username as email",
                NewUser { username: name("a@Example.com"), ..new_user("c", role) },
            ),
            (
                "email as username",
                NewUser { email: email("odd@example.com"), ..new_user("c", role) },
            ),
            ("role", new_user("c", RoleId(99))),
        ] {
            let mut tx = test.write().await;
            let result = users::insert(&mut tx, &new, NOW).await;
            assert!(matches!(result, Err(Error::Conflict)), "{what}: {result:?}");
        }
        // One user may use his own address as his username.
        let mut tx = test.write().await;
        let own = NewUser { username: name("c@example.com"), ..new_user("c", role) };
        users::insert(&mut tx, &own, NOW).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crossed_identifiers_in_parallel_let_one_in() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        tx.commit().await.unwrap();
        let done = race(20, |number| {
            let db = test.db.clone();
            let crossed = Some(Username::parse("x@example.com").unwrap());
            let new = match number % 2 {
                0 => new_user("x", role),
                _ => NewUser { username: crossed, ..new_user(&format!("y{number}"), role) },
            };
            async move {
                let mut tx = db.write().await?;
                users::insert(&mut tx, &new, NOW).await?;
                tx.commit().await
            }
        })
        .await;
        assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
        let all = users::list(&mut test.read().await, UserId(0), 9).await.unwrap();
        assert_eq!(all.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn lists_go_on_after_the_last() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            ids.push(users::insert(&mut tx, &new_user(name, role), NOW).await.unwrap());
        }
        let page = async |tx: &mut Tx, after: i64, limit: i64| -> Vec<UserId> {
            let page = users::list(tx, UserId(after), limit).await.unwrap();
            page.into_iter().map(|user| user.id).collect()
        };
        assert_eq!(page(&mut tx, 0, 2).await, ids[..2]);
        assert_eq!(page(&mut tx, ids[1].0, 2).await, ids[2..]);
    })
    .await;
}

#[tokio::test]
async fn an_account_changes() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        for (status, expected) in [
            (AccountStatus::Active, false),
            (AccountStatus::Disabled, true),
            (AccountStatus::Disabled, false),
        ] {
            let changed = users::set_status(&mut tx, id, status, later(1)).await.unwrap();
            assert_eq!(changed, expected, "{status:?}");
        }
        let other = role(&mut tx, "other", 20).await;
        assert!(users::set_role(&mut tx, id, other, later(2)).await.unwrap());
        assert!(!users::set_role(&mut tx, id, other, later(3)).await.unwrap());
        assert_eq!(users::bump_epoch(&mut tx, id).await.unwrap(), Some(1));
        assert_eq!(users::bump_epoch(&mut tx, UserId(99)).await.unwrap(), None);
        let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((user.status, user.role_id, user.epoch), (AccountStatus::Disabled, other, 1));
        assert_eq!(user.updated_at, later(2));
        let nowhere = users::set_role(&mut tx, id, RoleId(99), NOW).await;
        assert!(matches!(nowhere, Err(Error::Conflict)), "{nowhere:?}");
    })
    .await;
}

#[tokio::test]
async fn a_password_is_changed_and_rehashed() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        let before = password(&mut tx, id).await.phc.unwrap();
        assert!(users::rehash(&mut tx, id, &before, "better").await.unwrap());
        assert!(!users::rehash(&mut tx, id, &before, "late").await.unwrap());
        assert_eq!(password(&mut tx, id).await.phc.unwrap().reveal(), "better");

        users::password_failed(&mut tx, id).await.unwrap();
        users::disable_password(&mut tx, id).await.unwrap();
        assert!(
            users::set_password(&mut tx, id, &users::NewPassword::unseen("new"), later(1))
                .await
                .unwrap()
        );
        assert!(
            !users::set_password(&mut tx, UserId(99), &users::NewPassword::unseen("new"), later(1))
                .await
                .unwrap()
        );
        let after = password(&mut tx, id).await;
        assert_eq!(after.phc.unwrap().reveal(), "new");
        assert_eq!((after.disabled, after.failures), (false, 0));
    })
    .await;
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_forgiven() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        assert!(!users::password_succeeded(&mut tx, id).await.unwrap());
        assert_eq!(users::password_failed(&mut tx, id).await.unwrap(), 1);
        assert_eq!(users::password_failed(&mut tx, id).await.unwrap(), 2);
        assert!(users::password_succeeded(&mut tx, id).await.unwrap());
        assert!(!users::unlock(&mut tx, id).await.unwrap());

        assert!(users::disable_password(&mut tx, id).await.unwrap());
        assert!(!users::disable_password(&mut tx, id).await.unwrap());
        let limit: Limit = "1/15m".parse().unwrap();
        for key in [format!("user:{id}:192.0.2.1"), format!("user:{id}0:192.0.2.1")] {
            lockouts::reserve_failure(&mut tx, &key, limit, NOW).await.unwrap();
        }
        assert!(users::unlock(&mut tx, id).await.unwrap());
        assert!(!password(&mut tx, id).await.disabled);
        let mine = lockouts::clear(&mut tx, &format!("user:{id}:192.0.2.1")).await.unwrap();
        let others = lockouts::clear(&mut tx, &format!("user:{id}0:192.0.2.1")).await.unwrap();
        assert!(!mine && others);
        let nobody = users::password_failed(&mut tx, UserId(99)).await;
        assert!(matches!(nobody, Err(Error::Conflict)), "{nobody:?}");
    })
    .await;
}

async fn password(tx: &mut Tx, id: UserId) -> Password {
    users::password(tx, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_address_of_a_picture() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = ada(&mut tx).await;
        let url = "https://example.com/a.png";
        for (new, changes) in [(None, false), (Some(url), true), (Some(url), false), (None, true)] {
            let changed = users::set_avatar_url(&mut tx, id, new, later(1)).await.unwrap();
            assert_eq!(changed, changes, "{new:?}");
            let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
            assert_eq!(user.avatar_url.as_deref(), new);
        }
        assert!(!users::set_avatar_url(&mut tx, UserId(99), Some(url), NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn who_is_there_and_who_takes_no_password() {
    each(async |test| {
        let mut tx = test.write().await;
        assert!(!users::any(&mut tx).await.unwrap());
        assert!(!users::any_but(&mut tx, UserId(1)).await.unwrap());
        let clerk = role(&mut tx, "clerk", 20).await;
        for number in 0..5 {
            users::insert(&mut tx, &new_user(&format!("u{number}"), clerk), NOW).await.unwrap();
        }
        assert!(users::any(&mut tx).await.unwrap());
        assert!(users::any_but(&mut tx, UserId(1)).await.unwrap());
        assert_eq!(users::password_disabled(&mut tx, 9).await.unwrap(), []);
        for id in [3, 2, 5] {
            users::disable_password(&mut tx, UserId(id)).await.unwrap();
        }
        for (limit, expected) in [(9, &[2, 3, 5][..]), (2, &[2, 3])] {
            let disabled = users::password_disabled(&mut tx, limit).await.unwrap();
            assert_eq!(disabled.iter().map(|user| user.id.0).collect::<Vec<_>>(), expected);
        }
    })
    .await;
}
