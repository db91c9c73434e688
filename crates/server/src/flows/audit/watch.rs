//! Verifying on a schedule, because a log that nobody verifies proves nothing: the newest part soon
//! after the start, the whole log every so often, by one node. What was found is kept, and shown by
//! health, figures and `audit status`. Not here: how it is verified (`verify`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::audit::{rejected, verdicts};
use portcullis_store::{Db, Error};
use serde::{Deserialize, Serialize};

use super::verify::{Ask, Extent, TOLERANCE, Verdict, verify};
use super::{LogFault, anchor};
use crate::app::App;
use crate::flows::record;

/// How long after the start the newest part is verified.
const SOON: Duration = Duration::from_secs(10);
/// So many entries are the newest part.
const NEWEST: u64 = 10_000;
/// How often it is looked whether the whole log is due, and what others found.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What was found when the log was last verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub at: Time,
    /// How many entries were looked at.
    pub entries: u64,
    /// How many things are not in order.
    pub faults: u64,
    /// The first of them: its kind, and the sentence.
    pub first: Option<(String, String)>,
}

impl Kept {
    fn of(verdict: &Verdict, at: Time) -> Self {
        let first = verdict.faults.first().first();
        Self {
            at,
            entries: verdict.entries(),
            faults: verdict.faults.total(),
            first: first.map(|fault| (fault.kind().to_owned(), fault.to_string())),
        }
    }
}

/// Keeps what was found.
pub async fn keep(db: &Db, verdict: &Verdict, now: Time) -> Result<(), Error> {
    let kept = serde_json::to_vec(&Kept::of(verdict, now)).unwrap_or_default();
    let mut tx = db.write().await?;
    verdicts::put(&mut tx, &kept).await?;
    tx.commit().await
}

/// What was found last; `None` if the log was never verified.
pub async fn kept(db: &Db) -> Result<Option<Kept>, Error> {
    let kept = verdicts::get(&mut db.read_once().await?).await?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()))
}

/// Verifies until the server stops.
pub async fn run(app: App) {
    let mut pause = SOON;
    let mut extent = Extent::Newest(NEWEST);
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let looked = tokio::select! {
            () = app.stopping.cancelled() => return,
            looked = look(&app, extent) => looked,
        };
        if let Err(error) = looked {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the audit log could not be verified");
        }
        (pause, extent) = (LOOK_EVERY, Extent::Whole);
    }
}

/// Verifies what is due, and takes over what was found last by whichever node.
pub async fn look(app: &App, extent: Extent) -> Result<(), LogFault> {
    app.audit.0.watched_since.get_or_init(|| app.clock.now());
    let is_due = match extent {
        Extent::Newest(_) => true,
        Extent::Whole => is_due(app).await?,
    };
    if is_due {
        verify_now(app, extent).await?;
    }
    app.audit.was_verified(kept(&app.db).await?);
    let told = rejected::told(&mut app.db.read().await?).await?;
    app.audit.0.has_rejected.store(told.is_some(), Ordering::Relaxed);
    Ok(())
}

/// Whether the log should have been verified since it was: twice as long ago as it is to be, or at a
/// time that has not come yet. What the database says of when it is due is not asked.
pub fn is_late(app: &App) -> bool {
    let (Some(every), now) = (app.config.audit.verify_every, app.clock.now()) else { return false };
    let since = app.audit.verified().map(|kept| kept.at).filter(|at| *at <= now.plus(TOLERANCE));
    let since = since.or_else(|| app.audit.0.watched_since.get().copied());
    since.is_some_and(|since| now.since(since) > every.saturating_mul(2))
}

/// Whether the whole log is to be verified now, and by this node: one of them is first.
async fn is_due(app: &App) -> Result<bool, Error> {
    let Some(every) = app.config.audit.verify_every else { return Ok(false) };
    let now = app.clock.now();
    let due = verdicts::due(&mut app.db.read_once().await?).await?;
    // A time that nobody would have put there is none.
    if due.is_some_and(|due| now < due && due <= now.plus(every)) {
        return Ok(false);
    }
    let mut tx = app.db.write().await?;
    let is_first = verdicts::claim(&mut tx, due, now.plus(every)).await?;
    tx.commit().await?;
    Ok(is_first)
}

/// A part that is in order says nothing of the rest, so only the whole log makes good what was bad.
async fn verify_now(app: &App, extent: Extent) -> Result<(), LogFault> {
    let ask = Ask {
        db: app.db.clone(),
        keys: app.keys.audit.clone(),
        key: None,
        anchors: anchor::read(&app.config.audit.anchor).await?.into_iter().collect(),
        extent,
        now: app.clock.now(),
        // The others are for whoever signs in meanwhile.
        readers: 1,
    };
    let Some(verdict) = verify(&ask, |_, _| ()).await? else { return Ok(()) };
    let now = app.clock.now();
    if let Some(fault) = verdict.faults.first().first() {
        tracing::error!(%fault, faults = verdict.faults.total(), "the audit log is not in order");
        let event = Event::VerifyFailed {
            reason: fault.kind(),
            index: fault.index(),
            faults: verdict.faults.total(),
        };
        let mut tx = app.db.write().await?;
        record(&mut tx, app.random, &event, &Context::default(), now).await?;
        tx.commit().await?;
    }
    if extent == Extent::Whole || !verdict.faults.is_clean() {
        keep(&app.db, &verdict, now).await?;
    }
    Ok(())
}
