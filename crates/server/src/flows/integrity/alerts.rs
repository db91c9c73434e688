//! Reading alerts: a page of them, one with all that is known of it, and what a file and the good one
//! differ in.

use portcullis_domain::event::Event;
use portcullis_domain::integrity::alert::Severity;
use portcullis_integrity::Entry;
use portcullis_integrity::diff::is_truncated;
use portcullis_store::integrity::alerts::{self, Alert, Filter, Order};
use portcullis_store::integrity::diffs::{self, Kept};
use portcullis_store::integrity::sightings::{self, Sighting, Witness};
use portcullis_store::{Db, Error};

use super::sides::{self, Sides};
use super::{Fault, Monitor, differ};

/// A page of alerts.
#[derive(Debug)]
pub struct Page {
    pub alerts: Vec<Alert>,
    /// How many there are in all.
    pub total: i64,
}

/// A page, counted from 1, of `limit` alerts at most.
pub async fn list(
    db: &Db,
    filter: &Filter,
    order: Order,
    page: i64,
    limit: i64,
) -> Result<Page, Error> {
    let mut tx = db.read().await?;
    let total = alerts::count(&mut tx, filter).await?;
    let skip = (page - 1).saturating_mul(limit);
    let alerts = alerts::list(&mut tx, filter, order, limit, skip).await?;
    Ok(Page { alerts, total })
}

/// How many are new, the worst first.
pub async fn open_by_severity(db: &Db) -> Result<Vec<(Severity, i64)>, Error> {
    alerts::open_by_severity(&mut db.read().await?).await
}

/// All that is known of an alert.
#[derive(Debug)]
pub struct Known {
    pub alert: Alert,
    pub sighting: Option<Sighting>,
    /// Who of the staff was signed in since it was last as it ought to be.
    pub witnesses: Vec<Witness>,
    /// The alerts of the same path, the newest first.
    pub of_path: Vec<Alert>,
}

/// The alert of a number.
pub async fn by_id(db: &Db, id: i64) -> Result<Option<Known>, Error> {
    const MOST: i64 = 20;
    let mut tx = db.read().await?;
    let Some(alert) = alerts::by_id(&mut tx, id).await? else { return Ok(None) };
    let sighting = sightings::by_id(&mut tx, alert.sighting).await?;
    let witnesses = sightings::witnesses(&mut tx, alert.sighting).await?;
    let of_path = alerts::of_path(&mut tx, &alert.about.root, &alert.about.path, MOST).await?;
    Ok(Some(Known { alert, sighting, witnesses, of_path }))
}

/// Which difference is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// As it was when the alert was made.
    #[default]
    Found,
    /// As it is now.
    Current,
}

/// What a file and the good one differ in.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub file_path: String,
    /// Empty where there is none to show.
    pub diff: String,
    /// There is more than it shows.
    pub truncated: bool,
    pub added: i64,
    pub removed: i64,
    /// Why there is none to show, in a word.
    pub unavailable: Option<String>,
    pub sides: Sides,
}

/// The difference of an alert. That somebody looked at it is written down.
pub async fn difference(
    monitor: &Monitor<'_>,
    id: i64,
    version: Version,
) -> Result<Option<Difference>, Fault> {
    let mut tx = monitor.db.write().await?;
    let Some(alert) = alerts::by_id(&mut tx, id).await? else { return Ok(None) };
    let kept = diffs::of(&mut tx, id).await?;
    monitor.record(&mut tx, &Event::FileDiffViewed { alert: id }).await?;
    tx.commit().await?;
    let sides = sides::sides(monitor, &alert.about).await?;
    let difference = match version {
        Version::Found => as_found(monitor, alert, kept),
        Version::Current => current(monitor, alert).await?,
    };
    Ok(Some(Difference { sides, ..difference }))
}

fn as_found(monitor: &Monitor<'_>, alert: Alert, kept: Option<Kept>) -> Difference {
    let file_path = alert.about.file_path;
    let Some(kept) = kept else { return unavailable(file_path, "not_stored") };
    let text = kept.sealed.as_deref();
    let text = text.map(|sealed| differ::opened(&monitor.keys.watch, alert.id, sealed));
    let (diff, reason) = match text {
        Some(Some(text)) => (text, kept.reason),
        // It was sealed by another secret, or changed in the store.
        Some(None) => (String::new(), "unreadable".to_owned()),
        None => (String::new(), kept.reason),
    };
    Difference {
        file_path,
        truncated: is_truncated(&diff),
        diff,
        added: kept.added,
        removed: kept.removed,
        unavailable: (!reason.is_empty()).then_some(reason),
        sides: Sides::default(),
    }
}

async fn current(monitor: &Monitor<'_>, alert: Alert) -> Result<Difference, Fault> {
    let about = alert.about;
    let Some(root) = monitor.settings.root(&about.root) else {
        return Ok(unavailable(about.file_path, "not_watched"));
    };
    let was = Entry::parse(&about.was).ok();
    Ok(match differ::current(monitor, root, was, (about.path, about.moved)).await? {
        Ok(diff) => Difference {
            file_path: about.file_path,
            diff: diff.text,
            truncated: diff.truncated,
            added: i64::try_from(diff.added).unwrap_or(i64::MAX),
            removed: i64::try_from(diff.removed).unwrap_or(i64::MAX),
            unavailable: None,
            sides: Sides::default(),
        },
        Err(reason) => unavailable(about.file_path, reason),
    })
}

fn unavailable(file_path: String, reason: &str) -> Difference {
    let (diff, unavailable) = (String::new(), Some(reason.to_owned()));
    let sides = Sides::default();
    Difference { file_path, diff, truncated: false, added: 0, removed: 0, unavailable, sides }
}
