//! What happened, as it is looked for: walks along one index of the log each, newest first, and the
//! entries themselves with the people in them. Each statement reads as many rows as it is told to,
//! however long the log is. Not here: which walks answer a question (`flows::activity` of the server).

use portcullis_domain::activity::{Record, Somebody};
use portcullis_domain::audit::entry::{Entry, Person};
use portcullis_domain::audit::personal::AuditKeys;
use portcullis_domain::audit::tree::leaf_hash;
use portcullis_domain::id::UserId;
use portcullis_domain::text::{fold, person_name};
use portcullis_domain::time::Time;

use super::log::{self, Standing};
use super::{number, stored};
use crate::driver::{Row, Tx, Value, params};
use crate::error::Result;
use crate::like::literal;

/// Along which index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Along {
    Everything,
    Name(String),
    Actor(Person),
    Subject(Person),
    /// The MAC of an address; in the order of the log.
    Address([u8; 16]),
}

/// Where an entry stands: newer ones have a greater place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub at: Time,
    pub index: u64,
}

impl Place {
    /// Before everything that happened from then on.
    pub fn before(at: Time) -> Self {
        Self { at, index: 0 }
    }
}

/// Which part of a walk: what happened from `from` on and stands before `to`. Along an address, the
/// index of `to` is all that is looked at, unless it is 0: time is for whoever reads the steps.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub from: Time,
    pub to: Place,
    pub limit: u32,
}

/// An entry as a walk comes by it: nothing is opened.
#[derive(Clone, Debug)]
pub struct Step {
    pub place: Place,
    pub name: String,
    pub actor: Option<Person>,
    pub subject: Option<Person>,
    /// The exact bytes.
    pub leaf: Vec<u8>,
}

/// The next steps of a walk.
pub async fn walk(tx: &mut Tx, along: &Along, part: &Part) -> Result<Vec<Step>> {
    const SQL: Statements =
        statements!("SELECT l.idx, l.at, l.name, l.actor, l.subject, l.leaf FROM ", "");
    let (sql, bound) = SQL.of(along, part)?;
    tx.fetch_all(sql, &bound).await?.iter().map(step).collect()
}

/// How many entries a walk would come by, counted up to `part.limit`.
pub async fn count(tx: &mut Tx, along: &Along, part: &Part) -> Result<u64> {
    const SQL: Statements =
        statements!("SELECT COUNT(*) AS number FROM (SELECT l.idx FROM ", ") AS counted");
    let (sql, bound) = SQL.of(along, part)?;
    number(tx.fetch_one(sql, &bound).await?.get("number")?)
}

/// The indices that a walk would come by, at most `part.limit`.
pub async fn indices(tx: &mut Tx, along: &Along, part: &Part) -> Result<Vec<u64>> {
    const SQL: Statements = statements!("SELECT l.idx FROM ", "");
    let (sql, bound) = SQL.of(along, part)?;
    tx.fetch_all(sql, &bound).await?.iter().map(|row| number(row.get("idx")?)).collect()
}

/// The steps from one index on and before another, in the order of the log.
pub async fn window(tx: &mut Tx, first: u64, end: u64) -> Result<Vec<Step>> {
    const SQL: &str = "SELECT idx, at, name, actor, subject, leaf FROM audit_log
        WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    let bound = params![stored(first)?, stored(end)?];
    tx.fetch_all(SQL, bound).await?.iter().map(step).collect()
}

/// Where the entry of an index stands; `None` if there is none, or none any more.
pub async fn place(tx: &mut Tx, index: u64) -> Result<Option<Place>> {
    const SQL: &str = "SELECT at FROM audit_log WHERE idx = $1";
    let row = tx.fetch_optional(SQL, params![stored(index)?]).await?;
    row.map(|row| Ok(Place { at: Time(row.get("at")?), index })).transpose()
}

