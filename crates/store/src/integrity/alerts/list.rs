//! Looking through alerts: filtered, in one of three orders, page by page.

use portcullis_domain::integrity::alert::{Kind, Severity, Status};

use super::{Alert, alert, select};
use crate::driver::{Row, Tx, Value, params};
use crate::error::{Result, corrupt};

/// Which alerts; all of what is given must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    pub kind: Option<Kind>,
    pub root: Option<String>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
    /// The worst first; among equals the newest.
    Worst,
}

macro_rules! filtered {
    () => {
        " WHERE ($1 IS NULL OR status = $1) AND ($2 IS NULL OR rank = $2)
            AND ($3 IS NULL OR kind = $3) AND ($4 IS NULL OR root = $4)"
    };
}

/// A part of the list: at most `limit` of them, after passing over `skip`.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    order: Order,
    limit: i64,
    skip: i64,
) -> Result<Vec<Alert>> {
    const NEWEST: &str =
        concat!(select!(), filtered!(), " ORDER BY created_at DESC, id DESC LIMIT $5 OFFSET $6");
    const OLDEST: &str =
        concat!(select!(), filtered!(), " ORDER BY created_at, id LIMIT $5 OFFSET $6");
    const WORST: &str = concat!(
        select!(),
        filtered!(),
        " ORDER BY rank, created_at DESC, id DESC LIMIT $5 OFFSET $6"
    );
    let sql = match order {
        Order::Newest => NEWEST,
        Order::Oldest => OLDEST,
        Order::Worst => WORST,
    };
    let [status, rank, kind, root] = filter.values();
    let rows = tx.fetch_all(sql, &[status, rank, kind, root, limit.into(), skip.into()]).await?;
    rows.iter().map(alert).collect()
}

/// How many there are.
pub async fn count(tx: &mut Tx, filter: &Filter) -> Result<i64> {
    const SQL: &str = concat!("SELECT COUNT(*) AS count FROM integrity_alerts", filtered!());
    tx.fetch_one(SQL, &filter.values()).await?.get("count")
}

/// How many are new, by how bad they are.
pub async fn open_by_severity(tx: &mut Tx) -> Result<Vec<(Severity, i64)>> {
    const SQL: &str = "SELECT severity, COUNT(*) AS count FROM integrity_alerts WHERE status = 0
        GROUP BY severity, rank ORDER BY rank";
    let rows = tx.fetch_all(SQL, params![]).await?;
    rows.iter().map(|row| Ok((severity(row)?, row.get("count")?))).collect()
}

/// The same of each root, for roots that have any.
pub async fn open_by_root(tx: &mut Tx) -> Result<Vec<(String, Severity, i64)>> {
    const SQL: &str = "SELECT root, severity, COUNT(*) AS count FROM integrity_alerts
        WHERE status = 0 GROUP BY root, severity, rank ORDER BY root, rank";
    let rows = tx.fetch_all(SQL, params![]).await?;
    rows.iter().map(|row| Ok((row.get("root")?, severity(row)?, row.get("count")?))).collect()
}

fn severity(row: &Row) -> Result<Severity> {
    let word: String = row.get("severity")?;
    Severity::parse(&word).ok_or_else(|| corrupt("integrity_alerts", "severity", &word))
}

impl Filter {
    fn values(&self) -> [Value<'_>; 4] {
        [
            self.status.map(Status::number).into(),
            self.severity.map(Severity::rank).into(),
            self.kind.map(Kind::as_str).into(),
            self.root.as_deref().into(),
        ]
    }
}
