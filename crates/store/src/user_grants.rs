//! What single users were given beside their roles. What they hold altogether is read with the
//! credential, in [`crate::credentials`].

use portcullis_domain::id::UserId;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;

/// What the user was given beside his role.
pub async fn list(tx: &mut Tx, id: UserId) -> Result<Grants> {
    const SQL: &str = "SELECT string_agg(g.grant_key, ' ') AS own_grants FROM user_grants g
        WHERE g.user_id = $1";
    own(&tx.fetch_one(SQL, params![id]).await?, id)
}

/// Gives one grant; `false` if the user had been given it. [`crate::Error::Conflict`] if there is
/// no such user.
pub async fn grant(tx: &mut Tx, id: UserId, grant: &Grant, now: Time) -> Result<bool> {
    const SQL: &str = "INSERT INTO user_grants (user_id, grant_key, granted_at)
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, params![id, &grant.to_string(), now]).await
}

/// Takes one grant away; `false` if the user had not been given it.
pub async fn revoke(tx: &mut Tx, id: UserId, grant: &Grant) -> Result<bool> {
    const SQL: &str = "DELETE FROM user_grants WHERE user_id = $1 AND grant_key = $2";
    tx.invalidate(Invalidation::User(id));
    tx.changed(SQL, params![id, &grant.to_string()]).await
}

/// Reads the column that [`column`] names.
pub(crate) fn own(row: &Row, id: UserId) -> Result<Grants> {
    let keys: Option<String> = row.get("own_grants")?;
    let parse =
        |text: &str| Grant::parse(text).map_err(|_| corrupt("user_grants", "grant_key", id.0));
    keys.iter().flat_map(|list| list.split(' ')).map(parse).collect()
}

/// The grants of a user `u` beside his role, as one text.
macro_rules! column {
    () => {
        "(SELECT string_agg(o.grant_key, ' ') FROM user_grants o WHERE o.user_id = u.id) \
         AS own_grants"
    };
}

pub(crate) use column;
