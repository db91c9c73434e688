//! The first code of a second factor: from then on it is asked for. The step of that code counts as
//! used, so that it signs nobody in.

use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::totp::{Step, TotpCode};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, factors, sessions};

use super::change::begin_anew;
use super::set_up::{Beginner, draw_codes, pending};
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
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, holder.user).await? else { return Ok(Enabled::Gone) };
    let (id, step) =
        match look(app, &mut tx, (&user, Beginner::Session(&holder.session)), code).await? {
            FirstCode::Right { id, step } => (id, step),
            FirstCode::Wrong => return Ok(Enabled::Wrong),
            FirstCode::NotBegun => return Ok(Enabled::NotBegun),
        };
    // First: whoever signs in takes the user before his factor, too.
    let Some(anew) = begin_anew(app, &mut tx, &user, holder).await? else {
        return Ok(Enabled::Gone);
    };
    if !switch_on(app, &mut tx, &user, (&id, step), anew.sessions, context).await? {
        return Ok(Enabled::NotBegun);
    }
    sessions::passed_factor(&mut tx, &holder.session).await?;
    let codes = match codes {
        Codes::Shown => Vec::new(),
        Codes::Drawn => draw(app, &mut tx, &id).await?,
    };
    tx.commit().await?;
    Ok(Enabled::Done(anew.renewed, codes))
}

/// What the first code of an app comes to.
pub(in crate::flows) enum FirstCode {
    /// It is of the factor with this id, and of this step.
    Right {
        id: String,
        step: Step,
    },
    /// It is another than the app shows that has this key.
    Wrong,
    NotBegun,
}

/// Looks at the first code of what was begun. Nothing is guessed at: whoever asks has seen the
/// key.
pub(in crate::flows) async fn look(
    app: &App,
    tx: &mut Tx,
    (user, by): (&User, Beginner<'_>),
    code: &str,
) -> Result<FirstCode, Error> {
    let begun = pending(app, tx, user, by).await?;
    let Some((id, secret)) = begun else { return Ok(FirstCode::NotBegun) };
    let now = app.clock.now();
    let accepted = TotpCode::parse(code).and_then(|code| secret.accept(code, now, Step(0)));
    Ok(match accepted {
        Some(step) => FirstCode::Right { id, step },
        None => FirstCode::Wrong,
    })
}

/// Has the factor asked for from now on; `false` if it was completed or replaced, or is over. What began
/// without it has ended in the same transaction.
pub(in crate::flows) async fn switch_on(
    app: &App,
    tx: &mut Tx,
    user: &User,
    (id, step): (&str, Step),
    sessions: u64,
    context: &Context,
) -> Result<bool, Error> {
    let now = app.clock.now();
    if !factors::enable(tx, id, step, now).await? {
        return Ok(false);
    }
    let context = Context { subject: Some(user.id), ..context.clone() };
    record(tx, app.random, &Event::FactorEnabled { sessions }, &context, now).await?;
    mail::send(app, tx, &user.email, &Letter::factor_enabled(now), now).await?;
    Ok(true)
}

/// Codes for a lost phone in the place of those that were drawn when it was begun.
pub(in crate::flows) async fn draw(
    app: &App,
    tx: &mut Tx,
    factor: &str,
) -> Result<Vec<BackupCode>, Error> {
    let (codes, macs) = draw_codes(app, factor);
    factors::renew(tx, factor, &macs).await?;
    Ok(codes)
}
