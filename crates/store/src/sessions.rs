//! Sign-ins: one row each, and everything it handed out hangs on it.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::{SeriesId, SessionHandle, SessionId, UserId};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Error, Result, corrupt};
use crate::invalidations::Invalidation;
use crate::remember;

mod life;
mod live;

pub use crate::jobs::{let_go, move_on};
pub(crate) use life::{
    doubt, doubt_all_of_user, doubt_owner, has_good_credential, lengthen, listed, reconsider,
    strike_out,
};
pub use live::{Filter, LiveSession, Page, Position, Search, count, list, position, search};

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub handle: SessionHandle,
    pub user_id: UserId,
    /// The user's epoch when the password was verified.
    pub user_epoch: i64,
    /// How it began.
    pub form: SignInForm,
    /// Nobody who has a second factor gets a session without it.
    pub second_factor: SecondFactor,
    /// When the user proved who he is.
    pub auth_time: Time,
    /// The client's address, read through trusted proxies.
    pub ip: String,
    /// Who spoke to us.
    pub peer: String,
    pub user_agent: String,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    /// The series of a browser that stays signed in.
    pub remember_series: Option<SeriesId>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub handle: SessionHandle,
    pub user_id: UserId,
    pub user_epoch: i64,
    /// How it began.
    pub form: SignInForm,
    /// Raised to kill every CSRF token of the session; starts at 0.
    pub csrf_epoch: i64,
    pub created_at: Time,
    pub auth_time: Time,
    pub ip: String,
    pub peer: String,
    pub user_agent: String,
    pub platform: Option<String>,
    pub device_type: Option<String>,
    pub app_version: Option<String>,
    /// The series that it belongs to. It ends with the session.
    pub remember_series: Option<SeriesId>,
    /// When a CSRF token was first fetched on demand.
    pub fetched_csrf_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// The word it was ended with.
    pub end_reason: Option<String>,
}

/// The columns of a session `s`.
macro_rules! columns {
    () => {
        "s.id AS session_id, s.handle, s.user_id AS session_user_id, s.user_epoch, \
         s.form, s.csrf_epoch, s.created_at AS session_created_at, s.auth_time, \
         s.ip, s.peer, s.user_agent, s.platform AS session_platform, \
         s.device_type AS session_device_type, s.app_version AS session_app_version, \
         s.remember_series, s.fetched_csrf_at, s.ended_at AS session_ended_at, s.end_reason"
    };
}

/// Makes a session. [`Error::Conflict`] if the id or the handle is taken, if there is no such user,
/// if he is on the blacklist, or has a second factor that was not passed: whatever way in forgets to ask
/// is closed all the same.
pub async fn insert(tx: &mut Tx, new: &NewSession, now: Time) -> Result<()> {
    const SQL: &str = "INSERT INTO sessions (
            id, handle, user_id, user_epoch, form, csrf_epoch, created_at, auth_time, ip, peer,
            user_agent, platform, device_type, app_version, remember_series, second_factor,
            live_until)
        SELECT $1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $16, (
            SELECT $6 FROM users u WHERE u.id = $3 AND u.epoch = $4 AND u.status = $15)
        WHERE NOT EXISTS (SELECT 1 FROM blacklist WHERE user_id = $3)
            AND ($16 OR NOT EXISTS (
                SELECT 1 FROM factors WHERE user_id = $3 AND state = 'active'))";
    let row = params![
        &new.id,
        &new.handle,
        new.user_id,
        new.user_epoch,
        new.form.as_str(),
        now,
        new.auth_time,
        &new.ip,
        &new.peer,
        &new.user_agent,
        new.platform.as_deref(),
        new.device_type.as_deref(),
        new.app_version.as_deref(),
        new.remember_series.as_ref(),
        AccountStatus::Active.id(),
        new.second_factor == SecondFactor::Passed,
    ];
    if tx.changed(SQL, row).await? { Ok(()) } else { Err(Error::Conflict) }
}

/// Notes that whoever has the session gave a second factor.
pub async fn passed_factor(tx: &mut Tx, id: &SessionId) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET second_factor = TRUE WHERE id = $1";
    tx.execute(SQL, params![id]).await.map(drop)
}

/// The session of an id.
pub async fn by_id(tx: &mut Tx, id: &SessionId) -> Result<Option<Session>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.id = $1");
    tx.fetch_optional(SQL, params![id]).await?.as_ref().map(session).transpose()
}

/// The session of a public name.
pub async fn by_handle(tx: &mut Tx, handle: &SessionHandle) -> Result<Option<Session>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.handle = $1");
    tx.fetch_optional(SQL, params![handle]).await?.as_ref().map(session).transpose()
}

