//! The audit log at work: what happened gets its place, and what has one is signed. Any node does it,
//! one at a time, because each holds the row of the tree meanwhile. Not here: verifying the log.

pub mod accept;
mod anchor;
pub mod bundle;
mod checkpoint;
pub mod erase;
pub mod expire;
pub mod prove;
pub mod prune;
pub mod rejected;
mod sequence;
pub mod verify;
pub mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use portcullis_domain::audit::checkpoint::CheckpointFault;
use portcullis_domain::audit::growth::GrowthFault;
use portcullis_domain::audit::note::{NoteFault, SigningKey, VerifierKey};
use portcullis_domain::audit::personal::{AuditKeys, Sealed};
use portcullis_domain::audit::tiles::{MalformedTile, MissingTile};
use portcullis_domain::event::{Context, Event};
use portcullis_domain::origin::Origin;
use portcullis_domain::time::Time;
use portcullis_store::audit::rejected::{Told, told};
use portcullis_store::audit::{checkpoints, pending, tree};
use portcullis_store::{Db, Error, Tx};

use crate::app::App;
use crate::config::Config;
use crate::flows::record;
use crate::random::Random;

/// How soon an event of this node gets its place.
const SOON: Duration = Duration::from_millis(200);
/// How often it is looked whether events of others wait, in turns of [`SOON`].
const LOOK_EVERY: u32 = 5;
/// After so long without an entry one is made, so that silence is signed, too.
const SILENCE: Duration = Duration::from_hours(1);

/// The log of one database. Clones share everything.
#[derive(Clone)]
pub struct AuditLog(Arc<Parts>);

struct Parts {
    db: Db,
    keys: AuditKeys,
    random: Random,
    /// What the log is called if it has yet to begin.
    origin: String,
    /// The file with the last checkpoint that this node signed or saw.
    anchor: PathBuf,
    /// One at a time here, so that the others wait without a connection.
    turn: tokio::sync::Mutex<()>,
    trouble: Mutex<Option<Trouble>>,
    verified: Mutex<Option<watch::Kept>>,
    is_clock_behind: AtomicBool,
    /// Rows that waited were put aside, and nobody has looked at them yet.
    has_rejected: AtomicBool,
    /// When this node began to look after verifications.
    watched_since: OnceLock<Time>,
}

/// What is wrong with the log, as this node has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Events wait and cannot get their place. They are safe.
    NotSequenced,
    /// The log does not continue what was signed before.
    NotSigned(Discontinued),
    /// The file of the last checkpoint cannot be read or written.
    Anchor,
}

/// How the log does not continue what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discontinued {
    /// It is shorter than it was: its end was cut off, or an older copy was brought back.
    Shorter,
    /// What was signed is not what it begins with.
    Different,
    /// What is said to be signed was not signed by this key, or is of another log.
    Forged,
}

impl Discontinued {
    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shorter => "shorter",
            Self::Different => "different",
            Self::Forged => "forged",
        }
    }
}

