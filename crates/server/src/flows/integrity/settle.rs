//! What was found becomes alerts, all of a root in one transaction: known differences are counted, those
//! that somebody took for done are open again, and alerts whose difference is gone end. If the baseline
//! is another one by then, nothing of it happens.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::{CheckId, DeploymentId, SightingId, UserId};
use portcullis_domain::integrity::alert::{Again, Kind, Resolution, Severity, Status, seen_again};
use portcullis_domain::role::Role;
use portcullis_domain::time::Time;
use portcullis_integrity::Scope;
use portcullis_store::integrity::alerts::{self, Judgement, Known};
use portcullis_store::integrity::diffs;
use portcullis_store::integrity::sightings::{self, Sighting};
use portcullis_store::integrity::{self as rows};
use portcullis_store::{Error, Tx, users};

use super::differ::{self, Frozen};
use super::found::{Found, of_root};
use super::{Fault, Monitor};
use crate::config::WatchedRoot;
use crate::flows::roles;

/// So many alerts one look makes; the rest is one alert.
const MOST: usize = 1000;
/// So many of a root are new at a time, and so many there are in all: whoever makes and removes files all
/// day fills no store.
const MOST_NEW: usize = 10_000;
const MOST_KNOWN: usize = 100_000;
/// So many who were signed in are written down.
const MOST_WITNESSES: i64 = 50;

/// What a look came to, and of what.
pub(super) struct Settling<'a> {
    pub(super) root: &'a WatchedRoot,
    pub(super) check: Option<CheckId>,
    pub(super) deployment: Option<DeploymentId>,
    pub(super) began: Time,
    /// The baseline that was compared with.
    pub(super) against: Option<i64>,
    /// What is not among the findings is as it ought to be. `None`: not even that is known.
    pub(super) seen: Option<Scope>,
    /// Paths about which nothing is to end: a deployment has them differ as declared.
    pub(super) reached: HashSet<Vec<u8>>,
    /// What is said of an alert whose difference is gone.
    pub(super) gone: Resolution,
}

impl Settling<'_> {
    /// A look at a part says nothing of when the rest was looked at.
    fn is_of_the_whole(&self) -> bool {
        self.check.is_some() || self.seen.as_ref().is_some_and(Scope::is_everything)
    }
}

