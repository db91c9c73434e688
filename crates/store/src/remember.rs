//! Browsers that stay signed in: one row a series of secrets. Not here: the secrets, which are
//! computed, and what one is worth.
//!
//! Whoever changes a series and its sessions changes the series first. Two that took them in turn
//! would wait for each other.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SeriesId, SessionId, UserId};
use portcullis_domain::remember::SeriesFacts;
use portcullis_domain::session::CredentialFacts;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;
use crate::users::User;

/// A series to be made.
#[derive(Clone, Debug)]
pub struct NewSeries {
    pub id: SeriesId,
    pub user_id: UserId,
    /// The user's epoch when the password was verified.
    pub user_epoch: i64,
    /// The client's address, read through trusted proxies.
    pub ip: String,
    /// Who spoke to us.
    pub peer: String,
    pub user_agent: String,
    /// When it ends. It never moves.
    pub expires_at: Time,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub id: SeriesId,
    pub user_id: UserId,
    pub user_epoch: i64,
    /// When the user proved who he is.
    pub auth_time: Time,
    /// The secrets that were used before the current one.
    pub counter: u32,
    /// When the last one was used; before the first, when the series began.
    pub rotated_at: Time,
    /// What the last used secret brought.
    pub session_id: Option<SessionId>,
    pub expires_at: Time,
    pub ended_at: Option<Time>,
}

impl Series {
    /// What decides what a secret is worth, with the user as he is now.
    pub fn facts(&self, user: &User) -> SeriesFacts {
        SeriesFacts {
            counter: self.counter,
            rotated_at: self.rotated_at,
            life: CredentialFacts {
                ended: self.ended_at.is_some(),
                expires_at: self.expires_at,
                idle: None,
                last_active: self.rotated_at,
                user_active: user.status == AccountStatus::Active,
                session_epoch: self.user_epoch,
                user_epoch: user.epoch,
            },
        }
    }
}

/// Makes a series whose first secret is unused. [`crate::Error::Conflict`] if the id is taken or there
/// is no such user.
pub async fn insert(tx: &mut Tx, new: &NewSeries, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO remember_series (
            id, user_id, user_epoch, auth_time, counter, rotated_at, ip, peer, user_agent,
            created_at, expires_at)
        VALUES ($1, $2, $3, $4, 0, $4, $5, $6, $7, $4, $8)";
    let row = params![
        &new.id,
        new.user_id,
        new.user_epoch,
        now,
        &new.ip,
        &new.peer,
        &new.user_agent,
        new.expires_at,
    ];
    tx.execute(SQL, row).await.map(drop)
}

/// Reads a series, and keeps everybody else from changing it until the transaction is over.
pub async fn hold(tx: &mut Tx, id: &SeriesId) -> Result<Option<Series>> {
    // Changing it to what it is lets one caller in at a time.
    const SQL: &str = "UPDATE remember_series SET counter = counter WHERE id = $1
        RETURNING id, user_id, user_epoch, auth_time, counter, rotated_at, session_id, expires_at,
            ended_at";
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(series).transpose()
}

/// Puts the next secret in the place of the one with this counter, which brought `session`; `false` if
/// it is not the current one any more, or the series is over.
pub async fn rotate(
    tx: &mut Tx,
    id: &SeriesId,
    counter: u32,
    session: &SessionId,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE remember_series
        SET counter = counter + 1, rotated_at = $4, session_id = $3
        WHERE id = $1 AND counter = $2 AND ended_at IS NULL AND expires_at > $4";
    tx.changed(SQL, params![id, i64::from(counter), session, now]).await
}

/// Ends a series, and none of its sessions; `false` if it had ended or there is none.
pub async fn end(tx: &mut Tx, id: &SeriesId, reason: EndReason, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE remember_series SET ended_at = $2, end_reason = $3
        WHERE id = $1 AND ended_at IS NULL";
    tx.changed(SQL, params![id, now, reason.as_str()]).await
}

/// Ends a series with every session of it and their credentials; `false` if it had ended or there is
/// none.
pub async fn end_with_sessions(
    tx: &mut Tx,
    id: &SeriesId,
    reason: EndReason,
    now: Time,
) -> Result<bool> {
    let ended = end(tx, id, reason, now).await?;
    if ended {
        end_sessions(tx, id, reason, now).await?;
    }
    Ok(ended)
}

/// Forgets series that ended or expired before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM remember_series WHERE id IN (
        SELECT id FROM remember_series WHERE ended_at < $1 OR expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// Ends the series of a session that is about to be ended or replaced: nothing may bring it back.
/// Says which one.
pub async fn end_of_session(
    tx: &mut Tx,
    session: &SessionId,
    reason: EndReason,
    now: Time,
) -> Result<Option<SeriesId>> {
    const SQL: &str = "UPDATE remember_series SET ended_at = $2, end_reason = $3
        WHERE ended_at IS NULL AND id = (SELECT remember_series FROM sessions WHERE id = $1)
        RETURNING id";
    let row = tx.fetch_optional(SQL, params![session, now, reason.as_str()]).await?;
    row.as_ref().map(series_id).transpose()
}

/// Ends the series of a user, except that of one session if it is given.
pub(crate) async fn end_all_of_user(
    tx: &mut Tx,
    user: UserId,
    except: Option<&SessionId>,
    reason: EndReason,
    now: Time,
) -> Result<()> {
    const SQL: &str = "UPDATE remember_series SET ended_at = $2, end_reason = $3
        WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN (
            SELECT remember_series FROM sessions WHERE id = $4 AND remember_series IS NOT NULL)";
    tx.execute(SQL, params![user, now, reason.as_str(), except]).await.map(drop)
}

/// Ends the sessions of a series with their credentials.
pub(crate) async fn end_sessions(
    tx: &mut Tx,
    id: &SeriesId,
    reason: EndReason,
    now: Time,
) -> Result<()> {
    const SESSIONS: &str = "UPDATE sessions SET ended_at = $2, end_reason = $3
        WHERE remember_series = $1 AND ended_at IS NULL RETURNING user_id";
    const CREDENTIALS: &str = "UPDATE credentials SET ended_at = $2
        WHERE ended_at IS NULL AND session_id IN (
            SELECT id FROM sessions WHERE remember_series = $1)";
    for row in tx.fetch_all(SESSIONS, params![id, now, reason.as_str()]).await? {
        tx.invalidate(Invalidation::User(UserId(row.get("user_id")?)));
    }
    tx.execute(CREDENTIALS, params![id, now]).await.map(drop)
}

fn series(row: &Row) -> Result<Series> {
    let id = series_id(row)?;
    let counter: i64 = row.get("counter")?;
    let session: Option<String> = row.get("session_id")?;
    let fault = |column| corrupt("remember_series", column, id.as_str());
    let session_id = match session {
        Some(text) => Some(SessionId::parse(&text).ok_or_else(|| fault("session_id"))?),
        None => None,
    };
    Ok(Series {
        user_id: UserId(row.get("user_id")?),
        user_epoch: row.get("user_epoch")?,
        auth_time: Time(row.get("auth_time")?),
        counter: u32::try_from(counter).map_err(|_| fault("counter"))?,
        rotated_at: Time(row.get("rotated_at")?),
        session_id,
        expires_at: Time(row.get("expires_at")?),
        ended_at: row.get::<Option<i64>>("ended_at")?.map(Time),
        id,
    })
}

fn series_id(row: &Row) -> Result<SeriesId> {
    let text: String = row.get("id")?;
    SeriesId::parse(&text).ok_or_else(|| corrupt("remember_series", "id", text))
}
