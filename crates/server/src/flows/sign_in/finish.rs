//! The second factor of a sign-in that waits for one: with it the sign-in goes on as if it had never
//! stopped. What has changed meanwhile counts: a new password, a closed account, the blacklist.

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, FactorRefusal};
use portcullis_domain::remember::Ticket;
use portcullis_domain::secret::{Mac, Opaque};
use portcullis_domain::session::SignInForm;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, roles, sign_in_tickets};

use super::factor::{self, Stepped, Waiting};
use super::{Attempt, Before, Outcome, Proved, about, done};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::credentials::Device;
use crate::flows::limits::{self, LimitStanding};
use crate::flows::record;
use crate::flows::trusted_devices::{self, Described, Trusted};

/// Somebody who gives his second factor.
pub struct Given<'a> {
    pub ticket: &'a str,
    pub code: &'a str,
    /// Whether he is not to be asked again on this device.
    pub trust: bool,
    pub from: ClientAddress,
    /// Whose session cookie came along: it is replaced.
    pub before: Option<Before>,
    /// What the cookie of a browser that stays signed in held: it is replaced.
    pub replaces: Option<Ticket>,
    pub context: Context,
}

/// What became of it.
pub enum Finished {
    /// As the sign-in would have ended with the factor at once. After a wrong one the ticket is still good.
    Went(SignInForm, Outcome),
    /// There are too many tries from this address.
    TooMany(std::time::Duration),
    /// The ticket is used or over. Only a new sign-in helps.
    Over,
}

/// What became of it, and what the limit headers say.
pub struct FinishAnswer {
    pub finished: Finished,
    pub standing: Option<LimitStanding>,
}

/// Goes on with the sign-in of a ticket.
pub async fn finish(app: &App, given: &Given<'_>) -> Result<FinishAnswer, Failure> {
    // What is guessed at is counted for its user.
    let standing = limits::admit_code(app, &given.from, &given.context).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return Ok(FinishAnswer { finished: Finished::TooMany(retry_after), standing });
    }
    let finished = match Opaque::parse(given.ticket) {
        Some(ticket) => go_on(app, given, &factor::mac(app, &ticket)).await?,
        None => over(app, None, given).await?,
    };
    if let Finished::Went(_, outcome) = &finished {
        app.telemetry.metrics.sign_in(outcome.word());
    }
    Ok(FinishAnswer { finished, standing })
}

/// The ticket is spent, the code is used and the session begins in one transaction: all of it happened,
/// or nothing.
async fn go_on(app: &App, given: &Given<'_>, mac: &Mac) -> Result<Finished, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some((proved, waiting, form)) = held(app, &mut tx, mac).await? else {
        return over(app, Some(tx), given).await;
    };
    let attempt = waiting.attempt(form, attempt(given, form));
    let context = about(&given.context, Some(&proved.user));
    if let Some(outcome) =
        done::refuse_barred(app, &mut tx, &attempt, &proved.user, &context).await?
    {
        tx.commit().await?;
        return Ok(Finished::Went(form, outcome));
    }
    match factor::give(app, &mut tx, &proved.user, (form, given.code), &context).await? {
        Stepped::Stop(outcome) => {
            tx.commit().await?;
            Ok(Finished::Went(form, outcome))
        }
        // Taken away meanwhile, which leaves no ticket behind that is good.
        Stepped::NotAsked => over(app, Some(tx), given).await,
        Stepped::Passed if sign_in_tickets::spend(&mut tx, mac, now).await? => {
            let trusted = trust(app, &mut tx, given, &proved.user, &context).await?;
            let mut outcome = done::begin_with_factor(app, tx, &attempt, proved, &context).await?;
            if let Outcome::SignedIn(signed_in) = &mut outcome {
                signed_in.trusted = trusted;
            }
            Ok(Finished::Went(form, outcome))
        }
        // Dropped with what was used for it. A code came, so nobody is spared one.
        Stepped::Passed | Stepped::Spared => over(app, None, given).await,
    }
}

/// Trusts the device, if that is wanted, in the transaction that begins the session.
async fn trust(
    app: &App,
    tx: &mut Tx,
    given: &Given<'_>,
    user: &User,
    context: &Context,
) -> Result<Option<Trusted>, Error> {
    if !given.trust {
        return Ok(None);
    }
    let described = Described::of(context);
    trusted_devices::trust(app, tx, user, &described, context).await.map(Some)
}

/// The account as it is now and what of its sign-in waits, if the ticket is good.
pub(super) async fn held(
    app: &App,
    tx: &mut Tx,
    mac: &Mac,
) -> Result<Option<(Proved, Waiting, SignInForm)>, Error> {
    let Some((user, detail)) = sign_in_tickets::hold(tx, mac, app.clock.now()).await? else {
        return Ok(None);
    };
    let Some((waiting, form)) = Waiting::read(&detail) else { return Ok(None) };
    let Some(user) = users::by_id(tx, user).await? else { return Ok(None) };
    let Some(role) = roles::by_id(tx, user.role_id).await? else { return Ok(None) };
    Ok(Some((Proved { user, role, failures: waiting.failures }, waiting, form)))
}

/// Written down, in the transaction that found it out if there is one.
async fn over(app: &App, tx: Option<Tx>, given: &Given<'_>) -> Result<Finished, Error> {
    let mut tx = match tx {
        Some(tx) => tx,
        None => app.db.write().await?,
    };
    let event = Event::FactorRefused { reason: FactorRefusal::Over };
    record(&mut tx, app.random, &event, &given.context, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Finished::Over)
}

/// What is known of a sign-in where its second factor is given; the rest is in its ticket.
pub(super) fn attempt<'a>(given: &'a Given<'_>, form: SignInForm) -> Attempt<'a> {
    Attempt {
        form,
        name: "",
        password: "",
        factor: Some(given.code),
        trusted: None,
        shows_browser: false,
        from: given.from,
        device_cookie: None,
        device: Device::default(),
        before: given.before.clone(),
        remember: false,
        ticket: given.replaces.clone(),
        context: given.context.clone(),
    }
}
