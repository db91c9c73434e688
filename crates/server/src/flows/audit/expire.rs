//! What goes from the log with time: personal data that is old enough, and the rows of entries that were
//! pruned. Entries stay what they were. Not here: which entries are pruned (`prune`).

use std::time::Duration;

use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::audit::{log, personal, tree};
use portcullis_store::{Db, Error, Tx};

use super::settle;
use crate::app::App;
use crate::flows::record;
use crate::random::Random;

/// How many rows are deleted at once: between two turns others write.
const SLICE: u32 = 1000;
/// Personal data goes by the day, so that the log tells of it once a day.
const DAY_MS: i64 = 86_400_000;

/// Deletes what is old enough, and what is left of what was pruned.
pub async fn sweep(app: &App, now: Time) -> Result<(), Error> {
    let is_stopping = || app.stopping.is_cancelled();
    if let Some(keep) = app.config.audit.keep_personal
        && raise(&app.db, app.random, keep, now).await?
    {
        // Before anything is gone, the log says why.
        settle(app).await;
    }
    forget(&app.db, is_stopping).await
}

/// Lets personal data go that is older than this; `false` if none is.
pub async fn raise(db: &Db, random: Random, keep: Duration, now: Time) -> Result<bool, Error> {
    let until = now.minus(keep).0.div_euclid(DAY_MS) * DAY_MS;
    let mut tx = db.read().await?;
    let Some(tree) = tree::read(&mut tx).await? else { return Ok(false) };
    let first = tree.personal_floor.max(tree.pruned);
    let below = first_since(&mut tx, first, tree.size, Time(until)).await?;
    drop(tx);
    if below <= first {
        return Ok(false);
    }
    let mut tx = db.write().await?;
    if !tree::raise_personal_floor(&mut tx, tree.personal_floor, below).await? {
        return Ok(false);
    }
    let event = Event::PersonalExpired { below };
    record(&mut tx, random, &event, &Context::default(), now).await?;
    tx.commit().await?;
    Ok(true)
}

/// The first entry from `first` on, and before `end`, that got its place at this time or later; `end` if
/// none did. Times never go back along the log.
pub(super) async fn first_since(
    tx: &mut Tx,
    first: u64,
    end: u64,
    time: Time,
) -> Result<u64, Error> {
    let (mut low, mut high) = (first, end);
    while low < high {
        let middle = low + (high - low) / 2;
        // One that cannot be read counts as new: nothing goes because of it.
        let is_older = log::logged_at(tx, middle).await?.is_some_and(|logged| logged < time);
        if is_older { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// Deletes, in slices, the rows that may go.
pub async fn forget(db: &Db, is_stopping: impl Fn() -> bool) -> Result<(), Error> {
    let Some(tree) = tree::read(&mut db.read_once().await?).await? else { return Ok(()) };
    let below = tree.personal_floor.max(tree.pruned);
    loop {
        let mut tx = db.write().await?;
        let personal = personal::forget_below(&mut tx, below, SLICE).await?;
        let entries = log::forget_below(&mut tx, tree.pruned, SLICE).await?;
        tx.commit().await?;
        if (personal == 0 && entries == 0) || is_stopping() {
            return Ok(());
        }
    }
}
