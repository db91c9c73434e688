//! Whether it is time for a check.

use portcullis_store::Error;
use portcullis_store::integrity::checks;

use super::Monitor;

/// Whether the last check began so long ago as the schedule says. One that goes on is one.
pub async fn is_due(monitor: &Monitor<'_>) -> Result<bool, Error> {
    let Some(every) = monitor.settings.schedule else { return Ok(false) };
    let last = checks::list(&mut monitor.db.read().await?, 1).await?;
    Ok(last.first().is_none_or(|last| last.started_at <= monitor.now().minus(every)))
}
