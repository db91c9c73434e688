//! What is known of passwords that may be in a breach. Nothing of a password itself is here.

use portcullis_domain::id::UserId;
use portcullis_domain::password::{BreachStanding, BreachState};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// What was found out of a password that may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub state: BreachState,
    /// Who was asked, and of what date.
    pub corpus: String,
}

/// Nobody looked.
impl Default for Checked {
    fn default() -> Self {
        Self { state: BreachState::Unchecked, corpus: String::new() }
    }
}

impl Checked {
    /// When somebody looked, if he looked now.
    pub(super) fn at(&self, now: Time) -> Option<Time> {
        (self.state != BreachState::Unchecked).then_some(now)
    }
}

/// How it stands with the password of a user; `None` if there is no such user.
pub async fn breach_standing(tx: &mut Tx, id: UserId) -> Result<Option<BreachStanding>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM users WHERE id = $1");
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(standing).transpose()
}

/// Notes what was found out of a password that was set at `set_at`, unless it was found in a breach
/// before, or another one took its place; `false` then.
pub async fn note_check(
    tx: &mut Tx,
    id: UserId,
    set_at: Time,
    (checked, count): (&Checked, i64),
    now: Time,
) -> Result<bool> {
    const SQL: &str =
        "UPDATE users SET breach_state = $3, breach_count = $4, breach_checked_at = $5,
            breach_corpus = $6
        WHERE id = $1 AND password_set_at = $2 AND breach_state <> 'breached'";
    let Checked { state, corpus } = checked;
    let row = params![id, set_at, state.as_str(), count, checked.at(now), corpus];
    tx.changed(SQL, row).await
}

/// Reads the columns that [`columns`] names.
pub(super) fn standing(row: &Row) -> Result<BreachStanding> {
    Ok(BreachStanding {
        state: state(row)?,
        count: row.get("breach_count")?,
        checked_at: row.get::<Option<i64>>("breach_checked_at")?.map(Time),
        corpus: row.get("breach_corpus")?,
        set_at: row.get::<Option<i64>>("password_set_at")?.map(Time),
    })
}

/// The state in a row that has an id, too.
pub(super) fn state(row: &Row) -> Result<BreachState> {
    let (state, id): (String, i64) = (row.get("breach_state")?, row.get("id")?);
    BreachState::parse(&state).ok_or_else(|| corrupt("users", "breach_state", id))
}

/// The columns of a standing.
macro_rules! columns {
    () => {
        "id, breach_state, breach_count, breach_checked_at, breach_corpus, password_set_at"
    };
}

pub(super) use columns;
