//! The entries: written once, read with the people and the personal data that belong to them.

use portcullis_domain::audit::entry::{Entry, Person};
pub use portcullis_domain::audit::growth::Written;
use portcullis_domain::audit::personal::{AuditKeys, Part, PersonKey};
use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use serde_json::{Map, Value as Json};

use super::pending::Happened;
use super::stored;
use crate::driver::{Many, Row, Tx, Value, params};
use crate::error::Result;

/// An event as it is read again.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the log; `None` while it waits for one.
    pub index: Option<u64>,
    /// A `UUIDv7`.
    pub id: String,
    pub at: Time,
    /// The name in the log, such as `authn_login_success`.
    pub name: String,
    pub outcome: String,
    pub severity: String,
    pub context: Context,
    /// A JSON object: words of our own and what came from outside.
    pub detail: Json,
    pub personal: Standing,
}

/// How it stands with the personal data of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there, or there was none.
    Whole,
    /// Some or all of it was erased.
    Erased,
    /// Some of it cannot be read: it was altered.
    Unreadable,
}

/// The columns and joins by which entries are read; what follows is the condition on `l`.
macro_rules! entries {
    () => {
        "SELECT l.idx, l.id, l.at, l.name, l.actor, l.subject, l.leaf,
            a.user_id AS actor_user, a.sealed_key AS actor_key,
            s.user_id AS subject_user, s.sealed_key AS subject_key,
            f.person AS from_person, f.sealed AS from_sealed,
            t.person AS texts_person, t.sealed AS texts_sealed
        FROM audit_log l
        LEFT JOIN audit_people a ON a.person = l.actor
        LEFT JOIN audit_people s ON s.person = l.subject
        LEFT JOIN audit_personal f ON f.idx = l.idx AND f.part = 'from'
        LEFT JOIN audit_personal t ON t.idx = l.idx AND t.part = 'texts' "
    };
}

pub(crate) use entries;

/// Writes entries at their places.
pub async fn append(tx: &mut Tx, entries: &[Written]) -> Result<()> {
    static INSERT: Many<7> =
        Many::new("INSERT INTO audit_log (idx, id, at, name, actor, subject, leaf)");
    let rows: Vec<_> = entries.iter().map(row).collect::<Result<_>>()?;
    INSERT.insert(tx, &rows).await
}

fn row(Written { entry, leaf }: &Written) -> Result<[Value<'_>; 7]> {
    let row: &[Value<'_>; 7] = params![
        stored(entry.index)?,
        &entry.id,
        entry.at,
        &entry.event,
        entry.actor.map(Person::number),
        entry.subject.map(Person::number),
        leaf.as_slice(),
    ];
    Ok(*row)
}

/// The stored bytes of the entries from `from` up to `to`, in order; those that are not there are left
/// out.
pub async fn leaves(tx: &mut Tx, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
    const SQL: &str = "SELECT leaf FROM audit_log WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    let rows = tx.fetch_all(SQL, params![stored(from)?, stored(to)?]).await?;
    rows.iter().map(|row| row.get("leaf")).collect()
}

/// When an entry got its place; `None` if it is not there, or is none.
pub async fn logged_at(tx: &mut Tx, index: u64) -> Result<Option<Time>> {
    const SQL: &str = "SELECT leaf FROM audit_log WHERE idx = $1";
    let row = tx.fetch_optional(SQL, params![stored(index)?]).await?;
    let leaf: Option<Vec<u8>> = row.map(|row| row.get("leaf")).transpose()?;
    Ok(leaf.and_then(|leaf| Entry::parse(&leaf)).map(|entry| entry.logged))
}

/// The newest entry of a name; `None` if there is none that can be read.
pub async fn newest_of(tx: &mut Tx, name: &str) -> Result<Option<Entry>> {
    const SQL: &str = "SELECT leaf FROM audit_log WHERE name = $1
        ORDER BY at DESC, idx DESC LIMIT 1";
    let row = tx.fetch_optional(SQL, params![name]).await?;
    let leaf: Option<Vec<u8>> = row.map(|row| row.get("leaf")).transpose()?;
    Ok(leaf.and_then(|leaf| Entry::parse(&leaf)))
}

/// All entries of a name that can be read: for names of which there are few.
pub async fn all_of(tx: &mut Tx, name: &str) -> Result<Vec<Entry>> {
    const SQL: &str = "SELECT leaf FROM audit_log WHERE name = $1 ORDER BY at, idx";
    let rows = tx.fetch_all(SQL, params![name]).await?;
    let leaves: Vec<Vec<u8>> = rows.iter().map(|row| row.get("leaf")).collect::<Result<_>>()?;
    Ok(leaves.iter().filter_map(|leaf| Entry::read(leaf)).collect())
}

