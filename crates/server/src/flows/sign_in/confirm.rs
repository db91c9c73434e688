//! The code for a new place: with it the sign-in that was asked for it goes on as if it had never
//! stopped. What has changed meanwhile counts: a new password, a closed account, the blacklist.

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, PlaceRefusal, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::{Code, CodePurpose};
use portcullis_domain::place::Place;
use portcullis_domain::remember::Ticket;
use portcullis_domain::role::Role;
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Mac, Opaque};
use portcullis_domain::session::SignInForm;
use portcullis_store::one_time_codes::{self, Tried};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, places, roles};

use super::place::{Waiting, ask, facts_of, seen, vouching};
use super::{Attempt, Before, Outcome, Proved, about, done, place};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::credentials::Device;
use crate::flows::limits::{self, Asking, Counter, LimitStanding};
use crate::flows::record;

/// Somebody who types a code.
pub struct Typed<'a> {
    pub ticket: &'a str,
    pub code: Code,
    pub from: ClientAddress,
    /// Whose session cookie came along: it is replaced.
    pub before: Option<Before>,
    /// What the cookie of a browser that stays signed in held: it is replaced.
    pub replaces: Option<Ticket>,
    pub context: Context,
}

/// What became of it.
pub enum Confirmed {
    /// As the sign-in would have ended without a question.
    Went(Outcome),
    /// The code is another; it can be tried so often again.
    Wrong { left: i64 },
    /// It was tried too often, or it is over. Only a new sign-in helps.
    Over(PlaceRefusal),
}

/// What became of it, and what the limit headers say.
pub struct ConfirmAnswer {
    pub confirmed: Confirmed,
    pub standing: Option<LimitStanding>,
}

/// Goes on with the sign-in of a ticket.
pub async fn confirm(app: &App, typed: &Typed<'_>) -> Result<ConfirmAnswer, Failure> {
    let standing = limits::admit_code(app, &typed.from, &typed.context).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        let confirmed = Confirmed::Went(Outcome::TooMany { retry_after });
        return Ok(ConfirmAnswer { confirmed, standing });
    }
    let confirmed = match Opaque::parse(typed.ticket) {
        Some(ticket) => try_code(app, typed, &ticket).await?,
        None => Confirmed::Over(PlaceRefusal::Over),
    };
    if let Confirmed::Went(outcome) = &confirmed {
        app.telemetry.metrics.sign_in(outcome.word());
    }
    Ok(ConfirmAnswer { confirmed, standing })
}

/// Mails another code in place of the first, to whoever holds its ticket.
pub async fn send_again(
    app: &App,
    ticket: &str,
    from: &ClientAddress,
    context: &Context,
) -> Result<ConfirmAnswer, Failure> {
    let now = app.clock.now();
    let over =
        |standing| ConfirmAnswer { confirmed: Confirmed::Over(PlaceRefusal::Over), standing };
    let Some(ticket) = Opaque::parse(ticket) else { return Ok(over(None)) };
    let mut tx = app.db.write().await?;
    let asking = Asking { counter: Counter::Sensitive, from, name: None, context };
    let standing = limits::admit(app, &mut tx, &asking, now).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        tx.commit().await?;
        let confirmed = Confirmed::Went(Outcome::TooMany { retry_after });
        return Ok(ConfirmAnswer { confirmed, standing });
    }
    let mac = mac(app, &ticket);
    let Some((id, detail)) =
        one_time_codes::in_force(&mut tx, CodePurpose::NewPlace, &mac, now).await?
    else {
        tx.commit().await?;
        return Ok(over(standing));
    };
    let (Some(user), Ok(waiting)) =
        (users::by_id(&mut tx, id).await?, serde_json::from_str::<Waiting>(&detail))
    else {
        return Ok(over(standing));
    };
    let context = about(context, Some(&user));
    let facts = facts_of(app, from, &context, now);
    let outcome = ask(app, &mut tx, &user, &waiting, &facts, &context).await?;
    tx.commit().await?;
    let standing = place::standing(&outcome, standing, now);
    Ok(ConfirmAnswer { confirmed: Confirmed::Went(outcome), standing })
}

