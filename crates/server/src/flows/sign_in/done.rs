//! What happens after somebody proved who he is: a session begins, in one transaction, unless something
//! else stands in the way. What follows a wrong one is in `flows/guess`.

use portcullis_domain::account::AccountStatus;
use portcullis_domain::event::{Context, EndReason, Event, SignInFailure, TokenKind};
use portcullis_domain::id::UserId;
use portcullis_domain::required_factor::Standing;
use portcullis_domain::role::Role;
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::users::{self, User};
use portcullis_store::{
    Error, Tx, blacklist, credentials as credential_rows, factors, remember as series_rows, roles,
    sessions,
};

use super::breach;
use super::factor::{self, Stepped};
use super::place::{self, Looked, Who};
use super::set_up;
use super::{Attempt, Outcome, Proved, SignedIn, about};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::credentials::{self, Issued};
use crate::flows::guess::Guess;
use crate::flows::record;
use crate::flows::remember::{self, Origin};
use crate::flows::required_factor;

/// The right password, in one transaction: the account as it is now, the session and all that
/// hangs on it, and what it replaces.
pub(super) async fn succeed(
    app: &App,
    attempt: &Attempt<'_>,
    guess: &Guess,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let Some((seen, password)) = &guess.account else { return Ok(Outcome::Refused) };
    let mut tx = app.db.write().await?;
    let context = about(&attempt.context, Some(seen));
    let Some((user, role)) = unchanged(&mut tx, guess).await? else {
        let event = guess.failed(SignInFailure::AccountChanged);
        record(&mut tx, app.random, &event, &context, now).await?;
        tx.commit().await?;
        return Ok(Outcome::Refused);
    };
    let refused = match refuse_barred(app, &mut tx, attempt, &user, &context).await? {
        Some(barred) => Some(barred),
        None => breach::refuse(app, &mut tx, attempt, (&user, &password.breach), &context).await?,
    };
    if let Some(outcome) = refused {
        tx.commit().await?;
        return Ok(outcome);
    }
    admit(app, tx, attempt, Proved { user, role, failures: password.failures }).await
}

/// Whoever proved who he is: may he be signed in, does he have a second factor, is the place his own?
pub(super) async fn admit(
    app: &App,
    mut tx: Tx,
    attempt: &Attempt<'_>,
    proved: Proved,
) -> Result<Outcome, Error> {
    let context = about(&attempt.context, Some(&proved.user));
    if let Some(outcome) = refuse_barred(app, &mut tx, attempt, &proved.user, &context).await? {
        tx.commit().await?;
        return Ok(outcome);
    }
    let second_factor = match factor::step(app, &mut tx, attempt, &proved, &context).await? {
        Stepped::NotAsked if !set_up::leads_to_a_page(attempt.form) => {
            // A program sets nothing up: it is told before its place is looked at.
            let standing = required_factor::tell(app, &mut tx, &proved.user, &proved.role).await?;
            if standing == Standing::Overdue {
                let outcome = set_up::ask(app, &mut tx, attempt, &proved, &context).await?;
                tx.commit().await?;
                return Ok(outcome);
            }
            SecondFactor::NotAsked
        }
        Stepped::NotAsked => SecondFactor::NotAsked,
        Stepped::Spared => SecondFactor::Passed,
        Stepped::Passed => return begin_with_factor(app, tx, attempt, proved, &context).await,
        Stepped::Stop(outcome) => {
            tx.commit().await?;
            return Ok(outcome);
        }
    };
    let is_spared = second_factor == SecondFactor::Passed;
    let who = Who { user: &proved.user, failures: proved.failures, is_spared };
    let device_cookie = match place::look(app, &mut tx, attempt, who, &context).await? {
        Looked::Go { device_cookie } => device_cookie,
        Looked::Stop(outcome) => {
            tx.commit().await?;
            return Ok(outcome);
        }
    };
    begin_at_place(app, tx, attempt, proved, (second_factor, device_cookie), &context).await
}

