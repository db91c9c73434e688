//! What stands beside the log and was believed: by which address entries are found, when something was
//! signed and is to be verified, how long the log is, whether its guards are there, and what a bundle
//! says was erased.

use std::time::Duration;

use portcullis_domain::audit::fault::{Fault, Witness};
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::time::Time;
use portcullis_server::flows::audit::bundle::check;
use portcullis_server::flows::audit::bundle::export::{self, Export, Exported, Personal};
use portcullis_server::flows::audit::verify::{Extent, Verdict};
use portcullis_server::flows::audit::{When, standing, watch};

use portcullis_store::audit::{checkpoints, people, verdicts};
use portcullis_store::scratch::tamper;
use portcullis_store::{Tx, events};

use super::verifying::{history, judged};
use crate::harness::people::Z1;
use crate::harness::{Setup, TestApp, on_each_database, on_each_database_with};

async fn found(server: &TestApp) -> Vec<Fault> {
    judged(server, vec![], Extent::Whole).await.faults.first().to_vec()
}

async fn touched(server: &TestApp, touch: impl AsyncFnOnce(&mut Tx)) {
    let mut tx = server.app.db.write().await.unwrap();
    touch(&mut tx).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_entry_that_is_found_by_another_address_is_named() {
    for address in [Some([7; 16].as_slice()), None] {
        on_each_database(async |server| {
            history(server).await;
            assert_eq!(found(server).await, [], "control");
            let touch = async |tx: &mut Tx| tamper::set_address(tx, 21, address).await.unwrap();
            touched(server, touch).await;
            assert_eq!(found(server).await, [Fault::Column { index: 21, column: "address" }]);
        })
        .await;
    }
}

/// Somebody lets the newest checkpoint be of a time to come, so that nothing is signed until then.
#[tokio::test]
async fn a_checkpoint_of_a_time_to_come_delays_nothing_and_is_named() {
    on_each_database(async |server| {
        history(server).await;
        let now = server.app.clock.now();
        let newest = async || {
            let mut tx = server.app.db.read().await.unwrap();
            checkpoints::newest(&mut tx).await.unwrap().unwrap().size
        };
        server.app.audit.checkpoint(now, When::Due).await.unwrap();
        assert_eq!(newest().await, 500, "control: it is not due yet");
        touched(server, async |tx| {
            tamper::drop_checkpoint_guard(tx).await.unwrap();
            let soon = now.plus(Duration::from_secs(3));
            tamper::set_signed_at(tx, 300, soon).await.unwrap();
            tamper::set_signed_at(tx, 500, now.plus(Duration::from_hours(99))).await.unwrap();
        })
        .await;
        let at = now.plus(Duration::from_hours(99));
        let guard = Fault::GuardMissing { name: "audit_checkpoints_never_change" };
        let expected = [Fault::Future { size: 500, at }, guard];
        assert_eq!(found(server).await, expected, "three seconds may be a clock");
        server.app.audit.checkpoint(now, When::Due).await.unwrap();
        assert_eq!(newest().await, 520);
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_said_to_be_longer_than_it_is_is_truncated_at_once() {
    on_each_database(async |server| {
        history(server).await;
        touched(server, async |tx| tamper::set_size(tx, 1 << 60).await.unwrap()).await;
        let by = Witness::Tree;
        let signed = 1 << 60;
        let found_soon = tokio::time::timeout(Duration::from_secs(30), found(server)).await;
        assert_eq!(found_soon.unwrap(), [Fault::Truncated { size: 520, signed, by }]);
        touched(server, async |tx| tamper::set_size(tx, 520).await.unwrap()).await;
        assert_eq!(found(server).await, [], "control");
    })
    .await;
}

#[tokio::test]
async fn a_log_without_a_signature_or_its_guards_is_not_in_order() {
    on_each_database(async |server| {
        history(server).await;
        server.advance(Duration::from_mins(3));
        assert_eq!(found(server).await, [], "control");
        touched(server, async |tx| tamper::forget_checkpoints(tx).await.unwrap()).await;
        let faults = found(server).await;
        assert!(matches!(faults[..], [Fault::NeverSigned { .. }]), "{faults:?}");
        touched(server, async |tx| tamper::drop_guards(tx).await.unwrap()).await;
        let kinds = judged(server, vec![], Extent::Newest(10)).await.faults.kinds().clone();
        assert_eq!(kinds["guard_missing"], 3);
    })
    .await;
}

#[tokio::test]
async fn the_schedule_does_not_believe_how_long_there_is_time() {
    let hourly = Setup::with("[audit]\nverify_every = \"1h\"");
    on_each_database_with(hourly, async |server| {
        let hour = Duration::from_hours(1);
        let warned = || watch::is_late(&server.app);
        let look = async || {
            watch::look(&server.app, Extent::Whole).await.unwrap();
            server.app.audit.verified().unwrap().at
        };
        history(server).await;
        let first = look().await;
        assert_eq!(look().await, first, "control: it is not due again");
        let due = async |at: Time| {
            touched(server, async |tx| {
                let seen = verdicts::due(tx).await.unwrap();
                assert!(verdicts::claim(tx, seen, at).await.unwrap());
            })
            .await;
        };
        due(first.plus(hour * 99)).await;
        server.advance(Duration::from_secs(1));
        assert_ne!(look().await, first, "nobody puts it off");

        // Nobody looks for a long time.
        server.advance(hour * 2);
        assert!(!warned(), "control");
        server.advance(Duration::from_secs(2));
        assert!(warned());
        look().await;
        assert!(!warned());
        // What was found is said to be of a time to come.
        touched(server, async |tx| {
            let at = server.app.clock.now().plus(hour * 99).0;
            let verdict = format!("{{\"at\":{at},\"entries\":1,\"faults\":0,\"first\":null}}");
            verdicts::put(tx, verdict.as_bytes()).await.unwrap();
        })
        .await;
        look().await;
        assert!(warned());
    })
    .await;
}

async fn bundled(server: &TestApp) -> Verdict {
    let now = server.app.clock.now();
    server.app.audit.settle(now).await.unwrap();
    server.app.audit.checkpoint(now, When::Now).await.unwrap();
    let file = server.data_dir.join("bundle.tar");
    let (db, keys) = (&server.app.db, &server.app.keys.audit);
    let export = Export { db, keys, to: &file, range: None, personal: Personal::Included, now };
    let exported = export::export(&export, |_, _| ()).await.unwrap();
    assert!(matches!(exported, Exported::Done(_)), "{exported:?}");
    let key = standing(db, keys).await.unwrap().unwrap().key;
    check::check(&file, &key, &[], |_, _| ()).unwrap()
}

#[tokio::test]
async fn a_bundle_shows_why_personal_data_is_gone_or_says_that_it_does_not() {
    on_each_database(async |server| {
        history(server).await;
        let user = server.add(&Z1).await.id;
        let now = server.app.clock.now();
        let context =
            Context { actor: Some(user), ip: Some("::1".to_owned()), ..Context::default() };
        let append = async |event: Event, context: Context| {
            let id = server.app.random.row_id(now);
            touched(server, async |tx| {
                events::append(tx, &event, &context, &id, now).await.unwrap();
            })
            .await;
        };
        append(Event::ProvedAgain, context).await;
        let verdict = bundled(server).await;
        assert!(verdict.faults.is_clean(), "{verdict:?}");
        assert_eq!((verdict.erased, verdict.untold), (0, 0));

        let mut tx = server.app.db.write().await.unwrap();
        let gone = people::erase(&mut tx, user, now).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let verdict = bundled(server).await;
        assert_eq!((verdict.erased, verdict.untold), (0, 1), "nothing tells of it");
        let person = Some(gone.person);
        let told = Event::PersonErased { person, entries: 1, basis: Text::clip("") };
        append(told, Context::default()).await;
        let verdict = bundled(server).await;
        assert_eq!((verdict.erased, verdict.untold), (1, 0));

        touched(server, async |tx| tamper::remove_personal(tx, 21).await.unwrap()).await;
        let verdict = bundled(server).await;
        assert!(verdict.faults.is_clean(), "{verdict:?}");
        assert!(verdict.erased == 1 && verdict.untold > 0, "of nobody known: {verdict:?}");
    })
    .await;
}
