//! What was found becomes alerts, all of a root in one transaction: known differences are counted, those
//! that somebody took for done are open again, and alerts whose difference is gone end. If the baseline
//! is another one by then, nothing of it happens.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::{CheckId, DeploymentId, SightingId, UserId};
use portcullis_domain::integrity::alert::{Again, Kind, Severity, Status, seen_again};
use portcullis_domain::role::Role;
use portcullis_domain::time::Time;
use portcullis_integrity::{Rules, Scope};
use portcullis_store::integrity::alerts::{self, About, Known};
use portcullis_store::integrity::diffs;
use portcullis_store::integrity::sightings::{self, Sighting};
use portcullis_store::integrity::{self as rows};
use portcullis_store::{Error, Tx, users};

use super::differ::{self, Frozen};
use super::ended::{self, Because};
use super::found::{
    Differences, Found, Of, declared_broken, nothing_compared, of_findings, of_linked,
};
use super::most::at_most;
use super::tell::tell;
use super::{Fault, Monitor};
use crate::config::WatchedRoot;
use crate::flows::roles;

/// So many who were signed in are written down.
const MOST_WITNESSES: i64 = 50;
/// So many resolved alerts of a root stay; the audit log knows of all of them.
const MOST_RESOLVED: usize = 50_000;

/// What a look came to, and of what.
pub(super) struct Settling<'a> {
    pub(super) root: &'a WatchedRoot,
    pub(super) check: Option<CheckId>,
    pub(super) deployment: Option<DeploymentId>,
    pub(super) began: Time,
    /// The baseline that was compared with.
    pub(super) against: Option<i64>,
    /// What was looked at and compared; `None`: nothing was.
    pub(super) seen: Option<Scope>,
    /// Differences that nobody kept.
    pub(super) unkept: u64,
    /// Paths of open alerts that were seen to be as they ought to be.
    pub(super) good: HashSet<Vec<u8>>,
}

impl<'a> Settling<'a> {
    /// A look of which nothing is known yet but what it was compared with.
    pub(super) fn new(root: &'a WatchedRoot, began: Time, against: Option<i64>) -> Self {
        let (check, deployment, seen, unkept, good) = Default::default();
        Self { root, check, deployment, began, against, seen, unkept, good }
    }

    /// Takes over what a look showed of a part of the root: what there is to tell of.
    pub(super) fn take<'r>(
        &mut self,
        scope: Scope,
        differences: Differences,
        rules: &'r Rules,
    ) -> Vec<Found<'r>> {
        let Differences {
            findings, unkept, named_elsewhere, good, broken, is_declared_broken, ..
        } = differences;
        let mut found = of_findings(self.root, rules, findings);
        found.extend(is_declared_broken.then(|| declared_broken(self.root)));
        self.unkept = unkept;
        if let Some(kind) = broken {
            found.push(nothing_compared(self.root, kind));
        } else {
            found.extend(of_linked(self.root, rules, named_elsewhere));
            (self.seen, self.good) = (Some(scope), good);
        }
        found
    }

    /// A look at a part says nothing of when the rest was looked at.
    fn is_of_the_whole(&self) -> bool {
        self.seen.as_ref().is_some_and(Scope::is_everything)
    }
}

/// What it came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Done(Vec<Told>),
    /// The baseline is another one by now.
    Superseded,
}

/// An alert that is new, or open again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub id: i64,
    pub file_path: String,
    pub kind: Kind,
    pub severity: Severity,
    pub reopened: bool,
}

