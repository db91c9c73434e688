//! Roles and grants.

use portcullis_domain::id::RoleId;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::role::{BUILT_IN, Level};
use portcullis_domain::text::Name;
use portcullis_store::roles::{self, NewRole};
use portcullis_store::{Error, Tx};

use crate::harness::{NOW, each, later, race, role};

fn grant(text: &str) -> Grant {
    Grant::parse(text).unwrap()
}

#[tokio::test]
async fn a_role_is_made_and_found() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = role(&mut tx, "Desk Clerk", 20).await;
        let made = roles::by_id(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((made.name.as_str(), made.level.get()), ("Desk Clerk", 20));
        assert!(made.grants.is_empty() && !made.built_in);
        assert_eq!(roles::by_name(&mut tx, "DESK clerk").await.unwrap().unwrap(), made);
        assert_eq!(roles::by_name(&mut tx, "none").await.unwrap(), None);
        assert_eq!(roles::by_id(&mut tx, RoleId(99)).await.unwrap(), None);

        assert!(roles::update_level(&mut tx, id, Level::MAX, later(1)).await.unwrap());
        assert!(!roles::update_level(&mut tx, RoleId(99), Level::MAX, later(1)).await.unwrap());
        assert_eq!(roles::by_id(&mut tx, id).await.unwrap().unwrap().level, Level::MAX);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_in_any_case() {
    each(async |test| {
        let mut tx = test.write().await;
        role(&mut tx, "clerk", 20).await;
        let again = NewRole { name: Name::parse("CLERK").unwrap(), level: Level::MAX };
        assert!(matches!(roles::insert(&mut tx, &again, NOW).await, Err(Error::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn grants_come_and_go() {
    each(async |test| {
        let mut tx = test.write().await;
        let id = role(&mut tx, "clerk", 20).await;
        for (text, expected) in [("jobs.read", true), ("jobs.read", false), ("leads.*", true)] {
            assert_eq!(roles::grant(&mut tx, id, &grant(text)).await.unwrap(), expected, "{text}");
        }
        let both: Grants = [grant("jobs.read"), grant("leads.*")].into_iter().collect();
        assert_eq!(grants(&mut tx, id).await, both);
        assert!(roles::revoke(&mut tx, id, &grant("leads.*")).await.unwrap());
        assert!(!roles::revoke(&mut tx, id, &grant("leads.*")).await.unwrap());
        assert_eq!(grants(&mut tx, id).await.len(), 1);
        let nobody = roles::grant(&mut tx, RoleId(99), &grant("x")).await;
        assert!(matches!(nobody, Err(Error::Conflict)), "{nobody:?}");
    })
    .await;
}

#[tokio::test]
async fn built_in_roles_are_made_once_and_then_left_alone() {
    each(async |test| {
        let mut tx = test.write().await;
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        assert_eq!(names(&mut tx).await, ["owner", "staff", "user"]);
        for expected in &BUILT_IN {
            let role = roles::by_name(&mut tx, expected.name).await.unwrap().unwrap();
            assert!(role.built_in);
            assert_eq!((role.level, role.grants), (expected.level, expected.grants()));
        }
        let user = roles::by_name(&mut tx, "user").await.unwrap().unwrap();
        let key = grant("api.security.mobile_auth.use");
        assert!(roles::revoke(&mut tx, user.id, &key).await.unwrap());
        roles::ensure_built_in(&mut tx, NOW).await.unwrap();
        assert!(grants(&mut tx, user.id).await.is_empty());
        role(&mut tx, "between", 70).await;
        assert_eq!(names(&mut tx).await, ["owner", "between", "staff", "user"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_one_set() {
    each(async |test| {
        race(8, |_| {
            let db = test.db.clone();
            async move {
                let mut tx = db.write().await.unwrap();
                roles::ensure_built_in(&mut tx, NOW).await.unwrap();
                tx.commit().await.unwrap();
            }
        })
        .await;
        let mut tx = test.read().await;
        assert_eq!(names(&mut tx).await, ["owner", "staff", "user"]);
        let owner = roles::by_name(&mut tx, "owner").await.unwrap().unwrap();
        assert_eq!(owner.grants, Grants::all());
    })
    .await;
}

async fn grants(tx: &mut Tx, id: RoleId) -> Grants {
    roles::by_id(tx, id).await.unwrap().unwrap().grants
}

async fn names(tx: &mut Tx) -> Vec<String> {
    roles::list(tx).await.unwrap().into_iter().map(|role| role.name).collect()
}