impl<'a> Settling<'a> {
    /// A look of which nothing is known yet but what it was compared with.
    pub(super) fn new(root: &'a WatchedRoot, began: Time, against: Option<i64>) -> Self {
        Self {
            root,
            check: None,
            deployment: None,
            began,
            against,
            seen: None,
            reached: HashSet::new(),
            gone: Resolution::AutoReverted,
        }
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
    found: Vec<Found>,
) -> Result<Settled, Fault> {
    let mut tx = monitor.db.read().await?;
    let known = fingerprints(alerts::known(&mut tx, &of.root.name).await?);
    let before = rows::by_name(&mut tx, &of.root.name).await?.and_then(|root| root.looked_at);
    drop(tx);
    let all: HashSet<[u8; 32]> = found.iter().map(|found| found.fingerprint).collect();
    let paths: HashSet<Vec<u8>> = found.iter().map(|found| found.about.path.clone()).collect();
    let found = at_most(of.root, found, &known);
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
    let known = alerts::known(&mut writing.tx, &of.root.name).await?;
    writing.end(&known, &all, &paths).await?;
    // The last alert of each path, for the one that takes its place.
    let of_paths = known.iter().filter(|known| known.kind.is_of_a_path());
    let last: HashMap<Vec<u8>, i64> =
        of_paths.map(|known| (known.path.clone(), known.id)).collect();
    let known = fingerprints(known);
    for found in found {
        let frozen = frozen.get(&found.fingerprint);
        match known.get(&found.fingerprint[..]) {
            Some(known) => writing.again(&found, known).await?,
            None => writing.open(&found, frozen, last.get(&found.about.path).copied()).await?,
        }
    }
    if of.is_of_the_whole() {
        rows::looked(&mut writing.tx, &of.root.name, of.began).await?;
    }
    writing.tx.commit().await?;
    Ok(Settled::Done(writing.told))
}

/// Alerts by their fingerprints.
pub(super) type ByFingerprint = HashMap<Vec<u8>, Known>;

fn fingerprints(known: Vec<Known>) -> ByFingerprint {
    known.into_iter().map(|known| (known.fingerprint.clone(), known)).collect()
}

/// The worst of what is new, and one alert for the rest. What is known is counted in any case.
fn at_most(root: &WatchedRoot, found: Vec<Found>, known: &ByFingerprint) -> Vec<Found> {
    let (mut old, mut new): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| known.contains_key(&found.fingerprint[..]));
    let are_new = known.values().filter(|known| known.status == Status::New).count();
    let room = MOST_NEW.saturating_sub(are_new).min(MOST_KNOWN.saturating_sub(known.len()));
    let most = MOST.min(room);
    if new.len() > most {
        new.sort_by_key(|found| found.about.severity);
        let more = new.len() - most;
        new.truncate(most);
        let says = format!("{more} more differences have no alert of their own.");
        new.push(of_root(root, Kind::MassChange, Severity::High, says));
    }
    old.extend(new);
    old
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
    /// Ends alerts whose difference is gone. A path that differs in another way by now has a new alert,
    /// and its old one stays for somebody to judge.
    async fn end(
        &mut self,
        known: &[Known],
        found: &HashSet<[u8; 32]>,
        paths: &HashSet<Vec<u8>>,
    ) -> Result<(), Fault> {
        let Some(scope) = &self.of.seen else { return Ok(()) };
        let (now, gone) = (self.monitor.now(), self.of.gone);
        for alert in known.iter().filter(|alert| alert.status == Status::New) {
            let print = <[u8; 32]>::try_from(&alert.fingerprint[..]);
            let is_there = print.is_ok_and(|print| found.contains(&print))
                || (alert.kind.is_of_a_path()
                    && (paths.contains(&alert.path) || self.of.reached.contains(&alert.path)));
            let is_seen = if alert.kind.is_of_a_path() {
                scope.covers(&alert.path)
            } else {
                scope.is_everything() && alert.kind.ends_by_itself()
            };
            // Whoever saw it after this look began knows better.
            let is_newer = alert.last_seen_at > self.of.began;
            if is_there || !is_seen || is_newer {
                continue;
            }
            let (ended, event) = if gone == Resolution::AutoReverted {
                let ended = alerts::auto_revert(&mut self.tx, alert.id, now).await?;
                (ended, Event::FileAlertReverted { alert: alert.id })
            } else {
                let said = Judgement { by: self.monitor.context.actor, note: "", now };
                let ended = alerts::resolve(&mut self.tx, alert.id, Some(gone), said).await?;
                (ended, Event::FileAlertResolved { alert: alert.id, resolution: Some(gone) })
            };
            if ended {
                self.monitor.record(&mut self.tx, &event).await?;
            }
        }
        Ok(())
    }

    async fn again(&mut self, found: &Found, known: &Known) -> Result<(), Fault> {
        let now = self.monitor.now();
        match seen_again(known.status, known.ignored_until, now) {
            Again::Counted => {
                alerts::seen_again(&mut self.tx, known.id, now).await?;
            }
            Again::Reopened => {
                self.keep_sighting().await?;
                if alerts::reopen(&mut self.tx, known.id, self.sighting.id, now).await? {
                    self.tell(known.id, found, true).await?;
                }
            }
        }
        Ok(())
    }

    async fn open(
        &mut self,
        found: &Found,
        frozen: Option<&Frozen>,
        last: Option<i64>,
    ) -> Result<(), Fault> {
        self.keep_sighting().await?;
        let about = &found.about;
        let supersedes = last.filter(|_| about.kind.is_of_a_path());
        let (sighting, now) = (self.sighting.id, self.monitor.now());
        let tx = &mut self.tx;
        let id = alerts::insert(tx, &found.fingerprint, about, supersedes, sighting, now).await?;
        if let Some(frozen) = frozen {
            diffs::put(&mut self.tx, id, &frozen.sealed(self.monitor, id)).await?;
        }
        self.tell(id, found, false).await
    }

    async fn tell(&mut self, id: i64, found: &Found, reopened: bool) -> Result<(), Fault> {
        let about = &found.about;
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
