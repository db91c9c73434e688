//! The first code of a second factor: from then on it is asked for. The step of that code counts as
//! used, so that it signs nobody in.

use portcullis_domain::event::{Context, Event};
use portcullis_domain::totp::{Step, TotpCode};
use portcullis_store::{Error, factors, users};

use super::change::begin_anew;
use super::check::unreadable;
use crate::app::App;
use crate::flows::proof::{Holder, Renewed};
use crate::flows::{barrier, record};
use crate::mail::{self, Letter};

/// What came of it.
pub enum Enabled {
    Done(Renewed),
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
    code: &str,
    context: &Context,
) -> Result<Enabled, Error> {
    let enabled = put(app, holder, code, context).await?;
    if let Enabled::Done(_) = enabled {
        // What else was signed in began without the factor.
        barrier::felt_everywhere(app).await;
    }
    Ok(enabled)
}

async fn put(app: &App, holder: &Holder, code: &str, context: &Context) -> Result<Enabled, Error> {
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
    let context = Context { subject: Some(user.id), ..context.clone() };
    let event = Event::FactorEnabled { sessions: anew.sessions };
    record(&mut tx, app.random, &event, &context, now).await?;
    mail::send(app, &mut tx, &user.email, &Letter::factor_enabled(now), now).await?;
    tx.commit().await?;
    Ok(Enabled::Done(anew.renewed))
}
