//! What happened: written in the transaction that makes it happen, never changed. It waits in
//! [`crate::audit::pending`] for its place in the log.

pub mod history;

use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

pub use crate::audit::log::{Standing, StoredEvent};
use crate::audit::{log, pending};
use crate::driver::{Tx, params};
use crate::error::Result;

/// Which events to read.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Only those of this name.
    pub name: Option<String>,
    /// Only those about this user.
    pub subject: Option<UserId>,
    /// At most so many.
    pub limit: i64,
}

/// Writes an event under an id of its own, a `UUIDv7`.
pub async fn append(
    tx: &mut Tx,
    event: &Event,
    context: &Context,
    id: &str,
    now: Time,
) -> Result<()> {
    pending::insert(tx, event, context, id, now).await
}

/// The newest events that match, newest first; those that still wait for their place come before
/// all others.
pub async fn list(tx: &mut Tx, keys: &AuditKeys, filter: &EventFilter) -> Result<Vec<StoredEvent>> {
    const SQL: &str = concat!(
        log::entries!(),
        "WHERE ($1 IS NULL OR l.name = $1) AND ($2 IS NULL OR s.user_id = $2)
        ORDER BY l.at DESC, l.idx DESC LIMIT $3"
    );
    let matches = |event: &pending::Happened| {
        filter.name.as_ref().is_none_or(|name| *name == event.name)
            && (filter.subject.is_none() || event.context.subject == filter.subject)
    };
    let waiting = pending::newest(tx, i64::MAX).await?;
    let mut found: Vec<StoredEvent> =
        waiting.into_iter().filter(matches).map(StoredEvent::from).collect();
    let wanted = params![filter.name.as_deref(), filter.subject, filter.limit];
    for row in tx.fetch_all(SQL, wanted).await? {
        found.push(log::read(&row, keys)?);
    }
    found.truncate(usize::try_from(filter.limit).unwrap_or_default());
    Ok(found)
}
