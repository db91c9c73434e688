//! What goes with time: personal data by its age, and entries into a bundle. What is left is verified as
//! before, and nothing goes that the log does not tell of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_domain::audit::fault::Fault;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::time::Time;
use portcullis_server::flows::audit::bundle::check::check;
use portcullis_server::flows::audit::bundle::export::{self, Export, Exported, Personal};
use portcullis_server::flows::audit::expire;
use portcullis_server::flows::audit::prove::{self, Proven};
use portcullis_server::flows::audit::prune::{self, Before, Prune, Pruned, Refusal};
use portcullis_server::flows::audit::verify::{self, Ask, Extent, Verdict};
use portcullis_server::flows::audit::{When, standing};
use portcullis_store::audit::{log, personal, sinks, tree};
use portcullis_store::events::{self, EventFilter, Standing};
use serde_json::Value;

use crate::cli::beside::beside;
use crate::harness::{TestApp, on_each_database};

const DAY: Duration = Duration::from_hours(24);

/// Writes so many events with personal data of both parts, and gives them their places.
async fn happen(server: &TestApp, count: u32) {
    let now = server.app.clock.now();
    let context = Context { ip: Some("203.0.113.99".to_owned()), ..Context::default() };
    let event = Event::AddressForgiven { network: Text::clip("203.0.113.0/24") };
    let mut tx = server.app.db.write().await.unwrap();
    for _ in 0..count {
        let id = server.app.random.row_id(now);
        events::append(&mut tx, &event, &context, &id, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.app.audit.settle(now).await.unwrap();
}

/// A log of this size.
async fn grown_to(server: &TestApp, size: u32) {
    server.events("sys_startup", 1).await;
    server.app.audit.settle(server.app.clock.now()).await.unwrap();
    let before = u32::try_from(log_of(server).await.size).unwrap();
    happen(server, size - before).await;
}

async fn log_of(server: &TestApp) -> tree::Tree {
    tree::read(&mut server.app.db.read().await.unwrap()).await.unwrap().unwrap()
}

async fn judged(server: &TestApp) -> Verdict {
    let ask = Ask {
        now: server.app.clock.now(),
        db: server.app.db.clone(),
        keys: server.app.keys.audit.clone(),
        key: None,
        anchors: vec![std::fs::read_to_string(&server.app.config.audit.anchor).unwrap_or_default()]
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect(),
        extent: Extent::Whole,
        readers: 2,
    };
    verify::verify(&ask, |_, _| ()).await.unwrap().unwrap()
}

async fn sweep(server: &TestApp) {
    expire::sweep(&server.app, server.app.clock.now()).await.unwrap();
}

/// The places of those events whose personal data is gone, and of those that have theirs.
async fn gone_and_there(server: &TestApp) -> (Vec<u64>, Vec<u64>) {
    let name = Some("limit_address_forgiven".to_owned());
    let filter = EventFilter { name, subject: None, limit: 10_000 };
    let mut tx = server.app.db.read().await.unwrap();
    let found = events::list(&mut tx, &server.app.keys.audit, &filter).await.unwrap();
    let (gone, there): (Vec<_>, Vec<_>) =
        found.into_iter().rev().partition(|event| event.personal == Standing::Erased);
    let places = |events: Vec<events::StoredEvent>| {
        events.into_iter().filter_map(|event| event.index).collect()
    };
    (places(gone), places(there))
}

#[tokio::test]
async fn personal_data_goes_with_its_age_and_verification_tells_it_from_tampering() {
    on_each_database(async |server| {
        grown_to(server, 40).await;
        sign(server).await;
        server.advance(DAY * 364);
        happen(server, 5).await;
        sweep(server).await;
        assert_eq!(gone_and_there(server).await.0, [0; 0], "not yet");
        server.advance(2 * DAY);
        happen(server, 5).await;
        sweep(server).await;
        let (gone, there) = gone_and_there(server).await;
        assert_eq!(gone.last(), Some(&39), "all that is older than a year");
        assert_eq!(there.len(), 10);
        let told = server.events("audit_personal_expired", 1).await;
        assert_eq!(told[0].detail["below"], 40);
        let verdict = judged(server).await;
        assert!(verdict.faults.is_clean(), "{:?}", verdict.faults);
        assert!(verdict.expired > 70 && verdict.erased == 0, "{verdict:?}");
        sweep(server).await;
        assert_eq!(server.events("audit_personal_expired", 1).await.len(), 1, "once a day");

        // Somebody takes more away, and says in the row of the tree that it was its age.
        let mut tx = server.app.db.write().await.unwrap();
        assert_eq!(personal::forget_below(&mut tx, 43, 100).await.unwrap(), 6);
        tx.commit().await.unwrap();
        let missing = |index, part| Fault::PersonalMissing { index, part };
        let expected: Vec<_> =
            (40..43).flat_map(|i| [missing(i, "from"), missing(i, "texts")]).collect();
        assert_eq!(judged(server).await.faults.first(), expected);
        let mut tx = server.app.db.write().await.unwrap();
        assert!(tree::raise_personal_floor(&mut tx, 40, 43).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(judged(server).await.faults.first(), expected, "the log knows nothing of it");
    })
    .await;
}

fn bundle(server: &TestApp, name: &str) -> PathBuf {
    server.data_dir.join(name)
}

async fn exported(server: &TestApp, to: &Path, range: Option<(u64, u64)>) {
    let export = Export {
        db: &server.app.db,
        keys: &server.app.keys.audit,
        to,
        range,
        personal: Personal::Included,
        now: server.app.clock.now(),
    };
    let exported = export::export(&export, |_, _| ()).await.unwrap();
    assert!(matches!(exported, Exported::Done(_)), "{exported:?}");
}

async fn pruned(server: &TestApp, bundle: &Path, before: Before) -> Pruned {
    let receivers = vec!["siem".to_owned()];
    let wanted = Prune { bundle, before, receivers, now: server.app.clock.now() };
    prune::prune(&server.app.audit, &wanted, |_, _| ()).await.unwrap()
}

async fn sign(server: &TestApp) {
    server.app.audit.checkpoint(server.app.clock.now(), When::Now).await.unwrap();
}

#[tokio::test]
async fn entries_go_into_a_bundle_and_what_is_left_is_verified_and_proven() {
    on_each_database(async |server| {
        grown_to(server, 300).await;
        sign(server).await;
        server.advance(DAY);
        let second_day = server.app.clock.now();
        happen(server, 500).await;
        sign(server).await;
        let file = bundle(server, "all");
        exported(server, &file, None).await;
        let key = standing(&server.app.db, &server.app.keys.audit).await.unwrap().unwrap().key;
        assert_eq!(
            pruned(server, &file, Before::Index(255)).await,
            Pruned::Refused(Refusal::Nothing)
        );
        let done = pruned(server, &file, Before::Time(second_day)).await;
        let Pruned::Done { from: 0, to: 256, sha256 } = done else { panic!("{done:?}") };
        let told = server.events("audit_pruned", 1).await;
        assert_eq!(told[0].detail["bundle_sha256"], hex::encode(sha256));
        let mut tx = server.app.db.read().await.unwrap();
        assert_eq!(log::leaves(&mut tx, 0, 256).await.unwrap().len(), 0);
        assert_eq!(log::leaves(&mut tx, 256, 800).await.unwrap().len(), 544);
        drop(tx);

        // Everything goes on, from whatever was signed before.
        happen(server, 10).await;
        sign(server).await;
        assert_eq!(server.app.audit.trouble(), None);
        let verdict = judged(server).await;
        assert!(verdict.faults.is_clean(), "{:?}", verdict.faults);
        assert_eq!((verdict.pruned, verdict.first), (256, 256));
        for (index, is_there) in [(0, false), (255, false), (256, true), (299, true), (800, true)] {
            let proven = prove::inclusion(&server.app.db, index).await.unwrap();
            assert_eq!(matches!(proven, Proven::Done(_)), is_there, "{index}");
        }
        let proven = prove::consistency(&server.app.db, 300, None).await.unwrap();
        assert!(matches!(proven, Proven::Done(_)), "{proven:?}");
        let (gone, there) = gone_and_there(server).await;
        assert_eq!((gone.len(), there.first()), (0, Some(&256)), "what is left is listed");
        assert!(check(&file, &key, &[], |_, _| ()).unwrap().faults.is_clean(), "the bundle stands");

        // The next one begins where this one ended.
        let next = bundle(server, "next");
        exported(server, &next, None).await;
        let done = pruned(server, &next, Before::Index(800)).await;
        assert!(matches!(done, Pruned::Done { from: 256, to: 768, .. }), "{done:?}");
        let verdict = judged(server).await;
        assert!(verdict.faults.is_clean() && verdict.first == 768, "{verdict:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_pruned_that_is_not_proven_to_be_in_the_bundle() {
    on_each_database(async |server| {
        grown_to(server, 600).await;
        sign(server).await;
        let file = bundle(server, "all");
        exported(server, &file, None).await;
        let refused = async |file: &Path, before: u64| match pruned(
            server,
            file,
            Before::Index(before),
        )
        .await
        {
            Pruned::Refused(refusal) => refusal,
            done @ Pruned::Done { .. } => panic!("{done:?}"),
        };
        // It ends too early, or begins too late.
        let part = bundle(server, "part");
        exported(server, &part, Some((0, 255))).await;
        let expected = Refusal::NotCovered { first: 0, end: 256, from: 0, to: 512 };
        assert_eq!(refused(&part, 512).await, expected);
        let late = bundle(server, "late");
        exported(server, &late, Some((256, 511))).await;
        let expected = Refusal::NotCovered { first: 256, end: 512, from: 0, to: 512 };
        assert_eq!(refused(&late, 512).await, expected);
        // One byte of an entry is another.
        let touched = bundle(server, "touched");
        let mut bytes = std::fs::read(&file).unwrap();
        let needle = b"\"event\":\"limit_address_forgiven\"";
        let at = bytes.windows(needle.len()).position(|found| found == needle).unwrap();
        bytes[at + 10] ^= 1;
        std::fs::write(&touched, &bytes).unwrap();
        assert!(matches!(refused(&touched, 512).await, Refusal::NotInOrder(_)));
        std::fs::write(&touched, b"no bundle").unwrap();
        assert!(matches!(refused(&touched, 512).await, Refusal::Unreadable(_)));
        // What is not signed yet stays, whatever the bundle says.
        happen(server, 300).await;
        assert_eq!(refused(&file, 800).await, Refusal::NotSigned { signed: 600 });
        assert_eq!(log_of(server).await.pruned, 0);
        assert_eq!(server.events("audit_pruned", 0).await.len(), 0);
        let done = pruned(server, &file, Before::Time(Time(i64::MAX))).await;
        assert_eq!(done, Pruned::Refused(Refusal::NotSigned { signed: 600 }));
        // Nor does what another system waits for; one that is not configured any more waits for nothing.
        let mut tx = server.app.db.write().await.unwrap();
        assert!(sinks::begin(&mut tx, "gone", 0).await.unwrap());
        assert!(sinks::begin(&mut tx, "siem", 300).await.unwrap());
        tx.commit().await.unwrap();
        let expected = Refusal::NotSent { name: "siem".to_owned(), next: 300 };
        assert_eq!(refused(&file, 512).await, expected);
        let done = pruned(server, &file, Before::Index(299)).await;
        assert!(matches!(done, Pruned::Done { from: 0, to: 256, .. }), "control: {done:?}");
    })
    .await;
}

#[tokio::test]
async fn the_bundle_of_another_log_prunes_nothing() {
    let foreign = tempfile::tempdir().unwrap();
    let foreign = foreign.path().join("bundle");
    on_each_database(async |server| {
        grown_to(server, 300).await;
        sign(server).await;
        // Of the same name and key, as a copy that went another way.
        exported(server, &foreign, None).await;
    })
    .await;
    on_each_database(async |server| {
        grown_to(server, 300).await;
        sign(server).await;
        let done = pruned(server, &foreign, Before::Index(256)).await;
        let Pruned::Refused(refusal) = done else { panic!("{done:?}") };
        let is_foreign = matches!(refusal, Refusal::NotInOrder(_) | Refusal::Different { .. });
        assert!(is_foreign, "{refusal:?}");
        let own = bundle(server, "own");
        exported(server, &own, None).await;
        let done = pruned(server, &own, Before::Index(256)).await;
        assert!(matches!(done, Pruned::Done { .. }), "control: {done:?}");
    })
    .await;
}

#[tokio::test]
async fn the_command_prunes_beside_a_server() {
    on_each_database(async |server| {
        grown_to(server, 300).await;
        server.write_secret();
        let (file, missing) = (bundle(server, "all"), bundle(server, "missing"));
        let (file, missing) = (file.display(), missing.display());
        beside(server, &format!("audit export --out {file}"), "").await.assert(0);
        let line = |before: &str| format!("audit prune --bundle {file} --before {before} --json");
        let told = beside(server, &line("2001-01-01"), "").await;
        let told: Value = serde_json::from_str(&told.assert(1).err).unwrap();
        assert_eq!(told["code"], "nothing_to_prune");
        beside(server, &line("yesterday"), "").await.assert(2);
        let gone = format!("audit prune --bundle {missing} --before 256");
        beside(server, &gone, "").await.assert(3);
        let told = beside(server, &line("299"), "").await.assert(0).json();
        assert_eq!((&told["from"], &told["to"]), (&Value::from(0), &Value::from(256)), "{told}");
        let verified = beside(server, "audit verify --json", "").await.assert(0).json();
        assert_eq!(verified["pruned"], 256, "{verified}");
    })
    .await;
}
