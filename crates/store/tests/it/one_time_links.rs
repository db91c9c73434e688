//! One-time links: made, spent by one, voided by a newer one, forgotten. And the first password
//! that they are for.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::{Facts, LinkPurpose};
use portcullis_domain::text::{Email, Name, Username};
use portcullis_store::one_time_links::{self, Asked, NewLink, Spent};
use portcullis_store::users::{self, FirstPassword, NewPassword};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, ada, each, full_user, later, mac, new_user, race, role};

const PURPOSE: LinkPurpose = LinkPurpose::FirstRun;

#[tokio::test]
async fn a_link_is_spent_once_and_in_its_time() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_links::issue(&mut tx, &new_link(1, ada), NOW).await.unwrap();
        assert_eq!(spend(&mut tx, 2, 0).await, None, "another's MAC");
        assert_eq!(spend(&mut tx, 1, 60).await, None, "its time is over");
        assert_eq!(facts(&mut tx, 1).await, Some((false, false)));
        assert_eq!(spend(&mut tx, 1, 59).await, Some(ada));
        assert_eq!(spend(&mut tx, 1, 59).await, None, "once more");
        assert_eq!(facts(&mut tx, 1).await, Some((true, false)));
        assert_eq!(facts(&mut tx, 2).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_link_says_where_it_was_mailed_to() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let email = Some(Email::parse("ada@example.com").unwrap());
        let mailed = NewLink { email: email.clone(), ..new_link(1, ada) };
        one_time_links::issue(&mut tx, &mailed, NOW).await.unwrap();
        let spent = one_time_links::spend(&mut tx, PURPOSE, &mac(1), NOW).await.unwrap();
        assert_eq!(spent, Some(Spent { user_id: ada, user_epoch: 0, email }));
    })
    .await;
}

#[tokio::test]
async fn a_link_knows_where_it_was_asked_for() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_links::issue(&mut tx, &new_link(1, ada), NOW).await.unwrap();
        let expected = Asked {
            user_id: ada,
            facts: Facts { expires_at: later(60), is_spent: false, is_outdated: false },
            browser: None,
            detail: String::new(),
        };
        let asked = one_time_links::asked(&mut tx, PURPOSE, &mac(1)).await.unwrap();
        assert_eq!(asked, Some(expected.clone()), "a link that nothing was noted of");
        one_time_links::note_asked(&mut tx, &mac(1), Some(&mac(9)), "{}").await.unwrap();
        let asked = one_time_links::asked(&mut tx, PURPOSE, &mac(1)).await.unwrap();
        let noted = Asked { browser: Some(mac(9)), detail: "{}".to_owned(), ..expected };
        assert_eq!(asked, Some(noted));
        for (purpose, number) in [(PURPOSE, 2), (LinkPurpose::MagicLink, 1)] {
            let asked = one_time_links::asked(&mut tx, purpose, &mac(number)).await.unwrap();
            assert_eq!(asked, None, "{purpose:?} {number}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_newer_link_voids_the_older_ones_of_its_user() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let clerk = users::by_id(&mut tx, ada).await.unwrap().unwrap().role_id;
        let eve = users::insert(&mut tx, &new_user("eve", clerk), NOW).await.unwrap();
        for (number, user) in [(1, ada), (2, eve), (3, ada)] {
            one_time_links::issue(&mut tx, &new_link(number, user), NOW).await.unwrap();
        }
        assert_eq!(spend(&mut tx, 1, 1).await, None);
        assert_eq!(facts(&mut tx, 1).await, Some((true, false)));
        assert_eq!(spend(&mut tx, 2, 1).await, Some(eve), "another user's stays");
        assert_eq!(spend(&mut tx, 3, 1).await, Some(ada));
        let nobody = one_time_links::issue(&mut tx, &new_link(4, UserId(99)), NOW).await;
        assert!(matches!(nobody, Err(Error::Conflict)), "{nobody:?}");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_dead_under_another_epoch() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_links::issue(&mut tx, &new_link(1, ada), NOW).await.unwrap();
        users::bump_epoch(&mut tx, ada).await.unwrap();
        assert_eq!(facts(&mut tx, 1).await, Some((false, true)));
        assert_eq!(spend(&mut tx, 1, 1).await, None);
        let again = NewLink { user_epoch: 1, ..new_link(2, ada) };
        one_time_links::issue(&mut tx, &again, NOW).await.unwrap();
        assert_eq!(spend(&mut tx, 2, 1).await, Some(ada));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_callers_one_wins() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        one_time_links::issue(&mut tx, &new_link(1, ada), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let won = race(16, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                let won = spend(&mut tx, 1, 1).await;
                tx.commit().await.unwrap();
                won
            }
        })
        .await;
        assert_eq!(won.iter().flatten().count(), 1, "{won:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_links_made_at_once_one_is_in_force() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        tx.commit().await.unwrap();
        let made = race(8, |number| {
            let (db, link) = (test.db.clone(), new_link(u8::try_from(number).unwrap(), ada));
            async move {
                let mut tx = db.write().await.unwrap();
                one_time_links::issue(&mut tx, &link, NOW).await?;
                tx.commit().await
            }
        })
        .await;
        assert!(made.iter().any(Result::is_ok), "{made:?}");
        let mut tx = test.write().await;
        let mut in_force = 0;
        for number in 0..8 {
            in_force += u32::from(spend(&mut tx, number, 1).await.is_some());
        }
        assert_eq!(in_force, 1);
    })
    .await;
}

