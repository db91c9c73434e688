//! How much of a root is looked at, as a text that is compared from check to check: whoever takes files
//! out of sight does so in the configuration, and is told on. Pure but for writing it down.

use std::collections::BTreeSet;

use portcullis_domain::event::{Event, Text};
use portcullis_domain::integrity::alert::{Kind, Severity};
use portcullis_store::integrity::{self as rows, Root};
use serde::{Deserialize, Serialize};

use super::found::{Found, of_root};
use super::look::shown;
use super::{Fault, Monitor};
use crate::config::{Integrity, WatchedRoot};

/// How much is looked at.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Coverage {
    path: String,
    exclude: BTreeSet<String>,
    max_hash_bytes: u64,
}

/// What of the configuration says how much is looked at.
pub(super) fn of(settings: &Integrity, root: &WatchedRoot) -> String {
    let coverage = Coverage {
        path: shown(&root.path, b""),
        exclude: root.exclude.iter().cloned().collect(),
        max_hash_bytes: settings.max_hash_bytes,
    };
    // Texts and a number always serialise.
    serde_json::to_string(&coverage).unwrap_or_default()
}

/// What there is to tell of if less is looked at than before.
pub(super) fn narrowed(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    row: &Root,
) -> Vec<Found<'static>> {
    let says = losses(&row.coverage, &of(monitor.settings, root));
    if says.is_empty() {
        return Vec::new();
    }
    let says = format!("The configuration looks at less than before: {}.", says.join("; "));
    vec![of_root(root, Kind::CoverageNarrowed, Severity::High, says)]
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
    let mut tx = monitor.db.write().await?;
    if rows::set_coverage(&mut tx, &root.name, &row.coverage, &now).await? {
        let narrowed = !losses(&row.coverage, &now).is_empty();
        let event = Event::CoverageChanged { root: Text::clip(&root.name), narrowed };
        monitor.record(&mut tx, &event).await?;
    }
    Ok(tx.commit().await?)
}

/// In what the second looks at less than the first.
fn losses(before: &str, after: &str) -> Vec<String> {
    let read = |text| serde_json::from_str::<Coverage>(text).unwrap_or_default();
    let (before, after) = (read(before), read(after));
    let mut losses = Vec::new();
    if before.path != after.path {
        losses.push(format!("the folder is {} and was {}", after.path, before.path));
    }
    let fresh = after.exclude.difference(&before.exclude);
    losses.extend(fresh.map(|pattern| format!("{pattern} is passed over")));
    if after.max_hash_bytes < before.max_hash_bytes {
        losses.push(format!("files above {} bytes are not read", after.max_hash_bytes));
    }
    losses
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_takes_files_out_of_sight_is_a_loss() {
        let text = |path: &str, exclude: &[&str], max: u64| {
            json!({ "path": path, "exclude": exclude, "max_hash_bytes": max }).to_string()
        };
        let before = text("/srv/app", &["a", "b"], 100);
        let check = |after: &str, losses_expected: usize| {
            assert_eq!(losses(&before, after).len(), losses_expected, "{after}");
        };
        check(&before, 0);
        check(&text("/srv/app", &["a"], 200), 0);
        check(&text("/srv/app", &["a", "b", "c"], 100), 1);
        check(&text("/srv/app", &["c"], 99), 2);
        check(&text("/srv/other", &[], 100), 1);
    }
}
