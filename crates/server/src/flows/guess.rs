//! A guess at the password of an account, at sign-in or by whoever is signed in: what is counted before
//! it is looked at, in one transaction, so that parallel guesses cannot outrun the counters, and what
//! follows once it was. Not here: looking at it (`hasher`), and what the right one is good for.

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LimitName, SignInFailure};
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::{Lock, PASSWORD_DISABLED_AFTER};
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Password, PasswordPhc, User};
use portcullis_store::{Error, Tx, lockouts};

use super::limits::{self, Asking, Counter, LimitStanding, LockKey};
use super::record;
use crate::app::App;
use crate::mail::{self, Letter};

/// Who guesses, at what, and from where.
pub(super) struct Guesser<'a> {
    pub occasion: Occasion,
    /// What the limit counts by, beside the address.
    pub name: Option<&'a Identifier>,
    /// Whose password it is, where that is known; else it is looked up by the name, once it was counted.
    pub user: Option<User>,
    pub from: &'a ClientAddress,
    /// The device cookie, if one came.
    pub device_cookie: Option<&'a str>,
    pub context: &'a Context,
}

/// What somebody guesses for. It decides the words of the events and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    SignIn(SignInForm),
    /// The current password, once more.
    Proof,
}

/// What came of counting a guess.
pub(super) enum Reserved {
    Go(Box<Guess>),
    TooMany { retry_after: Duration },
    Locked { retry_after: Duration },
}

/// A guess that was counted, and the account that it is at, as far as there is one.
pub(super) struct Guess {
    pub account: Option<(User, Password)>,
    occasion: Occasion,
    lock_key: Option<String>,
    /// This guess is the last: if it fails, the network is locked out.
    locks_until: Option<Time>,
}

/// Counts a guess against the limit of sign-in and the lock-out. The caller commits, whatever comes of
/// it.
pub(super) async fn reserve(
    app: &App,
    tx: &mut Tx,
    guesser: Guesser<'_>,
    now: Time,
) -> Result<(Reserved, Option<LimitStanding>), Error> {
    let (occasion, from) = (guesser.occasion, guesser.from);
    let context = about(guesser.context, guesser.user.as_ref());
    let asking = Asking { counter: Counter::Login, from, name: guesser.name, context: &context };
    let standing = limits::admit_or(app, tx, &asking, &occasion.limited(), now).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return Ok((Reserved::TooMany { retry_after }, standing));
    }
    let account = find(tx, &guesser).await?;
    let mut guess = Guess { account, occasion, lock_key: None, locks_until: None };
    let key = guess.lock_key(app, &guesser);
    if let (Some(limit), Some(key)) = (app.limits.in_force().lockout, key) {
        match lockouts::reserve_failure(tx, &key, limit, now).await? {
            Lock::Locked { retry_after, .. } => {
                let event = guess.failed(SignInFailure::LockedOut);
                let context = about(guesser.context, guess.user());
                record(tx, app.random, &event, &context, now).await?;
                let standing = LimitStanding::used_up(limit, retry_after, now);
                return Ok((Reserved::Locked { retry_after }, Some(standing)));
            }
            Lock::Open { last } => {
                guess.lock_key = Some(key);
                guess.locks_until = last.then(|| now.plus(limit.period));
            }
        }
    }
    Ok((Reserved::Go(Box::new(guess)), standing))
}

impl Guess {
    pub(super) fn user(&self) -> Option<&User> {
        self.account.as_ref().map(|(user, _)| user)
    }

    /// The hash to check against; none for an account that takes no password.
    pub(super) fn usable_phc(&self) -> Option<&str> {
        let (_, password) = self.account.as_ref()?;
        password.phc.as_ref().filter(|_| !password.disabled).map(PasswordPhc::reveal)
    }

    /// It was wrong: written down, counted against the account, and everything that follows.
    pub(super) async fn wrong(&self, app: &App, context: &Context) -> Result<(), Error> {
        let now = app.clock.now();
        let context = about(context, self.user());
        let mut tx = app.db.write().await?;
        let event = self.failed(self.failure());
        record(&mut tx, app.random, &event, &context, now).await?;
        self.count_wrong(app, &mut tx, &context, now).await?;
        tx.commit().await
    }

