//! How it stands with somebody's second factor.

use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;
use portcullis_store::{Error, factors, trusted_devices};

use crate::app::App;

/// What there is.
pub struct Status {
    /// Since when a second factor is asked for, if one is.
    pub enabled_at: Option<Time>,
    /// Codes of the app are not taken any more, because too many were wrong.
    pub is_exhausted: bool,
    /// Codes for a lost phone that were not used.
    pub backup_codes_left: i64,
    /// Devices where nobody is asked.
    pub trusted_devices: i64,
}

pub async fn status(app: &App, user: UserId) -> Result<Status, Error> {
    let mut tx = app.db.read().await?;
    let factor = factors::active(&mut tx, user).await?;
    let backup_codes_left = match &factor {
        Some(factor) => factors::left(&mut tx, &factor.id).await?,
        None => 0,
    };
    Ok(Status {
        enabled_at: factor.as_ref().map(|factor| factor.enabled_at),
        is_exhausted: factor.is_some_and(|factor| factor.exhausted_at.is_some()),
        backup_codes_left,
        trusted_devices: trusted_devices::count(&mut tx, user, app.clock.now()).await?,
    })
}
