//! How things stand, in numbers: each by an index of its own, and counted no further than is cheap,
//! because a list that takes seconds is not looked at. What the numbers mean is the domain's.
//!
//! Where a statement says 1 for a status or an account type it is that of open accounts and of staff,
//! as the partial indexes say it: a parameter would keep the database from using them.

use std::time::Duration;

use portcullis_domain::integrity::alert::Severity;
use portcullis_domain::report::{
    Audit, Bounded, LONG_DAYS, MAIL_DAYS, MAIL_WAITS, OLD_PASSWORD_DAYS, Standing,
    UNUSED_BROWSER_DAYS, UNUSED_DAYS,
};
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;

use crate::driver::{Tx, Value, params};
use crate::error::Result;
use crate::integrity::alerts;
use crate::sessions::{has_good_credential, listed};
use crate::{blacklist, lockouts};

/// How far is counted.
const MOST: i64 = 10_000;
/// How many are looked at one by one, each in a place of its own.
const MOST_LOOKED_AT: i64 = 5_000;

/// Counts everything but the log. `lockout`: the limit that is in force, if there is one.
pub async fn standing(tx: &mut Tx, lockout: Option<Limit>, now: Time) -> Result<Standing> {
    let days = |days: u64| now.minus(Duration::from_hours(days * 24));
    let locked_out = match lockout {
        Some(limit) => lockouts::count_of_users(tx, limit, now, MOST + 1).await?,
        None => 0,
    };
    Ok(Standing {
        owners: number(tx, OWNERS, params![]).await?,
        owners_without_factor: number(tx, OWNERS_WITHOUT_FACTOR, params![]).await?,
        staff_without_factor: bounded(tx, STAFF_WITHOUT_FACTOR, &[]).await?,
        with_factor: bounded(tx, WITH_FACTOR, &[]).await?,
        roles_with_everything: number(tx, ROLES_WITH_EVERYTHING, params![]).await?,
        people_with_everything: bounded(tx, PEOPLE_WITH_EVERYTHING, &[]).await?,
        old_staff_passwords: bounded(tx, OLD_STAFF_PASSWORDS, &[days(OLD_PASSWORD_DAYS)]).await?,
        without_password: bounded(tx, WITHOUT_PASSWORD, &[]).await?,
        passwords_disabled: bounded(tx, PASSWORDS_DISABLED, &[]).await?,
        disabled: bounded(tx, DISABLED, &[]).await?,
        locked_out: clipped(locked_out),
        unproved_addresses: bounded(tx, UNPROVED, &[]).await?,
        blacklisted: blacklist::count(tx).await?,
        unused_sessions: unused_sessions(tx, now).await?,
        long_sessions: bounded(tx, LONG_SESSIONS, &[now, days(LONG_DAYS)]).await?,
        unused_api_tokens: looked_at(tx, UNUSED_API_TOKENS, now, days(UNUSED_DAYS.0)).await?,
        unused_keys: bounded(tx, UNUSED_KEYS, &[now, days(UNUSED_DAYS.1)]).await?,
        unused_browsers: looked_at(tx, UNUSED_BROWSERS, now, days(UNUSED_BROWSER_DAYS)).await?,
        mail_given_up: bounded(tx, MAIL_GIVEN_UP, &[days(MAIL_DAYS)]).await?,
        mail_waiting: bounded(tx, MAIL_WAITING, &[now.minus(MAIL_WAITS)]).await?,
        file_alerts: file_alerts(tx).await?,
        audit: Audit::default(),
    })
}

/// New alerts of watched files, by the place of their severity.
async fn file_alerts(tx: &mut Tx) -> Result<[i64; 4]> {
    let open = alerts::open_by_severity(tx).await?;
    let of =
        |severity| open.iter().find(|(one, _)| *one == severity).map_or(0, |(_, count)| *count);
    Ok(Severity::ALL.map(of))
}

