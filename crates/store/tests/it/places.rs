//! Places: learned once, removed and never taken for the first again.

use portcullis_domain::id::UserId;
use portcullis_domain::place::{Knowledge, Place};
use portcullis_store::places::{self, Seen};
use portcullis_store::users;

use crate::harness::{NOW, ada, each, later, new_user, role};

fn at(ip: &str) -> Place {
    Place::of(ip.parse().unwrap())
}

fn seen(id: &'static str, user: UserId, ip: &str) -> Seen<'static> {
    Seen { id, user, place: at(ip), user_agent: "curl/8" }
}

#[tokio::test]
async fn a_place_is_learned_used_and_removed() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let home = at("192.0.2.7");
        assert_eq!(places::knowledge(&mut tx, user, home).await.unwrap(), Knowledge::First);
        places::verify(&mut tx, &seen("a", user, "192.0.2.7"), NOW).await.unwrap();
        assert_eq!(places::knowledge(&mut tx, user, home).await.unwrap(), Knowledge::Verified);
        let away = at("198.51.100.1");
        assert_eq!(places::knowledge(&mut tx, user, away).await.unwrap(), Knowledge::New);
        places::told(&mut tx, &seen("b", user, "198.51.100.1"), later(1)).await.unwrap();
        assert_eq!(places::knowledge(&mut tx, user, away).await.unwrap(), Knowledge::Told);
        let list = places::list(&mut tx, user).await.unwrap();
        assert_eq!(list.len(), 1, "told is not verified");
        assert_eq!((list[0].id.as_str(), list[0].place, list[0].last_seen), ("a", home, NOW));

        places::touch(&mut tx, user, home, later(5)).await.unwrap();
        places::touch(&mut tx, user, home, later(3)).await.unwrap();
        places::verify(&mut tx, &seen("c", user, "198.51.100.1"), later(4)).await.unwrap();
        let list = places::list(&mut tx, user).await.unwrap();
        let found: Vec<_> = list.iter().map(|place| (place.id.as_str(), place.last_seen)).collect();
        assert_eq!(found, [("a", later(5)), ("b", later(4))], "one row a network");
        assert_eq!(list[1].first_seen, later(1));

        assert_eq!(places::epoch(&mut tx, user).await.unwrap(), 0);
        assert_eq!(places::remove(&mut tx, user, "a").await.unwrap(), Some(home));
        assert_eq!(places::remove(&mut tx, user, "a").await.unwrap(), None);
        assert_eq!(places::epoch(&mut tx, user).await.unwrap(), 1, "for each that was removed");
        assert_eq!(places::remove(&mut tx, user, "b").await.unwrap(), Some(away));
        assert_eq!(places::knowledge(&mut tx, user, home).await.unwrap(), Knowledge::New);
        let elsewhere = at("203.0.113.1");
        let knowledge = places::knowledge(&mut tx, user, elsewhere).await.unwrap();
        assert_eq!(
            knowledge,
            Knowledge::New,
            "the last place was removed, and no first is learned"
        );
        assert_eq!(places::forget(&mut tx, user).await.unwrap(), 2);
        assert_eq!(places::knowledge(&mut tx, user, home).await.unwrap(), Knowledge::First);
        assert_eq!(places::epoch(&mut tx, user).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn places_are_ones_own() {
    each(async |test| {
        let mut tx = test.write().await;
        let user = ada(&mut tx).await;
        let role = role(&mut tx, "others", 10).await;
        let other = users::insert(&mut tx, &new_user("bob", role), NOW).await.unwrap();
        places::verify(&mut tx, &seen("a", user, "192.0.2.7"), NOW).await.unwrap();
        let home = at("192.0.2.7");
        assert_eq!(places::knowledge(&mut tx, other, home).await.unwrap(), Knowledge::First);
        assert_eq!(places::remove(&mut tx, other, "a").await.unwrap(), None);
        assert_eq!(places::list(&mut tx, other).await.unwrap(), []);
        assert_eq!(places::forget(&mut tx, other).await.unwrap(), 0);
        assert_eq!(places::list(&mut tx, user).await.unwrap().len(), 1);
    })
    .await;
}
