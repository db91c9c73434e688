//! What an operator does with rows that were put aside because nobody vouches for them: looks at them,
//! and has them deleted, which the log tells of. Not here: how they come there (`sequence`).

use portcullis_domain::event::{Context, Event};
use portcullis_domain::time::Time;
use portcullis_store::audit::rejected::{self, Kept};
use portcullis_store::{Db, Error};

use crate::flows::record;
use crate::random::Random;

/// So many are shown at once.
pub const SHOWN: i64 = 1000;

/// Those that were put aside, oldest first, at most [`SHOWN`].
pub async fn list(db: &Db) -> Result<Vec<Kept>, Error> {
    rejected::list(&mut db.read_once().await?, SHOWN).await
}

/// Deletes those that [`list`] shows; how many. `None` if there are none, and the log tells of none that
/// nobody has looked at.
pub async fn clear(db: &Db, random: Random, now: Time) -> Result<Option<u64>, Error> {
    let mut tx = db.write().await?;
    let last = rejected::list(&mut tx, SHOWN).await?.last().map(|kept| kept.number);
    if last.is_none() && rejected::told(&mut tx).await?.is_none() {
        return Ok(None);
    }
    let count = rejected::clear(&mut tx, last.unwrap_or_default()).await?;
    record(&mut tx, random, &Event::RejectedCleared { count }, &Context::default(), now).await?;
    tx.commit().await?;
    Ok(Some(count))
}
