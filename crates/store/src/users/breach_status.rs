//! How it stands with everybody's password: state by state, and how many there are of each. Whoever has no
//! password, or was deleted, is not here.

use std::collections::HashMap;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::UserId;
use portcullis_domain::password::{BreachStanding, BreachState};

use super::breach::{self, standing, state};
use super::directory::Page;
use super::{User, columns, user};
use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// Somebody with a password, and how it stands with that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub user: User,
    pub breach: BreachStanding,
}

/// How many passwords there are of each state, the worst first.
pub type Counts = [(BreachState, i64); BreachState::ALL.len()];

/// A page of those whose password is in a state, by id, behind the user `after`.
pub async fn page(
    tx: &mut Tx,
    wanted: BreachState,
    after: UserId,
    page: Page,
) -> Result<Vec<Listed>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        ", ",
        breach::columns!(),
        " FROM users u
         WHERE u.breach_state = $1 AND u.id > $2 AND u.status <> $3 AND u.password_phc IS NOT NULL
         ORDER BY u.id LIMIT $4 OFFSET $5"
    );
    let deleted = AccountStatus::Deleted.id();
    let row = params![wanted.as_str(), after, deleted, page.limit, page.offset];
    tx.fetch_all(SQL, row).await?.iter().map(listed).collect()
}

/// How many there are.
pub async fn counts(tx: &mut Tx) -> Result<Counts> {
    const SQL: &str = "SELECT breach_state, COUNT(*) AS number, MIN(id) AS id FROM users
        WHERE status <> $1 AND password_phc IS NOT NULL GROUP BY breach_state";
    let rows = tx.fetch_all(SQL, params![AccountStatus::Deleted.id()]).await?;
    let of_row = |row: &Row| Ok((state(row)?, row.get::<i64>("number")?));
    let found: HashMap<_, _> = rows.iter().map(of_row).collect::<Result<_>>()?;
    Ok(BreachState::ALL.map(|state| (state, found.get(&state).copied().unwrap_or_default())))
}

/// The states of the passwords of those behind the user `after`, up to the user `last`.
pub async fn between(
    tx: &mut Tx,
    after: UserId,
    last: UserId,
) -> Result<HashMap<UserId, BreachState>> {
    const SQL: &str = "SELECT id, breach_state FROM users
        WHERE id > $1 AND id <= $2 AND status <> $3 AND password_phc IS NOT NULL";
    let rows = tx.fetch_all(SQL, params![after, last, AccountStatus::Deleted.id()]).await?;
    rows.iter().map(|row| Ok((UserId(row.get("id")?), state(row)?))).collect()
}

fn listed(row: &Row) -> Result<Listed> {
    Ok(Listed { user: user(row)?, breach: standing(row)? })
}