/// The entries of these indices, whole, in any order; those that are gone are left out.
pub async fn records(tx: &mut Tx, keys: &AuditKeys, indices: &[u64]) -> Result<Vec<Record>> {
    const SQL: &str = whole!(
        "l.idx IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21, $22, $23, $24, $25)"
    );
    let mut found = Vec::with_capacity(indices.len());
    for some in indices.chunks(AT_ONCE) {
        let mut bound = Vec::with_capacity(AT_ONCE);
        for index in some {
            bound.push(Value::from(stored(*index)?));
        }
        // No entry has this index.
        bound.resize(AT_ONCE, Value::from(-1_i64));
        for row in tx.fetch_all(SQL, &bound).await? {
            found.push(record(&row, keys)?);
        }
    }
    Ok(found)
}

/// The entries from one index on and before another, whole, in the order of the log.
pub async fn records_between(
    tx: &mut Tx,
    keys: &AuditKeys,
    first: u64,
    end: u64,
) -> Result<Vec<Record>> {
    const SQL: &str = concat!(whole!("l.idx >= $1 AND l.idx < $2"), " ORDER BY e.idx");
    let bound = params![stored(first)?, stored(end)?];
    tx.fetch_all(SQL, bound).await?.iter().map(|row| record(row, keys)).collect()
}

/// The people whom a text may mean: those whose address, username or a word of whose name begins so,
/// deleted users among them, at most `limit`; of each who it is in the log, if anybody.
pub async fn people(tx: &mut Tx, text: &str, limit: u32) -> Result<Vec<Option<Person>>> {
    const SQL: &str = "SELECT u.id, p.person, p.sealed_key FROM users u
        LEFT JOIN audit_people p ON p.user_id = u.id
        WHERE u.email_folded LIKE $1 ESCAPE '!' OR u.username_folded LIKE $1 ESCAPE '!'
            OR u.name_folded LIKE $1 ESCAPE '!' OR u.name_folded LIKE $2 ESCAPE '!'
        LIMIT $3";
    let beginning = literal(&fold(text)) + "%";
    let later = format!("% {beginning}");
    let rows = tx.fetch_all(SQL, params![&beginning, &later, i64::from(limit)]).await?;
    let keys = tx.audit_keys();
    rows.iter().map(|row| bound(row, &keys, UserId(row.get("id")?))).collect()
}

/// Who a user is in the log; `None` if nothing of his is in it.
pub async fn person(tx: &mut Tx, user: UserId) -> Result<Option<Person>> {
    const SQL: &str = "SELECT person, sealed_key FROM audit_people WHERE user_id = $1";
    let keys = tx.audit_keys();
    let row = tx.fetch_optional(SQL, params![user]).await?;
    row.map_or(Ok(None), |row| bound(&row, &keys, user))
}

/// The person of a row, if he was made for this user.
fn bound(row: &Row, keys: &AuditKeys, user: UserId) -> Result<Option<Person>> {
    let person = row.get::<Option<i64>>("person")?.and_then(Person::from_number);
    let sealed: Option<Vec<u8>> = row.get("sealed_key")?;
    let is_his = |(person, sealed): &(Person, Vec<u8>)| keys.unwrap(*person, user, sealed).is_ok();
    Ok(person.zip(sealed).filter(is_his).map(|(person, _)| person))
}

/// How many whole entries are fetched by one statement.
const AT_ONCE: usize = 25;

fn step(row: &Row) -> Result<Step> {
    let person = |column| row.get::<Option<i64>>(column).map(|it| it.and_then(Person::from_number));
    Ok(Step {
        place: Place { at: Time(row.get("at")?), index: number(row.get("idx")?)? },
        name: row.get("name")?,
        actor: person("actor")?,
        subject: person("subject")?,
        leaf: row.get("leaf")?,
    })
}

fn record(row: &Row, keys: &AuditKeys) -> Result<Record> {
    let event = log::read(row, keys)?;
    let leaf: Vec<u8> = row.get("leaf")?;
    let logged = Entry::parse(&leaf).map_or(event.at, |entry| entry.logged);
    let detail = event.detail.as_object().cloned().unwrap_or_default();
    Ok(Record {
        index: event.index.unwrap_or_default(),
        leaf_hash: leaf_hash(&leaf),
        id: event.id,
        at: event.at,
        logged,
        event: event.name,
        outcome: event.outcome,
        severity: event.severity,
        actor: somebody(row, "actor", event.context.actor)?,
        subject: somebody(row, "subject", event.context.subject)?,
        session: event.context.session,
        request_id: event.context.request_id,
        ip: event.context.ip,
        peer: event.context.peer,
        user_agent: event.context.user_agent,
        detail,
        is_erased: event.personal == Standing::Erased,
    })
}

