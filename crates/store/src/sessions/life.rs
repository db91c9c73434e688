//! Until when a session lives, in a column of its own, so that nobody has to look at every
//! credential to say who is signed in. The column may say less than the truth, never more: what
//! makes a session live longer, such as its use, leaves it alone, and a job looks again when the
//! time has come (see [`crate::jobs`]). So the busiest statements of the store pay nothing for it.
//!
//! Whoever changes a session and its credentials changes the session first. Two that took them in
//! turn would wait for each other.

use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::session::Life;
use portcullis_domain::time::Time;

use crate::driver::{Tx, params};
use crate::error::Result;

/// Whether the session `s` is in the list of the living, or was until a moment ago; as the partial
/// indexes say it.
macro_rules! listed {
    () => {
        "s.ended_at IS NULL AND s.live_until IS NOT NULL"
    };
}

/// Whether a credential of the session `s` is still good at the time `$1`. A child is ended with its
/// parent and expires no later, so its parent need not be asked.
macro_rules! has_good_credential {
    ($time:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM credentials c WHERE c.session_id = s.id \
             AND c.ended_at IS NULL AND c.expires_at > ",
            $time,
            " AND (c.idle_ms IS NULL OR c.last_active + c.idle_ms > ",
            $time,
            "))"
        )
    };
}

/// A credential with this life was made: the session lives at least as long.
pub(crate) async fn lengthen(tx: &mut Tx, id: &SessionId, life: Life, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET live_until = $2
        WHERE id = $1 AND ended_at IS NULL AND live_until < $2";
    let idle_end = life.idle.map(|idle| now.plus(idle));
    let end = idle_end.map_or(life.expires_at, |idle_end| idle_end.min(life.expires_at));
    tx.execute(SQL, params![id, end]).await.map(drop)
}

/// A credential of it is about to be ended: whether others keep the session alive is to be looked at.
/// Nobody else changes the session until the transaction is over.
pub(crate) async fn doubt(tx: &mut Tx, id: &SessionId, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE sessions
        SET live_until = CASE WHEN live_until > $2 THEN $2 ELSE live_until END WHERE id = $1";
    tx.execute(SQL, params![id, now]).await.map(drop)
}

/// The same, for the session of a credential.
pub(crate) async fn doubt_owner(tx: &mut Tx, credential: &Mac, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE sessions
        SET live_until = CASE WHEN live_until > $2 THEN $2 ELSE live_until END
        WHERE id = (SELECT session_id FROM credentials WHERE mac = $1)";
    tx.execute(SQL, params![credential, now]).await.map(drop)
}

/// The same, for every session of a user.
pub(crate) async fn doubt_all_of_user(tx: &mut Tx, user: UserId, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET live_until = $2
        WHERE user_id = $1 AND ended_at IS NULL AND live_until > $2";
    tx.execute(SQL, params![user, now]).await.map(drop)
}

/// The user was disabled, or everything issued before was ended by the epoch.
pub(crate) async fn strike_out(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET live_until = NULL
        WHERE user_id = $1 AND ended_at IS NULL AND live_until IS NOT NULL";
    tx.execute(SQL, params![user]).await.map(drop)
}

/// The user was enabled: what the epoch spared may be alive again.
pub(crate) async fn reconsider(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET live_until = 0
        WHERE user_id = $1 AND ended_at IS NULL AND live_until IS NULL
            AND user_epoch = (SELECT epoch FROM users WHERE id = $1)";
    tx.execute(SQL, params![user]).await.map(drop)
}

pub(crate) use {has_good_credential, listed};
