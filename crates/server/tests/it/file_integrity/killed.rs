//! B.12: kill -9 mid-scan → `interrupted`, no phantom deletes. The real program, killed while it reads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_domain::integrity::CheckState;
use portcullis_domain::integrity::alert::Kind as Change;
use portcullis_store::Db;
use portcullis_store::integrity::alerts::{self, Filter, Order};
use portcullis_store::integrity::{baselines, checks};

use crate::harness::database::{self, Database, Kind};
use crate::harness::program::Program;

#[tokio::test]
async fn kill_9_mid_scan_leaves_interrupted_and_no_phantom_deletes() {
    join_all(database::kinds().into_iter().map(killed)).await;
}

async fn killed(kind: Kind) {
    let (database, folder) = (Database::fresh(kind).await, tempfile::tempdir().unwrap());
    let root = folder.path();
    for number in 0..40 {
        fs::write(root.join(format!("{number}.txt")), "x".repeat(16 * 1024)).unwrap();
    }
    let config = |more: &str| config(&database, root, more);
    let mut program = Program::serve_in(&database.directory(), &config(""));
    let db = Db::open(&database.options(None)).await.unwrap();
    until(async || {
        baselines::active(&mut db.read().await.unwrap(), "app").await.unwrap().is_some()
    })
    .await;
    program.kill();

    let slowly = config("read_per_second = \"64KiB\"");
    let mut program = Program::serve_in(&database.directory(), &slowly);
    let running = async || checks::running(&mut db.read().await.unwrap()).await.unwrap();
    until(async || running().await.is_some_and(|check| check.counts.scanned > 2)).await;
    let check = running().await.unwrap();
    program.kill();
    assert!(check.counts.scanned < 40, "control: {check:?}");
    fs::write(root.join("7.txt"), "y".repeat(16 * 1024)).unwrap();

    let _program = Program::serve_in(&database.directory(), &config(""));
    let all = async || checks::list(&mut db.read().await.unwrap(), 9).await.unwrap();
    let is_over = |of: &[checks::Check]| {
        let state = of.iter().find(|other| other.id == check.id).map(|check| check.state);
        let newest = of.first().map(|newest| newest.state);
        state == Some(CheckState::Interrupted) && newest == Some(CheckState::Complete)
    };
    until(async || is_over(&all().await)).await;
    let mut tx = db.read().await.unwrap();
    let found = alerts::list(&mut tx, &Filter::default(), Order::Newest, 99, 0).await.unwrap();
    let found: Vec<_> = found.iter().map(|alert| (&*alert.about.path, alert.about.kind)).collect();
    assert_eq!(found, [(&b"7.txt"[..], Change::Modified)], "{kind:?}");
}

fn config(database: &Database, root: &Path, more: &str) -> String {
    format!(
        "[database]\nurl = \"{}\"\n[integrity]\nwatch = false\n{more}\n\
         [[integrity.root]]\nname = \"app\"\npath = \"{}\"\n",
        database.url(),
        root.display()
    )
}

async fn until(is_so: impl AsyncFn() -> bool) {
    for _ in 0..900 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not come to be");
}