/// Deletes entries below `below`, which were pruned, at most `limit` of them, the oldest first; how
/// many.
pub async fn forget_below(tx: &mut Tx, below: u64, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM audit_log WHERE idx < $1 AND idx <= (
        SELECT MAX(idx) FROM (
            SELECT idx FROM audit_log WHERE idx < $1 ORDER BY idx LIMIT $2) AS oldest)";
    tx.execute(SQL, params![stored(below)?, i64::from(limit)]).await
}

/// Whether an event has a place already.
pub async fn holds(tx: &mut Tx, id: &str, at: Time) -> Result<bool> {
    const SQL: &str = "SELECT idx FROM audit_log WHERE at = $2 AND id = $1 LIMIT 1";
    Ok(tx.fetch_optional(SQL, params![id, at]).await?.is_some())
}

/// An event that still waits, as it will be read.
impl From<Happened> for StoredEvent {
    fn from(event: Happened) -> Self {
        let mut detail = event.detail;
        detail.extend(event.texts);
        Self {
            index: None,
            id: event.id,
            at: event.at,
            name: event.name,
            outcome: event.outcome,
            severity: event.severity,
            context: event.context,
            detail: Json::Object(detail),
            personal: Standing::Whole,
        }
    }
}

/// One row of [`entries`]. An entry that was altered is shown as far as it can be read: what finds
/// it out is the verification, and a list that stops at it would hide the others.
pub(crate) fn read(row: &Row, keys: &AuditKeys) -> Result<StoredEvent> {
    let index = super::number(row.get("idx")?)?;
    let leaf: Vec<u8> = row.get("leaf")?;
    let actor = Stands::of(row, keys, "actor", "actor_user", "actor_key")?;
    let subject = Stands::of(row, keys, "subject", "subject_user", "subject_key")?;
    let context = Context {
        actor: actor.as_ref().map(|stands| stands.user),
        subject: subject.as_ref().map(|stands| stands.user),
        ..Context::default()
    };
    let people = [actor, subject];
    let mut event = StoredEvent {
        index: Some(index),
        id: row.get("id")?,
        at: Time(row.get("at")?),
        name: row.get("name")?,
        outcome: "altered".to_owned(),
        severity: "critical".to_owned(),
        context,
        detail: Json::Object(Map::new()),
        personal: Standing::Unreadable,
    };
    let Some(entry) = Entry::parse(&leaf) else { return Ok(event) };
    event.outcome = entry.outcome;
    event.severity = entry.severity;
    event.context.session = entry.session;
    event.context.request_id = entry.request;
    event.personal = Standing::Whole;
    let mut detail = entry.detail;
    if entry.from.is_some() {
        let mut from = opened(row, keys, &people, index, Part::From, &mut event.personal)?;
        let mut text = |name: &str| Some(from.remove(name)?.as_str()?.to_owned());
        event.context.ip = text("ip");
        event.context.peer = text("peer");
        event.context.user_agent = text("user_agent");
    }
    if entry.texts.is_some() {
        detail.extend(opened(row, keys, &people, index, Part::Texts, &mut event.personal)?);
    }
    event.detail = Json::Object(detail);
    Ok(event)
}

/// A person of an entry, and the user for whom he stands.
struct Stands {
    number: i64,
    user: UserId,
    key: PersonKey,
}

impl Stands {
    /// `None` for nobody, for whoever was erased, and where the person was made for another user.
    fn of(
        row: &Row,
        keys: &AuditKeys,
        number: &'static str,
        user: &'static str,
        key: &'static str,
    ) -> Result<Option<Self>> {
        let (number, user): (Option<i64>, Option<i64>) = (row.get(number)?, row.get(user)?);
        let Some((number, user)) = number.zip(user) else { return Ok(None) };
        let (person, user) = (Person::from_number(number), UserId(user));
        let sealed: Option<Vec<u8>> = row.get(key)?;
        let opened =
            person.zip(sealed).and_then(|(person, key)| keys.unwrap(person, user, &key).ok());
        Ok(opened.map(|key| Self { number, user, key }))
    }
}

/// The members of one part; none if it is gone or cannot be read, which `standing` then says.
fn opened(
    row: &Row,
    keys: &AuditKeys,
    people: &[Option<Stands>],
    index: u64,
    part: Part,
    standing: &mut Standing,
) -> Result<Map<String, Json>> {
    let (owner, sealed) = match part {
        Part::From => ("from_person", "from_sealed"),
        Part::Texts => ("texts_person", "texts_sealed"),
    };
    let owner: Option<i64> = row.get(owner)?;
    let Some(sealed) = row.get::<Option<Vec<u8>>>(sealed)? else {
        *standing = Standing::Erased;
        return Ok(Map::new());
    };
    let key = match owner {
        None => Some(keys.nobody()),
        Some(owner) => {
            people.iter().flatten().find(|stands| stands.number == owner).map(|stands| &stands.key)
        }
    };
    let opened = key.and_then(|key| key.open(index, part, &sealed).ok()?.members().ok());
    Ok(opened.unwrap_or_else(|| {
        *standing = Standing::Unreadable;
        Map::new()
    }))
}
