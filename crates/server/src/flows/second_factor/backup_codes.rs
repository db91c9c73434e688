//! The codes for a lost phone of one's own factor: which were used, and others in their place.

use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_store::factors::{self, BackupCodeRow};
use portcullis_store::{Error, users};

use super::change::begin_anew;
use super::set_up::draw_codes;
use crate::app::App;
use crate::flows::proof::{Holder, Renewed};
use crate::flows::{barrier, record};
use crate::mail::{self, Letter};

/// What came of asking for others.
pub enum BackupCodes {
    /// They are shown once.
    Renewed(Vec<BackupCode>, Renewed),
    /// There is no second factor.
    NotEnabled,
    /// The session or the account changed meanwhile: nothing was done.
    Gone,
}

/// Which there are, without the codes themselves; `None` if there is no second factor.
pub async fn list(app: &App, user: UserId) -> Result<Option<Vec<BackupCodeRow>>, Error> {
    let mut tx = app.db.read().await?;
    let Some(factor) = factors::active(&mut tx, user).await? else { return Ok(None) };
    factors::list(&mut tx, &factor.id).await.map(Some)
}

/// Puts others in the place of all that there were.
pub async fn renew(app: &App, holder: &Holder, context: &Context) -> Result<BackupCodes, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, holder.user).await? else {
        return Ok(BackupCodes::Gone);
    };
    let Some(anew) = begin_anew(app, &mut tx, &user, holder).await? else {
        return Ok(BackupCodes::Gone);
    };
    // As it is now that nobody else changes it.
    let Some(factor) = factors::active(&mut tx, user.id).await? else {
        return Ok(BackupCodes::NotEnabled);
    };
    let (codes, macs) = draw_codes(app, &factor.id);
    factors::renew(&mut tx, &factor.id, &macs).await?;
    let context = Context { subject: Some(user.id), ..context.clone() };
    let event = Event::BackupCodesRenewed { sessions: anew.sessions };
    record(&mut tx, app.random, &event, &context, now).await?;
    mail::send(app, &mut tx, &user.email, &Letter::backup_codes_renewed(now), now).await?;
    tx.commit().await?;
    barrier::felt_everywhere(app).await;
    Ok(BackupCodes::Renewed(codes, anew.renewed))
}