/// Why the log could not go on.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Growth(#[from] GrowthFault),
    #[error(transparent)]
    Personal(#[from] Sealed),
    #[error("the tree of the audit log has a hole")]
    Tree(#[from] MissingTile),
    #[error("the tree of the audit log is malformed")]
    Tile(#[from] MalformedTile),
    #[error("the log cannot be signed")]
    Note(#[from] NoteFault),
    #[error("a checkpoint is not one of this log")]
    Checkpoint(#[from] CheckpointFault),
    #[error("the file of the last checkpoint cannot be read or written")]
    Anchor(#[from] std::io::Error),
}

/// What a log is made of.
pub struct Making {
    pub db: Db,
    pub keys: AuditKeys,
    pub random: Random,
    /// See [`crate::config::Audit`].
    pub origin: String,
    pub anchor: PathBuf,
}

impl Making {
    /// As a configuration says.
    pub fn of(
        config: &Config,
        public_url: &Origin,
        db: Db,
        keys: AuditKeys,
        random: Random,
    ) -> Self {
        let origin = config.audit.origin.clone().unwrap_or_else(|| {
            format!("{}/audit/{}", public_url.host(), hex::encode(random.bytes::<4>()))
        });
        Self { db, keys, random, origin, anchor: config.audit.anchor.clone() }
    }
}

/// How far the log is.
pub struct Standing {
    pub key: VerifierKey,
    pub size: u64,
    pub pruned: u64,
    /// How many events wait for their place.
    pub waiting: u64,
    /// Rows that waited and were put aside, as the log tells, at which nobody has looked yet.
    pub rejected: Option<Told>,
    /// The size of the newest checkpoint, and when it was made.
    pub signed: Option<(u64, Time)>,
}

/// How far the log is; `None` if it has not begun.
pub async fn standing(db: &Db, keys: &AuditKeys) -> Result<Option<Standing>, LogFault> {
    let mut tx = db.read().await?;
    let Some(tree) = tree::read(&mut tx).await? else { return Ok(None) };
    let signed = checkpoints::newest(&mut tx).await?;
    let waiting = pending::waiting(&mut tx).await?.events;
    let rejected = told(&mut tx).await?;
    let key = SigningKey::from_seed(&tree.origin, keys.signing_seed())?.verifier().clone();
    let signed = signed.map(|signed| (signed.size, signed.at));
    let (size, pruned) = (tree.size, tree.pruned);
    Ok(Some(Standing { key, size, pruned, waiting, rejected, signed }))
}

impl AuditLog {
    /// The log of a database.
    pub fn new(making: Making) -> Self {
        let Making { db, keys, random, origin, anchor } = making;
        Self(Arc::new(Parts {
            db,
            keys,
            random,
            origin,
            anchor,
            turn: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
            verified: Mutex::default(),
            is_clock_behind: AtomicBool::default(),
            has_rejected: AtomicBool::default(),
            watched_since: OnceLock::new(),
        }))
    }

    /// What is wrong with the log; `None` where everything is well.
    pub fn trouble(&self) -> Option<Trouble> {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found when the log was last verified, as this node knows.
    pub fn verified(&self) -> Option<watch::Kept> {
        self.0.verified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether rows that waited were put aside, and nobody has looked at them yet.
    pub fn has_rejected(&self) -> bool {
        self.0.has_rejected.load(Ordering::Relaxed)
    }

    fn was_verified(&self, found: Option<watch::Kept>) {
        *self.0.verified.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Gives everything that waits its place.
    pub async fn settle(&self, now: Time) -> Result<(), LogFault> {
        let settled = sequence::all(&self.0, now).await;
        self.found(settled.is_err().then_some(Trouble::NotSequenced), |trouble| {
            trouble == Trouble::NotSequenced
        });
        settled
    }

    /// Gives everything that waits its place, in a transaction in which somebody is at work.
    pub async fn settle_in(&self, tx: &mut Tx, now: Time) -> Result<(), LogFault> {
        sequence::all_in(&self.0, tx, now).await
    }

    /// Signs what is due to be signed.
    pub async fn checkpoint(&self, now: Time, when: When) -> Result<(), LogFault> {
        if self.sign(now, when).await? == checkpoint::Signed::Unanchored {
            tracing::warn!("there was no anchor file; it begins with what the database says");
            let size = tree::read(&mut self.0.db.read_once().await?).await?.map(|tree| tree.size);
            let (reason, size) = ("absent", size.unwrap_or_default());
            self.note(&Event::AnchorReplaced { reason, anchored: None, size }, now).await?;
        }
        Ok(())
    }

    async fn sign(&self, now: Time, when: When) -> Result<checkpoint::Signed, LogFault> {
        let signed = checkpoint::sign(&self.0, now, when).await;
        let trouble = match &signed {
            Ok(checkpoint::Signed::Refused(how)) => Some(Trouble::NotSigned(*how)),
            Err(LogFault::Anchor(_)) => Some(Trouble::Anchor),
            Ok(_) | Err(_) => None,
        };
        let is_new = self.found(trouble, |trouble| trouble != Trouble::NotSequenced);
        if let (Some(Trouble::NotSigned(how)), true) = (trouble, is_new) {
            tracing::error!(how = how.as_str(), "the audit log does not continue what was signed");
            self.note(&Event::CheckpointRefused { reason: how.as_str() }, now).await?;
        }
        signed
    }

    /// The last work, once nothing happens any more.
    pub async fn finish(&self, now: Time) -> Result<(), LogFault> {
        self.settle(now).await?;
        self.checkpoint(now, When::Now).await
    }

    /// Makes an entry if there was none for long.
    pub async fn break_silence(&self, now: Time) -> Result<(), LogFault> {
        let newest = tree::read(&mut self.0.db.read_once().await?).await?;
        let is_silent = newest.is_some_and(|tree| now.since(tree.logged_at) >= SILENCE);
        if is_silent { self.note(&Event::Heartbeat, now).await } else { Ok(()) }
    }

    async fn note(&self, event: &Event, now: Time) -> Result<(), LogFault> {
        let mut tx = self.0.db.write().await?;
        record(&mut tx, self.0.random, event, &Context::default(), now).await?;
        Ok(tx.commit().await?)
    }

    /// Remembers what was found of one kind of trouble; whether that is news.
    fn found(&self, trouble: Option<Trouble>, of_kind: impl Fn(Trouble) -> bool) -> bool {
        let mut known = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *known;
        match trouble {
            Some(_) => *known = trouble,
            None if before.is_some_and(of_kind) => *known = None,
            None => {}
        }
        before != *known
    }
}

/// When something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once there are enough new entries, or one is old enough.
    Due,
    /// Whatever is new.
    Now,
}

/// Gives everything that waits its place, so that what was just done is in the answer. If it cannot
/// be, the answer is made of what is in the log.
pub async fn settle(app: &App) {
    if let Err(error) = app.audit.settle(app.clock.now()).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "events wait for their place");
    }
}

/// Keeps the log going until the server stops. [`AuditLog::finish`] does the last work.
pub async fn run(app: App) {
    let (mut turn, mut written, mut is_failing) = (0_u32, 0, false);
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(SOON) => {}
        }
        turn = turn.wrapping_add(1);
        let events = app.db.counts().events();
        if events == written && !turn.is_multiple_of(LOOK_EVERY) {
            continue;
        }
        written = events;
        let done = go_on(&app).await;
        if let (Err(error), false) = (&done, is_failing) {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, "the audit log does not go on");
        }
        is_failing = done.is_err();
    }
}

async fn go_on(app: &App) -> Result<(), LogFault> {
    let now = app.clock.now();
    app.audit.settle(now).await?;
    app.audit.checkpoint(now, When::Due).await?;
    app.audit.break_silence(now).await
}

/// Whether nothing waits, without keeping anybody waiting who writes.
async fn is_settled(db: &Db) -> Result<bool, Error> {
    Ok(!pending::any(&mut db.read_once().await?).await?)
}
