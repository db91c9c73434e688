//! Finding users among many, changing what they are, and what single ones are given.

use portcullis_domain::account::{AccountStatus, AccountType};
use portcullis_domain::id::{RoleId, UserId};
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::place::{Knowledge, Place};
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::credentials::{self, CredentialKind};
use portcullis_store::places::{self, Seen};
use portcullis_store::users::directory::{self, Page};
use portcullis_store::users::{self, NewUser, Profile};
use portcullis_store::{Error, Tx, roles, user_grants};

use crate::harness::{NOW, credential, each, full_user, later, mac, new_user, race, role, session};

const ALL: Page = Page { limit: 50, offset: 0 };

fn grant(text: &str) -> Grant {
    Grant::parse(text).unwrap()
}

fn grants(list: &[&str]) -> Grants {
    list.iter().map(|text| grant(text)).collect()
}

async fn person(tx: &mut Tx, name: &str, first: &str, last: &str, role: RoleId) -> UserId {
    let new = NewUser {
        first_name: Name::stored(first).unwrap(),
        last_name: Name::stored(last).unwrap(),
        ..full_user(name, role)
    };
    users::insert(tx, &new, NOW).await.unwrap()
}

#[tokio::test]
async fn a_search_finds_what_holds_the_text_and_nothing_else() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        person(&mut tx, "ada", "Ada", "Lovelace", role).await;
        person(&mut tx, "bob_b", "Élodie", "O'Neill 100%", role).await;
        person(&mut tx, "carol", "=cmd|'!A1", "\u{202e}evil", role).await;
        let check = async |tx: &mut Tx, text: &str, expected: &[&str]| {
            let found = directory::search(tx, text, ALL).await.unwrap();
            let uuids: Vec<_> = found.iter().map(|row| row.user.uuid.as_str()).collect();
            let expected: Vec<_> = expected.iter().map(|name| format!("uuid-of-{name}")).collect();
            assert_eq!(uuids, expected, "{text:?}");
            let count = directory::count_matches(tx, text).await.unwrap();
            assert_eq!(count, i64::try_from(expected.len()).unwrap(), "{text:?}");
        };
        check(&mut tx, "LOVE", &["ada"]).await;
        check(&mut tx, "ada love", &["ada"]).await;
        check(&mut tx, "élo", &["bob_b"]).await;
        check(&mut tx, "E\u{301}LO", &["bob_b"]).await;
        check(&mut tx, "@example.COM", &["ada", "bob_b", "carol"]).await;
        check(&mut tx, "uuid-of-c", &["carol"]).await;
        check(&mut tx, "%", &["bob_b"]).await;
        check(&mut tx, "b_b", &["bob_b"]).await;
        check(&mut tx, "a_a", &[]).await;
        check(&mut tx, "!", &["carol"]).await;
        check(&mut tx, "'", &["bob_b", "carol"]).await;
        check(&mut tx, "' OR 1=1 --", &[]).await;
        check(&mut tx, "\u{202e}", &["carol"]).await;
        check(&mut tx, "", &["ada", "bob_b", "carol"]).await;
    })
    .await;
}

#[tokio::test]
async fn pages_hold_everybody_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        for number in 0..7 {
            person(&mut tx, &format!("user{number}"), "A", "B", role).await;
        }
        assert_eq!(directory::count(&mut tx).await.unwrap(), 7);
        let (mut all, mut matching) = (Vec::new(), Vec::new());
        for offset in [0, 3, 6, 9] {
            let page = Page { limit: 3, offset };
            all.extend(directory::page(&mut tx, page).await.unwrap());
            matching.extend(directory::search(&mut tx, "user", page).await.unwrap());
        }
        let ids: Vec<_> = all.iter().map(|row| row.user.id.0).collect();
        assert_eq!(ids, (1..=7).collect::<Vec<_>>());
        assert_eq!(all, matching);
        assert_eq!((all[0].role_name.as_str(), all[0].role_level), ("clerk", 20));
    })
    .await;
}

