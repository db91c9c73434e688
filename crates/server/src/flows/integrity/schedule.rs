//! Whether it is time for a check.

use portcullis_store::Error;
use portcullis_store::integrity::checks;

use super::Monitor;

/// Whether the last check of every root began so long ago as the schedule says. One that goes on is one;
/// the look at the end of a deployment is one at a single root, and is none.
pub async fn is_due(monitor: &Monitor<'_>) -> Result<bool, Error> {
    let Some(every) = monitor.settings.schedule else { return Ok(false) };
    let last = checks::last_of_all(&mut monitor.db.read().await?).await?;
    Ok(last.is_none_or(|last| last <= monitor.now().minus(every)))
}
