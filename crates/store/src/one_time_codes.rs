//! Short codes that people type, found by the keyed MAC of the ticket that each is bound to. What a
//! code buys is written by the caller, in the transaction that spends it.

use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::{CodePurpose, MAX_ATTEMPTS};
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::{Result, corrupt};

/// A code to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewCode<'a> {
    pub ticket: Mac,
    pub purpose: CodePurpose,
    pub user_id: UserId,
    /// The epoch of the user now. Under another the code is dead.
    pub user_epoch: i64,
    pub code: Mac,
    /// What the code lets go on, as the purpose writes it.
    pub detail: &'a str,
    pub expires_at: Time,
}

/// What came of trying a code.
#[derive(Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was right, and is spent now.
    Right { user: UserId, detail: String },
    /// It was wrong; how often it may be tried again.
    Wrong { left: i64 },
    /// It was tried too often before, whatever was typed now.
    Exhausted,
    /// There is no such ticket, or it is used, replaced, over, or overtaken by a change of the
    /// account.
    Over,
}

/// Makes a code in place of the user's earlier ones of the same purpose, which are void from now on.
/// [`crate::Error::Conflict`] if another is made at the same moment, or there is no such user.
pub async fn issue(tx: &mut Tx, new: &NewCode<'_>, now: Time) -> Result<()> {
    const VOID: &str = "UPDATE one_time_codes SET used_at = $3
        WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL";
    const INSERT: &str = "INSERT INTO one_time_codes (
            ticket, purpose, user_id, user_epoch, code, attempts, detail, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)";
    let purpose = new.purpose.as_str();
    tx.execute(VOID, params![new.user_id, purpose, now]).await?;
    let row = params![
        &new.ticket,
        purpose,
        new.user_id,
        new.user_epoch,
        &new.code,
        new.detail,
        now,
        new.expires_at,
    ];
    tx.execute(INSERT, row).await.map(drop)
}

/// Makes a code, unless its ticket has one, which then stays with the tries that are left of it; the
/// user's codes for other tickets are void. `false`: the ticket has one.
pub async fn issue_once(tx: &mut Tx, new: &NewCode<'_>, now: Time) -> Result<bool> {
    const THERE: &str = "SELECT ticket FROM one_time_codes WHERE ticket = $1";
    if tx.fetch_optional(THERE, params![&new.ticket]).await?.is_some() {
        return Ok(false);
    }
    issue(tx, new, now).await.map(|()| true)
}

/// The ticket of the user's code in force, where a person is known by an address and has no ticket.
pub async fn ticket_of(tx: &mut Tx, purpose: CodePurpose, user: UserId) -> Result<Option<Mac>> {
    const SQL: &str = "SELECT ticket FROM one_time_codes
        WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL";
    let row = tx.fetch_optional(SQL, params![user, purpose.as_str()]).await?;
    let Some(row) = row else { return Ok(None) };
    let bytes: Vec<u8> = row.get("ticket")?;
    Ok(Some(Mac::from_bytes(&bytes).ok_or_else(|| corrupt("one_time_codes", "ticket", user.0))?))
}

/// Whose the code of a ticket is, and what it lets go on, if it may still be tried.
pub async fn in_force(
    tx: &mut Tx,
    purpose: CodePurpose,
    ticket: &Mac,
    now: Time,
) -> Result<Option<(UserId, String)>> {
    const SQL: &str = "SELECT user_id, detail FROM one_time_codes
        WHERE ticket = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
            AND attempts < $4
            AND user_epoch = (SELECT u.epoch FROM users u WHERE u.id = user_id)";
    let parameters = params![ticket, purpose.as_str(), now, MAX_ATTEMPTS];
    let Some(row) = tx.fetch_optional(SQL, parameters).await? else { return Ok(None) };
    Ok(Some((UserId(row.get("user_id")?), row.get("detail")?)))
}

/// Tries a code: the attempt is counted before it is compared, so parallel guesses cannot outrun the
/// counter. The caller commits, whatever came of it. Of parallel callers with the right code one wins.
pub async fn try_code(
    tx: &mut Tx,
    purpose: CodePurpose,
    ticket: &Mac,
    code: &Mac,
    now: Time,
) -> Result<Tried> {
    const COUNT: &str = "UPDATE one_time_codes SET attempts = attempts + 1
        WHERE ticket = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
            AND user_epoch = (SELECT u.epoch FROM users u WHERE u.id = user_id)
        RETURNING code, attempts, user_id, detail";
    const SPEND: &str = "UPDATE one_time_codes SET used_at = $2
        WHERE ticket = $1 AND used_at IS NULL";
    let counted = tx.fetch_optional(COUNT, params![ticket, purpose.as_str(), now]).await?;
    let Some(row) = counted else { return Ok(Tried::Over) };
    let attempts: i64 = row.get("attempts")?;
    if attempts > MAX_ATTEMPTS {
        return Ok(Tried::Exhausted);
    }
    let stored: Vec<u8> = row.get("code")?;
    // Both are MACs: whoever can choose one does not know the key, so no constant time is needed.
    if Mac::from_bytes(&stored) != Some(*code) {
        return Ok(Tried::Wrong { left: MAX_ATTEMPTS - attempts });
    }
    if !tx.changed(SPEND, params![ticket, now]).await? {
        return Ok(Tried::Over);
    }
    Ok(Tried::Right { user: UserId(row.get("user_id")?), detail: row.get("detail")? })
}

/// Forgets codes whose time was over before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM one_time_codes WHERE ticket IN (
        SELECT ticket FROM one_time_codes WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}
