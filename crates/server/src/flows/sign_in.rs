//! Signing in with a password. The same work and the same answer for a wrong password, a name that
//! is nobody's and an account without a password; what is wrong with an account is told only to
//! whoever knew its password.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, EndReason, Event, LimitName, SignInFailure, TokenKind};
use portcullis_domain::id::{SessionHandle, SessionId, UserId};
use portcullis_domain::password::Verdict;
use portcullis_domain::remember::Ticket;
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::{Lock, PASSWORD_DISABLED_AFTER};
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Password, User};
use portcullis_store::{
    Error, Tx, credentials as credential_rows, lockouts, remember as series_rows, roles, sessions,
};

use super::credentials::{self, Device, Issued};
use super::limits::{self, LockKey, LoginStanding};
use super::record;
use super::remember::{self, Origin, Remembered};
use crate::app::App;
use crate::fault::Failure;
use crate::mail;

/// One attempt to sign in.
pub struct Attempt<'a> {
    pub form: SignInForm,
    /// The name as typed; the field's length has been checked.
    pub name: &'a str,
    pub password: &'a str,
    /// Whether the request shows a browser: pages get no bearer tokens.
    pub shows_browser: bool,
    pub from: ClientAddress,
    /// The device cookie, if one came.
    pub device_cookie: Option<&'a str>,
    pub device: Device,
    /// Whose session cookie came along: it is replaced.
    pub before: Option<Before>,
    /// Whether the browser is to stay signed in, if it gets a cookie.
    pub remember: bool,
    /// What its cookie for that held before: it is replaced.
    pub ticket: Option<Ticket>,
    pub context: Context,
}

/// The session whose cookie came along with an attempt.
pub struct Before {
    pub session: SessionId,
    pub handle: SessionHandle,
    pub user: UserId,
    pub mac: Mac,
}

/// What became of an attempt.
pub enum Outcome {
    SignedIn(Box<SignedIn>),
    /// Wrong, whatever was wrong.
    Refused,
    /// The password was right, and the account may not be used.
    Disabled,
    /// Too many wrong passwords from this network.
    Locked {
        retry_after: Duration,
    },
    /// Too many attempts.
    TooMany {
        retry_after: Duration,
    },
}

impl Outcome {
    /// The word in the figures.
    fn word(&self) -> &'static str {
        match self {
            Self::SignedIn(_) => "signed_in",
            Self::Refused => "refused",
            Self::Disabled => "disabled",
            Self::Locked { .. } => "locked",
            Self::TooMany { .. } => "limited",
        }
    }
}

/// An outcome, and what the limit headers say of it.
pub struct Answer {
    pub outcome: Outcome,
    pub standing: Option<LoginStanding>,
}

/// Everything that the forms of an answer are made from.
pub struct SignedIn {
    pub user: User,
    pub role: Role,
    pub issued: Issued,
    /// For the device cookie.
    pub device_cookie: String,
    /// For a browser that stays signed in.
    pub remembered: Option<Remembered>,
}

/// The account that an attempt is about, as far as there is one.
struct Candidate {
    account: Option<(User, Password)>,
    lock_key: Option<String>,
    /// This attempt is the last: if it fails, the network is locked out.
    locks_until: Option<Time>,
}

/// What came of counting an attempt.
enum Counted {
    Go(Box<Candidate>),
    Stop(Outcome),
}

/// Signs somebody in, or says why not.
pub async fn sign_in(app: &App, attempt: &Attempt<'_>) -> Result<Answer, Failure> {
    let answer = judge(app, attempt).await?;
    app.telemetry.metrics.sign_in(answer.outcome.word());
    Ok(answer)
}

async fn judge(app: &App, attempt: &Attempt<'_>) -> Result<Answer, Failure> {
    let now = app.clock.now();
    let name = Identifier::parse(attempt.name).ok();
    if let Some(answer) = turn_away(app, attempt, name.as_ref(), now).await? {
        return Ok(answer);
    }
    let seat = app.hasher.seat()?;
    let (counted, standing) = count(app, attempt, name.as_ref(), now).await?;
    let outcome = match counted {
        Counted::Stop(outcome) => outcome,
        Counted::Go(candidate) => {
            let phc = candidate.usable_phc();
            match app.hasher.verify(seat, attempt.password, phc).await? {
                Verdict::Match => succeed(app, attempt, *candidate).await?,
                Verdict::MatchNeedsRehash => {
                    rehash_later(app, &candidate, attempt.password);
                    succeed(app, attempt, *candidate).await?
                }
                Verdict::Mismatch | Verdict::Unreadable => fail(app, attempt, &candidate).await?,
            }
        }
    };
    Ok(Answer { outcome, standing })
}