/// Makes alerts of what was found.
pub(super) async fn settle(
    monitor: &Monitor<'_>,
    of: &Settling<'_>,
    found: Vec<Found<'_>>,
) -> Result<Settled, Fault> {
    let mut tx = monitor.db.read().await?;
    let known = fingerprints(alerts::known(&mut tx, &of.root.name).await?);
    let before = rows::by_name(&mut tx, &of.root.name).await?.and_then(|root| root.looked_at);
    drop(tx);
    let mut all: HashSet<[u8; 32]> = found.iter().map(|found| found.fingerprint).collect();
    let found = at_most(of, found, &known);
    all.extend(found.iter().map(|found| found.fingerprint));
    let frozen = differ::freeze(monitor, of.root, &found, &known).await?;
    let mut tx = monitor.db.write().await?;
    rows::hold(&mut tx, &of.root.name).await?;
    let row = rows::by_name(&mut tx, &of.root.name).await?;
    if row.is_none_or(|row| row.baseline != of.against) {
        return Ok(Settled::Superseded);
    }
    let sighting = Sighting {
        id: SightingId::from_random(monitor.random.bytes()),
        root: of.root.name.clone(),
        check: of.check,
        deployment: of.deployment,
        since: before,
        at: monitor.now(),
    };
    let mut writing = Writing { monitor, of, tx, sighting, is_kept: false, told: Vec::new() };
    let because = Because::AsItOughtToBe;
    ended::of_paths(monitor, &mut writing.tx, of.root, (&of.good, of.began), because).await?;
    let known = fingerprints(alerts::known(&mut writing.tx, &of.root.name).await?);
    writing.end_standing(&known, &all).await?;
    for found in found {
        let frozen = frozen.get(&found.fingerprint);
        match known.get(&found.fingerprint[..]) {
            Some(known) => writing.again(&found, known).await?,
            None => writing.open(&found, frozen).await?,
        }
    }
    if of.is_of_the_whole() {
        rows::looked(&mut writing.tx, &of.root.name, of.began).await?;
    }
    if known.values().filter(|known| known.standing.status == Status::Resolved).count()
        > MOST_RESOLVED
    {
        alerts::sweep_beyond(&mut writing.tx, &of.root.name, MOST_RESOLVED).await?;
    }
    tell(monitor, &mut writing.tx, &writing.told, writing.sighting.at).await?;
    writing.tx.commit().await?;
    Ok(Settled::Done(writing.told))
}

/// Alerts by their fingerprints.
pub(super) type ByFingerprint = HashMap<Vec<u8>, Known>;

fn fingerprints(known: Vec<Known>) -> ByFingerprint {
    known.into_iter().map(|known| (known.fingerprint.clone(), known)).collect()
}

struct Writing<'a> {
    monitor: &'a Monitor<'a>,
    of: &'a Settling<'a>,
    tx: Tx,
    sighting: Sighting,
    /// The sighting is in the store.
    is_kept: bool,
    told: Vec<Told>,
}

