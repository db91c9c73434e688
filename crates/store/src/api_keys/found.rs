//! Everything that verification needs to know about an API key, in one statement.

use std::sync::Arc;

use portcullis_domain::api_key::{Addresses, Scopes};
use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;

use super::{addresses, key_id, limit, scopes};
use crate::credentials::{Found, Grounds};
use crate::driver::{Row, Tx, params};
use crate::error::Result;
use crate::roles;
use crate::user_grants;
use crate::users;

/// What requests ask of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: KeyId,
    pub scopes: Scopes,
    /// Where it may be used from.
    pub addresses: Addresses,
    /// How often.
    pub limit: Limit,
    /// When this value of it stops, or the key.
    pub expires_at: Time,
    /// It was revoked, or waits after a restore.
    pub has_ended: bool,
    /// Its owner is on the blacklist. It comes back with him.
    pub is_kept_out: bool,
}

/// The key of a MAC.
pub async fn find(tx: &mut Tx, mac: &Mac) -> Result<Option<Found>> {
    const SQL: &str = concat!(
        "SELECT k.id AS key_id, k.scopes, k.allowed_ips, k.limit_count, k.limit_ms, k.expires_at, \
         k.revoked_at IS NOT NULL OR k.suspended_at IS NOT NULL AS has_ended, v.ends_at, \
         EXISTS (SELECT 1 FROM blacklist b WHERE b.user_id = u.id) AS is_kept_out, ",
        users::columns!(),
        ", ",
        roles::columns!(),
        ", ",
        user_grants::column!(),
        " FROM api_key_values v \
         JOIN api_keys k ON k.id = v.key_id \
         JOIN users u ON u.id = k.user_id \
         JOIN roles r ON r.id = u.role_id \
         WHERE v.mac = $1"
    );
    tx.fetch_optional(SQL, params![mac]).await?.as_ref().map(found).transpose()
}

/// Whether a user's key was neither revoked nor waits after a restore: asked in the transaction of what is done by it.
pub async fn is_live(tx: &mut Tx, id: KeyId, owner: UserId) -> Result<bool> {
    const SQL: &str = "SELECT id FROM api_keys WHERE id = $1 AND user_id = $2
        AND revoked_at IS NULL AND suspended_at IS NULL";
    Ok(tx.fetch_optional(SQL, params![id.as_str(), owner]).await?.is_some())
}

fn found(row: &Row) -> Result<Found> {
    let user = users::user(row)?;
    let own = user_grants::own(row, user.id)?;
    Ok(Found {
        grounds: Grounds::Key(Box::new(facts(row)?)),
        role: Arc::new(roles::role(row)?.with(&own)),
        has_own_grants: !own.is_empty(),
        user: Arc::new(user),
    })
}

fn facts(row: &Row) -> Result<KeyFacts> {
    let id = key_id(row, "key_id")?;
    let ends: Option<i64> = row.get("ends_at")?;
    let expires: Option<i64> = row.get("expires_at")?;
    Ok(KeyFacts {
        id,
        scopes: scopes(row, id)?,
        addresses: addresses(row, id)?,
        limit: limit(row, id)?,
        expires_at: Time(ends.unwrap_or(i64::MAX).min(expires.unwrap_or(i64::MAX))),
        has_ended: row.get("has_ended")?,
        is_kept_out: row.get("is_kept_out")?,
    })
}
