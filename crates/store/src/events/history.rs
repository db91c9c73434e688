//! What happened to one account and what its user did, newest first, with the names of people. Of the
//! log only: whoever asks has what waits given its place first.

use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::id::UserId;
use portcullis_domain::text::person_name;

use super::StoredEvent;
use crate::audit::log;
use crate::driver::{Row, Tx, params};
use crate::error::Result;
use crate::users::directory::Page;

/// One line of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub event: StoredEvent,
    /// What the actor is called.
    pub actor_name: Option<String>,
}

/// One page of the history of a user.
pub async fn of_user(tx: &mut Tx, keys: &AuditKeys, user: UserId, page: Page) -> Result<Vec<Line>> {
    // Two walks of an index, each no longer than the page needs.
    const SQL: &str = concat!(
        "WITH mine AS (SELECT person FROM audit_people WHERE user_id = $1),
        found AS (
            SELECT idx FROM (SELECT idx FROM audit_log
                WHERE actor = (SELECT person FROM mine) ORDER BY at DESC, idx DESC LIMIT $4) AS did
            UNION
            SELECT idx FROM (SELECT idx FROM audit_log
                WHERE subject = (SELECT person FROM mine) ORDER BY at DESC, idx DESC LIMIT $4) AS had)
        SELECT e.*, u.first_name, u.last_name, u.username, u.email FROM (",
        log::entries!(),
        "WHERE l.idx IN (SELECT idx FROM found)) AS e LEFT JOIN users u ON u.id = e.actor_user
        ORDER BY e.at DESC, e.idx DESC LIMIT $2 OFFSET $3"
    );
    let reach = page.limit.saturating_add(page.offset);
    let wanted = params![user, page.limit, page.offset, reach];
    tx.fetch_all(SQL, wanted).await?.iter().map(|row| line(row, keys)).collect()
}

fn line(row: &Row, keys: &AuditKeys) -> Result<Line> {
    let event = log::read(row, keys)?;
    let actor_name = if event.context.actor.is_some() { actor_name(row)? } else { None };
    Ok(Line { event, actor_name })
}

fn actor_name(row: &Row) -> Result<Option<String>> {
    let Some(email) = row.get::<Option<String>>("email")? else { return Ok(None) };
    let (first, last): (String, String) = (row.get("first_name")?, row.get("last_name")?);
    let username: Option<String> = row.get("username")?;
    Ok(Some(person_name(&first, &last, username.as_deref(), &email)))
}
