//! A code of a second factor: counted before it is looked at, for the user, whoever types it and however
//! he came there; then looked at, and used. All of it in the caller's transaction, which commits whatever
//! came of it, so that a code is used exactly when what it was for is done.

use std::time::Duration;

use portcullis_domain::event::{Context, Event, FactorMethod, FactorRefusal};
use portcullis_domain::id::UserId;
use portcullis_domain::second_factor::{EXHAUSTED_AFTER, LOCK, Typed};
use portcullis_domain::throttle::Lock;
use portcullis_domain::time::Time;
use portcullis_store::factors::{self, Factor};
use portcullis_store::users::User;
use portcullis_store::{Error, Tx, lockouts};

use crate::app::App;
use crate::flows::record;
use crate::mail::{self, Letter};

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It was right, and is used now.
    Passed,
    /// It is another, or was used before.
    Wrong,
    /// There were too many wrong ones: it was not looked at.
    Locked { retry_after: Duration },
    /// There were so many that codes of the app are not taken any more: it was not looked at.
    Exhausted,
    /// The user has no second factor.
    NoFactor,
}

/// Counts what somebody typed, looks at it, and writes down what came of it.
pub(in crate::flows) async fn check(
    app: &App,
    tx: &mut Tx,
    user: &User,
    text: &str,
    context: &Context,
) -> Result<Checked, Error> {
    let now = app.clock.now();
    let key = lock_key(user.id);
    let is_last = match lockouts::reserve_failure(tx, &key, LOCK, now).await? {
        Lock::Open { last } => last,
        Lock::Locked { retry_after, .. } => {
            let event = Event::FactorRefused { reason: FactorRefusal::Locked };
            record(tx, app.random, &event, context, now).await?;
            return Ok(Checked::Locked { retry_after });
        }
    };
    let Some(factor) = factors::count_try(tx, user.id).await? else {
        lockouts::clear(tx, &key).await?;
        return Ok(Checked::NoFactor);
    };
    match look(app, tx, &factor, text, now).await? {
        Ok(method) => {
            lockouts::clear(tx, &key).await?;
            factors::passed(tx, &factor.id).await?;
            passed(app, tx, (user, &factor), method, context).await?;
            Ok(Checked::Passed)
        }
        Err(reason) => {
            let event = Event::FactorRefused { reason };
            record(tx, app.random, &event, context, now).await?;
            let locks_until = is_last.then(|| now.plus(LOCK.period));
            failed(app, tx, (user, &factor), locks_until, context).await?;
            let is_exhausted = reason == FactorRefusal::Exhausted;
            Ok(if is_exhausted { Checked::Exhausted } else { Checked::Wrong })
        }
    }
}

/// Under what wrong codes are counted. An unlocked password does not forgive them.
pub(in crate::flows) fn lock_key(user: UserId) -> String {
    format!("factor:{user}")
}

/// Looks at the code and uses it, or says why not.
async fn look(
    app: &App,
    tx: &mut Tx,
    factor: &Factor,
    text: &str,
    now: Time,
) -> Result<Result<FactorMethod, FactorRefusal>, Error> {
    let (method, is_right) = match Typed::read(text) {
        Typed::App(_) if factor.exhausted_at.is_some() => {
            return Ok(Err(FactorRefusal::Exhausted));
        }
        Typed::App(code) => {
            let secret = app.keys.factor.open((factor.user, &factor.id), &factor.secret);
            let secret = secret.map_err(|_| unreadable(&factor.id))?;
            let is_right = match secret.accept(code, now, factor.last_step) {
                Some(step) => factors::use_step(tx, &factor.id, step).await?,
                None => false,
            };
            (FactorMethod::App, is_right)
        }
        Typed::Backup(code) => {
            let mac = app.keys.credential.backup_code_mac(&factor.id, &code);
            (FactorMethod::BackupCode, factors::spend(tx, &factor.id, &mac, now).await?)
        }
        Typed::Neither => (FactorMethod::App, false),
    };
    Ok(if is_right { Ok(method) } else { Err(FactorRefusal::Wrong) })
}

async fn passed(
    app: &App,
    tx: &mut Tx,
    (user, factor): (&User, &Factor),
    method: FactorMethod,
    context: &Context,
) -> Result<(), Error> {
    let now = app.clock.now();
    let left = match method {
        FactorMethod::App | FactorMethod::TrustedDevice => None,
        FactorMethod::BackupCode => Some(factors::left(tx, &factor.id).await?),
    };
    record(tx, app.random, &Event::FactorPassed { method, left }, context, now).await?;
    let Some(left) = left else { return Ok(()) };
    mail::send(app, tx, &user.email, &Letter::backup_code_used(left), now).await
}

/// What follows a wrong code: nobody tries for a while, or never again.
async fn failed(
    app: &App,
    tx: &mut Tx,
    (user, factor): (&User, &Factor),
    locks_until: Option<Time>,
    context: &Context,
) -> Result<(), Error> {
    let now = app.clock.now();
    let are_too_many = factor.failures >= EXHAUSTED_AFTER && factor.exhausted_at.is_none();
    if are_too_many && factors::exhaust(tx, &factor.id, now).await? {
        record(tx, app.random, &Event::FactorExhausted, context, now).await?;
        mail::send(app, tx, &user.email, &Letter::factor_exhausted(), now).await?;
    }
    if let Some(until) = locks_until {
        record(tx, app.random, &Event::FactorLocked { until }, context, now).await?;
        mail::send(app, tx, &user.email, &Letter::factor_locked(until), now).await?;
    }
    Ok(())
}

/// The secret of a factor cannot be opened, or sealed.
pub(super) fn unreadable(id: &str) -> Error {
    Error::Corrupt { table: "factors", column: "secret", id: id.to_owned() }
}
