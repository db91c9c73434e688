//! The password of a user: loaded only where one is verified or changed.

use portcullis_domain::id::UserId;
use portcullis_domain::password::BreachStanding;
use portcullis_domain::time::Time;

use super::breach::{self, Checked};
use super::{User, columns, select, user};
use crate::driver::{Tx, params};
use crate::error::{Error, Result};

/// An Argon2 hash in PHC form, or the hash of another system that was imported. It has no `Debug` and no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordPhc(String);

impl PasswordPhc {
    /// The hash, for verification.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What sign-in by password needs to know.
#[derive(Clone)]
pub struct Password {
    /// `None` for someone who has no password.
    pub phc: Option<PasswordPhc>,
    /// Too many were wrong: nobody signs in by password until it is reset or unlocked.
    pub disabled: bool,
    /// Wrong ones in a row, from anywhere.
    pub failures: i64,
    /// Whether it is breached.
    pub breach: BreachStanding,
}

/// The password of a user; `None` if there is no such user.
pub async fn password(tx: &mut Tx, id: UserId) -> Result<Option<Password>> {
    const SQL: &str = concat!(
        "SELECT password_phc, password_disabled, password_failures, ",
        breach::columns!(),
        " FROM users WHERE id = $1"
    );
    let Some(row) = tx.fetch_optional(SQL, params![id]).await? else { return Ok(None) };
    Ok(Some(Password {
        phc: row.get::<Option<String>>("password_phc")?.map(PasswordPhc),
        disabled: row.get("password_disabled")?,
        failures: row.get("password_failures")?,
        breach: breach::standing(&row)?,
    }))
}

/// What a password is good for by its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It stands alone.
    Alone,
    /// It is good beside a second factor.
    WithFactor,
}

/// A password to be stored: its hash, and what was known of it while it could be read. It has no `Debug`
/// and no `Display`.
#[derive(Clone)]
pub struct NewPassword {
    /// An Argon2 hash in PHC form, or the hash of another system.
    pub phc: String,
    pub strength: Strength,
    pub checked: Checked,
}

impl NewPassword {
    /// Of what came as a hash, so that nobody could look at the password.
    pub fn unseen(phc: impl Into<String>) -> Self {
        let (phc, strength) = (phc.into(), Strength::Alone);
        Self { phc, strength, checked: Checked::default() }
    }
}

/// Stores a new password and forgets what went wrong with the earlier one; `false` if there is no
/// such user.
pub async fn set_password(tx: &mut Tx, id: UserId, new: &NewPassword, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET password_phc = $2, password_disabled = FALSE,
        password_failures = 0, password_set_at = $3, password_needs_factor = $4,
        breach_state = $5, breach_count = 0, breach_checked_at = $6, breach_corpus = $7,
        updated_at = $3 WHERE id = $1";
    let needs_factor = new.strength == Strength::WithFactor;
    let Checked { state, ref corpus } = new.checked;
    let row = params![id, &new.phc, now, needs_factor, state.as_str(), new.checked.at(now), corpus];
    tx.changed(SQL, row).await
}

/// What the password of a user is good for.
pub async fn password_strength(tx: &mut Tx, id: UserId) -> Result<Strength> {
    const SQL: &str = "SELECT password_needs_factor FROM users WHERE id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![id]).await? else {
        return Ok(Strength::Alone);
    };
    Ok(if row.get("password_needs_factor")? { Strength::WithFactor } else { Strength::Alone })
}

/// Stores the same password under newer parameters, unless it was changed since `old` was read.
pub async fn rehash(tx: &mut Tx, id: UserId, old: &PasswordPhc, new: &str) -> Result<bool> {
    const SQL: &str = "UPDATE users SET password_phc = $3 WHERE id = $1 AND password_phc = $2";
    tx.changed(SQL, params![id, old.reveal(), new]).await
}

/// Counts a wrong password. How many in a row that makes; [`Error::Conflict`] if there is no such
/// user.
pub async fn password_failed(tx: &mut Tx, id: UserId) -> Result<i64> {
    const SQL: &str = "UPDATE users SET password_failures = password_failures + 1 WHERE id = $1
        RETURNING password_failures";
    let row = tx.fetch_optional(SQL, params![id]).await?.ok_or(Error::Conflict)?;
    row.get("password_failures")
}

/// Ends the row of wrong passwords; `false` if there was none to end, and then nothing is written.
pub async fn password_succeeded(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "UPDATE users SET password_failures = 0
        WHERE id = $1 AND password_failures > 0";
    tx.changed(SQL, params![id]).await
}

/// Switches sign-in by password off; `false` if it was off.
pub async fn disable_password(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "UPDATE users SET password_disabled = TRUE
        WHERE id = $1 AND password_disabled = FALSE";
    tx.changed(SQL, params![id]).await
}

/// At most `limit` users whose account takes no password because too many were wrong, by id.
pub async fn password_disabled(tx: &mut Tx, limit: i64) -> Result<Vec<User>> {
    const SQL: &str = select!("WHERE u.password_disabled = TRUE ORDER BY u.id LIMIT $1");
    tx.fetch_all(SQL, params![limit]).await?.iter().map(user).collect()
}

/// Forgives everything: the row of wrong passwords, the switch, and every lock-out of this user.
/// `false` if there was nothing to forgive.
pub async fn unlock(tx: &mut Tx, id: UserId) -> Result<bool> {
    // What is too short to stand alone stays closed while it would.
    const USER: &str = "UPDATE users SET password_failures = 0,
            password_disabled = (password_needs_factor = TRUE AND NOT EXISTS (
                SELECT 1 FROM factors WHERE user_id = $1 AND state = 'active'))
        WHERE id = $1 AND (password_disabled = TRUE OR password_failures > 0)";
    const LOCKOUTS: &str = "DELETE FROM lockouts WHERE key LIKE $1";
    // In the order of a sign-in, lock-outs before users: two that cross do not wait for each other.
    let unlocked = tx.changed(LOCKOUTS, params![&format!("user:{id}:%")]).await?;
    let forgiven = tx.changed(USER, params![id]).await?;
    Ok(forgiven || unlocked)
}
