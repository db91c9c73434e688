//! Renaming roles, taking them out, and who has them.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::RoleId;
use portcullis_domain::text::{Name, fold};
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;

/// Gives the role another name; `false` if there is no such role. [`crate::Error::Conflict`] if the
/// name is taken in any case.
pub async fn rename(tx: &mut Tx, id: RoleId, name: &Name, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE roles SET name = $2, name_folded = $3, updated_at = $4 WHERE id = $1";
    tx.invalidate(Invalidation::Everybody);
    tx.changed(SQL, params![id, name.as_str(), &fold(name.as_str()), now]).await
}

/// Takes the role out with its grants; `false` if there is none, or it came with the product.
/// [`crate::Error::Conflict`] if somebody has it.
pub async fn delete(tx: &mut Tx, id: RoleId) -> Result<bool> {
    const SQL: &str = "DELETE FROM roles WHERE id = $1 AND built_in = FALSE";
    tx.changed(SQL, params![id]).await
}

/// How many users have each role. A role that nobody has is left out.
pub async fn members(tx: &mut Tx) -> Result<Vec<(RoleId, i64)>> {
    const SQL: &str = "SELECT u.role_id, COUNT(*) AS members FROM users u WHERE u.status <> $1
        GROUP BY u.role_id";
    let rows = tx.fetch_all(SQL, params![AccountStatus::Deleted.id()]).await?;
    rows.iter().map(|row| Ok((RoleId(row.get("role_id")?), row.get("members")?))).collect()
}
