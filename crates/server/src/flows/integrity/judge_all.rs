//! The same made of every alert that a filter finds, and of none if they are not as many as whoever acts has
//! seen: what came since is judged by nobody unseen. Not here: alerts that are named (`judge`).

use portcullis_store::integrity::alerts::{self, Filter, Order};

use super::judge::{Act, Judged, may, one};
use super::{Fault, Monitor};

/// So many alerts one act is done to at most.
pub const MOST: i64 = 1000;

/// What became of the act.
#[derive(Debug, PartialEq, Eq)]
pub enum ActedOnAll {
    /// Of each of them, by their numbers.
    Done(Vec<(i64, Judged)>),
    /// Another number of alerts fits by now. Nothing was done.
    Others,
    /// Whoever acts may not, by now.
    Refused,
}

/// Does the same to each alert that fits now, if they are `expected` many, of [`MOST`] at most. What changes a
/// baseline is not done like this.
pub async fn act_on_all(
    monitor: &Monitor<'_>,
    filter: &Filter,
    expected: i64,
    act: Act,
    note: &str,
) -> Result<ActedOnAll, Fault> {
    let mut tx = monitor.db.write().await?;
    if act.is_acceptance() || !may(monitor, &mut tx, act.permission()).await? {
        return Ok(ActedOnAll::Refused);
    }
    // One more would be too many already.
    let mut fitting = alerts::list(&mut tx, filter, Order::Oldest, MOST + 1, 0).await?;
    if i64::try_from(fitting.len()) != Ok(expected) || expected > MOST {
        return Ok(ActedOnAll::Others);
    }
    // Whoever names them goes through them in this order too, so that nobody waits for each other.
    fitting.sort_unstable_by_key(|alert| alert.id);
    let mut done = Vec::with_capacity(fitting.len());
    for alert in &fitting {
        done.push((alert.id, one(monitor, &mut tx, alert, act, note).await?));
    }
    tx.commit().await?;
    Ok(ActedOnAll::Done(done))
}