async fn try_code(app: &App, typed: &Typed<'_>, ticket: &Opaque) -> Result<Confirmed, Error> {
    let now = app.clock.now();
    let (purpose, mac) = (CodePurpose::NewPlace, mac(app, ticket));
    let code = app.keys.credential.code_mac(&mac, &typed.code);
    let mut tx = app.db.write().await?;
    let (confirmed, reason) = match one_time_codes::try_code(&mut tx, purpose, &mac, &code, now)
        .await?
    {
        Tried::Right { user, detail } => {
            return go_on(app, tx, typed, user, &detail).await;
        }
        Tried::Wrong { left } if left > 0 => (Confirmed::Wrong { left }, PlaceRefusal::WrongCode),
        Tried::Wrong { .. } => (Confirmed::Over(PlaceRefusal::Exhausted), PlaceRefusal::WrongCode),
        Tried::Exhausted => (Confirmed::Over(PlaceRefusal::Exhausted), PlaceRefusal::Exhausted),
        Tried::Over => (Confirmed::Over(PlaceRefusal::Over), PlaceRefusal::Over),
    };
    let event = Event::PlaceRefused { reason };
    record(&mut tx, app.random, &event, &typed.context, now).await?;
    tx.commit().await?;
    Ok(confirmed)
}

/// The right code, in the transaction that spent it: the places are the user's own, and the sign-in
/// goes on.
async fn go_on(
    app: &App,
    mut tx: Tx,
    typed: &Typed<'_>,
    user: UserId,
    detail: &str,
) -> Result<Confirmed, Error> {
    let Some((user, role, waiting, form)) = unchanged(&mut tx, user, detail).await? else {
        let event = Event::PlaceRefused { reason: PlaceRefusal::Over };
        record(&mut tx, app.random, &event, &typed.context, app.clock.now()).await?;
        tx.commit().await?;
        return Ok(Confirmed::Over(PlaceRefusal::Over));
    };
    let attempt = attempt(typed, form, &waiting);
    let context = about(&typed.context, Some(&user));
    if let Some(outcome) = done::refuse_barred(app, &mut tx, &attempt, &user, &context).await? {
        tx.commit().await?;
        return Ok(Confirmed::Went(outcome));
    }
    learn(app, &mut tx, &user, &waiting, &attempt).await?;
    let device_cookie = vouching(app, &mut tx, &user).await?;
    let proved = Proved { user, role, failures: waiting.failures };
    let second_factor =
        if waiting.is_spared { SecondFactor::Passed } else { SecondFactor::NotAsked };
    let placed = (second_factor, device_cookie);
    done::begin_at_place(app, tx, &attempt, proved, placed, &context).await.map(Confirmed::Went)
}

/// The account as it is now and the sign-in that waited, if the password is still the one that was
/// right.
async fn unchanged(
    tx: &mut Tx,
    user: UserId,
    detail: &str,
) -> Result<Option<(User, Role, Waiting, SignInForm)>, Error> {
    let Ok(waiting) = serde_json::from_str::<Waiting>(detail) else { return Ok(None) };
    let Some(form) = form(&waiting.form) else { return Ok(None) };
    let Some(user) = users::by_id(tx, user).await? else { return Ok(None) };
    let Some(password) = users::password(tx, user.id).await? else { return Ok(None) };
    let same = user.epoch == waiting.epoch && !password.disabled;
    let role = roles::by_id(tx, user.role_id).await?;
    Ok(role.filter(|_| same).map(|role| (user, role, waiting, form)))
}

/// The place that was asked about, and the one where the code was typed: a browser that speaks IPv4
/// and IPv6 is at two places at once.
async fn learn(
    app: &App,
    tx: &mut Tx,
    user: &User,
    waiting: &Waiting,
    attempt: &Attempt<'_>,
) -> Result<(), Error> {
    let (now, context) = (app.clock.now(), about(&attempt.context, Some(user)));
    let here = Place::of(attempt.from.ip);
    let asked = Place::parse(&waiting.network).unwrap_or(here);
    let places = if asked == here { vec![asked] } else { vec![asked, here] };
    for place in places {
        let id = app.random.row_id(now);
        places::verify(tx, &seen(&id, user, place, &context), now).await?;
    }
    let event = Event::PlaceConfirmed { network: Text::clip(&asked.to_string()) };
    record(tx, app.random, &event, &context, now).await
}

/// The sign-in that waited, from where its code was typed.
fn attempt<'a>(typed: &'a Typed<'_>, form: SignInForm, waiting: &Waiting) -> Attempt<'a> {
    Attempt {
        form,
        name: "",
        password: "",
        factor: None,
        trusted: None,
        shows_browser: waiting.shows_browser,
        from: typed.from,
        device_cookie: None,
        device: Device::default(),
        before: typed.before.clone(),
        remember: waiting.remember,
        ticket: typed.replaces.clone(),
        context: typed.context.clone(),
    }
}

/// The forms that are ever asked.
fn form(word: &str) -> Option<SignInForm> {
    [SignInForm::Page, SignInForm::Username, SignInForm::Email]
        .into_iter()
        .find(|form| form.as_str() == word)
}

fn mac(app: &App, ticket: &Opaque) -> Mac {
    app.keys.credential.credential_mac(CodePurpose::NewPlace.of_ticket(), ticket)
}
