//! How much of a root is looked at, as a text that is compared from check to check: whoever takes files
//! out of sight does so in the configuration, and is told on. Pure but for writing it down.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_domain::event::{Event, Text};
use portcullis_domain::integrity::alert::{Kind, Severity};
use portcullis_store::integrity::{self as rows, Root};
use serde::{Deserialize, Serialize};

use super::found::{Found, of_root};
use super::look::shown;
use super::settle::{Settled, Settling, Told, settle};
use super::{Fault, Monitor};
use crate::config::{Integrity, WatchedRoot};

/// How much is looked at, and how soon.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Coverage {
    path: String,
    exclude: BTreeSet<String>,
    max_hash_bytes: u64,
    /// Rules by which nobody is told of some differences.
    quiet: BTreeSet<String>,
    /// Changes are heard of when they happen.
    watch: bool,
    /// How often everything is looked at.
    schedule: Option<Duration>,
}

/// What stands in the place of a coverage if a folder is not watched any more, and that was told.
const NONE: &str = "{}";

/// What of the configuration says how much is looked at.
pub(super) fn of(settings: &Integrity, root: &WatchedRoot) -> String {
    let coverage = Coverage {
        path: shown(&root.path, b""),
        exclude: root.exclude.iter().cloned().collect(),
        max_hash_bytes: settings.max_hash_bytes,
        quiet: settings.quiet.iter().cloned().collect(),
        watch: settings.watch,
        schedule: settings.schedule,
    };
    // Texts, numbers and switches always serialise.
    serde_json::to_string(&coverage).unwrap_or_default()
}

/// What there is to tell of if less is looked at than before.
pub(super) fn narrowed(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    row: &Root,
) -> Option<Found<'static>> {
    let says = losses(&row.coverage, &of(monitor.settings, root));
    let says = format!("The configuration looks at less than before: {}.", says?.join("; "));
    Some(of_root(root, Kind::CoverageNarrowed, Severity::High, says))
}

/// Tells, once, of folders that were watched and are not in the configuration any more.
pub async fn removed(monitor: &Monitor<'_>) -> Result<Vec<Told>, Fault> {
    let all = rows::all(&mut monitor.db.read().await?).await?;
    let is_removed =
        |row: &Root| monitor.settings.root(&row.name).is_none() && row.coverage != NONE;
    let mut told = Vec::new();
    for row in all.into_iter().filter(is_removed) {
        let path = read(&row.coverage).map_or_else(String::new, |coverage| coverage.path);
        let (name, path) = (row.name.clone(), PathBuf::from(path));
        let root = WatchedRoot { name, path, exclude: Vec::new() };
        let says =
            "The configuration does not name this folder any more: nothing in it is looked at.";
        let found = of_root(&root, Kind::CoverageNarrowed, Severity::High, says.to_owned());
        let settling = Settling::new(&root, monitor.now(), row.baseline);
        if let Settled::Done(also) = settle(monitor, &settling, vec![found]).await? {
            told.extend(also);
            change(monitor, &row, NONE, true).await?;
        }
    }
    Ok(told)
}

/// Writes down how much is looked at now, and that it has changed if it has.
pub(super) async fn learn(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    row: &Root,
) -> Result<(), Fault> {
    let now = of(monitor.settings, root);
    if now == row.coverage {
        return Ok(());
    }
    change(monitor, row, &now, losses(&row.coverage, &now).is_some()).await
}

async fn change(monitor: &Monitor<'_>, row: &Root, now: &str, narrowed: bool) -> Result<(), Fault> {
    let mut tx = monitor.db.write().await?;
    if rows::set_coverage(&mut tx, &row.name, &row.coverage, now).await? {
        let event = Event::CoverageChanged { root: Text::clip(&row.name), narrowed };
        monitor.record(&mut tx, &event).await?;
    }
    Ok(tx.commit().await?)
}

/// What was written down; `None` where nothing was, or by a version that said less.
fn read(coverage: &str) -> Option<Coverage> {
    serde_json::from_str(coverage).ok()
}

/// In what the second looks at less than the first; `None`: in nothing.
fn losses(before: &str, after: &str) -> Option<Vec<String>> {
    let (before, after) = (read(before)?, read(after)?);
    let mut losses = Vec::new();
    if before.path != after.path {
        losses.push(format!("the folder is {} and was {}", after.path, before.path));
    }
    let fresh = after.exclude.difference(&before.exclude);
    losses.extend(fresh.map(|pattern| format!("{pattern} is passed over")));
    if after.max_hash_bytes < before.max_hash_bytes {
        losses.push(format!("files above {} bytes are not read", after.max_hash_bytes));
    }
    let fresh = after.quiet.difference(&before.quiet);
    losses.extend(fresh.map(|rule| format!("nobody is told of what the rule {rule} fits")));
    if before.watch && !after.watch {
        losses.push("changes are not heard of when they happen".to_owned());
    }
    // Never is the longest.
    let turn = |every: Option<Duration>| every.unwrap_or(Duration::MAX);
    if turn(after.schedule) > turn(before.schedule) {
        losses.push(match after.schedule {
            Some(every) => format!("everything is looked at every {} seconds", every.as_secs()),
            None => "everything is looked at only when somebody asks for it".to_owned(),
        });
    }
    (!losses.is_empty()).then_some(losses)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_what_takes_files_out_of_sight_is_a_loss() {
        let hour = json!({ "secs": 3600, "nanos": 0 });
        let before = json!({
            "path": "/srv/app", "exclude": ["a", "b"], "max_hash_bytes": 100, "quiet": ["q (x)"],
            "watch": true, "schedule": hour,
        });
        let check = |changes: Value, expected: usize| {
            let mut after = before.clone();
            let changed = changes.as_object().unwrap().clone();
            after.as_object_mut().unwrap().extend(changed);
            let losses = losses(&before.to_string(), &after.to_string()).unwrap_or_default();
            assert_eq!(losses.len(), expected, "{changes}: {losses:?}");
        };
        check(json!({}), 0);
        check(json!({ "exclude": ["a"], "max_hash_bytes": 200, "quiet": [] }), 0);
        check(json!({ "schedule": { "secs": 60, "nanos": 0 } }), 0);
        check(json!({ "exclude": ["a", "b", "c"] }), 1);
        check(json!({ "exclude": ["c"], "max_hash_bytes": 99 }), 2);
        check(json!({ "path": "/srv/other", "exclude": [] }), 1);
        check(json!({ "quiet": ["q (x, y)"] }), 1);
        check(json!({ "watch": false }), 1);
        check(json!({ "schedule": { "secs": 7200, "nanos": 0 } }), 1);
        check(json!({ "schedule": null }), 1);
    }

    #[test]
    fn where_nothing_was_written_down_nothing_is_lost() {
        let after = json!({
            "path": "/srv/app", "exclude": [], "max_hash_bytes": 1, "quiet": [], "watch": false,
            "schedule": null,
        });
        for before in ["", NONE] {
            assert_eq!(losses(before, &after.to_string()), None);
        }
    }
}