impl Writing<'_> {
    /// Ends alerts about the root that a look at all of it did not find any more. Whoever saw one after
    /// the look began knows better.
    async fn end_standing(
        &mut self,
        known: &ByFingerprint,
        found: &HashSet<[u8; 32]>,
    ) -> Result<(), Fault> {
        if !self.of.is_of_the_whole() {
            return Ok(());
        }
        let is_found = |alert: &Known| {
            <[u8; 32]>::try_from(&alert.fingerprint[..]).is_ok_and(|print| found.contains(&print))
        };
        let is_over = |alert: &&Known| {
            alert.standing.status == Status::New
                && !alert.kind.is_of_a_path()
                && alert.kind.ends_by_itself()
                // Whether there is room for copies is asked at checks alone.
                && (self.of.check.is_some() || alert.kind != Kind::CopiesFull)
                && alert.last_seen_at <= self.of.began
                && !is_found(alert)
        };
        let over: Vec<i64> = known.values().filter(is_over).map(|alert| alert.id).collect();
        for id in over {
            ended::one(self.monitor, &mut self.tx, id, Because::AsItOughtToBe).await?;
        }
        Ok(())
    }

    /// It is told of again if somebody took it for done, or if what is to be said of the root is another
    /// thing by now.
    async fn again(&mut self, found: &Found<'_>, known: &Known) -> Result<(), Fault> {
        let (now, about) = (self.monitor.now(), found.about(self.of.root));
        let is_worse = found.severity < known.severity;
        let is_news = match found.of {
            Of::Path(_) | Of::Linked(_) => is_worse,
            // How much there is more is up to whoever makes it: that is no news every second.
            Of::Root(Kind::MassChange, _) if !is_worse && !known.standing.is_told_long_ago(now) => {
                false
            }
            Of::Root(..) => true,
        };
        let is_another = (is_news || found.severity != known.severity)
            && alerts::restate(&mut self.tx, known.id, &about).await?;
        let (id, sighting) = (known.id, self.sighting.id);
        let is_told = match seen_again(&known.standing, now) {
            Again::Counted if !(is_another && is_news) => {
                alerts::seen_again(&mut self.tx, id, now).await?;
                false
            }
            Again::ReopenedQuietly if !(is_another && is_news) => {
                alerts::reopen_quietly(&mut self.tx, id, now).await?;
                false
            }
            Again::Counted | Again::ToldAgain => {
                self.keep_sighting().await?;
                alerts::tell_again(&mut self.tx, id, sighting, now).await?
            }
            Again::Reopened | Again::ReopenedQuietly => {
                self.keep_sighting().await?;
                alerts::reopen(&mut self.tx, id, sighting, now).await?
            }
        };
        if is_told { self.tell(id, &about, true).await } else { Ok(()) }
    }

    async fn open(&mut self, found: &Found<'_>, frozen: Option<&Frozen>) -> Result<(), Fault> {
        self.keep_sighting().await?;
        let about = found.about(self.of.root);
        // The last alert of the path, of which this one takes the place.
        let supersedes = match &found.of {
            Of::Path(_) => alerts::last_of_path(&mut self.tx, &about.root, &about.path).await?,
            Of::Linked(_) | Of::Root(..) => None,
        };
        let (sighting, now) = (self.sighting.id, self.monitor.now());
        let tx = &mut self.tx;
        let id = alerts::insert(tx, &found.fingerprint, &about, supersedes, sighting, now).await?;
        if let Some(frozen) = frozen {
            diffs::put(&mut self.tx, id, &frozen.sealed(self.monitor, id)).await?;
        }
        self.tell(id, &about, false).await
    }

    async fn tell(&mut self, id: i64, about: &About, reopened: bool) -> Result<(), Fault> {
        let event = Event::FileAlertOpened {
            alert: id,
            root: Text::clip(&about.root),
            file_path: Text::clip(&about.file_path),
            kind: about.kind,
            severity: about.severity,
            rule: Text::clip(&about.rule),
            reopened,
            deployment: self.of.deployment,
        };
        self.monitor.record(&mut self.tx, &event).await?;
        let file_path = about.file_path.clone();
        let (kind, severity) = (about.kind, about.severity);
        self.told.push(Told { id, file_path, kind, severity, reopened });
        Ok(())
    }

    /// Keeps the sighting with its witnesses, once.
    async fn keep_sighting(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_kept, true) {
            return Ok(());
        }
        sightings::insert(&mut self.tx, &self.sighting).await?;
        let (since, at) = (self.sighting.since.unwrap_or(self.of.began), self.sighting.at);
        let present = sightings::present(&mut self.tx, since, at, MOST_WITNESSES).await?;
        let mut roles: HashMap<UserId, Option<Role>> = HashMap::new();
        for present in &present {
            let role = match roles.entry(present.user) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(role_of(&mut self.tx, present.user).await?),
            };
            let Some(role) = role else { continue };
            let grants: Vec<String> = role.grants.iter().map(ToString::to_string).collect();
            let level = i64::from(role.level.get());
            let what = (role.name.as_str(), level, &*grants.join(" "));
            sightings::witness(&mut self.tx, self.sighting.id, present, what).await?;
        }
        Ok(())
    }
}

async fn role_of(tx: &mut Tx, user: UserId) -> Result<Option<Role>, Error> {
    match users::by_id(tx, user).await? {
        Some(user) => roles::of_user(tx, &user).await,
        None => Ok(None),
    }
}
