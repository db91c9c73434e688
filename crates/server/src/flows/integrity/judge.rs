//! What people make of alerts: resolved, ignored for a while, deleted, accepted. Only accepting changes
//! what ought to be there, and for that a permission of its own is asked for. Each act on many is done
//! for each of them that it can be done for, in one transaction.

use std::collections::HashSet;

use portcullis_domain::event::{Event, Text};
use portcullis_domain::integrity::alert::{Resolution, Status};
use portcullis_domain::permission::Key;
use portcullis_domain::time::Time;
use portcullis_integrity::Entry;
use portcullis_integrity::path::order;
use portcullis_store::integrity::alerts::{self, About, Alert, Judgement};
use portcullis_store::integrity::{self as rows};
use portcullis_store::{Error, Tx};

use super::baseline::{self, Edit, Edited};
use super::{Fault, Monitor, differ};
use crate::flows::administration;

/// The permission to judge alerts.
pub const MAY_JUDGE: &str = "api.security.file_integrity_alerts.manage";
/// The permission to say what ought to be there.
pub const MAY_ACCEPT: &str = "api.security.integrity_baselines.manage";

/// What became of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    Changed,
    /// It was so already.
    Unchanged,
    Unknown,
    /// It is about no single path, or what was found there is no entry: no baseline can accept it.
    NotAcceptable,
    /// The baseline is another one by now, has something else of the path, or cannot be believed.
    Overtaken,
}

impl Judged {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Unknown => "unknown",
            Self::NotAcceptable => "not_acceptable",
            Self::Overtaken => "overtaken",
        }
    }
}

/// What is to be made of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Resolve(Option<Resolution>),
    Ignore { until: Time },
    Delete,
}

impl Act {
    /// Whether it changes a baseline.
    pub(super) fn is_acceptance(self) -> bool {
        self == Self::Resolve(Some(Resolution::Accepted))
    }

    /// The permission that it takes.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Resolve(Some(Resolution::Accepted)) => MAY_ACCEPT,
            Self::Resolve(_) | Self::Ignore { .. } | Self::Delete => MAY_JUDGE,
        }
    }
}

/// What became of the act.
#[derive(Debug, PartialEq, Eq)]
pub enum Acted {
    /// Of each of them, in the order in which they were named.
    Done(Vec<(i64, Judged)>),
    /// Whoever acts may not, by now.
    Refused,
}

/// Does the same to each of the alerts.
pub async fn act(monitor: &Monitor<'_>, ids: &[i64], act: Act, note: &str) -> Result<Acted, Fault> {
    if act.is_acceptance() {
        return accept(monitor, ids, note).await;
    }
    let mut tx = monitor.db.write().await?;
    if !may(monitor, &mut tx, act.permission()).await? {
        return Ok(Acted::Refused);
    }
    let mut done = Vec::with_capacity(ids.len());
    for id in ids {
        let judged = match alerts::by_id(&mut tx, *id).await? {
            Some(alert) => one(monitor, &mut tx, &alert, act, note).await?,
            None => Judged::Unknown,
        };
        done.push((*id, judged));
    }
    tx.commit().await?;
    Ok(Acted::Done(done))
}

/// Whether whoever acts may, as his rights are in the transaction.
pub(super) async fn may(monitor: &Monitor<'_>, tx: &mut Tx, key: &str) -> Result<bool, Error> {
    let Ok(key) = Key::parse(key) else { return Ok(false) };
    let actor = administration::actor(tx, monitor.context).await?;
    Ok(actor.is_some_and(|actor| actor.authority.grants.allows(&key)))
}

pub(super) async fn one(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    alert: &Alert,
    act: Act,
    note: &str,
) -> Result<Judged, Error> {
    let id = alert.id;
    let said = Judgement { by: monitor.context.actor, note, now: monitor.now() };
    let (is_changed, event) = match act {
        Act::Resolve(resolution) => (
            alerts::resolve(tx, id, resolution, said).await?,
            Event::FileAlertResolved { alert: id, resolution },
        ),
        Act::Ignore { until } => (
            alerts::ignore(tx, id, until, said).await?,
            Event::FileAlertIgnored { alert: id, until },
        ),
        Act::Delete => (alerts::delete(tx, id).await?, deleted(alert)),
    };
    if !is_changed {
        return Ok(Judged::Unchanged);
    }
    monitor.record(tx, &event).await?;
    Ok(Judged::Changed)
}

fn deleted(alert: &Alert) -> Event {
    let about = &alert.about;
    Event::FileAlertDeleted {
        alert: alert.id,
        root: Text::clip(&about.root),
        file_path: Text::clip(&about.file_path),
        kind: about.kind,
        fingerprint: Text::clip(&hex::encode(&alert.fingerprint)),
        was: Text::clip(&about.was),
        found: Text::clip(&about.found),
    }
}

