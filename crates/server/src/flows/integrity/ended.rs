//! Open alerts that end without anybody having judged them: their paths were seen to be as they ought to
//! be, or what ought to be there is another thing by now. Not having seen a path ends nothing.

use std::collections::HashSet;

use portcullis_domain::event::Event;
use portcullis_domain::integrity::alert::{Resolution, is_end_news};
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::integrity::alerts::{self, Judgement};

use super::{Fault, Monitor};
use crate::config::WatchedRoot;

/// Why an alert ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// It is as it ought to be again.
    AsItOughtToBe,
    /// Somebody put a baseline in force that says what is there.
    Accepted,
}

/// Ends the open alerts of some paths. Whoever saw one of them after `began` knows better.
pub(super) async fn of_paths(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    root: &WatchedRoot,
    (good, began): (&HashSet<Vec<u8>>, Time),
    because: Because,
) -> Result<(), Fault> {
    if good.is_empty() {
        return Ok(());
    }
    for open in alerts::open_paths(tx, &root.name).await? {
        if good.contains(&open.path) && open.last_seen_at <= began {
            one(monitor, tx, open.id, because).await?;
        }
    }
    Ok(())
}

/// Ends one, if it is open.
pub(super) async fn one(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    id: i64,
    because: Because,
) -> Result<(), Fault> {
    let now = monitor.now();
    let (is_news, event) = match because {
        Because::AsItOughtToBe => {
            let standing = alerts::standing_of(tx, id).await?;
            let is_ended = alerts::auto_revert(tx, id, now).await?;
            let is_news = is_ended && standing.is_some_and(|standing| is_end_news(&standing));
            (is_news, Event::FileAlertReverted { alert: id })
        }
        Because::Accepted => {
            let said = Judgement { by: monitor.context.actor, note: "", now };
            let resolution = Some(Resolution::Accepted);
            let is_ended = alerts::resolve(tx, id, resolution, said).await?;
            (is_ended, Event::FileAlertResolved { alert: id, resolution })
        }
    };
    if is_news {
        monitor.record(tx, &event).await?;
    }
    Ok(())
}
