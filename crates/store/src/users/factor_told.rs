//! Since when a user knows that his role asks for a second factor.

use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// When he was first told; `None` if he was not, or there is no such user.
pub async fn told_of_factor_at(tx: &mut Tx, id: UserId) -> Result<Option<Time>> {
    const SQL: &str = "SELECT factor_told_at FROM users WHERE id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![id]).await? else { return Ok(None) };
    Ok(row.get::<Option<i64>>("factor_told_at")?.map(Time))
}

/// Notes that he is told now; `false` if he was before. The first time is the one that stays.
pub async fn tell_of_factor(tx: &mut Tx, id: UserId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET factor_told_at = $2
        WHERE id = $1 AND factor_told_at IS NULL";
    tx.changed(SQL, params![id, now]).await
}
