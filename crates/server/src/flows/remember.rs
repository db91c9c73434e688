//! Browsers that stay signed in: a sign-in begins a series of secrets, each of which brings the browser
//! back once. Not here: what a secret is worth (`domain::remember`), and which requests may use one.

use portcullis_domain::event::{Context, EndReason, Event, TokenKind};
use portcullis_domain::id::{SeriesId, SessionId, UserId};
use portcullis_domain::remember::{Ticket, Verdict, judge, terms};
use portcullis_domain::required_factor::Standing;
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::session::{Dead, Life, SignInForm};
use portcullis_domain::time::Time;
use portcullis_store::credentials::{self as credential_rows, CredentialKind, NewCredential};
use portcullis_store::remember::{self as rows, NewSeries, Series};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, factors, roles, sessions};

use super::credentials::{self, Device, Occasion};
use super::{record, required_factor};
use crate::app::App;
use crate::mail::{self, Letter};

/// What a browser is to keep: its next secret, and until when.
pub struct Remembered {
    pub ticket: Ticket,
    pub until: Time,
}

/// The series that a session belongs to.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    pub series: &'a SeriesId,
    /// When the user proved who he is.
    pub auth_time: Time,
}

/// What became of a secret that was shown.
pub enum Outcome {
    Back(Box<Back>),
    /// The series is over; why.
    Dead(Dead),
    /// It was spent before. The series and everything that came of it was ended.
    Stolen,
    /// The store has never heard of the series, or has forgotten it.
    Unknown,
}

/// A browser that came back.
pub struct Back {
    pub at: Time,
    /// The session cookie, and under what the store keeps it.
    pub secret: Opaque,
    pub mac: Mac,
    pub life: Life,
    pub remembered: Remembered,
}

/// A series that nobody else changes meanwhile, and whose it is.
struct Held {
    series: Series,
    user: User,
    verdict: Verdict,
    second_factor: SecondFactor,
    now: Time,
}

/// Begins a series for a sign-in at `now`; `None` where the deployment remembers nobody.
pub async fn begin(
    app: &App,
    tx: &mut Tx,
    user: &User,
    context: &Context,
    now: Time,
) -> Result<Option<Remembered>, Error> {
    let Some(life) = app.config.session.remember else { return Ok(None) };
    let new = NewSeries {
        id: SeriesId::from_random(app.random.bytes()),
        user_id: user.id,
        user_epoch: user.epoch,
        ip: context.ip.clone().unwrap_or_default(),
        peer: context.peer.clone().unwrap_or_default(),
        user_agent: context.user_agent.clone().unwrap_or_default(),
        expires_at: now.plus(life),
    };
    rows::insert(tx, &new, now).await?;
    let event = credentials::token_created(TokenKind::Remember, &Device::default());
    let context = Context { actor: Some(user.id), subject: Some(user.id), ..context.clone() };
    record(tx, app.random, &event, &context, now).await?;
    let ticket = Ticket { series: new.id, counter: 0 };
    Ok(Some(Remembered { ticket, until: new.expires_at }))
}

/// Uses a genuine secret. Of any number of requests with the current one, on any number of nodes, the
/// first makes a session and the others join it.
pub async fn redeem(app: &App, ticket: &Ticket, context: &Context) -> Result<Outcome, Error> {
    let mut tx = app.db.write().await?;
    let Some(held) = hold(app, &mut tx, ticket).await? else { return Ok(Outcome::Unknown) };
    let user = held.user.id;
    let context = Context { actor: Some(user), subject: Some(user), ..context.clone() };
    let outcome = match held.verdict {
        Verdict::Current => rotate(app, &mut tx, &held, &context).await?,
        Verdict::Previous => join(app, &mut tx, &held, &context).await?,
        Verdict::Dead(dead) => return Ok(Outcome::Dead(dead)),
        Verdict::Spent => {
            stolen(app, &mut tx, &held, &context).await?;
            Outcome::Stolen
        }
    };
    tx.commit().await?;
    Ok(outcome)
}

/// Ends the series of a secret whose holder wants to be forgotten, with all that came of it.
pub async fn forget(app: &App, ticket: &Ticket, context: &Context) -> Result<(), Error> {
    let mut tx = app.db.write().await?;
    end(app, &mut tx, ticket, EndReason::Logout, None, context).await?;
    tx.commit().await
}

/// Ends the series of a secret that comes along when `user` signs in anew. Another user's sessions end
/// with it.
pub async fn replace(
    app: &App,
    tx: &mut Tx,
    ticket: &Ticket,
    user: UserId,
    context: &Context,
) -> Result<(), Error> {
    end(app, tx, ticket, EndReason::Replaced, Some(user), context).await
}

/// Reads and judges; the time is taken when it is this caller's turn.
async fn hold(app: &App, tx: &mut Tx, ticket: &Ticket) -> Result<Option<Held>, Error> {
    let Some(series) = rows::hold(tx, &ticket.series).await? else { return Ok(None) };
    let Some(user) = users::by_id(tx, series.user_id).await? else { return Ok(None) };
    let now = app.clock.now();
    let factor = factors::active(tx, user.id).await?;
    let second_factor = match &factor {
        Some(_) => SecondFactor::Passed,
        None => SecondFactor::NotAsked,
    };
    // What began without the second factor that there is now is worth nothing.
    let began_without = factor.is_some_and(|factor| series.auth_time < factor.enabled_at);
    // Nobody comes back by himself past what a sign-in would ask for now.
    let is_overdue = second_factor == SecondFactor::NotAsked && is_overdue(app, tx, &user).await?;
    let verdict = if began_without || is_overdue {
        Verdict::Dead(Dead::Epoch)
    } else {
        judge(&series.facts(&user), ticket.counter, now)
    };
    Ok(Some(Held { series, user, verdict, second_factor, now }))
}

