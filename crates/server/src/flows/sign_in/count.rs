//! What happens to an attempt before its password is looked at: over the limit it is turned away, else
//! it is counted as a guess.

use portcullis_domain::text::Identifier;
use portcullis_domain::time::Time;
use portcullis_store::Error;

use super::{Answer, Attempt, Outcome};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::guess::{self, Guesser, Occasion, Reserved};
use crate::flows::limits::{self, Counter, LimitStanding};

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
    let event = Occasion::SignIn(attempt.form).limited();
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
) -> Result<(Reserved, Option<LimitStanding>), Error> {
    let guesser = Guesser {
        occasion: Occasion::SignIn(attempt.form),
        name,
        user: None,
        from: &attempt.from,
        device_cookie: attempt.device_cookie,
        context: &attempt.context,
    };
    let mut tx = app.db.write().await?;
    let reserved = guess::reserve(app, &mut tx, guesser, now).await?;
    tx.commit().await?;
    Ok(reserved)
}