fn somebody(row: &Row, column: &str, user: Option<UserId>) -> Result<Option<Somebody>> {
    let (number, names) = match column {
        "actor" => ("actor", ["actor_email", "actor_first", "actor_last", "actor_username"]),
        _ => ("subject", ["subject_email", "subject_first", "subject_last", "subject_username"]),
    };
    let Some(person) = row.get::<Option<i64>>(number)?.and_then(Person::from_number) else {
        return Ok(None);
    };
    let [email, first, last, username] = names;
    // Nobody is named whom the person does not stand for.
    let name = match row.get::<Option<String>>(email)?.filter(|_| user.is_some()) {
        None => None,
        Some(email) => {
            let (first, last): (String, String) = (row.get(first)?, row.get(last)?);
            let username: Option<String> = row.get(username)?;
            Some(person_name(&first, &last, username.as_deref(), &email))
        }
    };
    Ok(Some(Somebody { person, user_id: user, name }))
}

/// The same question along each index.
struct Statements {
    everything: &'static str,
    name: &'static str,
    actor: &'static str,
    subject: &'static str,
    address: &'static str,
}

impl Statements {
    /// The statement, and what is bound to it.
    fn of<'a>(&self, along: &'a Along, part: &Part) -> Result<(&'static str, Vec<Value<'a>>)> {
        let Part { from, to, limit } = *part;
        let (limit, index) = (Value::from(i64::from(limit)), Value::from(stored(to.index)?));
        let of = |sql, key| {
            let mut bound = vec![limit, Value::from(from), Value::from(to.at), index];
            bound.extend(key);
            (sql, bound)
        };
        Ok(match along {
            Along::Everything => of(self.everything, None),
            Along::Name(name) => of(self.name, Some(Value::from(name))),
            Along::Actor(person) => of(self.actor, Some(Value::from(person.number()))),
            Along::Subject(person) => of(self.subject, Some(Value::from(person.number()))),
            Along::Address(mac) => {
                // Nothing stands before the first entry, so that is no bound.
                let index = if to.index == 0 { Value::from(i64::MAX) } else { index };
                (self.address, vec![limit, index, Value::from(mac.as_slice())])
            }
        })
    }
}

macro_rules! statements {
    ($head:literal, $tail:literal) => {
        Statements {
            everything: in_time!($head, "TRUE", $tail),
            name: in_time!($head, "l.name = $5", $tail),
            actor: in_time!($head, "l.actor = $5", $tail),
            subject: in_time!($head, "l.subject = $5", $tail),
            address: concat!(
                $head,
                "audit_personal p JOIN audit_log l ON l.idx = p.idx
                WHERE p.address = $3 AND p.idx < $2 ORDER BY p.idx DESC LIMIT $1",
                $tail
            ),
        }
    };
}

macro_rules! in_time {
    ($head:literal, $condition:literal, $tail:literal) => {
        concat!(
            $head,
            "audit_log l WHERE ",
            $condition,
            " AND l.at >= $2 AND (l.at, l.idx) < ($3, $4)
            ORDER BY l.at DESC, l.idx DESC LIMIT $1",
            $tail
        )
    };
}

/// Whole entries with the names of the people in them.
macro_rules! whole {
    ($condition:literal) => {
        concat!(
            "SELECT e.*, a.email AS actor_email, a.first_name AS actor_first,
                a.last_name AS actor_last, a.username AS actor_username,
                s.email AS subject_email, s.first_name AS subject_first,
                s.last_name AS subject_last, s.username AS subject_username
            FROM (",
            log::entries!(),
            "WHERE ",
            $condition,
            ") AS e LEFT JOIN users a ON a.id = e.actor_user
            LEFT JOIN users s ON s.id = e.subject_user"
        )
    };
}

use {in_time, statements, whole};
