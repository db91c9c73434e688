//! What happened to one account and what its user did, newest first, with the names of people.

use portcullis_domain::id::UserId;
use portcullis_domain::text::person_name;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::users::directory::Page;

/// One line of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// A `UUIDv7`.
    pub id: String,
    pub at: Time,
    /// The name in the log, such as `authn_login_success`.
    pub name: String,
    pub outcome: String,
    pub severity: String,
    pub actor: Option<UserId>,
    /// What the actor is called.
    pub actor_name: Option<String>,
    pub subject: Option<UserId>,
    pub ip: Option<String>,
    /// A JSON object.
    pub detail: serde_json::Value,
}

/// One page of the history of a user.
pub async fn of_user(tx: &mut Tx, user: UserId, page: Page) -> Result<Vec<Line>> {
    const SQL: &str = "SELECT e.id, e.at, e.name, e.outcome, e.severity, e.actor, e.subject, e.ip,
            e.detail, a.first_name, a.last_name, a.username, a.email
        FROM events e LEFT JOIN users a ON a.id = e.actor
        WHERE e.subject = $1 OR e.actor = $1
        ORDER BY e.at DESC, e.id DESC LIMIT $2 OFFSET $3";
    let wanted = params![user, page.limit, page.offset];
    tx.fetch_all(SQL, wanted).await?.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Line> {
    let id: String = row.get("id")?;
    let detail: String = row.get("detail")?;
    let user = |column| row.get::<Option<i64>>(column).map(|id| id.map(UserId));
    Ok(Line {
        at: Time(row.get("at")?),
        name: row.get("name")?,
        outcome: row.get("outcome")?,
        severity: row.get("severity")?,
        actor: user("actor")?,
        actor_name: actor_name(row)?,
        subject: user("subject")?,
        ip: row.get("ip")?,
        detail: serde_json::from_str(&detail).map_err(|_| corrupt("events", "detail", &id))?,
        id,
    })
}

fn actor_name(row: &Row) -> Result<Option<String>> {
    let Some(email) = row.get::<Option<String>>("email")? else { return Ok(None) };
    let (first, last): (String, String) = (row.get("first_name")?, row.get("last_name")?);
    let username: Option<String> = row.get("username")?;
    Ok(Some(person_name(&first, &last, username.as_deref(), &email)))
}
