//! When the last backup was made, and whether that is long ago. Not here: whether it can be restored,
//! which `portcullis backup verify` tries.

use portcullis_domain::backup::stale_after;
use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_store::Db;
use portcullis_store::backup::{self, State};

use super::{Check, Status};
use crate::cli::open;
use crate::clock::Clock;
use crate::config::{BackupPlan, Config};
use crate::flows::backup::size;

/// When the last backup was made; nothing where the database cannot be read.
pub async fn check(config: &Config, keys: &Keys, clock: &Clock) -> Option<Check> {
    let db = Box::pin(open::open_database(&config.database, keys)).await.ok()?;
    let state = last_backup(&db).await;
    db.close().await;
    Some(judge(&state.ok()?, config.backup.as_ref(), clock.now()))
}

async fn last_backup(db: &Db) -> Result<State, portcullis_store::Error> {
    backup::state(&mut db.read_once().await?).await
}

fn judge(state: &State, plan: Option<&BackupPlan>, now: Time) -> Check {
    const ID: &str = "backup";
    let make = "portcullis backup create, or name backup.directory";
    if let Some((at, why)) = &state.failed {
        let detail = format!("the last attempt failed at {} ({why})", at.iso());
        return Check::fault(
            ID,
            detail,
            "see the log of the server, then portcullis backup create",
        );
    }
    let Some(good) = &state.good else {
        return Check::found(Status::Warning, ID, "there never was one", make);
    };
    let size = size(u64::try_from(good.bytes).unwrap_or_default());
    let detail = format!("the last is of {}: {} ({size})", good.at.iso(), good.file);
    if now.since(good.at) > stale_after(plan.map(|plan| plan.every)) {
        return Check::found(Status::Warning, ID, detail, make);
    }
    Check::ok(ID, detail)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis_store::backup::Good;

    use super::*;

    #[test]
    fn what_is_missing_failed_or_old_is_told() {
        const NOW: Time = Time(1_795_309_323_000);
        let check = |good_hours_ago: Option<u64>, failed: bool, every: Option<u64>, expected| {
            let at = |hours| NOW.minus(Duration::from_hours(hours));
            let good = |hours| Good { at: at(hours), file: "x".to_owned(), bytes: 1_572_864 };
            let state = State {
                good: good_hours_ago.map(good),
                failed: failed.then(|| (NOW, "full".to_owned())),
            };
            let plan = every.map(|hours| BackupPlan {
                directory: "/backups".into(),
                every: Duration::from_hours(hours),
                keep: 1,
            });
            let found = judge(&state, plan.as_ref(), NOW);
            assert_eq!(found.status, expected, "{found:?}");
            found.detail
        };
        check(None, false, None, Status::Warning);
        check(None, false, Some(1), Status::Warning);
        check(Some(100), false, None, Status::Ok);
        check(Some(169), false, None, Status::Warning);
        check(Some(3), false, Some(1), Status::Warning);
        let detail = check(Some(2), false, Some(1), Status::Ok);
        assert_eq!(detail, "the last is of 2026-11-21T23:02:03Z: x (1.5 MiB)");
        check(Some(1), true, None, Status::Fault);
    }
}
