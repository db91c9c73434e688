//! Taking one's own second factor away, by the password or by a code. Either is counted like one at
//! sign-in, so a stolen session is no place to guess from.

use std::time::Duration;

use portcullis_domain::event::{Context, Event, FactorRemover};
use portcullis_domain::id::UserId;
use portcullis_domain::second_factor::Typed;
use portcullis_store::users::{self, Strength, User};
use portcullis_store::{Error, Tx, factors, roles};

use super::change::begin_anew;
use super::check::Checked;
use super::verify::verify;
use crate::app::App;
use crate::fault::Failure;
use crate::flows::limits::LimitStanding;
use crate::flows::proof::{self, Claim, Holder, Refusal, Renewed};
use crate::flows::{barrier, record};
use crate::mail::{self, Letter};

/// What came of it.
pub enum Disabled {
    Done(Renewed),
    /// There is none.
    NotEnabled,
    /// The owner's role asks for one.
    Required,
    /// The password is too short to stand alone.
    ShortPassword,
    WrongPassword,
    WrongCode,
    /// There were so many wrong ones that no code of the app is taken.
    Exhausted,
    /// Too many wrong passwords, or codes.
    Locked {
        of: Guessed,
        retry_after: Duration,
    },
    TooMany {
        retry_after: Duration,
    },
    /// The session or the account changed meanwhile: nothing was done.
    Gone,
}

/// What was guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guessed {
    Password,
    Code,
}

/// Takes it away from somebody who gave his password; with what the limit headers say.
pub async fn by_password(
    app: &App,
    claim: &Claim<'_>,
) -> Result<(Disabled, Option<LimitStanding>), Failure> {
    let mut tx = app.db.read().await?;
    if let Some(refused) = refuse(app, &mut tx, claim.holder.user).await? {
        return Ok((refused, None));
    }
    drop(tx);
    let (proved, standing) = proof::check(app, claim).await?;
    let disabled = match proved {
        Ok(proved) => {
            let mut tx = app.db.write().await?;
            match proved.settle(&mut tx).await? {
                Some(user) => remove(app, tx, &user, &claim.holder, &claim.context).await?,
                None => Disabled::Gone,
            }
        }
        Err(Refusal::Wrong) => Disabled::WrongPassword,
        Err(Refusal::Gone) => Disabled::Gone,
        Err(Refusal::TooMany { retry_after }) => Disabled::TooMany { retry_after },
        Err(Refusal::Locked { retry_after }) => {
            Disabled::Locked { of: Guessed::Password, retry_after }
        }
    };
    Ok((disabled, standing))
}

/// Takes it away from somebody who gave a code of his app.
pub async fn by_code(
    app: &App,
    holder: &Holder,
    code: &str,
    context: &Context,
) -> Result<Disabled, Error> {
    let mut tx = app.db.read().await?;
    if let Some(refused) = refuse(app, &mut tx, holder.user).await? {
        return Ok(refused);
    }
    drop(tx);
    // Whoever holds the session draws new ones without a question, so one of them proves nothing.
    if let Typed::Backup(_) = Typed::read(code) {
        return Ok(Disabled::WrongCode);
    }
    // In a transaction of its own: whoever signs in takes the user before his factor.
    match verify(app, holder.user, code, context).await? {
        Some(Checked::Passed) => {}
        Some(Checked::Wrong) => return Ok(Disabled::WrongCode),
        Some(Checked::Exhausted) => return Ok(Disabled::Exhausted),
        Some(Checked::NoFactor) => return Ok(Disabled::NotEnabled),
        Some(Checked::Locked { retry_after }) => {
            return Ok(Disabled::Locked { of: Guessed::Code, retry_after });
        }
        None => return Ok(Disabled::Gone),
    }
    let mut tx = app.db.write().await?;
    match users::by_id(&mut tx, holder.user).await? {
        Some(user) => remove(app, tx, &user, holder, context).await,
        None => Ok(Disabled::Gone),
    }
}

/// Why it cannot be taken away, whatever is given.
async fn refuse(app: &App, tx: &mut Tx, user: UserId) -> Result<Option<Disabled>, Error> {
    if factors::active(tx, user).await?.is_none() {
        return Ok(Some(Disabled::NotEnabled));
    }
    let Some(user) = users::by_id(tx, user).await? else { return Ok(Some(Disabled::Gone)) };
    let Some(role) = roles::by_id(tx, user.role_id).await? else { return Ok(Some(Disabled::Gone)) };
    let is_required = app.config.sign_in.second_factor.covers(&role);
    Ok(is_required.then_some(Disabled::Required))
}

async fn remove(
    app: &App,
    mut tx: Tx,
    user: &User,
    holder: &Holder,
    context: &Context,
) -> Result<Disabled, Error> {
    let now = app.clock.now();
    let Some(anew) = begin_anew(app, &mut tx, user, holder).await? else {
        return Ok(Disabled::Gone);
    };
    // As it is now that nobody else changes the account.
    if let Some(refused) = refuse(app, &mut tx, user.id).await? {
        return Ok(refused);
    }
    if users::password_strength(&mut tx, user.id).await? == Strength::WithFactor {
        return Ok(Disabled::ShortPassword);
    }
    if !factors::remove(&mut tx, user.id).await? {
        return Ok(Disabled::NotEnabled);
    }
    let context = Context { subject: Some(user.id), ..context.clone() };
    let event = Event::FactorRemoved { by: FactorRemover::Owner, sessions: anew.sessions };
    record(&mut tx, app.random, &event, &context, now).await?;
    mail::send(app, &mut tx, &user.email, &Letter::factor_removed(now), now).await?;
    tx.commit().await?;
    barrier::felt_everywhere(app).await;
    Ok(Disabled::Done(anew.renewed))
}