/// Sessions that are alive and were not used for so long. They began at least as long ago, so the
/// oldest are looked at.
async fn unused_sessions(tx: &mut Tx, now: Time) -> Result<(Bounded, Bounded)> {
    const SQL: &str = concat!(
        "SELECT COUNT(*) AS looked,
            COALESCE(SUM(CASE WHEN old.last_active < $2 THEN 1 ELSE 0 END), 0) AS unused,
            COALESCE(SUM(CASE WHEN old.last_active < $3 THEN 1 ELSE 0 END), 0) AS long_unused
        FROM (SELECT (SELECT MAX(c.last_active) FROM credentials c
                WHERE c.session_id = s.id AND c.ended_at IS NULL) AS last_active
            FROM sessions s WHERE ",
        alive!(),
        " AND s.created_at < $2 ORDER BY s.created_at, s.id LIMIT $4) old"
    );
    let days = |days: u64| now.minus(Duration::from_hours(days * 24));
    let wanted = params![now, days(UNUSED_DAYS.0), days(UNUSED_DAYS.1), MOST_LOOKED_AT];
    let row = tx.fetch_one(SQL, wanted).await?;
    let looked: i64 = row.get("looked")?;
    let counted = |count| Bounded { count, at_least: looked >= MOST_LOOKED_AT };
    Ok((counted(row.get("unused")?), counted(row.get("long_unused")?)))
}

/// What a statement finds among the first that it looks at: `$1` now, `$2` unused since, `$3` how
/// many.
async fn looked_at(tx: &mut Tx, sql: &'static str, now: Time, since: Time) -> Result<Bounded> {
    let row = tx.fetch_one(sql, params![now, since, MOST_LOOKED_AT]).await?;
    let looked: i64 = row.get("looked")?;
    Ok(Bounded { count: row.get("number")?, at_least: looked >= MOST_LOOKED_AT })
}

/// A count that stops one behind [`MOST`], which is the last parameter.
async fn bounded(tx: &mut Tx, sql: &'static str, times: &[Time]) -> Result<Bounded> {
    let mut bound: Vec<Value<'_>> = times.iter().map(|time| Value::from(*time)).collect();
    bound.push(Value::from(MOST + 1));
    number(tx, sql, &bound).await.map(clipped)
}

async fn number(tx: &mut Tx, sql: &'static str, bound: &[Value<'_>]) -> Result<i64> {
    tx.fetch_one(sql, bound).await?.get("number")
}

fn clipped(counted: i64) -> Bounded {
    Bounded { count: counted.min(MOST), at_least: counted > MOST }
}

macro_rules! alive {
    () => {
        concat!(listed!(), " AND (s.live_until > $1 OR ", has_good_credential!("$1"), ")")
    };
}

/// Counts rows up to a limit.
macro_rules! up_to {
    ($limit:literal, $($rest:expr),+) => {
        concat!("SELECT COUNT(*) AS number FROM (SELECT 1 FROM ", $($rest),+, " LIMIT ", $limit, ") few")
    };
}

/// The plus keeps the database from coming by way of the status, which nearly everybody has.
macro_rules! owners {
    () => {
        "SELECT COUNT(*) AS number FROM users u
    WHERE u.role_id = (SELECT id FROM roles WHERE name_folded = 'owner') AND +u.status = 1
        AND u.password_phc IS NOT NULL AND NOT u.password_disabled
        AND NOT EXISTS (SELECT 1 FROM blacklist b WHERE b.user_id = u.id)"
    };
}

macro_rules! has_factor {
    () => {
        "EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.state = 'active')"
    };
}

const OWNERS: &str = owners!();

const OWNERS_WITHOUT_FACTOR: &str = concat!(owners!(), " AND NOT ", has_factor!());

const STAFF_WITHOUT_FACTOR: &str = up_to!(
    "$1",
    "users u WHERE u.account_type = 1 AND u.status = 1 AND u.password_set_at IS NOT NULL AND NOT ",
    has_factor!()
);

