//! The backups that servers make by themselves: when it is time, by one of them, a few kept, and a
//! failure that can be seen.

use std::time::Duration;

use portcullis_server::backups::{self, Trouble};
use serde_json::json;

use super::files;
use crate::harness::{Setup, TestApp, database, on_each_database_with};

const HOUR: Duration = Duration::from_hours(1);

fn planned() -> Setup {
    Setup::with("[backup]\ndirectory = \"shelf\"\nevery = \"1h\"\nkeep = 2")
}

fn trouble(server: &TestApp) -> Option<Trouble> {
    server.app.backups.trouble(server.app.config.backup.as_ref(), server.app.clock.now())
}

#[tokio::test]
async fn they_are_made_in_turns_and_the_newest_are_kept() {
    on_each_database_with(planned(), async |server| {
        let shelf = server.data_dir.join("shelf");
        let mut seen = Vec::new();
        for turn in 1..=4_usize {
            backups::look(&server.app).await.unwrap();
            backups::look(&server.app).await.unwrap();
            let now = files(&shelf);
            assert_eq!(now.len(), turn.min(2), "{now:?}");
            seen.extend(now.last().cloned());
            server.advance(HOUR);
        }
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert_eq!(files(&shelf), seen[2..], "the newest are kept");
        assert_eq!(server.events("backup_created", 4).await.len(), 4);
        assert_eq!(trouble(server), None);
        assert!(server.app.backups.last_good().is_some());
    })
    .await;
}

#[tokio::test]
async fn of_two_nodes_one_makes_it() {
    for kind in database::kinds() {
        let server = TestApp::start(kind, &planned()).await;
        let other = server.second_node(&planned()).await;
        let (first, second) = tokio::join!(backups::look(&server.app), backups::look(&other.app));
        first.unwrap();
        second.unwrap();
        assert_eq!(files(&server.data_dir.join("shelf")).len(), 1);
        backups::look(&other.app).await.unwrap();
        assert_eq!(other.app.backups.last_good(), {
            backups::look(&server.app).await.unwrap();
            server.app.backups.last_good()
        });
        other.finish().await;
        server.finish().await;
    }
}

#[tokio::test]
async fn a_failure_is_seen_and_over_when_one_is_made() {
    on_each_database_with(planned(), async |server| {
        let shelf = server.data_dir.join("shelf");
        std::fs::write(&shelf, "in the way").unwrap();
        backups::look(&server.app).await.unwrap();
        assert_eq!(trouble(server), Some(Trouble::Failed));
        let ready = server.client().get("/readyz").send().await;
        assert_eq!(ready.json()["warnings"], json!(["backup_failed"]));
        let event = &server.events("backup_failed", 1).await[0];
        assert_eq!(event.detail["reason"], "unwritable");
        assert_eq!(std::fs::read(&shelf).unwrap(), b"in the way");

        std::fs::remove_file(&shelf).unwrap();
        backups::look(&server.app).await.unwrap();
        assert!(!shelf.exists(), "it is not tried again at once");
        server.advance(Duration::from_mins(15));
        backups::look(&server.app).await.unwrap();
        assert_eq!(files(&shelf).len(), 1);
        assert_eq!(trouble(server), None);
    })
    .await;
}

#[tokio::test]
async fn turns_that_were_missed_are_warned_of() {
    on_each_database_with(planned(), async |server| {
        backups::look(&server.app).await.unwrap();
        assert_eq!(trouble(server), None, "control");
        server.advance(HOUR * 2 + Duration::from_secs(1));
        assert_eq!(trouble(server), Some(Trouble::Late));
        backups::look(&server.app).await.unwrap();
        assert_eq!(trouble(server), None);
    })
    .await;
}

#[tokio::test]
async fn without_a_directory_there_are_none() {
    on_each_database_with(Setup::default(), async |server| {
        backups::look(&server.app).await.unwrap();
        assert_eq!(server.app.backups.last_good(), None);
        assert_eq!(trouble(server), None);
    })
    .await;
}
