//! The first code of a second factor: from then on it is asked for. The step of that code counts as
//! used, so that it signs nobody in.

use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::totp::{Step, TotpCode};
use portcullis_store::{Error, Tx, factors, users};

use super::change::begin_anew;
use super::check::unreadable;
use super::set_up::draw_codes;
use crate::app::App;
use crate::flows::proof::{Holder, Renewed};
use crate::flows::{barrier, record};
use crate::mail::{self, Letter};

/// Where its owner has the codes for a lost phone from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// They were shown when it was begun, as the documented clients expect.
    Shown,
    /// Others are drawn, to be shown when nothing can go wrong any more.
    Drawn,
}

/// What came of it.
pub enum Enabled {
    /// With the codes that are shown now.
    Done(Renewed, Vec<BackupCode>),
    /// Nothing was begun, or it is over.
    NotBegun,
    Wrong,
    /// The session or the account changed meanwhile: nothing was done.
    Gone,
}

/// Looks at the code, and has the factor asked for from now on.
pub async fn enable(
    app: &App,
    holder: &Holder,
    (code, codes): (&str, Codes),
    context: &Context,
) -> Result<Enabled, Error> {
    let enabled = put(app, holder, (code, codes), context).await?;
    if let Enabled::Done(..) = enabled {
        // What else was signed in began without the factor.
        barrier::felt_everywhere(app).await;
    }
    Ok(enabled)
}

async fn put(
    app: &App,
    holder: &Holder,
    (code, codes): (&str, Codes),
    context: &Context,
) -> Result<Enabled, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, holder.user).await? else { return Ok(Enabled::Gone) };
    let Some(pending) = factors::pending(&mut tx, user.id, now).await? else {
        return Ok(Enabled::NotBegun);
    };
    let secret = app.keys.factor.open((user.id, &pending.id), &pending.secret);
    let secret = secret.map_err(|_| unreadable(&pending.id))?;
    let accepted = TotpCode::parse(code).and_then(|code| secret.accept(code, now, Step(0)));
    let Some(step) = accepted else { return Ok(Enabled::Wrong) };
    // First: whoever signs in takes the user before his factor, too.
    let Some(anew) = begin_anew(app, &mut tx, &user, holder).await? else {
        return Ok(Enabled::Gone);
    };
    if !factors::enable(&mut tx, &pending.id, step, now).await? {
        return Ok(Enabled::NotBegun);
    }
    let codes = show_codes(app, &mut tx, &pending.id, codes).await?;
    let context = Context { subject: Some(user.id), ..context.clone() };
    let event = Event::FactorEnabled { sessions: anew.sessions };
    record(&mut tx, app.random, &event, &context, now).await?;
    mail::send(app, &mut tx, &user.email, &Letter::factor_enabled(now), now).await?;
    tx.commit().await?;
    Ok(Enabled::Done(anew.renewed, codes))
}

async fn show_codes(
    app: &App,
    tx: &mut Tx,
    factor: &str,
    codes: Codes,
) -> Result<Vec<BackupCode>, Error> {
    if codes == Codes::Shown {
        return Ok(Vec::new());
    }
    let (codes, macs) = draw_codes(app, factor);
    factors::renew(tx, factor, &macs).await?;
    Ok(codes)
}
