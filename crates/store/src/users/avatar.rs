//! The address of a user's picture. It is shown as text, and never fetched by us.

use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;

/// Sets it, or takes it away; `false` if it was so already or there is no such user.
pub async fn set_avatar_url(tx: &mut Tx, id: UserId, url: Option<&str>, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE users SET avatar_url = $2, updated_at = $3
        WHERE id = $1 AND COALESCE(avatar_url, '') <> COALESCE($2, '')";
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, params![id, url, now]).await
}
