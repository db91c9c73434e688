//! What was found at one moment, and who of the staff was signed in since it was last as it ought to be.

use std::ops::RangeInclusive;

use portcullis_domain::account::AccountType;
use portcullis_domain::id::{CheckId, DeploymentId, SessionHandle, SightingId, UserId};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// A moment at which something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub id: SightingId,
    pub root: String,
    pub check: Option<CheckId>,
    pub deployment: Option<DeploymentId>,
    /// When everything was last looked at before.
    pub since: Option<Time>,
    pub at: Time,
}

/// Somebody of the staff who was signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub user: UserId,
    pub session: SessionHandle,
    pub ip: String,
    pub signed_in_at: Time,
    pub ended_at: Option<Time>,
}

/// The same as it was written down, with the rights of that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub user: UserId,
    /// The address, if the account is still there.
    pub email: Option<String>,
    pub session: String,
    pub role: String,
    pub level: i64,
    pub grants: String,
    pub ip: String,
    pub signed_in_at: Time,
    pub ended_at: Option<Time>,
}

/// Keeps a sighting.
pub async fn insert(tx: &mut Tx, sighting: &Sighting) -> Result<()> {
    const SQL: &str =
        "INSERT INTO integrity_sightings (id, root, check_id, deployment_id, since, at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let row = params![
        sighting.id.as_str(),
        &sighting.root,
        sighting.check.as_ref().map(CheckId::as_str),
        sighting.deployment.as_ref().map(DeploymentId::as_str),
        sighting.since,
        sighting.at,
    ];
    tx.execute(SQL, row).await.map(drop)
}

/// The sighting of an id.
pub async fn by_id(tx: &mut Tx, id: SightingId) -> Result<Option<Sighting>> {
    const SQL: &str = "SELECT root, check_id, deployment_id, since, at FROM integrity_sightings
        WHERE id = $1";
    let Some(row) = tx.fetch_optional(SQL, params![id.as_str()]).await? else { return Ok(None) };
    let text = |column| row.get::<Option<String>>(column);
    Ok(Some(Sighting {
        id,
        root: row.get("root")?,
        check: text("check_id")?.as_deref().and_then(CheckId::parse),
        deployment: text("deployment_id")?.as_deref().and_then(DeploymentId::parse),
        since: row.get::<Option<i64>>("since")?.map(Time),
        at: Time(row.get("at")?),
    }))
}

/// Who of the staff was signed in at some time between the two, the last to sign in first, at most
/// `limit`.
pub async fn present(tx: &mut Tx, since: Time, at: Time, limit: i64) -> Result<Vec<Present>> {
    const SQL: &str = "SELECT s.handle, s.user_id, s.ip, s.created_at, s.ended_at
        FROM users u JOIN sessions s ON s.user_id = u.id
        WHERE u.account_type = $4 AND s.created_at <= $2 AND s.live_until >= $1
            AND (s.ended_at IS NULL OR s.ended_at >= $1)
        ORDER BY s.created_at DESC, s.handle LIMIT $3";
    let row = params![since, at, limit, AccountType::Staff.id()];
    tx.fetch_all(SQL, row).await?.iter().map(one_present).collect()
}

/// How many alerts were told of from a time on, of severities of these ranks.
pub async fn alerts_since(tx: &mut Tx, since: Time, ranks: &RangeInclusive<i64>) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) AS number FROM integrity_alerts a
        JOIN integrity_sightings s ON s.id = a.sighting_id
        WHERE s.at >= $1 AND a.rank >= $2 AND a.rank <= $3";
    let row = tx.fetch_one(SQL, params![since, *ranks.start(), *ranks.end()]).await?;
    row.get("number")
}

/// Keeps who was signed in.
pub async fn witness(
    tx: &mut Tx,
    sighting: SightingId,
    of: &Present,
    (role, level, grants): (&str, i64, &str),
) -> Result<()> {
    const SQL: &str = "INSERT INTO integrity_witnesses (sighting_id, user_id, session, role, level,
            grants, signed_in_at, ended_at, ip)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let row = params![
        sighting.as_str(),
        of.user,
        &of.session,
        role,
        level,
        grants,
        of.signed_in_at,
        of.ended_at,
        &of.ip,
    ];
    tx.execute(SQL, row).await.map(drop)
}

/// Who was signed in, the most powerful first.
pub async fn witnesses(tx: &mut Tx, sighting: SightingId) -> Result<Vec<Witness>> {
    const SQL: &str = "SELECT w.user_id, u.email, w.session, w.role, w.level, w.grants,
            w.signed_in_at, w.ended_at, w.ip
        FROM integrity_witnesses w LEFT JOIN users u ON u.id = w.user_id
        WHERE w.sighting_id = $1 ORDER BY w.level DESC, w.signed_in_at DESC, w.session";
    tx.fetch_all(SQL, params![sighting.as_str()]).await?.iter().map(one_witness).collect()
}

/// Forgets sightings of which there is no alert any more, at most `limit`; how many.
pub async fn sweep(tx: &mut Tx, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM integrity_sightings WHERE id IN (
        SELECT s.id FROM integrity_sightings s WHERE NOT EXISTS (
            SELECT 1 FROM integrity_alerts a WHERE a.sighting_id = s.id)
        LIMIT $1)";
    tx.execute(SQL, params![i64::from(limit)]).await
}

fn one_present(row: &Row) -> Result<Present> {
    let handle: String = row.get("handle")?;
    let fault = || corrupt("sessions", "handle", &handle);
    Ok(Present {
        user: UserId(row.get("user_id")?),
        session: SessionHandle::parse(&handle).ok_or_else(fault)?,
        ip: row.get("ip")?,
        signed_in_at: Time(row.get("created_at")?),
        ended_at: row.get::<Option<i64>>("ended_at")?.map(Time),
    })
}

fn one_witness(row: &Row) -> Result<Witness> {
    Ok(Witness {
        user: UserId(row.get("user_id")?),
        email: row.get("email")?,
        session: row.get("session")?,
        role: row.get("role")?,
        level: row.get("level")?,
        grants: row.get("grants")?,
        ip: row.get("ip")?,
        signed_in_at: Time(row.get("signed_in_at")?),
        ended_at: row.get::<Option<i64>>("ended_at")?.map(Time),
    })
}
