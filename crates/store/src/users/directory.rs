//! Finding users among many: a page of all of them, and those whose name, address, username or
//! UUID holds a text. Users who were deleted are not found here.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::text::fold;

use super::{User, columns, user};
use crate::driver::{Row, Tx, params};
use crate::error::Result;
use crate::like::literal;

/// A user with what his role is called and how much it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub user: User,
    pub role_name: String,
    pub role_level: i64,
}

/// A part of a list: `limit` rows after the first `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
}

/// One page of all users, by id.
pub async fn page(tx: &mut Tx, page: Page) -> Result<Vec<Listed>> {
    const SQL: &str = select!("WHERE u.status <> $1 ORDER BY u.id LIMIT $2 OFFSET $3");
    let wanted = params![AccountStatus::Deleted.id(), page.limit, page.offset];
    tx.fetch_all(SQL, wanted).await?.iter().map(listed).collect()
}

/// How many users there are.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS number FROM users WHERE status <> $1";
    tx.fetch_one(SQL, params![AccountStatus::Deleted.id()]).await?.get("number")
}

/// One page of those whose full name, address, username or UUID holds the text, in any case, by
/// id.
pub async fn search(tx: &mut Tx, text: &str, page: Page) -> Result<Vec<Listed>> {
    const SQL: &str = select!(
        "WHERE u.id IN (",
        matching!("u2.id"),
        " ORDER BY u2.id LIMIT $3 OFFSET $4) ORDER BY u.id"
    );
    let pattern = pattern(text);
    let wanted = params![AccountStatus::Deleted.id(), &pattern, page.limit, page.offset];
    tx.fetch_all(SQL, wanted).await?.iter().map(listed).collect()
}

/// How many users [`search`] finds.
pub async fn count_matches(tx: &mut Tx, text: &str) -> Result<i64> {
    const SQL: &str = matching!("COUNT(*) AS number");
    let pattern = pattern(text);
    let wanted = params![AccountStatus::Deleted.id(), &pattern];
    tx.fetch_one(SQL, wanted).await?.get("number")
}

/// The user of a UUID, with his role.
pub async fn by_uuid(tx: &mut Tx, uuid: &str) -> Result<Option<Listed>> {
    const SQL: &str = select!("WHERE u.uuid = $1 AND u.status <> $2");
    let wanted = params![uuid, AccountStatus::Deleted.id()];
    tx.fetch_optional(SQL, wanted).await?.as_ref().map(listed).transpose()
}

/// The pattern that finds `text` itself anywhere: what patterns are made of stands for itself.
fn pattern(text: &str) -> String {
    format!("%{}%", literal(&fold(text)))
}

fn listed(row: &Row) -> Result<Listed> {
    Ok(Listed {
        user: user(row)?,
        role_name: row.get("role_name")?,
        role_level: row.get("role_level")?,
    })
}

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT ",
            columns!(),
            ", r.name AS role_name, r.level AS role_level \
             FROM users u JOIN roles r ON r.id = u.role_id ",
            $($rest),+
        )
    };
}

/// The users that match `$2` and are not of the status `$1`.
macro_rules! matching {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM users u2 WHERE u2.status <> $1 AND (u2.name_folded LIKE $2 ESCAPE '!' \
             OR u2.email_folded LIKE $2 ESCAPE '!' OR u2.username_folded LIKE $2 ESCAPE '!' \
             OR u2.uuid LIKE $2 ESCAPE '!')"
        )
    };
}

use {matching, select};