#[tokio::test]
async fn links_are_forgotten_some_time_after_their_end() {
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        for number in 1..=3 {
            one_time_links::issue(&mut tx, &new_link(number, ada), NOW).await.unwrap();
        }
        assert_eq!(one_time_links::sweep(&mut tx, later(60), 9).await.unwrap(), 0);
        assert_eq!(one_time_links::sweep(&mut tx, later(61), 2).await.unwrap(), 2);
        assert_eq!(one_time_links::sweep(&mut tx, later(61), 2).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_first_password_is_set_once() {
    each(async |test| {
        let mut tx = test.write().await;
        let owner = role(&mut tx, "boss", 90).await;
        assert!(!users::role_has_password(&mut tx, owner).await.unwrap());
        assert_eq!(users::without_password(&mut tx, owner).await.unwrap(), None);
        let id = users::insert(&mut tx, &new_user("owner", owner), NOW).await.unwrap();
        let second = users::insert(&mut tx, &new_user("second", owner), NOW).await.unwrap();
        let found = users::without_password(&mut tx, owner).await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(id));
        assert!(!users::role_has_password(&mut tx, owner).await.unwrap());

        let new = first_password("grace@example.com");
        let nobody = first_password("nobody@example.com");
        assert!(users::set_first_password(&mut tx, id, &new, later(1)).await.unwrap());
        assert!(!users::set_first_password(&mut tx, id, &new, later(2)).await.unwrap());
        assert!(!users::set_first_password(&mut tx, UserId(99), &nobody, NOW).await.unwrap());
        let user = users::by_email(&mut tx, &new.email).await.unwrap().unwrap();
        assert_eq!((user.id, user.updated_at), (id, later(1)));
        assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("Grace", "Hopper"));
        let password = users::password(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(password.phc.unwrap().reveal(), "$argon2id$first");
        assert!(users::role_has_password(&mut tx, owner).await.unwrap());

        users::set_status(&mut tx, second, AccountStatus::Disabled, NOW).await.unwrap();
        assert_eq!(users::without_password(&mut tx, owner).await.unwrap(), None, "it is closed");
    })
    .await;
}

#[tokio::test]
async fn an_address_of_somebody_else_is_not_taken() {
    each(async |test| {
        let check = async |address: &str, good: bool| {
            let mut tx = test.write().await;
            let clerk = role(&mut tx, "clerk", 20).await;
            let mut ada = full_user("ada", clerk);
            ada.username = Some(Username::parse("ada@work.example").unwrap());
            users::insert(&mut tx, &ada, NOW).await.unwrap();
            let id = users::insert(&mut tx, &new_user("owner", clerk), NOW).await.unwrap();
            let set = users::set_first_password(&mut tx, id, &first_password(address), NOW).await;
            match set {
                Ok(done) => assert!(done && good, "{address}"),
                Err(error) => assert!(!good && matches!(error, Error::Conflict), "{address}"),
            }
        };
        check("grace@example.com", true).await;
        check("OWNER@example.com", true).await;
        check("ADA@example.com", false).await;
        check("ada@work.example", false).await;
    })
    .await;
}

pub(crate) fn first_password(address: &str) -> FirstPassword {
    FirstPassword {
        email: Email::parse(address).unwrap(),
        first_name: Name::parse("Grace").unwrap(),
        last_name: Name::parse("Hopper").unwrap(),
        password: NewPassword::unseen("$argon2id$first"),
    }
}

/// A link that is good for a minute.
fn new_link(number: u8, user_id: UserId) -> NewLink {
    NewLink {
        mac: mac(number),
        purpose: PURPOSE,
        user_id,
        user_epoch: 0,
        email: None,
        expires_at: later(60),
    }
}

async fn spend(tx: &mut Tx, number: u8, seconds: u64) -> Option<UserId> {
    let spent = one_time_links::spend(tx, PURPOSE, &mac(number), later(seconds)).await.unwrap();
    spent.map(|spent| spent.user_id)
}

/// Whether it is spent, and whether it is outdated.
async fn facts(tx: &mut Tx, number: u8) -> Option<(bool, bool)> {
    let found = one_time_links::find(tx, PURPOSE, &mac(number)).await.unwrap();
    found.map(|Facts { expires_at, is_spent, is_outdated }| {
        assert_eq!(expires_at, later(60));
        (is_spent, is_outdated)
    })
}

#[tokio::test]
async fn links_that_wait_are_listed_and_taken_back() {
    const PURPOSES: [LinkPurpose; 2] = [PURPOSE, LinkPurpose::HandedOutReset];
    each(async |test| {
        let mut tx = test.write().await;
        let ada = ada(&mut tx).await;
        let clerk = users::by_id(&mut tx, ada).await.unwrap().unwrap().role_id;
        let eve = users::insert(&mut tx, &new_user("eve", clerk), NOW).await.unwrap();
        one_time_links::issue(&mut tx, &new_link(1, ada), NOW).await.unwrap();
        one_time_links::issue(&mut tx, &new_link(2, eve), NOW).await.unwrap();
        let second = NewLink { purpose: LinkPurpose::HandedOutReset, ..new_link(3, eve) };
        one_time_links::issue(&mut tx, &second, NOW).await.unwrap();
        let waiting = async |tx: &mut Tx, at, page| {
            let found = one_time_links::waiting(tx, PURPOSES, later(at), page).await.unwrap();
            found.into_iter().map(|one| (one.user, one.username)).collect::<Vec<_>>()
        };
        let of_ada = (ada, "ada".to_owned());
        let of_eve = (eve, "eve@example.com".to_owned());
        assert_eq!(waiting(&mut tx, 1, (9, 0)).await, [of_ada, of_eve.clone()]);
        assert_eq!(waiting(&mut tx, 1, (1, 1)).await, [of_eve]);
        assert_eq!(waiting(&mut tx, 60, (9, 0)).await, [], "their time is over");
        let count = one_time_links::count_waiting(&mut tx, PURPOSES, later(1)).await.unwrap();
        assert_eq!(count, 2);
        assert!(!one_time_links::void(&mut tx, PURPOSE, ada, later(60)).await.unwrap());
        assert!(one_time_links::void(&mut tx, PURPOSE, ada, later(1)).await.unwrap());
        assert!(!one_time_links::void(&mut tx, PURPOSE, ada, later(1)).await.unwrap());
        assert_eq!(spend(&mut tx, 1, 1).await, None, "it is good no longer");
        users::bump_epoch(&mut tx, eve).await.unwrap();
        assert_eq!(waiting(&mut tx, 1, (9, 0)).await, [], "the account has changed");
    })
    .await;
}
