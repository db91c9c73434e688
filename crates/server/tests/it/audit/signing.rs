//! What is signed and when, and that nothing is signed which does not continue what was signed before.

use std::time::Duration;

use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::audit::proof::Head;
use portcullis_domain::audit::tree::leaf_hash;
use portcullis_domain::event::{Context, Event};
use portcullis_server::flows::audit::accept::Accepted;
use portcullis_server::flows::audit::{Discontinued, Trouble, When};
use portcullis_store::audit::{checkpoints, tree};
use portcullis_store::events;
use serde_json::Value;

use super::entries;
use crate::harness::program::Program;
use crate::harness::{TestApp, on_each_database};

/// Writes so many events and gives them their places.
async fn happen(server: &TestApp, count: usize) {
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    for _ in 0..count {
        let id = server.app.random.row_id(now);
        events::append(&mut tx, &Event::Stopped, &Context::default(), &id, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.app.audit.settle(now).await.unwrap();
}

async fn key(server: &TestApp) -> SigningKey {
    let tree = tree::read(&mut server.app.db.read().await.unwrap()).await.unwrap().unwrap();
    SigningKey::from_seed(&tree.origin, server.app.keys.audit.signing_seed()).unwrap()
}

/// The newest checkpoint, opened with the key.
async fn newest(server: &TestApp) -> Option<Checkpoint> {
    let mut tx = server.app.db.read().await.unwrap();
    let stored = checkpoints::newest(&mut tx).await.unwrap()?;
    drop(tx);
    let key = key(server).await;
    Some(Checkpoint::open(&stored.note, key.verifier()).unwrap())
}

async fn sign(server: &TestApp, when: When) {
    server.app.audit.checkpoint(server.app.clock.now(), when).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_is_made_by_time_by_count_and_when_asked() {
    on_each_database(async |server| {
        let size = async || newest(server).await.map_or(0, |checkpoint| checkpoint.size);
        let (start, _) = entries(server).await;
        assert_eq!(start.len(), 1);
        sign(server, When::Due).await;
        assert_eq!(size().await, 1, "the first entry is signed at once");
        happen(server, 1).await;
        sign(server, When::Due).await;
        assert_eq!(size().await, 1);
        server.advance(Duration::from_secs(59));
        sign(server, When::Due).await;
        assert_eq!(size().await, 1);
        server.advance(Duration::from_secs(1));
        sign(server, When::Due).await;
        assert_eq!(size().await, 2, "after a minute");
        happen(server, 999).await;
        sign(server, When::Due).await;
        assert_eq!(size().await, 2);
        happen(server, 1).await;
        sign(server, When::Due).await;
        assert_eq!(size().await, 1002, "after a thousand entries");
        happen(server, 1).await;
        sign(server, When::Now).await;
        let (_, range) = entries(server).await;
        let signed = newest(server).await.unwrap();
        assert_eq!(signed.head(), Head { size: 1003, root: range.root() });
        let anchored = std::fs::read_to_string(&server.app.config.audit.anchor).unwrap();
        let anchored = Checkpoint::open(&anchored, key(server).await.verifier()).unwrap();
        assert_eq!(anchored, signed, "the file follows");
        assert_eq!(server.app.audit.trouble(), None);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_signed_that_does_not_continue_what_was() {
    let other = leaf_hash(b"somebody else's");
    on_each_database(async |server| {
        happen(server, 5).await;
        sign(server, When::Now).await;
        let anchor = &server.app.config.audit.anchor;
        let good = std::fs::read_to_string(anchor).unwrap();
        let key = key(server).await;
        let foreign = SigningKey::from_seed(key.verifier().name(), &[1; 32]).unwrap();
        let of_another_log =
            SigningKey::from_seed("another/log", server.app.keys.audit.signing_seed()).unwrap();
        let note = |size, key| Checkpoint::sign(Head { size, root: other }, key).unwrap();
        for (note, expected) in [
            // As after a database of last week was brought back: the file knows of more.
            (note(1000, &key), Discontinued::Shorter),
            // As after entries were rewritten with their tiles.
            (note(3, &key), Discontinued::Different),
            (note(5, &key), Discontinued::Different),
            (note(3, &foreign), Discontinued::Forged),
            (note(3, &of_another_log), Discontinued::Forged),
            ("no note".to_owned(), Discontinued::Forged),
        ] {
            let before = newest(server).await.unwrap();
            std::fs::write(anchor, &note).unwrap();
            happen(server, 1).await;
            sign(server, When::Now).await;
            assert_eq!(newest(server).await.unwrap(), before, "{expected:?}");
            assert_eq!(std::fs::read_to_string(anchor).unwrap(), note, "the evidence stays");
            assert_eq!(server.app.audit.trouble(), Some(Trouble::NotSigned(expected)));
            let ready = server.client().get("/readyz").send().await;
            assert_eq!(ready.json()["warnings"][0], "audit_log", "{ready:?}");
            let told = server.events("audit_checkpoint_refused", 1).await;
            assert_eq!(told[0].detail["reason"], expected.as_str());

            std::fs::write(anchor, &good).unwrap();
            sign(server, When::Now).await;
            assert!(newest(server).await.unwrap().size > before.size, "control: {expected:?}");
            assert_eq!(server.app.audit.trouble(), None);
            let ready = server.client().get("/readyz").send().await;
            assert_eq!(ready.json()["warnings"], Value::Null, "{ready:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stop_signs_everything_to_its_last_event() {
    on_each_database(async |server| {
        server.write_secret();
        let database = format!("[database]\nurl = \"{}\"\n", server.database_url());
        let mut program = Program::serve_in(&server.data_dir, &database);
        program.signal("TERM");
        assert!(program.wait().success());
        let signed = newest(server).await.unwrap().size;
        let (entries, _) = entries(server).await;
        let stop = entries.iter().find(|entry| entry.event == "sys_shutdown").unwrap();
        assert!(stop.index < signed, "{signed} of {}", entries.len());
    })
    .await;
}

#[tokio::test]
async fn silence_is_signed_too() {
    on_each_database(async |server| {
        let beats = async || {
            let (entries, _) = entries(server).await;
            entries.iter().filter(|entry| entry.event == "sys_heartbeat").count()
        };
        assert_eq!(beats().await, 0);
        server.advance(Duration::from_mins(59));
        server.app.audit.break_silence(server.app.clock.now()).await.unwrap();
        assert_eq!(beats().await, 0);
        server.advance(Duration::from_mins(1));
        server.app.audit.break_silence(server.app.clock.now()).await.unwrap();
        assert_eq!(beats().await, 1);
        server.app.audit.break_silence(server.app.clock.now()).await.unwrap();
        assert_eq!(beats().await, 1, "it is an event itself");
    })
    .await;
}

#[tokio::test]
async fn an_operator_may_go_on_without_the_anchor_and_the_log_says_so_for_ever() {
    on_each_database(async |server| {
        let accept = async || server.app.audit.accept(server.app.clock.now()).await.unwrap();
        // With the start in it, nothing comes by itself any more.
        entries(server).await;
        happen(server, 5).await;
        sign(server, When::Now).await;
        assert_eq!(accept().await, Accepted::Nothing, "control");
        let anchor = &server.app.config.audit.anchor;
        let key = key(server).await;
        let note = Checkpoint::sign(Head { size: 900, root: leaf_hash(b"lost") }, &key).unwrap();
        std::fs::write(anchor, &note).unwrap();
        let Accepted::Done(lost) = accept().await else { panic!() };
        assert_eq!((lost.how, lost.anchored), (Discontinued::Shorter, Some(900)));
        assert_eq!(std::fs::read_to_string(&lost.aside).unwrap(), note, "the evidence is kept");
        let told = server.events("audit_anchor_replaced", 1).await;
        assert_eq!(told[0].detail["anchored"], 900);
        assert_eq!(told[0].detail["size"], lost.size);
        let (entries, _) = entries(server).await;
        assert_eq!(newest(server).await.unwrap().size, entries.len() as u64, "signed again");
        assert_eq!(accept().await, Accepted::Nothing);
        assert_eq!(server.app.audit.trouble(), None);

        // What the database itself says was signed cannot be accepted away.
        let mut tx = server.app.db.write().await.unwrap();
        let size = newest(server).await.unwrap().size;
        let at = server.app.clock.now();
        let note = Checkpoint::sign(Head { size, root: leaf_hash(b"other") }, &key).unwrap();
        let forged = checkpoints::Checkpoint { size, at: at.plus(Duration::from_secs(1)), note };
        checkpoints::insert(&mut tx, &forged).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(accept().await, Accepted::Refused(Discontinued::Different));
    })
    .await;
}

#[tokio::test]
async fn an_anchor_that_is_gone_is_told_of_in_the_log() {
    on_each_database(async |server| {
        entries(server).await;
        sign(server, When::Now).await;
        happen(server, 1).await;
        sign(server, When::Now).await;
        assert_eq!(server.events("audit_anchor_replaced", 0).await.len(), 0, "control");
        std::fs::remove_file(&server.app.config.audit.anchor).unwrap();
        happen(server, 1).await;
        sign(server, When::Now).await;
        let told = server.events("audit_anchor_replaced", 1).await;
        assert_eq!((told.len(), &told[0].detail["reason"]), (1, &"absent".into()));
        assert!(server.app.config.audit.anchor.exists());
    })
    .await;
}