/// Somebody at a place of his own: if he passed no second factor, does his role ask for one?
pub(super) async fn begin_at_place(
    app: &App,
    mut tx: Tx,
    attempt: &Attempt<'_>,
    proved: Proved,
    (second_factor, device_cookie): (SecondFactor, String),
    context: &Context,
) -> Result<Outcome, Error> {
    let standing = match second_factor {
        SecondFactor::Passed => Standing::Free,
        SecondFactor::NotAsked => {
            required_factor::tell(app, &mut tx, &proved.user, &proved.role).await?
        }
    };
    let factor_due = match standing {
        Standing::Free => None,
        Standing::Until(due) => Some(due),
        // Here and not before: whoever only knows the password sets up no factor in his stead.
        Standing::Overdue => {
            let outcome = set_up::ask(app, &mut tx, attempt, &proved, context).await?;
            tx.commit().await?;
            return Ok(outcome);
        }
    };
    let admitted = Admitted::new(attempt, proved, second_factor, device_cookie);
    begin(app, tx, attempt, Admitted { factor_due, ..admitted }, context).await
}

/// Whoever passed a second factor is not asked about the place: it is his own from now on.
pub(super) async fn begin_with_factor(
    app: &App,
    mut tx: Tx,
    attempt: &Attempt<'_>,
    proved: Proved,
    context: &Context,
) -> Result<Outcome, Error> {
    let device_cookie = place::learn(app, &mut tx, attempt, &proved.user, context).await?;
    let admitted = Admitted::new(attempt, proved, SecondFactor::Passed, device_cookie);
    begin(app, tx, attempt, admitted, context).await
}

/// Whose sign-in nothing stands in the way of any more.
struct Admitted {
    user: User,
    role: Role,
    event: Event,
    second_factor: SecondFactor,
    device_cookie: String,
    factor_due: Option<Time>,
}

impl Admitted {
    fn new(
        attempt: &Attempt<'_>,
        proved: Proved,
        second_factor: SecondFactor,
        device_cookie: String,
    ) -> Self {
        let Proved { user, role, failures } = proved;
        let event = success_event(attempt.form, failures);
        Self { user, role, event, second_factor, device_cookie, factor_due: None }
    }
}

/// Nothing stands in the way any more, in the same transaction: the session and all that hangs on it,
/// and what it replaces.
async fn begin(
    app: &App,
    mut tx: Tx,
    attempt: &Attempt<'_>,
    admitted: Admitted,
    context: &Context,
) -> Result<Outcome, Error> {
    let Admitted { user, role, event, second_factor, device_cookie, factor_due } = admitted;
    let now = app.clock.now();
    record(&mut tx, app.random, &event, context, now).await?;
    let terms = app.config.lifetimes().terms(attempt.form, attempt.shows_browser, now);
    let remembered = match terms.cookie {
        Some(_) if attempt.remember => remember::begin(app, &mut tx, &user, context, now).await?,
        Some(_) | None => None,
    };
    let series = remembered.as_ref().map(|remembered| &remembered.ticket.series);
    let occasion = credentials::Occasion {
        form: attempt.form,
        second_factor,
        now,
        terms,
        device: &attempt.device,
        origin: series.map(|series| Origin { series, auth_time: now }),
    };
    let issued = match credentials::issue(app, &mut tx, &user, &occasion, context).await {
        Err(Error::Conflict) => return overtaken(app, tx, attempt, &user).await,
        issued => issued?,
    };
    replace(app, &mut tx, attempt, &user, &issued, context).await?;
    tx.commit().await?;
    Ok(Outcome::SignedIn(Box::new(SignedIn {
        user,
        role,
        issued,
        device_cookie,
        remembered,
        trusted: None,
        factor_due,
    })))
}

/// Refuses, and writes down, whom nobody may be signed in as.
pub(super) async fn refuse_barred(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    user: &User,
    context: &Context,
) -> Result<Option<Outcome>, Error> {
    let Some((reason, outcome)) = barred(tx, user).await? else { return Ok(None) };
    let event = Event::SignInFailed { form: attempt.form, reason, known: true };
    record(tx, app.random, &event, context, app.clock.now()).await?;
    Ok(Some(outcome))
}

/// Why nobody may be signed in to this account, whatever he knows.
async fn barred(tx: &mut Tx, user: &User) -> Result<Option<(SignInFailure, Outcome)>, Error> {
    if user.status != AccountStatus::Active {
        return Ok(Some((SignInFailure::AccountDisabled, Outcome::Disabled)));
    }
    let is_listed = blacklist::is_listed(tx, user.id).await?;
    Ok(is_listed.then_some((SignInFailure::Blacklisted, Outcome::Blacklisted)))
}