/// Whether his role asks for a second factor and his time without is over.
async fn is_overdue(app: &App, tx: &mut Tx, user: &User) -> Result<bool, Error> {
    if app.config.sign_in.second_factor.roles.is_empty() {
        return Ok(false);
    }
    let Some(role) = roles::by_id(tx, user.role_id).await? else { return Ok(false) };
    Ok(required_factor::tell(app, tx, user, &role).await? == Standing::Overdue)
}

/// A new session, and the next secret in the place of this one.
async fn rotate(app: &App, tx: &mut Tx, held: &Held, context: &Context) -> Result<Outcome, Error> {
    let Held { series, user, now, .. } = held;
    let occasion = Occasion {
        form: SignInForm::Remembered,
        second_factor: held.second_factor,
        now: *now,
        terms: terms(&app.config.lifetimes(), *now, series.expires_at),
        device: &Device::default(),
        origin: Some(Origin { series: &series.id, auth_time: series.auth_time }),
    };
    let issued = credentials::issue(app, tx, user, &occasion, context).await?;
    let Some((secret, life)) = issued.cookie else { return Err(Error::Conflict) };
    if !rows::rotate(tx, &series.id, series.counter, &issued.session, *now).await? {
        return Err(Error::Conflict);
    }
    Ok(back(app, held, series.counter.saturating_add(1), secret, life))
}

/// Another cookie of the session that the current secret came with, which ends when its first one does.
async fn join(app: &App, tx: &mut Tx, held: &Held, context: &Context) -> Result<Outcome, Error> {
    let Held { series, now, .. } = held;
    let Some(session) = &series.session_id else { return Ok(Outcome::Unknown) };
    let Some(handle) = sessions::handle(tx, session).await? else { return Ok(Outcome::Unknown) };
    let terms = terms(&app.config.lifetimes(), series.rotated_at, series.expires_at);
    let Some(life) = terms.cookie else { return Ok(Outcome::Unknown) };
    let secret = Opaque::from_random(app.random.bytes());
    let mac = app.keys.credential.credential_mac(Purpose::Cookie, &secret);
    credential_rows::insert(tx, &cookie_of(session, mac, life), *now).await?;
    let context = Context { session: Some(handle.as_str().to_owned()), ..context.clone() };
    let event = credentials::token_created(TokenKind::Cookie, &Device::default());
    record(tx, app.random, &event, &context, *now).await?;
    Ok(back(app, held, series.counter, secret, life))
}

fn cookie_of(session: &SessionId, mac: Mac, life: Life) -> NewCredential {
    NewCredential {
        mac,
        session_id: session.clone(),
        kind: CredentialKind::Cookie,
        parent: None,
        platform: None,
        device_type: None,
        app_version: None,
        life,
    }
}

fn back(app: &App, held: &Held, counter: u32, secret: Opaque, life: Life) -> Outcome {
    let ticket = Ticket { series: held.series.id.clone(), counter };
    let mac = app.keys.credential.credential_mac(Purpose::Cookie, &secret);
    let remembered = Remembered { ticket, until: held.series.expires_at };
    Outcome::Back(Box::new(Back { at: held.now, secret, mac, life, remembered }))
}

/// Two have the secret, and nobody knows which is the thief: neither stays signed in, and the owner is
/// told.
async fn stolen(app: &App, tx: &mut Tx, held: &Held, context: &Context) -> Result<(), Error> {
    let Held { series, user, now, .. } = held;
    rows::end_with_sessions(tx, &series.id, EndReason::Stolen, *now).await?;
    let context = Context { actor: None, subject: Some(user.id), ..context.clone() };
    let event = Event::TokenReused { kind: TokenKind::Remember };
    record(tx, app.random, &event, &context, *now).await?;
    mail::send(app, tx, &user.email, &Letter::remember_reused(), *now).await
}

/// Ends the series of a secret, whether the current one or not. `spared`: the user whose sessions stay.
async fn end(
    app: &App,
    tx: &mut Tx,
    ticket: &Ticket,
    reason: EndReason,
    spared: Option<UserId>,
    context: &Context,
) -> Result<(), Error> {
    let Some(held) = hold(app, tx, ticket).await? else { return Ok(()) };
    let (series, user, now) = (&held.series.id, held.user.id, held.now);
    match held.verdict {
        Verdict::Dead(_) => {}
        Verdict::Spent => stolen(app, tx, &held, context).await?,
        Verdict::Current | Verdict::Previous => {
            if spared == Some(user) {
                rows::end(tx, series, reason, now).await?;
            } else {
                rows::end_with_sessions(tx, series, reason, now).await?;
            }
            let context = Context { subject: Some(user), ..context.clone() };
            let event = Event::TokenRevoked { kind: TokenKind::Remember };
            record(tx, app.random, &event, &context, now).await?;
        }
    }
    Ok(())
}
