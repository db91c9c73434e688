//! The alert that changes of some folders are not heard of at once, and the event that they were too many.
//! Whoever watches says so, and says when it is over.

use portcullis_domain::event::{Event, Text};
use portcullis_domain::integrity::alert::{Kind, Severity, Status};
use portcullis_integrity::Uncovered;
use portcullis_integrity::path::show;
use portcullis_store::integrity::{self as rows, alerts};

use super::ended::{self, Because};
use super::found::of_root;
use super::settle::{Settled, Settling, Told, settle};
use super::{Fault, Monitor, coverage};
use crate::config::WatchedRoot;

/// Says which folders of a root are not watched. What is new of it is given.
pub async fn uncovered(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    uncovered: &Uncovered,
) -> Result<Vec<Told>, Fault> {
    let mut tx = monitor.db.write().await?;
    let coverage = coverage::of(monitor.settings, root);
    let row = rows::ensure(&mut tx, &root.name, &coverage).await?;
    tx.commit().await?;
    // Without a schedule nobody comes by them at all.
    let severity = match monitor.settings.schedule {
        Some(_) => Severity::Low,
        None => Severity::High,
    };
    let found = vec![of_root(root, Kind::Unwatched, severity, says(uncovered))];
    let settling = Settling::new(root, monitor.now(), row.baseline);
    Ok(match settle(monitor, &settling, found).await? {
        Settled::Done(told) => told,
        Settled::Superseded => Vec::new(),
    })
}

/// Says that all folders of a root are watched, or that none has to be.
pub async fn covered(monitor: &Monitor<'_>, root: &WatchedRoot) -> Result<(), Fault> {
    let mut tx = monitor.db.write().await?;
    let known = alerts::known(&mut tx, &root.name).await?;
    let is_open = |alert: &&alerts::Known| {
        alert.kind == Kind::Unwatched && alert.standing.status == Status::New
    };
    for alert in known.iter().filter(is_open) {
        ended::one(monitor, &mut tx, alert.id, Because::AsItOughtToBe).await?;
    }
    Ok(tx.commit().await?)
}

/// Writes down that not every change of a root was heard of. All of it is looked at, so it is no alert.
pub async fn overflowed(monitor: &Monitor<'_>, root: &WatchedRoot) -> Result<(), Fault> {
    let mut tx = monitor.db.write().await?;
    let event = Event::WatchOverflowed { root: Text::clip(&root.name) };
    monitor.record(&mut tx, &event).await?;
    Ok(tx.commit().await?)
}

fn says(uncovered: &Uncovered) -> String {
    let named = uncovered.named.iter().map(|path| match &path[..] {
        [] => "the root itself".to_owned(),
        path => show(path),
    });
    let named: Vec<String> = named.collect();
    let folders = match uncovered.folders {
        1 => "1 folder".to_owned(),
        folders => format!("{folders} folders"),
    };
    format!(
        "Changes in {folders} are not heard of when they happen: {} and what is in them. Either the \
         server may not open them, or there are more than fs.inotify.max_user_watches lets it watch.",
        named.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_are_named() {
        let check = |folders: u64, named: &[&[u8]], expected: &str| {
            let named = named.iter().map(|name| name.to_vec()).collect();
            let said = says(&Uncovered { folders, named });
            assert!(said.starts_with(expected), "{said}");
        };
        let one = "Changes in 1 folder are not heard of when they happen: the root itself and";
        check(1, &[b""], one);
        let some = "Changes in 9 folders are not heard of when they happen: a, b\\xe9 and what";
        check(9, &[b"a", b"b\xe9"], some);
    }
}
