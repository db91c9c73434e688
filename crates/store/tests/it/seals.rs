//! What only somebody with the secret can have written: rows that wait for their place in the audit log,
//! and for whom people in it stand; and what a database of an older version brings along.

use portcullis_domain::audit::entry::{Entry, Person, VERSION};
use portcullis_domain::audit::growth::{Happened, Written};
use portcullis_domain::audit::personal::PersonKey;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_store::audit::pending::Taken;
use portcullis_store::audit::people::{self, Known};
use portcullis_store::audit::rejected::{self, Reason};
use portcullis_store::audit::{activity, log, pending};
use portcullis_store::{Error, events};

use crate::harness::{NOW, TestDb, audit_keys, each};

/// Two events that wait.
async fn two(test: &TestDb) {
    let mut tx = test.write().await;
    let context = Context {
        actor: Some(UserId(3)),
        ip: Some("192.0.2.1".to_owned()),
        user_agent: Some("curl".to_owned()),
        ..Context::default()
    };
    for id in ["1", "2"] {
        let event = Event::PlacesForgotten { count: 1 };
        events::append(&mut tx, &event, &context, id, NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn take(test: &TestDb) -> Taken {
    let mut tx = test.write().await;
    let taken = pending::take(&mut tx, 100).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

/// Of the two, the second was done this to; it is not taken for what it says, and the first is.
async fn check(sql: &str, reason: Reason) {
    each(async |test| {
        two(test).await;
        let mut tx = test.db.read().await.unwrap();
        assert_eq!(pending::forged(&mut tx).await.unwrap(), 0, "control: {sql}");
        assert_eq!(pending::newest(&mut tx, 9).await.unwrap().len(), 2, "control: {sql}");
        drop(tx);
        test.tamper(sql).await;
        let mut tx = test.db.read().await.unwrap();
        assert_eq!(pending::forged(&mut tx).await.unwrap(), 1, "{sql}");
        let shown = pending::newest(&mut tx, 9).await.unwrap();
        assert_eq!(shown.len(), 1, "{sql}");
        drop(tx);
        let taken = take(test).await;
        assert_eq!(taken.events, shown, "{sql}");
        let reasons: Vec<Reason> = taken.rejected.iter().map(|row| row.reason).collect();
        assert_eq!(reasons, [reason], "{sql}");
        assert!(!pending::any(&mut test.db.read().await.unwrap()).await.unwrap(), "{sql}");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_was_changed_is_no_event() {
    for set in [
        "id = '3'",
        "at = at + 1",
        "name = 'audit_pruned'",
        "outcome = 'failure'",
        "severity = 'critical'",
        "actor = 4",
        "actor = NULL",
        "subject = 3",
        "session = 's'",
        "ip = '192.0.2.2'",
        "ip = NULL, peer = ip",
        "user_agent = NULL",
        "request_id = ''",
        "detail = '{}'",
        "detail = '{'",
        "texts = '{}'",
        "mac = NULL",
        "mac = (SELECT p.mac FROM audit_pending p WHERE p.id = '1')",
    ] {
        check(&format!("UPDATE audit_pending SET {set} WHERE id = '2'"), Reason::Forged).await;
    }
}

/// SQLite keeps any value in any column.
#[tokio::test]
async fn a_row_with_values_of_other_types_stops_nothing() {
    for set in ["at = 'soon'", "actor = 'eve'", "name = x'ff00'", "detail = 7", "mac = 7"] {
        let test = TestDb::sqlite().await;
        test.migrate().await.unwrap();
        two(&test).await;
        test.tamper(&format!("UPDATE audit_pending SET {set} WHERE id = '2'")).await;
        let taken = take(&test).await;
        assert_eq!((taken.events.len(), taken.rejected.len()), (1, 1), "{set}");
        assert_eq!(taken.rejected[0].id(), "2", "{set}");
        test.close().await;
    }
}

#[tokio::test]
async fn what_nobody_vouches_for_does_not_wait_for_anybody() {
    each(async |test| {
        two(test).await;
        test.tamper("UPDATE audit_pending SET name = 'privacy_erased' WHERE id = '2'").await;
        let mut tx = test.db.read().await.unwrap();
        assert!(!pending::any_of(&mut tx, "privacy_erased").await.unwrap());
        assert!(pending::any_of(&mut tx, "authn_places_forgotten").await.unwrap(), "control");
    })
    .await;
}

#[tokio::test]
async fn an_event_that_has_its_place_does_not_get_another() {
    each(async |test| {
        two(test).await;
        test.tamper("CREATE TABLE kept AS SELECT * FROM audit_pending WHERE id = '2'").await;
        let taken = take(test).await;
        assert_eq!((taken.events.len(), taken.rejected.len()), (2, 0), "control");
        let mut tx = test.write().await;
        let places = (0..).zip(taken.events).map(|(index, event)| placed(index, event));
        log::append(&mut tx, &places.collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
        test.tamper("INSERT INTO audit_pending SELECT * FROM kept").await;
        let again = take(test).await;
        assert_eq!(again.events, []);
        assert_eq!(again.rejected[0].reason, Reason::Repeated);
    })
    .await;
}

fn placed(index: u64, event: Happened) -> Written {
    let entry = Entry {
        version: VERSION,
        index,
        at: event.at,
        logged: NOW,
        id: event.id,
        event: event.name,
        outcome: event.outcome,
        severity: event.severity,
        actor: None,
        subject: None,
        session: None,
        request: None,
        detail: event.detail,
        from: None,
        texts: None,
    };
    let leaf = entry.leaf().unwrap();
    Written { entry, leaf }
}

#[tokio::test]
async fn what_is_put_aside_is_kept_until_somebody_has_looked_at_it() {
    each(async |test| {
        two(test).await;
        test.tamper("UPDATE audit_pending SET ip = 'forged'").await;
        let taken = take(test).await;
        let mut tx = test.write().await;
        rejected::insert(&mut tx, &taken.rejected, NOW).await.unwrap();
        let kept = rejected::list(&mut tx, 9).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((kept[0].at, kept[0].reason.as_str()), (NOW, "forged"));
        let row: serde_json::Value = serde_json::from_str(&kept[0].content).unwrap();
        assert_eq!((&row["ip"], &row["actor"]), (&"forged".into(), &3.into()));
        assert_eq!(row["mac"].as_str().unwrap().len(), 64);
        assert_eq!(rejected::clear(&mut tx, 1).await.unwrap(), 1);
        assert_eq!(rejected::list(&mut tx, 9).await.unwrap(), kept[1..]);
    })
    .await;
}

/// Ada and Eve, by number, user and key.
const PEOPLE: [(i64, UserId); 2] = [(11, UserId(1)), (12, UserId(2))];

#[tokio::test]
async fn a_person_who_was_given_to_another_user_is_nobody() {
    each(async |test| {
        let mut tx = test.write().await;
        for (number, user) in PEOPLE {
            let person = Person::from_number(number).unwrap();
            let key = PersonKey::from_random([7; 32]);
            let sealed_key = audit_keys().wrap(person, user, &key, [0; 12]).unwrap();
            people::insert(&mut tx, user, &Known { person, sealed_key }).await.unwrap();
        }
        let ada = people::of_user(&mut tx, UserId(1)).await.unwrap().unwrap();
        assert_eq!(ada.person.number(), 11, "control");
        assert_eq!(activity::person(&mut tx, UserId(1)).await.unwrap(), Some(ada.person));
        tx.commit().await.unwrap();

        // One by one, because a user is there once.
        for (person, user) in [(11, 3), (12, 1), (11, 2)] {
            let sql = format!("UPDATE audit_people SET user_id = {user} WHERE person = {person}");
            test.tamper(&sql).await;
        }
        let mut tx = test.db.read().await.unwrap();
        assert_eq!(activity::person(&mut tx, UserId(1)).await.unwrap(), None);
        let found = people::of_user(&mut tx, UserId(1)).await;
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_new_database_has_nothing_to_seal() {
    each(async |test| {
        assert!(!pending::any(&mut test.db.read().await.unwrap()).await.unwrap());
    })
    .await;
}
