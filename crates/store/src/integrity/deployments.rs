//! Deployments: at most one open at a time for a root.

use portcullis_domain::id::{DeploymentId, UserId};
use portcullis_domain::integrity::DeploymentState;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: DeploymentId,
    pub root: String,
    /// The baseline that it leads to.
    pub number: i64,
    pub state: DeploymentState,
    pub reason: String,
    pub opened_at: Time,
    pub opened_by: Option<UserId>,
    pub ends_at: Time,
    pub closed_at: Option<Time>,
    pub counts: Counts,
}

/// What the last look found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As it is declared, and was not before.
    pub reached: i64,
    /// As it was before, and is not declared.
    pub pending: i64,
    /// Neither.
    pub unexpected: i64,
}

/// What a new deployment is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewDeployment<'a> {
    pub id: DeploymentId,
    pub root: &'a str,
    pub number: i64,
    pub reason: &'a str,
    pub by: Option<UserId>,
    pub ends_at: Time,
}

/// Opens a deployment; `false` if the root has an open one.
pub async fn open(tx: &mut Tx, new: &NewDeployment<'_>, now: Time) -> Result<bool> {
    const SQL: &str = "INSERT INTO integrity_deployments (id, root, number, state, reason,
            opened_at, opened_by, ends_at, reached, pending, unexpected)
        VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, 0, 0, 0)
        ON CONFLICT DO NOTHING";
    let row = params![new.id.as_str(), new.root, new.number, new.reason, now, new.by, new.ends_at];
    tx.changed(SQL, row).await
}

/// The deployment that is open in a root.
pub async fn open_in(tx: &mut Tx, root: &str) -> Result<Option<Deployment>> {
    const SQL: &str = concat!(select!(), " WHERE root = $1 AND state = 'open'");
    tx.fetch_optional(SQL, params![root]).await?.as_ref().map(deployment).transpose()
}

/// Every deployment that is open.
pub async fn all_open(tx: &mut Tx) -> Result<Vec<Deployment>> {
    const SQL: &str = concat!(select!(), " WHERE state = 'open' ORDER BY root");
    tx.fetch_all(SQL, params![]).await?.iter().map(deployment).collect()
}

/// The deployment of an id.
pub async fn by_id(tx: &mut Tx, id: DeploymentId) -> Result<Option<Deployment>> {
    const SQL: &str = concat!(select!(), " WHERE id = $1");
    tx.fetch_optional(SQL, params![id.as_str()]).await?.as_ref().map(deployment).transpose()
}

/// The newest deployments first, at most `limit`.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Deployment>> {
    const SQL: &str = concat!(select!(), " ORDER BY opened_at DESC, id DESC LIMIT $1");
    tx.fetch_all(SQL, params![limit]).await?.iter().map(deployment).collect()
}

/// Writes down what a look found of an open one.
pub async fn count(tx: &mut Tx, id: DeploymentId, counts: Counts) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_deployments SET reached = $2, pending = $3, unexpected = $4
        WHERE id = $1 AND state = 'open'";
    let row = params![id.as_str(), counts.reached, counts.pending, counts.unexpected];
    tx.changed(SQL, row).await
}

/// Ends an open one.
pub async fn close(
    tx: &mut Tx,
    id: DeploymentId,
    state: DeploymentState,
    by: Option<UserId>,
    now: Time,
) -> Result<bool> {
    const SQL: &str = "UPDATE integrity_deployments SET state = $2, closed_by = $3, closed_at = $4
        WHERE id = $1 AND state = 'open'";
    tx.changed(SQL, params![id.as_str(), state.as_str(), by, now]).await
}

macro_rules! select {
    () => {
        "SELECT id, root, number, state, reason, opened_at, opened_by, ends_at, closed_at, reached,
            pending, unexpected
        FROM integrity_deployments"
    };
}
use select;

fn deployment(row: &Row) -> Result<Deployment> {
    let (id, state): (String, String) = (row.get("id")?, row.get("state")?);
    let fault = |column| corrupt("integrity_deployments", column, &id);
    Ok(Deployment {
        root: row.get("root")?,
        number: row.get("number")?,
        state: DeploymentState::parse(&state).ok_or_else(|| fault("state"))?,
        reason: row.get("reason")?,
        opened_at: Time(row.get("opened_at")?),
        opened_by: row.get::<Option<i64>>("opened_by")?.map(UserId),
        ends_at: Time(row.get("ends_at")?),
        closed_at: row.get::<Option<i64>>("closed_at")?.map(Time),
        counts: Counts {
            reached: row.get("reached")?,
            pending: row.get("pending")?,
            unexpected: row.get("unexpected")?,
        },
        id: DeploymentId::parse(&id).ok_or_else(|| fault("id"))?,
    })
}