/// Counts a request to sign in that names nobody, by its address.
pub async fn count_unreadable(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LoginStanding>, Error> {
    let Some(limit) = app.config.limits.login else { return Ok(None) };
    let mut tx = app.db.write().await?;
    let now = app.clock.now();
    let standing = limits::reserve(&mut tx, limit, from, None, now).await?;
    if standing.retry_after.is_some() {
        let event = Event::LimitExceeded { limit: LimitName::Login };
        record(&mut tx, app.random, &event, context, now).await?;
    }
    tx.commit().await?;
    Ok(Some(standing))
}

/// Refuses what is over the limit by a read alone.
async fn turn_away(
    app: &App,
    attempt: &Attempt<'_>,
    name: Option<&Identifier>,
    now: Time,
) -> Result<Option<Answer>, Failure> {
    let Some(limit) = app.config.limits.login else { return Ok(None) };
    let mut tx = app.db.read().await?;
    let Some(standing) = limits::peek(&mut tx, limit, &attempt.from, name, now).await? else {
        return Ok(None);
    };
    let event = Event::SignInLimited { form: attempt.form };
    app.recorder.record(event, attempt.context.clone(), now).await;
    let retry_after = standing.retry_after.unwrap_or_default();
    Ok(Some(Answer { outcome: Outcome::TooMany { retry_after }, standing: Some(standing) }))
}

/// Counts the attempt against every limit, in one transaction.
async fn count(
    app: &App,
    attempt: &Attempt<'_>,
    name: Option<&Identifier>,
    now: Time,
) -> Result<(Counted, Option<LoginStanding>), Error> {
    let mut tx = app.db.write().await?;
    let mut standing = None;
    if let Some(limit) = app.config.limits.login {
        let counted = limits::reserve(&mut tx, limit, &attempt.from, name, now).await?;
        standing = Some(counted);
        if let Some(retry_after) = counted.retry_after {
            let event = Event::SignInLimited { form: attempt.form };
            record(&mut tx, app.random, &event, &attempt.context, now).await?;
            tx.commit().await?;
            return Ok((Counted::Stop(Outcome::TooMany { retry_after }), standing));
        }
    }
    let account = match name {
        Some(name) => find(&mut tx, name).await?,
        None => None,
    };
    let mut candidate = Candidate { account, lock_key: None, locks_until: None };
    let counted = match (app.config.limits.lockout, name) {
        (Some(limit), Some(name)) => {
            let key = candidate.lock_key(app, attempt, name);
            match lockouts::reserve_failure(&mut tx, &key, limit, now).await? {
                Lock::Locked { retry_after, .. } => {
                    locked_out(app, &mut tx, attempt, &candidate, now).await?;
                    Counted::Stop(Outcome::Locked { retry_after })
                }
                Lock::Open { last } => {
                    candidate.lock_key = Some(key);
                    candidate.locks_until = last.then(|| now.plus(limit.period));
                    Counted::Go(Box::new(candidate))
                }
            }
        }
        (None, _) | (_, None) => Counted::Go(Box::new(candidate)),
    };
    tx.commit().await?;
    Ok((counted, standing))
}

/// An attempt that came during a lock-out.
async fn locked_out(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    candidate: &Candidate,
    now: Time,
) -> Result<(), Error> {
    let user = candidate.account.as_ref().map(|(user, _)| user);
    let reason = SignInFailure::LockedOut;
    let event = Event::SignInFailed { form: attempt.form, reason, known: user.is_some() };
    record(tx, app.random, &event, &about(&attempt.context, user), now).await
}

async fn find(tx: &mut Tx, name: &Identifier) -> Result<Option<(User, Password)>, Error> {
    let Some(user) = users::by_identifier(tx, name).await? else { return Ok(None) };
    let password = users::password(tx, user.id).await?;
    Ok(password.map(|password| (user, password)))
}

impl Candidate {
    fn lock_key(&self, app: &App, attempt: &Attempt<'_>, name: &Identifier) -> String {
        let Some((user, _)) = &self.account else {
            return LockKey::Unknown(name, &attempt.from).text();
        };
        let known_device =
            attempt.device_cookie.and_then(|cookie| app.keys.device.verify(user.id, cookie));
        match known_device {
            Some(nonce) => LockKey::Device(user.id, nonce).text(),
            None => LockKey::Account(user.id, &attempt.from).text(),
        }
    }

    /// The hash to check against; none for an account that takes no password.
    fn usable_phc(&self) -> Option<&str> {
        let (_, password) = self.account.as_ref()?;
        password.phc.as_ref().filter(|_| !password.disabled).map(users::PasswordPhc::reveal)
    }

    fn failure(&self) -> SignInFailure {
        match &self.account {
            None => SignInFailure::UnknownUser,
            Some(_) if self.usable_phc().is_none() => SignInFailure::NoPassword,
            Some(_) => SignInFailure::WrongPassword,
        }
    }
}

/// A wrong password, in one transaction: counted against the account, and everything that follows.
async fn fail(app: &App, attempt: &Attempt<'_>, candidate: &Candidate) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let user = candidate.account.as_ref().map(|(user, _)| user);
    let context = about(&attempt.context, user);
    let mut tx = app.db.write().await?;
    let reason = candidate.failure();
    let event = Event::SignInFailed { form: attempt.form, reason, known: user.is_some() };
    record(&mut tx, app.random, &event, &context, now).await?;
    if let Some(user) = user {
        let failures = users::password_failed(&mut tx, user.id).await?;
        let is_limit = failures >= i64::from(PASSWORD_DISABLED_AFTER);
        if is_limit && users::disable_password(&mut tx, user.id).await? {
            record(&mut tx, app.random, &Event::PasswordDisabled, &context, now).await?;
            mail::password_disabled(app, &mut tx, user, now).await?;
        }
    }
    if let Some(until) = candidate.locks_until {
        record(&mut tx, app.random, &Event::SignInLocked { until }, &context, now).await?;
        if let Some(user) = user {
            mail::locked_out(app, &mut tx, user, until, now).await?;
        }
    }
    tx.commit().await?;
    Ok(Outcome::Refused)
}

/// The right password, in one transaction: the account as it is now, the session and all that
/// hangs on it, and what it replaces.
async fn succeed(app: &App, attempt: &Attempt<'_>, candidate: Candidate) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let Some((seen, password)) = candidate.account else { return Ok(Outcome::Refused) };
    let mut tx = app.db.write().await?;
    let context = about(&attempt.context, Some(&seen));
    let Some((user, role)) = unchanged(&mut tx, &seen).await? else {
        let reason = SignInFailure::AccountChanged;
        let event = Event::SignInFailed { form: attempt.form, reason, known: true };
        record(&mut tx, app.random, &event, &context, now).await?;
        tx.commit().await?;
        return Ok(Outcome::Refused);
    };
    if let Some(key) = &candidate.lock_key {
        lockouts::clear(&mut tx, key).await?;
    }
    users::password_succeeded(&mut tx, user.id).await?;
    if user.status != AccountStatus::Active {
        let reason = SignInFailure::AccountDisabled;
        let event = Event::SignInFailed { form: attempt.form, reason, known: true };
        record(&mut tx, app.random, &event, &context, now).await?;
        tx.commit().await?;
        return Ok(Outcome::Disabled);
    }
    let event = success_event(attempt.form, password.failures);
    record(&mut tx, app.random, &event, &context, now).await?;
    let terms = app.config.lifetimes().terms(attempt.form, attempt.shows_browser, now);
    let remembered = match terms.cookie {
        Some(_) if attempt.remember => remember::begin(app, &mut tx, &user, &context, now).await?,
        Some(_) | None => None,
    };
    let series = remembered.as_ref().map(|remembered| &remembered.ticket.series);
    let occasion = credentials::Occasion {
        form: attempt.form,
        now,
        terms,
        device: &attempt.device,
        origin: series.map(|series| Origin { series, auth_time: now }),
    };
    let issued = credentials::issue(app, &mut tx, &user, &occasion, &context).await?;
    replace(app, &mut tx, attempt, &user, &issued, &context).await?;
    tx.commit().await?;
    let device_cookie = app.keys.device.mint(user.id, app.random.bytes());
    Ok(Outcome::SignedIn(Box::new(SignedIn { user, role, issued, device_cookie, remembered })))
}

/// The account and its role as they are now, if nothing that the check rested on has changed while
/// the password was being hashed. A new password raises the epoch; making the hash dearer does not.
async fn unchanged(tx: &mut Tx, seen: &User) -> Result<Option<(User, Role)>, Error> {
    let Some(user) = users::by_id(tx, seen.id).await? else { return Ok(None) };
    let Some(password) = users::password(tx, seen.id).await? else { return Ok(None) };
    let same = user.epoch == seen.epoch && !password.disabled;
    let role = roles::by_id(tx, user.role_id).await?;
    Ok(role.filter(|_| same).map(|role| (user, role)))
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
fn rehash_later(app: &App, candidate: &Candidate, password: &str) {
    let Some((user, stored)) = &candidate.account else { return };
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

fn about(context: &Context, user: Option<&User>) -> Context {
    Context { subject: user.map(|user| user.id), ..context.clone() }
}
