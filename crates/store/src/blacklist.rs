//! Who is kept out: one row a user. Adding somebody ends everything that he had, and no session of
//! his can be made while he is on it (see [`crate::sessions::insert`]). Not here: what became of
//! those who were on it once, which the events tell.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::blacklist::Reason;
use portcullis_domain::event::EndReason;
use portcullis_domain::id::UserId;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;
use crate::{remember, users};

/// Somebody who was put on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// He was not on it before.
    pub is_new: bool,
    /// Sessions that could be used until now.
    pub ended: u64,
}

/// A row of the list, with the people in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub user: Named,
    pub reason: Option<String>,
    /// `None`: somebody at the command line of the server.
    pub added_by: Option<Named>,
    pub created_at: Time,
}

/// A user as a list names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: UserId,
    pub email: Email,
    pub username: Option<Username>,
    pub first_name: Name,
    pub last_name: Name,
}

/// Where a page of the list goes on: after the row with these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    pub created_at: Time,
    pub user: UserId,
}

/// Puts a user on the list and ends everything that he had: his sessions and their credentials, his
/// remembered browsers, and what was made under his epoch. Whoever is on it already gets the new
/// reason. `None` if there is no such user, or no longer.
pub async fn add(
    tx: &mut Tx,
    user: UserId,
    reason: Option<&Reason>,
    by: Option<UserId>,
    now: Time,
) -> Result<Option<Added>> {
    const SQL: &str = "INSERT INTO blacklist (user_id, reason, added_by, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id) DO UPDATE SET reason = excluded.reason, added_by = excluded.added_by";
    if !hold(tx, user).await? {
        return Ok(None);
    }
    let is_new = !is_listed(tx, user).await?;
    let ended = living_sessions(tx, user, now).await?;
    tx.execute(SQL, params![user, reason.map(Reason::as_str), by, now]).await?;
    end_all(tx, user, now).await?;
    users::bump_epoch(tx, user).await?;
    Ok(Some(Added { is_new, ended }))
}

/// Takes a user off the list; `false` if he was not on it. What he had stays ended.
pub async fn remove(tx: &mut Tx, user: UserId) -> Result<bool> {
    hold(tx, user).await?;
    // His API keys come back with him.
    tx.invalidate(Invalidation::User(user));
    tx.changed("DELETE FROM blacklist WHERE user_id = $1", params![user]).await
}

/// Whether a user is kept out. Asked after the user was read: who is put on the list in between has
/// another epoch.
pub async fn is_listed(tx: &mut Tx, user: UserId) -> Result<bool> {
    const SQL: &str = "SELECT user_id FROM blacklist WHERE user_id = $1";
    Ok(tx.fetch_optional(SQL, params![user]).await?.is_some())
}

/// How many are on the list.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    tx.fetch_one("SELECT COUNT(*) AS count FROM blacklist", params![]).await?.get("count")
}

/// At most `limit` of those on the list, the last to be added first, after the row that `after`
/// names.
pub async fn list(tx: &mut Tx, after: Option<After>, limit: i64) -> Result<Vec<Listed>> {
    const SQL: &str = "SELECT b.user_id, b.reason, b.created_at,
            u.email, u.username, u.first_name, u.last_name, a.id AS by_id, a.email AS by_email,
            a.username AS by_username, a.first_name AS by_first_name, a.last_name AS by_last_name
        FROM blacklist b
        JOIN users u ON u.id = b.user_id
        LEFT JOIN users a ON a.id = b.added_by
        WHERE b.created_at < $1 OR (b.created_at = $1 AND b.user_id < $2)
        ORDER BY b.created_at DESC, b.user_id DESC LIMIT $3";
    let After { created_at, user } =
        after.unwrap_or(After { created_at: Time(i64::MAX), user: UserId(i64::MAX) });
    let rows = tx.fetch_all(SQL, params![created_at, user, limit]).await?;
    rows.iter().map(listed).collect()
}

/// Lets nobody else change what the list says of a user until the transaction is over; `false` if
/// there is no such user, or he was deleted.
async fn hold(tx: &mut Tx, user: UserId) -> Result<bool> {
    // Changing it to what it is lets one caller in at a time.
    const SQL: &str = "UPDATE users SET epoch = epoch WHERE id = $1 AND status <> $2";
    tx.changed(SQL, params![user, AccountStatus::Deleted.id()]).await
}

/// Ends the sessions of a user and the series of his browsers. The credentials are dead with their
/// sessions and are left as they are: there may be tens of thousands, each in a place of its own, and
/// to write to all of them takes longer than everything else. They are swept with their sessions.
async fn end_all(tx: &mut Tx, user: UserId, now: Time) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET ended_at = $2, end_reason = $3
        WHERE user_id = $1 AND ended_at IS NULL";
    let reason = EndReason::Blacklisted;
    remember::end_all_of_user(tx, user, None, reason, now).await?;
    tx.execute(SQL, params![user, now, reason.as_str()]).await.map(drop)
}

/// How many sessions of a user could be used just now.
async fn living_sessions(tx: &mut Tx, user: UserId, now: Time) -> Result<u64> {
    const SQL: &str = "SELECT COUNT(*) AS count FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.user_id = $1 AND s.ended_at IS NULL AND s.user_epoch = u.epoch AND EXISTS (
            SELECT 1 FROM credentials c
            WHERE c.session_id = s.id AND c.ended_at IS NULL AND c.expires_at > $2
                AND (c.idle_ms IS NULL OR c.last_active + c.idle_ms > $2))";
    let count: i64 = tx.fetch_one(SQL, params![user, now]).await?.get("count")?;
    Ok(u64::try_from(count).unwrap_or_default())
}

fn listed(row: &Row) -> Result<Listed> {
    let user = named(row, ["user_id", "email", "username", "first_name", "last_name"])?;
    let by: Option<i64> = row.get("by_id")?;
    let columns = ["by_id", "by_email", "by_username", "by_first_name", "by_last_name"];
    Ok(Listed {
        user,
        reason: row.get("reason")?,
        added_by: by.map(|_| named(row, columns)).transpose()?,
        created_at: Time(row.get("created_at")?),
    })
}

fn named(row: &Row, columns: [&'static str; 5]) -> Result<Named> {
    let [id, email, username, first, last] = columns;
    let id = UserId(row.get(id)?);
    let fault = |column| move |_| corrupt("users", column, id);
    let (mail, first, last): (String, String, String) =
        (row.get(email)?, row.get(first)?, row.get(last)?);
    let username: Option<String> = row.get(username)?;
    let username = username.as_deref().map(Username::parse).transpose();
    Ok(Named {
        id,
        email: Email::parse(&mail).map_err(fault("email"))?,
        username: username.map_err(fault("username"))?,
        first_name: Name::stored(&first).map_err(fault("first_name"))?,
        last_name: Name::stored(&last).map_err(fault("last_name"))?,
    })
}
