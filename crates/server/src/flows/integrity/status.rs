//! How it stands with the watch: each root with its baseline, and the last checks.

use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::Origin;
use portcullis_domain::integrity::alert::Severity;
use portcullis_domain::time::Time;
use portcullis_store::integrity::baselines::{self as baseline_rows, Baseline};
use portcullis_store::integrity::checks::{self, Check};
use portcullis_store::integrity::deployments::{self, Deployment};
use portcullis_store::integrity::{self as rows, alerts};
use portcullis_store::{Db, Error};

use super::look::shown;
use super::{Fault, Monitor};
use crate::config::Integrity;

/// So many checks are shown.
const LAST: i64 = 10;

/// How it stands.
#[derive(Debug)]
pub struct Status {
    pub roots: Vec<OfRoot>,
    /// New alerts, the worst first.
    pub open: Vec<(Severity, i64)>,
    /// The newest first.
    pub checks: Vec<Check>,
}

/// How it stands with a root of the configuration.
#[derive(Debug)]
pub struct OfRoot {
    pub name: String,
    pub path: String,
    pub exclude: Vec<String>,
    /// The one in force.
    pub baseline: Option<Baseline>,
    pub deployment: Option<Deployment>,
    /// When the last look that came to its end began. Each reads every file.
    pub looked_at: Option<Time>,
}

impl OfRoot {
    /// What somebody ought to know of it.
    pub fn notices(&self) -> Vec<Notice> {
        let is_observed = self.baseline.is_some() && !self.is_attested();
        if is_observed { vec![Notice::NotAttested] } else { Vec::new() }
    }

    /// Whether somebody with a key that is not here says what ought to be there.
    pub fn is_attested(&self) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.origin == Origin::Declared)
    }
}

/// Something that is so until somebody does something about it, and is no difference. It is told where the
/// root is, and makes no alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nobody with a deploy key has declared the baseline in force.
    NotAttested,
}

impl Notice {
    /// A stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAttested => "baseline_not_attested",
        }
    }

    /// How much it matters.
    pub fn severity(self) -> Severity {
        match self {
            Self::NotAttested => Severity::Low,
        }
    }

    /// For people.
    pub fn says(self) -> &'static str {
        match self {
            Self::NotAttested => {
                "The baseline is not attested: it is what was there when it was made, and whatever was \
                 changed before that is taken for good. A deployment by a signed manifest declares one."
            }
        }
    }
}

/// Looks how it stands.
pub async fn status(monitor: &Monitor<'_>) -> Result<Status, Fault> {
    let mut tx = monitor.db.read().await?;
    let mut roots = Vec::new();
    for root in &monitor.settings.roots {
        let row = rows::by_name(&mut tx, &root.name).await?;
        roots.push(OfRoot {
            name: root.name.clone(),
            path: shown(&root.path, b""),
            exclude: root.exclude.clone(),
            baseline: baseline_rows::active(&mut tx, &root.name).await?,
            deployment: deployments::open_in(&mut tx, &root.name).await?,
            looked_at: row.and_then(|row| row.looked_at),
        });
    }
    let open = alerts::open_by_severity(&mut tx).await?;
    let checks = checks::list(&mut tx, LAST).await?;
    Ok(Status { roots, open, checks })
}

/// A check, and how old the oldest reading is of what is watched.
#[derive(Debug)]
pub struct Progress {
    pub check: Check,
    /// `None` if a root was never read to the end.
    pub oldest_look: Option<Time>,
}

/// How far the check of an id is.
pub async fn progress(
    db: &Db,
    settings: &Integrity,
    id: CheckId,
) -> Result<Option<Progress>, Error> {
    let mut tx = db.read().await?;
    let Some(check) = checks::by_id(&mut tx, id).await? else { return Ok(None) };
    let mut looks = Vec::with_capacity(settings.roots.len());
    for root in &settings.roots {
        looks.push(rows::by_name(&mut tx, &root.name).await?.and_then(|row| row.looked_at));
    }
    // A root without a look is less than any time.
    let oldest_look = looks.into_iter().min().flatten();
    Ok(Some(Progress { check, oldest_look }))
}

/// The newest baselines first.
pub async fn baselines(db: &Db, limit: i64) -> Result<Vec<Baseline>, Error> {
    baseline_rows::list(&mut db.read().await?, limit).await
}

/// A baseline by its number; without one that in force.
pub async fn baseline(db: &Db, root: &str, number: Option<i64>) -> Result<Option<Baseline>, Error> {
    let mut tx = db.read().await?;
    match number {
        Some(number) => baseline_rows::by_number(&mut tx, root, number).await,
        None => baseline_rows::active(&mut tx, root).await,
    }
}
