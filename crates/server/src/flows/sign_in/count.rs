//! What happens to an attempt before its password is looked at: it is counted against every limit,
//! in one transaction, so that parallel guesses cannot outrun the counters.

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LimitName, SignInFailure};
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::Lock;
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Password, User};
use portcullis_store::{Error, Tx, lockouts};

use super::{Answer, Attempt, Candidate, Counted, Outcome, about};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::limits::{self, Counter, LoginStanding};
use crate::flows::record;

/// Counts a request to sign in that names nobody, by its address.
pub async fn count_unreadable(
    app: &App,
    from: &ClientAddress,
    context: &Context,
) -> Result<Option<LoginStanding>, Error> {
    let Some(limit) = app.limits.in_force().login else { return Ok(None) };
    let mut tx = app.db.write().await?;
    let now = app.clock.now();
    let standing = limits::reserve(&mut tx, Counter::Login, limit, from, None, now).await?;
    if standing.retry_after.is_some() {
        let event = Event::LimitExceeded { limit: LimitName::Login };
        record(&mut tx, app.random, &event, context, now).await?;
    }
    tx.commit().await?;
    Ok(Some(standing))
}

/// Refuses what is over the limit by a read alone.
pub(super) async fn turn_away(
    app: &App,
    attempt: &Attempt<'_>,
    name: Option<&Identifier>,
    now: Time,
) -> Result<Option<Answer>, Failure> {
    let Some(limit) = app.limits.in_force().login else { return Ok(None) };
    let mut tx = app.db.read().await?;
    let Some(standing) =
        limits::peek(&mut tx, Counter::Login, limit, &attempt.from, name, now).await?
    else {
        return Ok(None);
    };
    let event = Event::SignInLimited { form: attempt.form };
    app.recorder.record(event, attempt.context.clone(), now).await;
    let retry_after = standing.retry_after.unwrap_or_default();
    Ok(Some(Answer { outcome: Outcome::TooMany { retry_after }, standing: Some(standing) }))
}

/// Counts the attempt against every limit, in one transaction.
pub(super) async fn count(
    app: &App,
    attempt: &Attempt<'_>,
    name: Option<&Identifier>,
    now: Time,
) -> Result<(Counted, Option<LoginStanding>), Error> {
    let mut tx = app.db.write().await?;
    let mut standing = None;
    if let Some(limit) = app.limits.in_force().login {
        let counted =
            limits::reserve(&mut tx, Counter::Login, limit, &attempt.from, name, now).await?;
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
    let counted = match (app.limits.in_force().lockout, name) {
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
