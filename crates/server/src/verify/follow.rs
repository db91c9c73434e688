//! Following the log of changes that other nodes and commands write: a look at it a few times in
//! every revocation bound, and sooner when the database announces a commit. Each look lets
//! everything that is remembered be used for another bound.
//!
//! Nothing depends on a look's success: without one, what is remembered grows too old and is read
//! again.

use std::time::Duration;

use portcullis_store::invalidations::{self, Invalidation, Logged};
use portcullis_store::notify::{Heard, Listener};
use portcullis_store::{Db, Error};
use tokio_util::sync::CancellationToken;

use super::Verifier;
use crate::app::App;
use crate::clock::Clock;
use crate::fault::in_time;

/// How many looks there are in one bound.
const LOOKS: u32 = 4;
/// The longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Rows of the log that are read at once.
const SLICE: i64 = 1000;
/// How long after a failure the database is asked again to tell us of commits.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// How often what is of no more use is let go of.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Follows the log until the server stops.
pub async fn run(app: App) {
    let bound = app.config.session.revocation_bound;
    if bound.is_zero() {
        return;
    }
    let pause = (bound / LOOKS).min(LONGEST_PAUSE);
    let mut ear = Ear::default();
    let mut follower = Follower::default();
    let mut swept = app.clock.monotonic();
    let mut was_seen = true;
    loop {
        let seen = in_time(follower.look(&app.db, &app.clock, &app.verifier)).await;
        if let Err(error) = seen.as_ref().map_err(|error| error as &dyn std::error::Error)
            && was_seen
        {
            tracing::warn!(error, "changes by other nodes cannot be read; reading everything anew");
        }
        was_seen = seen.is_ok();
        if !was_seen {
            follower.forget();
        }
        let now = app.clock.monotonic();
        if now.saturating_sub(swept) >= SWEEP_EVERY {
            app.verifier.sweep(&app.clock);
            swept = now;
        }
        match ear.rest(&app.db, pause, &app.stopping).await {
            Rest::Over => {}
            Rest::Lost => follower.forget(),
            Rest::Stop => return,
        }
    }
}

/// How far the log has been seen.
#[derive(Default)]
pub(super) struct Follower {
    /// `None` before the first look.
    seen: Option<i64>,
}

impl Follower {
    /// The connection was lost. The database behind the next one may be another, or one that has
    /// lost its last commits and written others under their numbers.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// Passes on everything that was committed since the last look, and lets the verifier know up
    /// to when it has heard all.
    pub(super) async fn look(
        &mut self,
        db: &Db,
        clock: &Clock,
        verifier: &Verifier,
    ) -> Result<(), Error> {
        let started = clock.monotonic();
        let goes_on = match self.seen {
            Some(seen) => self.catch_up(db, verifier, seen).await?,
            None => false,
        };
        if !goes_on {
            self.seen = Some(invalidations::last(&mut db.read_once().await?).await?);
            // What was read before may be older than anything that the log still holds.
            verifier.invalidate(Invalidation::Everybody);
        }
        verifier.confirm(started);
        Ok(())
    }

    /// Reads on from the last row that was seen. `false`: the log does not go on there, because we
    /// were away for too long, or because the database is another, or an earlier state of itself.
    async fn catch_up(
        &mut self,
        db: &Db,
        verifier: &Verifier,
        mut seen: i64,
    ) -> Result<bool, Error> {
        loop {
            let logged = invalidations::from(&mut db.read_once().await?, seen, SLICE).await?;
            let is_whole = seen == 0 || logged.first().is_some_and(|first| first.number == seen);
            if !is_whole {
                return Ok(false);
            }
            let already_seen = usize::from(seen != 0);
            for Logged { number, what } in logged.iter().skip(already_seen) {
                if *number != seen + 1 {
                    return Ok(false);
                }
                verifier.invalidate(*what);
                seen = *number;
            }
            self.seen = Some(seen);
            if i64::try_from(logged.len()).unwrap_or(SLICE) < SLICE {
                return Ok(true);
            }
        }
    }
}

/// Why a rest is over.
enum Rest {
    /// It is time to look.
    Over,
    /// It is time to look, at what may be another database.
    Lost,
    /// The server stops.
    Stop,
}

/// Hears the database's announcements where it makes any.
#[derive(Default)]
struct Ear {
    listener: Option<Listener>,
    /// When to connect next, counted down by pauses.
    try_again_in: Duration,
}

impl Ear {
    /// Waits for an announcement, but no longer than `pause`.
    async fn rest(&mut self, db: &Db, pause: Duration, stopping: &CancellationToken) -> Rest {
        self.try_again_in = self.try_again_in.saturating_sub(pause);
        if self.listener.is_none() && self.try_again_in.is_zero() {
            self.try_again_in = LISTEN_AGAIN;
            // A server that does not answer must not hold up the next look.
            let connected = tokio::time::timeout(pause, Listener::connect(db)).await;
            self.listener = connected.ok().and_then(Result::ok).flatten();
        }
        let heard = async {
            match &mut self.listener {
                Some(listener) => listener.heard().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => Rest::Stop,
            () = tokio::time::sleep(pause) => Rest::Over,
            heard = heard => match heard {
                Ok(Heard::Announcement) => Rest::Over,
                Ok(Heard::Reconnected) => Rest::Lost,
                Err(_) => {
                    self.listener = None;
                    Rest::Lost
                }
            },
        }
    }
}