    /// It was right: the account as it is now, if nothing that the check rested on has changed while the
    /// password was being hashed; then wrong ones from here are forgiven. A new password raises the
    /// epoch; making the hash dearer does not.
    pub(super) async fn right(&self, tx: &mut Tx) -> Result<Option<User>, Error> {
        let Some(seen) = self.user() else { return Ok(None) };
        let Some(user) = users::by_id(tx, seen.id).await? else { return Ok(None) };
        let Some(password) = users::password(tx, user.id).await? else { return Ok(None) };
        if user.epoch != seen.epoch || password.disabled {
            return Ok(None);
        }
        if let Some(key) = &self.lock_key {
            lockouts::clear(tx, key).await?;
        }
        users::password_succeeded(tx, user.id).await?;
        Ok(Some(user))
    }

    /// What is written of a guess that came to nothing.
    pub(super) fn failed(&self, reason: SignInFailure) -> Event {
        match self.occasion {
            Occasion::SignIn(form) => {
                Event::SignInFailed { form, reason, known: self.account.is_some() }
            }
            Occasion::Proof => Event::NotProvedAgain { reason },
        }
    }

    fn failure(&self) -> SignInFailure {
        match &self.account {
            None => SignInFailure::UnknownUser,
            Some(_) if self.usable_phc().is_none() => SignInFailure::NoPassword,
            Some(_) => SignInFailure::WrongPassword,
        }
    }

    async fn count_wrong(
        &self,
        app: &App,
        tx: &mut Tx,
        context: &Context,
        now: Time,
    ) -> Result<(), Error> {
        if let Some(user) = self.user() {
            let failures = users::password_failed(tx, user.id).await?;
            let is_limit = failures >= i64::from(PASSWORD_DISABLED_AFTER);
            if is_limit && users::disable_password(tx, user.id).await? {
                record(tx, app.random, &Event::PasswordDisabled, context, now).await?;
                mail::send(app, tx, &user.email, &Letter::password_disabled(), now).await?;
            }
        }
        if let Some(until) = self.locks_until {
            record(tx, app.random, &Event::SignInLocked { until }, context, now).await?;
            if let Some(user) = self.user() {
                mail::send(app, tx, &user.email, &Letter::locked_out(until), now).await?;
            }
        }
        Ok(())
    }

    /// Whose failures the lock-out counts; nobody's where nothing was named.
    fn lock_key(&self, app: &App, guesser: &Guesser<'_>) -> Option<String> {
        let Some(user) = self.user() else {
            return guesser.name.map(|name| LockKey::Unknown(name, guesser.from).text());
        };
        let known_device =
            guesser.device_cookie.and_then(|cookie| app.keys.device.verify(user.id, cookie));
        Some(match known_device {
            Some(nonce) => LockKey::Device(user.id, nonce).text(),
            None => LockKey::Account(user.id, guesser.from).text(),
        })
    }
}

impl Occasion {
    /// What is written of a guess that is over the limit.
    pub(super) fn limited(self) -> Event {
        match self {
            Self::SignIn(form) => Event::SignInLimited { form },
            Self::Proof => Event::LimitExceeded { limit: LimitName::Login },
        }
    }
}

/// The context of what happened, about whoever it happened to.
pub(super) fn about(context: &Context, user: Option<&User>) -> Context {
    Context { subject: user.map(|user| user.id), ..context.clone() }
}

async fn find(tx: &mut Tx, guesser: &Guesser<'_>) -> Result<Option<(User, Password)>, Error> {
    let user = match (&guesser.user, guesser.name) {
        (Some(user), _) => Some(user.clone()),
        (None, Some(name)) => users::by_identifier(tx, name).await?,
        (None, None) => None,
    };
    let Some(user) = user else { return Ok(None) };
    let password = users::password(tx, user.id).await?;
    Ok(password.map(|password| (user, password)))
}