#[tokio::test]
async fn a_profile_is_written_and_found_under_the_new_name() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let id = person(&mut tx, "ada", "Ada", "Byron", role).await;
        let new = Profile {
            first_name: Name::parse("Augusta").unwrap(),
            last_name: Name::parse("King").unwrap(),
            phone: None,
            branch_id: 7,
        };
        assert!(users::set_profile(&mut tx, id, &new, later(1)).await.unwrap());
        assert!(!users::set_profile(&mut tx, UserId(99), &new, later(1)).await.unwrap());
        let user = users::by_id(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((user.phone, user.branch_id, user.updated_at), (None, 7, later(1)));
        assert_eq!(directory::count_matches(&mut tx, "augusta king").await.unwrap(), 1);
        assert_eq!(directory::count_matches(&mut tx, "byron").await.unwrap(), 0);
        assert!(users::set_account_type(&mut tx, id, AccountType::Agent, NOW).await.unwrap());
        assert!(!users::set_account_type(&mut tx, id, AccountType::Agent, NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_address_is_taken_over_from_nobody() {
    each(async |test| {
        let mut tx = test.write().await;
        let role = role(&mut tx, "clerk", 20).await;
        let ada = person(&mut tx, "ada", "Ada", "", role).await;
        person(&mut tx, "bob", "", "", role).await;
        tx.commit().await.unwrap();
        let mail = |text: &str| Email::parse(text).unwrap();
        let login = |text: &str| Some(Username::parse(text).unwrap());
        for (what, email, username) in [
            ("address", mail("BOB@example.com"), login("ada")),
            ("username", mail("ada@example.com"), login("BOB")),
            ("username that is an address", mail("ada@example.com"), login("bob@example.com")),
        ] {
            let mut tx = test.write().await;
            let set = users::set_identity(&mut tx, ada, &email, username.as_ref(), NOW).await;
            assert!(matches!(set, Err(Error::Conflict)), "{what}: {set:?}");
        }
        let mut tx = test.write().await;
        let (email, username) = (mail("ada@new.example"), login("ada@new.example"));
        assert!(users::set_identity(&mut tx, ada, &email, username.as_ref(), NOW).await.unwrap());
        assert!(
            !users::set_identity(&mut tx, UserId(99), &mail("x@y.z"), None, NOW).await.unwrap()
        );
        let user = users::by_id(&mut tx, ada).await.unwrap().unwrap();
        assert_eq!((&user.email, &user.username), (&email, &username));
        assert!(users::set_identity(&mut tx, ada, &email, None, NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn who_is_deleted_is_gone_for_good_and_frees_what_was_his() {
    each(async |test| {
        let mut tx = test.write().await;
        let (clerk, user) = (role(&mut tx, "clerk", 20).await, role(&mut tx, "low", 1).await);
        let id = person(&mut tx, "ada", "Ada", "Byron", clerk).await;
        user_grants::grant(&mut tx, id, &grant("api.x"), NOW).await.unwrap();
        let place = Place::of("192.0.2.7".parse().unwrap());
        let seen = Seen { id: "a", user: id, place, user_agent: "curl/8" };
        places::verify(&mut tx, &seen, NOW).await.unwrap();
        let picture = Some("https://example.com/ada.png");
        assert!(users::set_avatar_url(&mut tx, id, picture, NOW).await.unwrap());
        assert!(users::email_verified_at(&mut tx, id).await.unwrap().is_some(), "control");
        assert!(!users::another_has_role(&mut tx, id, clerk, AccountType::Staff).await.unwrap());
        assert!(
            users::another_has_role(&mut tx, UserId(99), clerk, AccountType::Staff).await.unwrap()
        );
        let grave = Email::parse("deleted-1@deleted.invalid").unwrap();
        assert!(users::delete(&mut tx, id, &grave, user, later(5)).await.unwrap());
        assert!(!users::delete(&mut tx, id, &grave, user, later(6)).await.unwrap());
        let gone = users::by_id(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((gone.status, gone.role_id), (AccountStatus::Deleted, user));
        assert_eq!((gone.username, gone.phone, gone.epoch), (None, None, 1));
        assert_eq!(gone.first_name.as_str(), "Ada");
        assert!(user_grants::list(&mut tx, id).await.unwrap().is_empty());
        assert!(users::password(&mut tx, id).await.unwrap().unwrap().phc.is_none());
        assert_eq!(gone.avatar_url, None);
        assert_eq!(users::email_verified_at(&mut tx, id).await.unwrap(), None);
        let known = places::knowledge(&mut tx, id, place).await.unwrap();
        assert_eq!(known, Knowledge::First, "where he was is forgotten");

        assert_eq!(directory::count(&mut tx).await.unwrap(), 0);
        assert!(directory::page(&mut tx, ALL).await.unwrap().is_empty());
        assert!(directory::search(&mut tx, "ada", ALL).await.unwrap().is_empty());
        assert!(directory::by_uuid(&mut tx, "uuid-of-ada").await.unwrap().is_none());
        assert!(users::list(&mut tx, UserId(0), 9).await.unwrap().is_empty());
        assert!(!users::set_status(&mut tx, id, AccountStatus::Active, NOW).await.unwrap());
        assert!(!users::set_role(&mut tx, id, clerk, NOW).await.unwrap());
        assert!(!users::set_account_type(&mut tx, id, AccountType::Agent, NOW).await.unwrap());
        assert!(
            !users::another_has_role(&mut tx, UserId(99), user, AccountType::Staff).await.unwrap()
        );
        assert!(roles::delete(&mut tx, clerk).await.unwrap());

        let again = NewUser { uuid: "other".to_owned(), ..full_user("ada", user) };
        users::insert(&mut tx, &again, NOW).await.unwrap();
        assert!(directory::by_uuid(&mut tx, "other").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn what_a_user_was_given_is_read_with_his_credential() {
    each(async |test| {
        let mut tx = test.write().await;
        let clerk = role(&mut tx, "clerk", 20).await;
        roles::grant(&mut tx, clerk, &grant("api.jobs.read")).await.unwrap();
        let mut macs = Vec::new();
        for (number, name) in [(1, "ada"), (2, "bob")] {
            let id = person(&mut tx, name, "", "", clerk).await;
            let session = session(&mut tx, number, id).await;
            macs.push(credential(&mut tx, number, &session, CredentialKind::Cookie).await);
        }
        let ada = UserId(1);
        assert!(user_grants::grant(&mut tx, ada, &grant("api.jobs.write"), NOW).await.unwrap());
        assert!(user_grants::grant(&mut tx, ada, &grant("api.leads.*"), NOW).await.unwrap());
        assert!(!user_grants::grant(&mut tx, ada, &grant("api.leads.*"), NOW).await.unwrap());
        let own = user_grants::list(&mut tx, ada).await.unwrap();
        assert_eq!(own, grants(&["api.jobs.write", "api.leads.*"]));
        let mut held = Vec::new();
        for mac in &macs {
            let found = credentials::find(&mut tx, mac).await.unwrap().unwrap();
            held.push((found.role.grants.clone(), found.has_own_grants, found.role.id));
        }
        let both = grants(&["api.jobs.read", "api.jobs.write", "api.leads.*"]);
        assert_eq!(held, [(both, true, clerk), (grants(&["api.jobs.read"]), false, clerk)]);

        assert!(user_grants::revoke(&mut tx, ada, &grant("api.leads.*")).await.unwrap());
        assert!(!user_grants::revoke(&mut tx, ada, &grant("api.leads.*")).await.unwrap());
        user_grants::revoke(&mut tx, ada, &grant("api.jobs.write")).await.unwrap();
        let found = credentials::find(&mut tx, &mac(1)).await.unwrap().unwrap();
        assert_eq!((found.role.grants.len(), found.has_own_grants), (1, false));
        let nobody = user_grants::grant(&mut tx, UserId(99), &grant("api.x"), NOW).await;
        assert!(matches!(nobody, Err(Error::Conflict)), "{nobody:?}");
    })
    .await;
}

#[tokio::test]
async fn a_role_that_somebody_has_stays() {
    each(async |test| {
        let mut tx = test.write().await;
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        let (clerk, spare) = (role(&mut tx, "clerk", 20).await, role(&mut tx, "spare", 1).await);
        users::insert(&mut tx, &new_user("ada", clerk), NOW).await.unwrap();
        let name = Name::parse("Desk").unwrap();
        assert!(roles::rename(&mut tx, clerk, &name, later(1)).await.unwrap());
        assert!(!roles::rename(&mut tx, RoleId(99), &name, later(1)).await.unwrap());
        assert_eq!(roles::by_name(&mut tx, "DESK").await.unwrap().map(|role| role.id), Some(clerk));
        assert_eq!(roles::members(&mut tx).await.unwrap(), [(clerk, 1)]);
        assert!(roles::delete(&mut tx, spare).await.unwrap());
        assert!(!roles::delete(&mut tx, spare).await.unwrap());
        let owner = roles::by_name(&mut tx, "owner").await.unwrap().unwrap();
        assert!(!roles::delete(&mut tx, owner.id).await.unwrap());
        tx.commit().await.unwrap();
        for what in ["clerk", "taken"] {
            let mut tx = test.write().await;
            let result = match what {
                "clerk" => roles::delete(&mut tx, clerk).await,
                _ => roles::rename(&mut tx, clerk, &Name::parse("OWNER").unwrap(), NOW).await,
            };
            assert!(matches!(result, Err(Error::Conflict)), "{what}: {result:?}");
        }
    })
    .await;
}

/// Whatever comes first, nobody is left with a role that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_deleted_or_given_but_never_both() {
    each(async |test| {
        let mut tx = test.write().await;
        let (spare, low) = (role(&mut tx, "spare", 20).await, role(&mut tx, "low", 1).await);
        for number in 0..10 {
            users::insert(&mut tx, &new_user(&format!("u{number}"), low), NOW).await.unwrap();
        }
        tx.commit().await.unwrap();
        let done = race(20, |number| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await?;
                if number % 2 == 0 {
                    roles::delete(&mut tx, spare).await?;
                } else {
                    let id = UserId(i64::try_from(number).unwrap() / 2 + 1);
                    users::set_role(&mut tx, id, spare, NOW).await?;
                }
                tx.commit().await
            }
        })
        .await;
        let mut tx = test.write().await;
        let exists = roles::by_id(&mut tx, spare).await.unwrap().is_some();
        let members = roles::members(&mut tx).await.unwrap();
        let has_it = members.iter().any(|(id, _)| *id == spare);
        assert_eq!(exists, has_it, "{done:?}");
        assert_eq!(members.iter().map(|(_, count)| count).sum::<i64>(), 10);
    })
    .await;
}
