//! Looking for what happened: every walk is along its index and reads no more than it is told to. And
//! how far the receivers of webhooks are.

use std::collections::BTreeMap;

use portcullis_domain::audit::entry::{Entry, Person, VERSION};
use portcullis_domain::audit::personal::{Drawn, Part as Data, PersonKey};
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::audit::activity::{self, Along, Part, Place};
use portcullis_store::audit::log::{self, Written};
use portcullis_store::audit::people::{self, Known};
use portcullis_store::audit::personal::{self, Personal};
use portcullis_store::audit::sinks::{self, Sink};
use portcullis_store::audit::{counts, tree};
use serde_json::{Map, json};

use crate::harness::{NOW, ada, each, later, race};

const ADDRESS: &str = "192.0.2.1";

fn keys() -> Keys {
    Keys::derive(&MasterSecret::from_random([7; 32])).unwrap()
}

/// A log of forty entries: every second one is a sign-in of Ada, every fourth from one address, and of
/// each the time is that of the index, but for those whose number ends in 9, which came late.
async fn fill(tx: &mut Tx) -> Person {
    let keys = keys();
    let ada = ada(tx).await;
    let person = Person::from_random([3; 8]);
    let key = PersonKey::from_random([4; 32]);
    let sealed_key = keys.audit.wrap(person, ada, &key, [0; 12]).unwrap();
    people::insert(tx, ada, &Known { person, sealed_key }).await.unwrap();
    tree::begin(tx, "test").await.unwrap();
    for index in 0..40_u64 {
        let is_adas = index.is_multiple_of(2);
        let from = index.is_multiple_of(4).then(|| {
            let data: Map<_, _> = [("ip".to_owned(), json!(ADDRESS))].into_iter().collect();
            let drawn = Drawn { salt: [1; 32], nonce: [2; 12] };
            key.seal(index, Data::From, &data, drawn).unwrap()
        });
        let late = if index % 10 == 9 { 5 } else { 0 };
        let entry = Entry {
            version: VERSION,
            index,
            at: later(index - late),
            logged: later(index),
            id: format!("id-{index}"),
            event: (if is_adas { "authn_login_success" } else { "sys_heartbeat" }).to_owned(),
            outcome: "success".to_owned(),
            severity: "info".to_owned(),
            actor: is_adas.then_some(person),
            subject: is_adas.then_some(person),
            session: None,
            request: None,
            detail: Map::new(),
            from: from.as_ref().map(|(commitment, _)| *commitment),
            texts: None,
        };
        let leaf = entry.leaf().unwrap();
        log::append(tx, &[Written { entry, leaf }]).await.unwrap();
        if let Some((_, sealed)) = from {
            let address = Some(keys.audit.address_mac(ADDRESS));
            let row = Personal { index, part: Data::From, person: Some(person), sealed, address };
            personal::insert(tx, &[row]).await.unwrap();
        }
    }
    counts::add(tx, &BTreeMap::new()).await.unwrap();
    assert!(tree::grow(tx, 0, 40, NOW).await.unwrap());
    person
}

fn all(limit: u32) -> Part {
    Part { from: Time(0), to: Place::before(Time(i64::MAX)), limit }
}

async fn walked(tx: &mut Tx, along: &Along, part: &Part) -> Vec<u64> {
    let steps = activity::walk(tx, along, part).await.unwrap();
    steps.into_iter().map(|step| step.place.index).collect()
}