const WITH_FACTOR: &str = up_to!(
    "$1",
    "factors f JOIN users u ON u.id = f.user_id AND u.status = 1 WHERE f.state = 'active'"
);

const ROLES_WITH_EVERYTHING: &str = "SELECT COUNT(*) AS number
    FROM role_grants g JOIN roles r ON r.id = g.role_id
    WHERE g.grant_key = '*' AND r.name_folded <> 'owner'";

const PEOPLE_WITH_EVERYTHING: &str = up_to!(
    "$1",
    "(SELECT u.id FROM users u WHERE u.role_id IN (
            SELECT g.role_id FROM role_grants g JOIN roles r ON r.id = g.role_id
            WHERE g.grant_key = '*' AND r.name_folded <> 'owner')
        UNION SELECT o.user_id FROM user_grants o WHERE o.grant_key = '*') few_people
    JOIN users p ON p.id = few_people.id AND p.status = 1
        AND p.role_id <> (SELECT id FROM roles WHERE name_folded = 'owner')"
);

const OLD_STAFF_PASSWORDS: &str =
    up_to!("$2", "users u WHERE u.account_type = 1 AND u.status = 1 AND u.password_set_at < $1");

const WITHOUT_PASSWORD: &str =
    up_to!("$1", "users u WHERE u.password_phc IS NULL AND u.status = 1");

const PASSWORDS_DISABLED: &str = up_to!(
    "$1",
    "(SELECT u.status FROM users u WHERE u.password_disabled = TRUE LIMIT $1) closed
        WHERE closed.status = 1"
);

const DISABLED: &str = up_to!("$1", "users u WHERE u.status = 2");

const UNPROVED: &str = up_to!("$1", "users u WHERE u.email_verified_at IS NULL AND u.status = 1");

const LONG_SESSIONS: &str = up_to!("$3", "sessions s WHERE ", alive!(), " AND s.created_at < $2");

/// Credentials of a session that has ended may be left as they were.
const UNUSED_API_TOKENS: &str = concat!(
    "SELECT COUNT(*) AS looked, COALESCE(SUM(CASE WHEN old.last_active < $2
            AND old.expires_at > $1 AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = old.session_id
            AND ",
    listed!(),
    ") THEN 1 ELSE 0 END), 0) AS number
    FROM (SELECT c.session_id, c.last_active, c.expires_at FROM credentials c
        WHERE c.kind = 'api' AND c.ended_at IS NULL AND c.created_at < $2
        ORDER BY c.created_at LIMIT $3) old"
);

const UNUSED_KEYS: &str = up_to!(
    "$3",
    "api_keys k WHERE k.revoked_at IS NULL AND k.active_at < $2
        AND (k.expires_at IS NULL OR k.expires_at > $1)"
);

/// They live equally long, so those that end first are the oldest.
const UNUSED_BROWSERS: &str =
    "SELECT COUNT(*) AS looked, COALESCE(SUM(CASE WHEN old.rotated_at < $2
            AND EXISTS (SELECT 1 FROM users u WHERE u.id = old.user_id AND u.status = 1
                AND u.epoch = old.user_epoch) THEN 1 ELSE 0 END), 0) AS number
    FROM (SELECT r.user_id, r.user_epoch, r.rotated_at FROM remember_series r
        WHERE r.expires_at > $1 AND r.ended_at IS NULL ORDER BY r.expires_at LIMIT $3) old";

const MAIL_GIVEN_UP: &str =
    up_to!("$2", "outbox o WHERE o.given_up_at IS NOT NULL AND o.given_up_at >= $1");

const MAIL_WAITING: &str = up_to!(
    "$2",
    "outbox o WHERE o.sent_at IS NULL AND o.given_up_at IS NULL AND o.created_at < $1"
);

use alive;
