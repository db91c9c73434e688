//! Setting a second factor up on the way in: where somebody's role asks for one and his time without is
//! over, a sign-in on a page leads here and nowhere else. Programs are told to use the page.

use std::time::Duration;

use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::event::{Context, Event, FactorRefusal, SignInFailure};
use portcullis_domain::second_factor::PENDING_FOR;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session::SignInForm;
use portcullis_store::{Error, Tx, sign_in_tickets, users};

use super::finish::{Given, attempt, held};
use super::{Asked, Attempt, Outcome, Proved, about, done, factor};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::limits::{self, LimitStanding};
use crate::flows::second_factor::Key;
use crate::flows::second_factor::change::end_all;
use crate::flows::second_factor::enable::{FirstCode, draw, look, switch_on};
use crate::flows::second_factor::set_up::{Beginner, begin};
use crate::flows::{barrier, record};

/// What a page goes on with.
pub struct SetUpAsked {
    pub asked: Asked,
    pub key: Key,
}

/// What became of a first code.
pub enum SetUpFinished {
    /// As the sign-in would have ended, with the codes for a lost phone.
    Went(Outcome, Vec<BackupCode>),
    /// It is another than the app shows that has this key. The ticket is still good.
    Wrong,
    TooMany(Duration),
    /// The ticket is used or over. Only a new sign-in helps.
    Over,
}

/// Whether a form can lead on to a page.
pub(super) fn leads_to_a_page(form: SignInForm) -> bool {
    matches!(form, SignInForm::Page | SignInForm::MagicLink)
}

/// Stops a sign-in that nothing else stands in the way of, and begins to set a factor up.
pub(super) async fn ask(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    proved: &Proved,
    context: &Context,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let form = attempt.form;
    record(tx, app.random, &Event::FactorSetUpAsked { form }, context, now).await?;
    if !leads_to_a_page(form) {
        return Ok(Outcome::MustSetUp(None));
    }
    let kind = (Purpose::FactorSetUpTicket, PENDING_FOR);
    let asked = factor::issue(app, tx, attempt, proved, kind).await?;
    let mac = mac(app, &asked.ticket);
    let Some(begun) = begin(app, tx, &proved.user, Beginner::SignIn(&mac)).await? else {
        // Set up a moment ago, by somebody else who signed in.
        let reason = SignInFailure::AccountChanged;
        let event = Event::SignInFailed { form, reason, known: true };
        record(tx, app.random, &event, context, now).await?;
        return Ok(Outcome::Refused);
    };
    Ok(Outcome::MustSetUp(Some(Box::new(SetUpAsked { asked, key: begun.key }))))
}

/// Takes the first code of somebody's app, and goes on with his sign-in.
pub async fn set_up(
    app: &App,
    given: &Given<'_>,
) -> Result<(SetUpFinished, Option<LimitStanding>), Failure> {
    let standing = limits::admit_code(app, &given.from, &given.context).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return Ok((SetUpFinished::TooMany(retry_after), standing));
    }
    let finished = match Opaque::parse(given.ticket) {
        Some(ticket) => go_on(app, given, &mac(app, &ticket)).await?,
        None => over(app, given).await?,
    };
    if let SetUpFinished::Went(outcome, _) = &finished {
        app.telemetry.metrics.sign_in(outcome.word());
        // What else was signed in began without the factor.
        barrier::felt_everywhere(app).await;
    }
    Ok((finished, standing))
}

/// The factor is switched on, all that began without it ends, the ticket is spent and the session begins
/// in one transaction: all of it happened, or nothing.
async fn go_on(app: &App, given: &Given<'_>, mac: &Mac) -> Result<SetUpFinished, Error> {
    let mut tx = app.db.write().await?;
    let Some((proved, waiting, form)) = held(app, &mut tx, mac).await? else {
        drop(tx);
        return over(app, given).await;
    };
    let attempt = waiting.attempt(form, attempt(given, form));
    let context = about(&given.context, Some(&proved.user));
    if let Some(outcome) =
        done::refuse_barred(app, &mut tx, &attempt, &proved.user, &context).await?
    {
        tx.commit().await?;
        return Ok(SetUpFinished::Went(outcome, Vec::new()));
    }
    let (id, step) =
        match look(app, &mut tx, (&proved.user, Beginner::SignIn(mac)), given.code).await? {
            FirstCode::Right { id, step } => (id, step),
            FirstCode::Wrong => return Ok(SetUpFinished::Wrong),
            FirstCode::NotBegun => {
                drop(tx);
                return over(app, given).await;
            }
        };
    let Some(proved) = switch(app, &mut tx, proved, (&id, step), mac, &context).await? else {
        drop(tx);
        return over(app, given).await;
    };
    let codes = draw(app, &mut tx, &id).await?;
    let outcome = done::begin_with_factor(app, tx, &attempt, proved, &context).await?;
    Ok(SetUpFinished::Went(outcome, codes))
}

/// The account with its factor; `None` if somebody was faster.
async fn switch(
    app: &App,
    tx: &mut Tx,
    proved: Proved,
    first: (&str, portcullis_domain::totp::Step),
    mac: &Mac,
    context: &Context,
) -> Result<Option<Proved>, Error> {
    if !sign_in_tickets::spend(tx, mac, app.clock.now()).await? {
        return Ok(None);
    }
    let Some(sessions) = end_all(app, tx, &proved.user).await? else { return Ok(None) };
    if !switch_on(app, tx, &proved.user, first, sessions, context).await? {
        return Ok(None);
    }
    // Under its new epoch.
    let user = users::by_id(tx, proved.user.id).await?;
    Ok(user.map(|user| Proved { user, ..proved }))
}

/// Under what the store keeps a ticket.
fn mac(app: &App, ticket: &Opaque) -> Mac {
    app.keys.credential.credential_mac(Purpose::FactorSetUpTicket, ticket)
}

/// Written down.
async fn over(app: &App, given: &Given<'_>) -> Result<SetUpFinished, Error> {
    let mut tx = app.db.write().await?;
    let event = Event::FactorRefused { reason: FactorRefusal::Over };
    record(&mut tx, app.random, &event, &given.context, app.clock.now()).await?;
    tx.commit().await?;
    Ok(SetUpFinished::Over)
}