#[tokio::test]
async fn walks_are_newest_first_and_within_their_part() {
    each(async |test| {
        let mut tx = test.write().await;
        let person = fill(&mut tx).await;
        let name = Along::Name("authn_login_success".to_owned());
        let by_time = [38, 37, 36, 35, 39, 34];
        assert_eq!(walked(&mut tx, &Along::Everything, &all(6)).await, by_time);
        assert_eq!(walked(&mut tx, &name, &all(3)).await, [38, 36, 34]);
        for along in [Along::Actor(person), Along::Subject(person)] {
            assert_eq!(walked(&mut tx, &along, &all(3)).await, [38, 36, 34]);
        }
        let other = Person::from_random([9; 8]);
        assert_eq!(walked(&mut tx, &Along::Actor(other), &all(3)).await, Vec::<u64>::new());
        let part = Part { from: later(30), to: Place::before(later(36)), limit: 99 };
        assert_eq!(walked(&mut tx, &Along::Everything, &part).await, [35, 39, 34, 33, 32, 31, 30]);
        // On from where the last walk ended, and nothing of one moment is passed over.
        let to = activity::place(&mut tx, 39).await.unwrap().unwrap();
        assert_eq!(to, Place { at: later(34), index: 39 });
        let on = Part { to, ..all(2) };
        assert_eq!(walked(&mut tx, &Along::Everything, &on).await, [34, 33]);
        assert_eq!(activity::place(&mut tx, 40).await.unwrap(), None);

        let address = Along::Address(keys().audit.address_mac(ADDRESS));
        let end = all(3);
        assert_eq!(walked(&mut tx, &address, &end).await, [36, 32, 28]);
        let on = Part { to: Place { at: NOW, index: 28 }, ..end };
        assert_eq!(walked(&mut tx, &address, &on).await, [24, 20, 16]);
        let nobody = Along::Address(keys().audit.address_mac("192.0.2.2"));
        assert_eq!(walked(&mut tx, &nobody, &end).await, Vec::<u64>::new());

        for (along, part, expected) in [
            (&Along::Everything, all(99), 40),
            (&Along::Everything, all(7), 7),
            (&name, all(99), 20),
            (&Along::Actor(person), all(99), 20),
            (&Along::Subject(person), all(99), 20),
            (&address, Part { limit: 99, ..end }, 10),
        ] {
            assert_eq!(activity::count(&mut tx, along, &part).await.unwrap(), expected);
            let indices = activity::indices(&mut tx, along, &part).await.unwrap();
            assert_eq!(indices.len() as u64, expected);
        }
        let window = activity::window(&mut tx, 5, 9).await.unwrap();
        assert_eq!(window.iter().map(|step| step.place.index).collect::<Vec<_>>(), [5, 6, 7, 8]);
    })
    .await;
}

#[tokio::test]
async fn whole_entries_come_with_the_people_in_them() {
    each(async |test| {
        let mut tx = test.write().await;
        let person = fill(&mut tx).await;
        let keys = keys().audit;
        let indices: Vec<u64> = (0..40).collect();
        let mut records = activity::records(&mut tx, &keys, &indices).await.unwrap();
        records.sort_by_key(|record| record.index);
        let between = activity::records_between(&mut tx, &keys, 0, 99).await.unwrap();
        assert_eq!(records, between);
        assert_eq!(records.len(), 40);
        let first = &records[0];
        assert_eq!((first.at, first.logged), (later(0), later(0)));
        assert_eq!(first.ip.as_deref(), Some(ADDRESS));
        let ada = first.actor.as_ref().unwrap();
        assert_eq!((ada.person, ada.name.as_deref()), (person, Some("Ada")));
        assert!(ada.user_id.is_some() && records[1].actor.is_none());
        let none = activity::records(&mut tx, &keys, &[77]).await.unwrap();
        assert_eq!(none, []);
    })
    .await;
}

#[tokio::test]
async fn people_are_found_by_the_beginnings_of_their_names() {
    each(async |test| {
        let mut tx = test.write().await;
        let person = fill(&mut tx).await;
        let mut check = async |text: &str, expected: &[Option<Person>]| {
            assert_eq!(activity::people(&mut tx, text, 9).await.unwrap(), expected, "{text}");
        };
        check("ada", &[Some(person)]).await;
        check("ADA@", &[Some(person)]).await;
        check("da", &[]).await;
        check("%", &[]).await;
        assert_eq!(activity::person(&mut tx, UserId(999)).await.unwrap(), None);
    })
    .await;
}

