//! An access token in the place of another.

use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use super::{NewCredential, insert, invalidate_owner};
use crate::driver::{Tx, params};
use crate::error::Result;
use crate::sessions;

/// Makes an access token in the place of an old one of the same session, which has ended from then on;
/// `false`, and nothing is made, if that has ended or run out: of parallel callers one wins.
pub async fn replace_access(
    tx: &mut Tx,
    old: &Mac,
    new: &NewCredential,
    now: Time,
) -> Result<bool> {
    const END: &str = "UPDATE credentials SET ended_at = $3
        WHERE mac = $1 AND session_id = $2 AND kind = 'access' AND ended_at IS NULL
            AND expires_at > $3";
    sessions::doubt(tx, &new.session_id, now).await?;
    if !tx.changed(END, params![old, &new.session_id, now]).await? {
        return Ok(false);
    }
    insert(tx, new, now).await?;
    invalidate_owner(tx, &new.mac).await?;
    Ok(true)
}