/// The store made no session: the user may have been put on the blacklist a moment ago, or have a second
/// factor since.
async fn overtaken(
    app: &App,
    begun: Tx,
    attempt: &Attempt<'_>,
    user: &User,
) -> Result<Outcome, Error> {
    drop(begun);
    let mut tx = app.db.write().await?;
    let has_factor = factors::active(&mut tx, user.id).await?.is_some();
    let (reason, outcome) = match barred(&mut tx, user).await? {
        Some(barred) => barred,
        None if has_factor => (SignInFailure::AccountChanged, Outcome::Refused),
        None => return Err(Error::Conflict),
    };
    let event = Event::SignInFailed { form: attempt.form, reason, known: true };
    let context = about(&attempt.context, Some(user));
    record(&mut tx, app.random, &event, &context, app.clock.now()).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// The account and its role as they are now, if the guess still holds.
async fn unchanged(tx: &mut Tx, guess: &Guess) -> Result<Option<(User, Role)>, Error> {
    let Some(user) = guess.right(tx).await? else { return Ok(None) };
    let role = roles::by_id(tx, user.role_id).await?;
    Ok(role.map(|role| (user, role)))
}

/// Ends what a new sign-in replaces: the session whose cookie came along (another user's whole,
/// one's own by its cookie), what would bring it back, and earlier API tokens where the deployment
/// wants one at a time.
async fn replace(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    user: &User,
    issued: &Issued,
    context: &Context,
) -> Result<(), Error> {
    let now = app.clock.now();
    let gives_cookie = issued.cookie.is_some();
    if let Some(ticket) = attempt.ticket.as_ref().filter(|_| gives_cookie) {
        remember::replace(app, tx, ticket, user.id, context).await?;
    }
    if let Some(before) = attempt.before.as_ref().filter(|_| gives_cookie) {
        let (ended, event) = if before.user == user.id {
            series_rows::end_of_session(tx, &before.session, EndReason::Replaced, now).await?;
            let event = Event::TokenRevoked { kind: TokenKind::Cookie };
            (credential_rows::end(tx, &before.mac, now).await?, event)
        } else {
            let reason = EndReason::Replaced;
            let ended = sessions::end(tx, &before.session, reason, now).await?;
            (ended, Event::SessionEnded { reason })
        };
        if ended {
            let session = Some(before.handle.as_str().to_owned());
            let context = Context { subject: Some(before.user), session, ..context.clone() };
            record(tx, app.random, &event, &context, now).await?;
        }
    }
    if app.config.tokens.one_api_token && issued.api_token.is_some() {
        let ended =
            credential_rows::end_api_tokens_of_user(tx, user.id, &issued.session, now).await?;
        if ended > 0 {
            let event = Event::TokenRevoked { kind: TokenKind::Api };
            record(tx, app.random, &event, context, now).await?;
        }
    }
    Ok(())
}

/// Makes the stored hash as expensive as new ones, after the answer. It is put in only if nobody
/// has changed the password meanwhile.
pub(super) fn rehash_later(app: &App, guess: &Guess, password: &str) {
    let Some((user, stored)) = &guess.account else { return };
    let Some(old) = stored.phc.clone() else { return };
    let (app_later, user) = (app.clone(), user.id);
    let password = zeroize::Zeroizing::new(password.to_owned());
    app.spawn(async move {
        let app = app_later;
        if let Err(error) = rehash(&app, user, &old, &password).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a password was not rehashed");
        }
    });
}

async fn rehash(
    app: &App,
    user: UserId,
    old: &users::PasswordPhc,
    password: &str,
) -> Result<(), Failure> {
    let phc = app.hasher.hash(app.hasher.seat()?, password, app.random.bytes()).await?;
    let mut tx = app.db.write().await?;
    users::rehash(&mut tx, user, old, &phc).await?;
    Ok(tx.commit().await?)
}

fn success_event(form: SignInForm, failures: i64) -> Event {
    match u32::try_from(failures) {
        Ok(failures) if failures > 0 => Event::SignedInAfterFailures { form, failures },
        Ok(_) | Err(_) => Event::SignedIn { form },
    }
}
