//! Letters of which there are too many: where a cap lets none through, one is made that leaves when its
//! time is over, and says how much there was by then. Not here: how many are enough, which is `cap`.

use portcullis_domain::origin::Origin;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::outbox::{self, Held as Row};
use portcullis_store::{Error, Tx};

use super::cap::Room;
use super::{Letter, write};
use crate::random::Random;

/// Who writes, and when.
#[derive(Clone, Copy)]
pub struct By<'a> {
    pub random: Random,
    /// The address that people type.
    pub place: &'a Origin,
    pub now: Time,
}

/// What became of a letter.
pub enum Queued {
    Done,
    /// There were enough.
    Held(Held),
}

/// The letter that is to tell of what was left out.
pub struct Held {
    /// The one there is already.
    row: Option<Row>,
    /// What has happened from then on was in no letter.
    pub since: Time,
    leaves_at: Time,
}

/// Queues a letter, unless there were enough. `of_rest` is what a letter of the rest is called.
pub async fn send(
    by: By<'_>,
    tx: &mut Tx,
    to: &Email,
    letter: &Letter,
    of_rest: &str,
) -> Result<Queued, Error> {
    let now = by.now;
    if let Some(cap) = letter.cap
        && let Room::From(leaves_at) = cap.room(tx, to, now).await?
    {
        let row = outbox::held(tx, to.as_str(), of_rest, now).await?;
        if row.is_none() {
            // Once for all that is left out until then.
            cap.exceeded(by.random, tx, to, now).await?;
        }
        let since = row.as_ref().map_or(now, |row| row.created_at);
        return Ok(Queued::Held(Held { row, since, leaves_at }));
    }
    let new = write(by.random.row_id(now), to, letter, &by.place.to_string(), now);
    outbox::insert(tx, &new, now).await?;
    Ok(Queued::Done)
}

impl Held {
    /// Keeps the letter of the rest, in the place of the one that there may be.
    pub async fn keep(
        self,
        by: By<'_>,
        tx: &mut Tx,
        to: &Email,
        letter: &Letter,
    ) -> Result<(), Error> {
        let place = by.place.to_string();
        let new = write(by.random.row_id(by.now), to, letter, &place, self.leaves_at);
        if let Some(row) = &self.row
            && outbox::rewrite(tx, &row.id, &new).await?
        {
            return Ok(());
        }
        outbox::hold(tx, &new, by.now, self.leaves_at).await
    }
}