/// Ends a session and its credentials; `false` if it had ended or there is none. If its browser stays
/// signed in, that ends too, with everything else that came of the same sign-in.
pub async fn end(tx: &mut Tx, id: &SessionId, reason: EndReason, now: Time) -> Result<bool> {
    const SESSION: &str = "UPDATE sessions SET ended_at = $2, end_reason = $3
        WHERE id = $1 AND ended_at IS NULL RETURNING user_id";
    const CREDENTIALS: &str = "UPDATE credentials SET ended_at = $2
        WHERE session_id = $1 AND ended_at IS NULL";
    let series = remember::end_of_session(tx, id, reason, now).await?;
    let row = tx.fetch_optional(SESSION, params![id, now, reason.as_str()]).await?;
    if let Some(row) = &row {
        tx.execute(CREDENTIALS, params![id, now]).await?;
        tx.invalidate(Invalidation::User(UserId(row.get("user_id")?)));
    }
    if let Some(series) = series {
        remember::end_sessions(tx, &series, reason, now).await?;
    }
    Ok(row.is_some())
}

/// Ends every session of a user, except one if it is given, with their credentials and the series of
/// browsers that stay signed in; how many sessions.
pub async fn end_all_of_user(
    tx: &mut Tx,
    user: UserId,
    except: Option<&SessionId>,
    reason: EndReason,
    now: Time,
) -> Result<u64> {
    const SESSIONS: &str = "UPDATE sessions SET ended_at = $2, end_reason = $3
        WHERE user_id = $1 AND ended_at IS NULL AND ($4 IS NULL OR id <> $4)";
    const CREDENTIALS: &str = "UPDATE credentials SET ended_at = $2
        WHERE ended_at IS NULL AND session_id IN (
            SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NOT NULL)";
    remember::end_all_of_user(tx, user, except, reason, now).await?;
    let ended = tx.execute(SESSIONS, params![user, now, reason.as_str(), except]).await?;
    tx.execute(CREDENTIALS, params![user, now]).await?;
    tx.invalidate(Invalidation::User(user));
    Ok(ended)
}

/// The public name of a session.
pub async fn handle(tx: &mut Tx, id: &SessionId) -> Result<Option<SessionHandle>> {
    const SQL: &str = "SELECT handle FROM sessions WHERE id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![id]).await? else { return Ok(None) };
    let handle: String = row.get("handle")?;
    let fault = || corrupt("sessions", "handle", id.as_str());
    SessionHandle::parse(&handle).ok_or_else(fault).map(Some)
}

/// Raises the CSRF epoch if it is still `from_epoch` and the session lives: of parallel callers
/// one wins.
pub async fn rotate_csrf(tx: &mut Tx, id: &SessionId, from_epoch: i64) -> Result<bool> {
    const SQL: &str = "UPDATE sessions SET csrf_epoch = csrf_epoch + 1
        WHERE id = $1 AND csrf_epoch = $2 AND ended_at IS NULL RETURNING user_id";
    let row = tx.fetch_optional(SQL, params![id, from_epoch]).await?;
    let Some(row) = row else { return Ok(false) };
    tx.invalidate(Invalidation::User(UserId(row.get("user_id")?)));
    Ok(true)
}

/// Whether this is the first CSRF token that the session fetches; of parallel callers one is told
/// so.
pub async fn claim_first_fetch(tx: &mut Tx, id: &SessionId, now: Time) -> Result<bool> {
    const SQL: &str = "UPDATE sessions SET fetched_csrf_at = $2
        WHERE id = $1 AND fetched_csrf_at IS NULL AND ended_at IS NULL";
    tx.changed(SQL, params![id, now]).await
}

/// Forgets sessions that were ended before `before`, with their credentials, and those that began
/// before it and have no credential left (see [`crate::credentials::sweep`]), at most `limit` of
/// them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN (
        SELECT s.id FROM sessions s WHERE s.created_at < $1 AND (s.ended_at < $1
            OR NOT EXISTS (SELECT 1 FROM credentials c WHERE c.session_id = s.id)) LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// Reads the columns that [`columns`] names.
pub(crate) fn session(row: &Row) -> Result<Session> {
    let id: String = row.get("session_id")?;
    let fault = |column| {
        let id = &id;
        move || corrupt("sessions", column, id)
    };
    let handle: String = row.get("handle")?;
    let form: String = row.get("form")?;
    let series: Option<String> = row.get("remember_series")?;
    let remember_series = match series {
        Some(text) => Some(SeriesId::parse(&text).ok_or_else(fault("remember_series"))?),
        None => None,
    };
    let time = |column| row.get::<Option<i64>>(column).map(|time| time.map(Time));
    Ok(Session {
        id: SessionId::parse(&id).ok_or_else(fault("id"))?,
        handle: SessionHandle::parse(&handle).ok_or_else(fault("handle"))?,
        user_id: UserId(row.get("session_user_id")?),
        user_epoch: row.get("user_epoch")?,
        form: SignInForm::parse(&form).ok_or_else(fault("form"))?,
        csrf_epoch: row.get("csrf_epoch")?,
        created_at: Time(row.get("session_created_at")?),
        auth_time: Time(row.get("auth_time")?),
        ip: row.get("ip")?,
        peer: row.get("peer")?,
        user_agent: row.get("user_agent")?,
        platform: row.get("session_platform")?,
        device_type: row.get("session_device_type")?,
        app_version: row.get("session_app_version")?,
        remember_series,
        fetched_csrf_at: time("fetched_csrf_at")?,
        ended_at: time("session_ended_at")?,
        end_reason: row.get("end_reason")?,
    })
}

pub(crate) use columns;
