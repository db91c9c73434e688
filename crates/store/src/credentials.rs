//! What a session handed out: cookies, tokens and their children, found by keyed MAC.

mod found;
mod refreshed;
mod touched;

use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::session::Life;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;
use crate::invalidations::Invalidation;
use crate::sessions;

pub use found::{Credential, Found, Grounds, SessionFacts, SessionGrounds, find};
pub use refreshed::replace_access;
pub use touched::{TOUCHES, touch};

/// What the client holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A session cookie.
    Cookie,
    /// An API token of 64 hex digits.
    Api,
    /// A token of 64 hex digits on a mobile device.
    Mobile,
    /// A token that lives no longer than the one it was made with.
    Child,
    /// A JWT; the MAC is of its name, not of its bytes.
    Access,
}

/// A credential to be made.
#[derive(Clone)]
pub struct NewCredential {
    pub mac: Mac,
    pub session_id: SessionId,
    pub kind: CredentialKind,
    /// The credential that a child was made with.
    pub parent: Option<Mac>,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    pub life: Life,
}

/// Makes a credential. [`crate::Error::Conflict`] if the MAC is taken, if there is no such session,
/// or if the parent has a living child for the same device.
pub async fn insert(tx: &mut Tx, new: &NewCredential, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO credentials (
            mac, session_id, kind, parent_mac, platform, device_type, app_version, created_at,
            expires_at, idle_ms, renew_until, last_active)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $8)";
    let idle = new.life.idle.map(|idle| i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
    let row = params![
        &new.mac,
        &new.session_id,
        new.kind.name(),
        new.parent.as_ref(),
        new.platform.as_deref().unwrap_or_default(),
        new.device_type.as_deref().unwrap_or_default(),
        new.app_version.as_deref(),
        now,
        new.life.expires_at,
        idle,
        new.life.renew_until,
    ];
    tx.execute(SQL, row).await?;
    sessions::lengthen(tx, &new.session_id, new.life, now).await
}

/// Makes a child in place of an earlier one of the same parent and device; `false`, and nothing is
/// made, if the parent has ended or `new` names none.
pub async fn replace_child(tx: &mut Tx, new: &NewCredential, now: Time) -> Result<bool> {
    // Changing the parent to what it is lets one caller in at a time.
    const HOLD_PARENT: &str = "UPDATE credentials SET last_active = last_active
        WHERE mac = $1 AND ended_at IS NULL";
    const END_EARLIER: &str = "UPDATE credentials SET ended_at = $4
        WHERE parent_mac = $1 AND platform = $2 AND device_type = $3
            AND kind = 'child' AND ended_at IS NULL";
    let parent = new.parent.as_ref();
    sessions::doubt(tx, &new.session_id, now).await?;
    if !tx.changed(HOLD_PARENT, params![parent]).await? {
        return Ok(false);
    }
    let platform = new.platform.as_deref().unwrap_or_default();
    let device_type = new.device_type.as_deref().unwrap_or_default();
    tx.execute(END_EARLIER, params![parent, platform, device_type, now]).await?;
    insert(tx, new, now).await?;
    invalidate_owner(tx, &new.mac).await?;
    Ok(true)
}

/// Moves the expiry, if it is still `old_expires` and `new_expires` is within what may be; of
/// parallel callers one wins.
pub async fn renew(tx: &mut Tx, mac: &Mac, old_expires: Time, new_expires: Time) -> Result<bool> {
    const SQL: &str = "UPDATE credentials SET expires_at = $3
        WHERE mac = $1 AND expires_at = $2 AND renew_until >= $3 AND ended_at IS NULL";
    let renewed = tx.changed(SQL, params![mac, old_expires, new_expires]).await?;
    if renewed {
        invalidate_owner(tx, mac).await?;
    }
    Ok(renewed)
}

/// Ends a credential and its children; `false` if it had ended or there is none.
pub async fn end(tx: &mut Tx, mac: &Mac, now: Time) -> Result<bool> {
    const ITSELF: &str = "UPDATE credentials SET ended_at = $2
        WHERE mac = $1 AND ended_at IS NULL";
    const CHILDREN: &str = "UPDATE credentials SET ended_at = $2
        WHERE parent_mac = $1 AND kind = 'child' AND ended_at IS NULL";
    sessions::doubt_owner(tx, mac, now).await?;
    let ended = tx.changed(ITSELF, params![mac, now]).await?;
    if ended {
        tx.execute(CHILDREN, params![mac, now]).await?;
        invalidate_owner(tx, mac).await?;
    }
    Ok(ended)
}

/// Ends the API tokens of a user, except those of one session, with their children; how many API
/// tokens.
pub async fn end_api_tokens_of_user(
    tx: &mut Tx,
    user: UserId,
    except: &SessionId,
    now: Time,
) -> Result<u64> {
    const TOKENS: &str = "UPDATE credentials SET ended_at = $3
        WHERE kind = 'api' AND ended_at IS NULL AND session_id <> $2
            AND session_id IN (SELECT id FROM sessions WHERE user_id = $1)";
    const CHILDREN: &str = "UPDATE credentials SET ended_at = $2
        WHERE kind = 'child' AND ended_at IS NULL AND parent_mac IN (
            SELECT p.mac FROM credentials p JOIN sessions s ON s.id = p.session_id
            WHERE s.user_id = $1 AND p.ended_at IS NOT NULL)";
    sessions::doubt_all_of_user(tx, user, now).await?;
    let ended = tx.execute(TOKENS, params![user, except, now]).await?;
    if ended > 0 {
        tx.execute(CHILDREN, params![user, now]).await?;
        tx.invalidate(Invalidation::User(user));
    }
    Ok(ended)
}

/// Forgets credentials that ended or expired before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    // Asked once more outside: by then another node may have renewed it.
    const SQL: &str = "DELETE FROM credentials WHERE (ended_at < $1 OR expires_at < $1)
        AND mac IN (
            SELECT mac FROM credentials WHERE ended_at < $1 OR expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// What was read of the credentials of this one's user is not to be used any more.
async fn invalidate_owner(tx: &mut Tx, mac: &Mac) -> Result<()> {
    const SQL: &str = "SELECT s.user_id FROM credentials c JOIN sessions s ON s.id = c.session_id
        WHERE c.mac = $1";
    if let Some(row) = tx.fetch_optional(SQL, params![mac]).await? {
        tx.invalidate(Invalidation::User(UserId(row.get("user_id")?)));
    }
    Ok(())
}

impl CredentialKind {
    const ALL: [Self; 5] = [Self::Cookie, Self::Api, Self::Mobile, Self::Child, Self::Access];

    /// The word that is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Api => "api",
            Self::Mobile => "mobile",
            Self::Child => "child",
            Self::Access => "access",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}
