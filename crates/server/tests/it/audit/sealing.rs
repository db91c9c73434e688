//! What waits for its place comes into the log only if this program wrote it, and people stand for the
//! users for whom they were made; whatever else somebody writes there is put aside, told of and found.

use portcullis_domain::audit::entry::{Entry, Person, VERSION};
use portcullis_domain::audit::fault::Fault;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_domain::time::Time;
use portcullis_server::flows::audit::verify::Extent;
use portcullis_server::flows::audit::{Trouble, watch};
use portcullis_store::audit::log::{self, Written};
use portcullis_store::audit::{pending, people};
use portcullis_store::events::EventFilter;
use portcullis_store::migrate::{self, MigrateOptions};
use portcullis_store::scratch::{self, tamper};
use portcullis_store::{Db, Tx, events};
use serde_json::{Value, json};

use super::entries;
use super::verifying::judged;
use crate::cli::Ran;
use crate::cli::beside::beside;
use crate::harness::database::{self, Database};
use crate::harness::people::{TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

async fn write(server: &TestApp, event: &Event, actor: Option<UserId>) {
    let now = server.app.clock.now();
    let context = Context { actor, ip: Some("192.0.2.9".to_owned()), ..Context::default() };
    let mut tx = server.app.db.write().await.unwrap();
    events::append(&mut tx, event, &context, &server.app.random.row_id(now), now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn found(server: &TestApp) -> Vec<Fault> {
    judged(server, vec![], Extent::Whole).await.faults.first().to_vec()
}

fn kinds(ran: &Ran) -> Value {
    assert_eq!(ran.code, 1, "{ran:?}");
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    found["kinds"].clone()
}

async fn warnings(server: &TestApp) -> String {
    server.client().get("/readyz").send().await.json()["warnings"].to_string()
}

#[tokio::test]
async fn what_somebody_else_wrote_never_gets_a_place() {
    on_each_database(async |server| {
        entries(server).await;
        write(server, &Event::PlacesForgotten { count: 1 }, None).await;
        assert_eq!(found(server).await, [], "control");
        let mut tx = server.app.db.write().await.unwrap();
        tamper::put_waiting(&mut tx, "0", "audit_pruned", r#"{"to":256}"#).await.unwrap();
        tamper::put_waiting(&mut tx, "1", "privacy_erased", "{").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(server).await, [Fault::PendingForged { count: 2 }], "while they wait");

        let (entries, _) = entries(server).await;
        let names: Vec<&str> = entries.iter().map(|entry| entry.event.as_str()).collect();
        assert_eq!(names[1..], ["authn_places_forgotten", "audit_pending_rejected"]);
        assert_eq!(entries[2].detail["count"], 2);
        let told = server.events("audit_pending_rejected", 1).await.remove(0);
        assert_eq!((&told.detail["ids"], told.severity.as_str()), (&"0, 1".into(), "critical"));
        assert!(server.app.audit.has_rejected());
        assert_eq!(warnings(server).await, r#"["audit_rejected"]"#);
        let rejected = Fault::PendingRejected { index: 2, count: 2 };
        assert_eq!(found(server).await, [rejected]);
    })
    .await;
}

#[tokio::test]
async fn what_was_put_aside_is_shown_until_an_operator_has_looked_at_it() {
    on_each_database(async |server| {
        entries(server).await;
        assert_eq!(
            beside(server, "audit rejected --json", "")
                .await
                .assert(0)
                .json()
                .as_array()
                .unwrap()
                .len(),
            0
        );
        for id in ["0", "1"] {
            let mut tx = server.app.db.write().await.unwrap();
            tamper::put_waiting(&mut tx, id, "audit_pruned", "{}").await.unwrap();
            tx.commit().await.unwrap();
            entries(server).await;
        }
        let shown = beside(server, "audit rejected --json", "").await.assert(0).json();
        assert_eq!((&shown[1]["reason"], &shown[1]["row"]["id"]), (&"forged".into(), &"1".into()));
        let status = beside(server, "audit status", "").await;
        assert!(status.assert(0).out.contains("portcullis audit rejected"), "{status:?}");
        let verified = beside(server, "audit verify --json", "").await;
        assert_eq!(kinds(&verified), json!({"pending_rejected": 1}));

        // Whoever wrote them takes them away: the log tells of them all the same.
        let mut tx = server.app.db.write().await.unwrap();
        tamper::forget_rejected(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        watch::look(&server.app, Extent::Newest(1)).await.unwrap();
        assert!(server.app.audit.has_rejected());
        assert!(warnings(server).await.contains("audit_rejected"));

        beside(server, "audit rejected --clear", "").await.assert(0);
        entries(server).await;
        assert_eq!(found(server).await, []);
        watch::look(&server.app, Extent::Newest(1)).await.unwrap();
        assert!(!server.app.audit.has_rejected());
        assert_eq!(server.events("audit_rejected_cleared", 1).await.len(), 1);
        let again = beside(server, "audit rejected --clear --json", "").await;
        assert_eq!(again.assert(0).json()["cleared"], 0);
        assert_eq!(server.events("audit_rejected_cleared", 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn people_who_changed_users_are_named_and_name_nobody() {
    on_each_database(async |server| {
        let [ada, eve] = [server.add(&Z1).await.id, server.add(&TENANT).await.id];
        for user in [ada, eve] {
            write(server, &Event::ProvedAgain, Some(user)).await;
        }
        entries(server).await;
        let actors = async || {
            let name = Some("authn_reauth_success".to_owned());
            let filter = EventFilter { name, subject: None, limit: 9 };
            let mut tx = server.app.db.read().await.unwrap();
            let found = events::list(&mut tx, &server.app.keys.audit, &filter).await.unwrap();
            found.into_iter().map(|event| event.context.actor).collect::<Vec<_>>()
        };
        assert_eq!(actors().await, [Some(eve), Some(ada)], "control");
        assert_eq!(found(server).await, [], "control");
        let mut tx = server.app.db.write().await.unwrap();
        let mut altered = Vec::new();
        for user in [ada, eve] {
            let person = people::of_user(&mut tx, user).await.unwrap().unwrap().person;
            altered.push(Fault::PersonAltered { person });
        }
        tamper::swap_people(&mut tx, ada.0, eve.0).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(actors().await, [None, None]);
        let found = found(server).await;
        assert!(altered.iter().all(|fault| found.contains(fault)), "{found:?}");
        // What she does now waits, rather than come into the log in the name of another.
        write(server, &Event::ProvedAgain, Some(ada)).await;
        assert!(server.app.audit.settle(server.app.clock.now()).await.is_err());
        assert_eq!(server.app.audit.trouble(), Some(Trouble::NotSequenced));
        let verified = beside(server, "audit verify --json", "").await;
        assert_eq!(kinds(&verified), json!({"person_altered": 2}), "it goes on");
        beside(server, "audit status", "").await.assert(0);

        let mut tx = server.app.db.write().await.unwrap();
        tamper::swap_people(&mut tx, ada.0, eve.0).await.unwrap();
        tx.commit().await.unwrap();
        entries(server).await;
        assert_eq!(actors().await, [Some(ada), Some(eve), Some(ada)]);
    })
    .await;
}

/// The schema before anything was sealed.
const OLDER: i64 = 26;

/// A key of 32 sevens for the person 11, as that version sealed it under the secret of the tests.
const OLD_KEY: &str = "040404040404040404040404dda69bd4939331a77e69e28283e25b4cf8bb\
                       99f82961c2127366e9fc20c1a98dac70d0f5068d79615ca6bd9192c75bbe";

/// A database as that version left it: an event waits, and somebody is in the log.
async fn older(kind: database::Kind, more: impl AsyncFnOnce(&mut Tx)) -> (Database, Db, Keys) {
    let database = Database::fresh(kind).await;
    let db = Db::open(&database.options(None)).await.unwrap();
    let keys = Keys::derive(&MasterSecret::from_random([7; 32])).unwrap();
    let options = MigrateOptions { seal_check: keys.seal_check(), now: Time(1) };
    scratch::make_older(&db, OLDER, &options).await.unwrap();
    let mut tx = db.write().await.unwrap();
    tamper::put_waiting(&mut tx, "1", "sys_startup", "{}").await.unwrap();
    let old = hex::decode(OLD_KEY).unwrap();
    tamper::put_person(&mut tx, 11, 1, &old).await.unwrap();
    more(&mut tx).await;
    tx.commit().await.unwrap();
    let options = MigrateOptions { now: Time(5), ..options };
    migrate::run(&db, &options).await.unwrap();
    (database, db, keys)
}

#[tokio::test]
async fn what_an_older_database_brings_along_is_sealed_once_and_told_of() {
    for kind in database::kinds() {
        let (database, db, keys) = older(kind, async |_| ()).await;
        let mut tx = db.write().await.unwrap();
        let ada = people::of_user(&mut tx, UserId(1)).await.unwrap().unwrap();
        assert!(keys.audit.unwrap(ada.person, UserId(1), &ada.sealed_key).is_ok());
        let taken = pending::take(&mut tx, 9).await.unwrap();
        assert_eq!(taken.rejected, []);
        let told = taken.events.iter().find(|event| event.name == "audit_upgraded").unwrap();
        assert_eq!((&told.detail["people"], &told.detail["waiting"]), (&1.into(), &1.into()));
        assert_eq!(taken.events.len(), 2);
        drop(tx);
        db.close().await;
        database.throw_away().await;
    }
}

/// Somebody who may change the schema makes a database look old, to have something of his sealed.
#[tokio::test]
async fn a_log_that_tells_of_an_upgrade_is_not_sealed_again() {
    for kind in database::kinds() {
        let (database, db, _) = older(kind, async |tx| {
            let upgraded = Event::AuditUpgraded { people: 1, waiting: 1 };
            log::append(tx, &[written(&upgraded)]).await.unwrap();
        })
        .await;
        let mut tx = db.write().await.unwrap();
        assert!(people::of_user(&mut tx, UserId(1)).await.is_err());
        let taken = pending::take(&mut tx, 9).await.unwrap();
        assert_eq!((taken.events.len(), taken.rejected.len()), (0, 1));
        drop(tx);
        db.close().await;
        database.throw_away().await;
    }
}

fn written(event: &Event) -> Written {
    let entry = Entry {
        version: VERSION,
        index: 0,
        at: Time(1),
        logged: Time(1),
        id: "0".to_owned(),
        event: event.name().to_owned(),
        outcome: event.outcome().as_str().to_owned(),
        severity: event.severity().as_str().to_owned(),
        actor: None::<Person>,
        subject: None,
        session: None,
        request: None,
        detail: event.parts().0,
        from: None,
        texts: None,
    };
    let leaf = entry.leaf().unwrap();
    Written { entry, leaf }
}