/// No walk sorts, and none reads the log from end to end.
#[tokio::test]
async fn every_walk_is_along_an_index() {
    each(async |test| {
        if test.is_postgres() {
            return;
        }
        let mut tx = test.write().await;
        fill(&mut tx).await;
        tx.commit().await.unwrap();
        let time = "l.at >= 0 AND (l.at, l.idx) < (9, 9) ORDER BY l.at DESC, l.idx DESC LIMIT 5";
        for (condition, index) in [
            ("TRUE", "audit_log_at"),
            ("l.name = 'a'", "audit_log_name"),
            ("l.actor = 1", "audit_log_actor"),
            ("l.subject = 1", "audit_log_subject"),
        ] {
            let sql = format!("SELECT l.leaf FROM audit_log l WHERE {condition} AND {time}");
            let plan = test.plan(&sql).await;
            assert!(plan.contains(&format!("USING INDEX {index}")), "{condition}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{condition}: {plan}");
        }
        let plan = test
            .plan(
                "SELECT l.leaf FROM audit_personal p JOIN audit_log l ON l.idx = p.idx
                WHERE p.address = x'00' AND p.idx < 9 ORDER BY p.idx DESC LIMIT 5",
            )
            .await;
        assert!(plan.contains("INDEX audit_personal_address"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{plan}");
    })
    .await;
}

#[tokio::test]
async fn one_node_sends_to_a_receiver_at_a_time() {
    each(async |test| {
        let mut tx = test.write().await;
        assert!(sinks::begin(&mut tx, "siem", 7).await.unwrap());
        assert!(!sinks::begin(&mut tx, "siem", 9).await.unwrap(), "it is there");
        let new = Sink {
            name: "siem".to_owned(),
            next: 7,
            batch_end: None,
            failures: 0,
            failing_since: None,
            failure: None,
            retry_at: Time(0),
            delivered_at: None,
        };
        assert_eq!(sinks::list(&mut tx).await.unwrap(), std::slice::from_ref(&new));
        assert_eq!(sinks::by_name(&mut tx, "other").await.unwrap(), None);
        let claim = async |tx: &mut Tx, node: &str, at: u64| {
            sinks::claim(tx, "siem", node, later(at), later(at + 60)).await.unwrap().is_some()
        };
        assert!(claim(&mut tx, "a", 0).await);
        assert!(!claim(&mut tx, "b", 59).await, "the lease");
        assert!(claim(&mut tx, "a", 59).await, "its own");
        assert!(claim(&mut tx, "b", 119).await, "it is over");

        // Who lost it changes nothing any more.
        assert!(!sinks::batch(&mut tx, "siem", "a", 7, 9).await.unwrap());
        assert!(!sinks::advance(&mut tx, "siem", "a", (7, 9), Some(NOW)).await.unwrap());
        assert!(!sinks::fail(&mut tx, "siem", "a", "x", (NOW, NOW)).await.unwrap());
        assert!(!sinks::release(&mut tx, "siem", "a").await.unwrap());
        assert_eq!(sinks::by_name(&mut tx, "siem").await.unwrap(), Some(new));

        assert!(sinks::batch(&mut tx, "siem", "b", 7, 9).await.unwrap());
        assert!(sinks::fail(&mut tx, "siem", "b", "x", (later(120), later(130))).await.unwrap());
        assert!(!claim(&mut tx, "a", 125).await, "it is not due");
        assert!(claim(&mut tx, "a", 130).await, "whoever comes");
        let failing = sinks::by_name(&mut tx, "siem").await.unwrap().unwrap();
        assert_eq!((failing.batch_end, failing.failures), (Some(9), 1));
        assert_eq!(
            (failing.failing_since, failing.failure.as_deref()),
            (Some(later(120)), Some("x"))
        );
        assert!(
            !sinks::advance(&mut tx, "siem", "a", (6, 9), Some(NOW)).await.unwrap(),
            "from there"
        );
        assert!(sinks::advance(&mut tx, "siem", "a", (7, 9), Some(later(131))).await.unwrap());
        let good = sinks::by_name(&mut tx, "siem").await.unwrap().unwrap();
        assert_eq!((good.next, good.batch_end, good.failures), (9, None, 0));
        assert_eq!((good.failing_since, good.delivered_at), (None, Some(later(131))));
        assert!(sinks::release(&mut tx, "siem", "a").await.unwrap());
        assert!(claim(&mut tx, "b", 132).await);
        assert!(sinks::rewind(&mut tx, "siem", 3).await.unwrap());
        assert!(!sinks::advance(&mut tx, "siem", "b", (9, 12), None).await.unwrap());
        assert_eq!(sinks::by_name(&mut tx, "siem").await.unwrap().unwrap().next, 3);
        assert!(!sinks::rewind(&mut tx, "other", 3).await.unwrap());
        assert!(sinks::forget(&mut tx, "siem").await.unwrap());
        assert!(!sinks::forget(&mut tx, "siem").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn of_many_that_claim_a_receiver_at_once_one_has_it() {
    each(async |test| {
        let mut tx = test.write().await;
        sinks::begin(&mut tx, "siem", 0).await.unwrap();
        tx.commit().await.unwrap();
        let db = test.db.clone();
        let claims = race(20, |number| {
            let db = db.clone();
            async move {
                let mut tx = db.write_once().await.unwrap();
                let node = number.to_string();
                sinks::claim(&mut tx, "siem", &node, NOW, later(60)).await.unwrap().is_some()
            }
        })
        .await;
        assert_eq!(claims.into_iter().filter(|won| *won).count(), 1);
    })
    .await;
}
