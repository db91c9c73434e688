//! Second factors: the sealed secret of somebody's authenticator app, what was used of it and how often
//! it was guessed at. Not here: looking at a code, which is the caller's, in the transaction that
//! counted it.

mod backup_codes;

use portcullis_domain::id::UserId;
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;
use portcullis_domain::totp::Step;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

pub use backup_codes::{BackupCodeRow, left, list, renew, spend};

/// A factor to be set up.
pub struct NewFactor<'a> {
    pub id: &'a str,
    pub user: UserId,
    /// Who alone may complete it.
    pub begun_by: &'a str,
    /// The secret, sealed for this row.
    pub secret: &'a [u8],
    /// What is kept of the codes for a lost phone.
    pub backup_codes: &'a [Mac],
    /// Until when it can be completed.
    pub expires_at: Time,
}

/// A factor that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    pub id: String,
    pub user: UserId,
    /// The secret, sealed for this row.
    pub secret: Vec<u8>,
    pub last_step: Step,
    /// Wrong codes in a row.
    pub failures: i64,
    /// When codes of the app were taken for the last time.
    pub exhausted_at: Option<Time>,
    pub enabled_at: Time,
}

/// A factor that waits for its first code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub id: String,
    pub secret: Vec<u8>,
}

macro_rules! columns {
    () => {
        "id, user_id, secret, last_step, failures, exhausted_at, enabled_at"
    };
}

/// The factor that a user is asked for, if he has one.
pub async fn active(tx: &mut Tx, user: UserId) -> Result<Option<Factor>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM factors WHERE user_id = $1 AND state = 'active'");
    tx.fetch_optional(SQL, params![user]).await?.as_ref().map(factor).transpose()
}

/// Begins to set one up in the place of one that was begun before; `false` if the user has one that is
/// asked for.
pub async fn begin(tx: &mut Tx, new: &NewFactor<'_>, now: Time) -> Result<bool> {
    const FORGET: &str = "DELETE FROM factors WHERE user_id = $1 AND state = 'pending'";
    const INSERT: &str = "INSERT INTO factors (
            id, user_id, state, secret, last_step, failures, created_at, expires_at, begun_by)
        SELECT $1, $2, 'pending', $3, 0, 0, $4, $5, $6
        WHERE NOT EXISTS (SELECT 1 FROM factors WHERE user_id = $2 AND state = 'active')";
    tx.execute(FORGET, params![new.user]).await?;
    let row = params![new.id, new.user, new.secret, now, new.expires_at, new.begun_by];
    let begun = tx.changed(INSERT, row).await?;
    if begun {
        backup_codes::insert(tx, new.id, new.backup_codes).await?;
    }
    Ok(begun)
}

/// What was begun by exactly this one, if it can still be completed.
pub async fn pending(
    tx: &mut Tx,
    user: UserId,
    begun_by: &str,
    now: Time,
) -> Result<Option<Pending>> {
    const SQL: &str = "SELECT id, secret FROM factors
        WHERE user_id = $1 AND begun_by = $2 AND state = 'pending' AND expires_at > $3";
    let row = tx.fetch_optional(SQL, params![user, begun_by, now]).await?;
    row.map(|row| Ok(Pending { id: row.get("id")?, secret: row.get("secret")? })).transpose()
}

/// From now on it is asked for; the step of its first code is used. `false` if it was completed, replaced
/// or is over. [`crate::Error::Conflict`] if the user has another.
pub async fn enable(tx: &mut Tx, id: &str, step: Step, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE factors SET state = 'active', last_step = $2, enabled_at = $3
        WHERE id = $1 AND state = 'pending' AND expires_at > $3";
    tx.changed(SQL, params![id, step.0, now]).await
}

/// Counts a code as wrong before it is looked at. The row is this transaction's until it ends, so that
/// parallel guesses come one after the other. `None` if the user has no factor.
pub async fn count_try(tx: &mut Tx, user: UserId) -> Result<Option<Factor>> {
    const SQL: &str = concat!(
        "UPDATE factors SET failures = failures + 1 WHERE user_id = $1 AND state = 'active'
        RETURNING ",
        columns!()
    );
    tx.fetch_optional(SQL, params![user]).await?.as_ref().map(factor).transpose()
}

/// Uses the code of a step; `false` if it or a later one was used, or none is taken any more.
pub async fn use_step(tx: &mut Tx, id: &str, step: Step) -> Result<bool> {
    const SQL: &str = "UPDATE factors SET last_step = $2
        WHERE id = $1 AND last_step < $2 AND exhausted_at IS NULL AND state = 'active'";
    tx.changed(SQL, params![id, step.0]).await
}

/// The code was right: wrong ones before it are forgiven.
pub async fn passed(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute("UPDATE factors SET failures = 0 WHERE id = $1", params![id]).await.map(drop)
}

/// From now on no code of the app is taken; `false` if that was so before.
pub async fn exhaust(tx: &mut Tx, id: &str, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE factors SET exhausted_at = $2
        WHERE id = $1 AND exhausted_at IS NULL";
    tx.changed(SQL, params![id, now]).await
}

/// Takes the user's factor away with its codes, and whatever was begun; `false` if he had none that is
/// asked for.
pub async fn remove(tx: &mut Tx, user: UserId) -> Result<bool> {
    const BEGUN: &str = "DELETE FROM factors WHERE user_id = $1 AND state = 'pending'";
    const SQL: &str = "DELETE FROM factors WHERE user_id = $1 AND state = 'active'";
    tx.execute(BEGUN, params![user]).await?;
    tx.changed(SQL, params![user]).await
}

/// Forgets what was begun and not completed before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // Asked once more outside: by then it may have been completed.
    const SQL: &str = "DELETE FROM factors WHERE state = 'pending' AND id IN (
        SELECT id FROM factors WHERE state = 'pending' AND expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn factor(row: &Row) -> Result<Factor> {
    let id: String = row.get("id")?;
    let enabled_at: Option<i64> = row.get("enabled_at")?;
    Ok(Factor {
        user: UserId(row.get("user_id")?),
        secret: row.get("secret")?,
        last_step: Step(row.get("last_step")?),
        failures: row.get("failures")?,
        exhausted_at: row.get::<Option<i64>>("exhausted_at")?.map(Time),
        enabled_at: enabled_at.map(Time).ok_or_else(|| corrupt("factors", "enabled_at", &id))?,
        id,
    })
}