/// Has the baselines of their roots say what was found, and the alerts be resolved by that.
async fn accept(monitor: &Monitor<'_>, ids: &[i64], note: &str) -> Result<Acted, Fault> {
    let mut tx = monitor.db.read().await?;
    if !may(monitor, &mut tx, MAY_ACCEPT).await? {
        return Ok(Acted::Refused);
    }
    let (mut done, mut acceptable) = (Vec::new(), Vec::new());
    for id in ids {
        let judged = match alerts::by_id(&mut tx, *id).await? {
            None => Judged::Unknown,
            Some(alert) if alert.resolution == Some(Resolution::Accepted) => Judged::Unchanged,
            Some(alert) => match Accepted::of(alert) {
                Some(accepted) => {
                    acceptable.push(accepted);
                    Judged::Changed
                }
                None => Judged::NotAcceptable,
            },
        };
        done.push((*id, judged));
    }
    drop(tx);
    let mut roots: Vec<String> =
        acceptable.iter().map(|accepted| accepted.alert.about.root.clone()).collect();
    roots.sort_unstable();
    roots.dedup();
    for root in roots {
        let of_root = acceptable.iter().filter(|accepted| accepted.alert.about.root == root);
        let of_root: Vec<&Accepted> = of_root.collect();
        let accepted = accept_in(monitor, &root, of_root.clone(), note).await?;
        let is_of_it = |id: i64| of_root.iter().any(|accepted| accepted.alert.id == id);
        let overtaken = done.iter_mut().filter(|(id, _)| is_of_it(*id) && !accepted.contains(id));
        overtaken.for_each(|(_, judged)| *judged = Judged::Overtaken);
    }
    Ok(Acted::Done(done))
}

/// What a baseline would say of the path of an alert if it were accepted, nothing being something that it
/// can say; `None`: no baseline can say it.
pub fn acceptable(about: &About) -> Option<Option<Entry>> {
    if !about.kind.is_of_a_path() {
        return None;
    }
    match about.found.as_str() {
        "" => Some(None),
        line => Entry::parse(line).ok().map(Some),
    }
}

/// An alert with the entry that its path is to have.
struct Accepted {
    alert: Alert,
    /// `None`: nothing ought to be there.
    entry: Option<Entry>,
}

impl Accepted {
    fn of(alert: Alert) -> Option<Self> {
        let entry = acceptable(&alert.about)?;
        Some(Self { alert, entry })
    }

    fn edit(&self) -> Edit<'_> {
        let About { path, was, .. } = &self.alert.about;
        Edit { path, was, entry: self.entry.as_ref() }
    }
}

/// Which of them were accepted.
async fn accept_in(
    monitor: &Monitor<'_>,
    root: &str,
    mut accepted: Vec<&Accepted>,
    note: &str,
) -> Result<HashSet<i64>, Fault> {
    accepted.sort_by(|one, other| order(&one.alert.about.path, &other.alert.about.path));
    // Of two alerts of one path the later says what is there.
    let mut last: Vec<&Accepted> = Vec::new();
    for one in &accepted {
        last.pop_if(|before| before.alert.about.path == one.alert.about.path);
        last.push(one);
    }
    let edits: Vec<Edit<'_>> = last.into_iter().map(Accepted::edit).collect();
    let reason = if note.is_empty() { "differences were accepted" } else { note };
    let proposed = baseline::propose_edited(monitor, root, &edits, reason).await?;
    let Some(Edited { number, over, stale }) = proposed else { return Ok(HashSet::new()) };
    accepted.retain(|accepted| !stale.contains(&accepted.alert.about.path[..]));
    let mut tx = monitor.db.write().await?;
    rows::hold(&mut tx, root).await?;
    if accepted.is_empty()
        || !may(monitor, &mut tx, MAY_ACCEPT).await?
        || baseline::activate_in(monitor, &mut tx, root, number, Some(over)).await?.is_none()
    {
        rows::baselines::reject(&mut tx, root, number).await?;
        tx.commit().await?;
        return Ok(HashSet::new());
    }
    for accepted in &accepted {
        let act = Act::Resolve(Some(Resolution::Accepted));
        if accepted.alert.status != Status::Resolved {
            one(monitor, &mut tx, &accepted.alert, act, note).await?;
        }
    }
    tx.commit().await?;
    if let Some(root) = monitor.settings.root(root) {
        differ::keep_copies(monitor, root).await?;
    }
    Ok(accepted.into_iter().map(|accepted| accepted.alert.id).collect())
}
