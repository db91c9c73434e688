//! The code of a link that was opened elsewhere, typed in the browser in which it was asked for. That
//! browser alone can try it, five times; and the codes of one account together so often in a day that
//! nobody finds one by asking for links again and again.

use std::time::Duration;

use portcullis_domain::event::{Context, Event, LimitName, MagicCodeRefusal};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::secret::Mac;
use portcullis_domain::throttle::{Limit, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::one_time_codes::{self, Tried};
use portcullis_store::{Tx, throttle};

use super::{Arrival, CODE, Ended, spend};
use crate::app::App;
use crate::fault::Failure;
use crate::flows::limits::{self, LimitStanding};
use crate::flows::record;
use crate::flows::sign_in::Outcome;

/// Codes of one account that are tried in a day, from wherever: one in 50,000 is guessed right. A code
/// is there to be guessed at only once its link was opened, and the link signs in without one.
const TRIES: Limit = Limit { count: 20, period: Duration::from_hours(24) };

/// What became of a code.
pub enum Typed {
    /// It was right, or too many were tried from this address.
    Ended(Ended),
    /// It is another; it can be tried so often again.
    Wrong { left: i64 },
    /// Only another link helps.
    Over(MagicCodeRefusal),
}

/// What became of it, and what the limit headers say.
pub struct TypedAnswer {
    pub typed: Typed,
    pub standing: Option<LimitStanding>,
}

/// Tries a code, once the try was counted by its address.
pub async fn try_code(
    app: &App,
    code: &Code,
    arrival: &Arrival<'_>,
) -> Result<TypedAnswer, Failure> {
    let standing = limits::admit_token(app, &arrival.from, &arrival.context).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        app.telemetry.metrics.magic_link("limited");
        let typed = Typed::Ended(Ended::early(Outcome::TooMany { retry_after }));
        return Ok(TypedAnswer { typed, standing });
    }
    let typed = compare(app, code, arrival).await?;
    if !matches!(typed, Typed::Ended(_)) {
        app.telemetry.metrics.magic_link("code_refused");
    }
    Ok(TypedAnswer { typed, standing })
}

async fn compare(app: &App, code: &Code, arrival: &Arrival<'_>) -> Result<Typed, Failure> {
    use MagicCodeRefusal::{Exhausted, Over, WrongCode};
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(browser) = arrival.browser(app) else {
        return refuse(app, tx, (Over, None), Typed::Over(Over), arrival).await;
    };
    let owner = one_time_codes::in_force(&mut tx, CODE, &browser, now).await?.map(|(id, _)| id);
    if let Some(id) = owner
        && !may_try(app, &mut tx, id, arrival, now).await?
    {
        return refuse(app, tx, (Exhausted, owner), Typed::Over(Exhausted), arrival).await;
    }
    let typed = app.keys.credential.code_mac(&browser, code);
    match one_time_codes::try_code(&mut tx, CODE, &browser, &typed, now).await? {
        Tried::Right { user, detail } => match link(&detail) {
            Some(link) => go_on(app, tx, arrival, user, &link).await,
            None => refuse(app, tx, (Over, owner), Typed::Over(Over), arrival).await,
        },
        Tried::Wrong { left } => {
            let typed = if left > 0 { Typed::Wrong { left } } else { Typed::Over(Exhausted) };
            refuse(app, tx, (WrongCode, owner), typed, arrival).await
        }
        Tried::Exhausted => {
            refuse(app, tx, (Exhausted, owner), Typed::Over(Exhausted), arrival).await
        }
        Tried::Over => refuse(app, tx, (Over, owner), Typed::Over(Over), arrival).await,
    }
}

/// The right code: its link is spent with it.
async fn go_on(
    app: &App,
    tx: Tx,
    arrival: &Arrival<'_>,
    user: UserId,
    link: &Mac,
) -> Result<Typed, Failure> {
    if let Some(ended) = spend(app, tx, arrival, link, app.clock.now()).await? {
        return Ok(Typed::Ended(ended));
    }
    // A newer link took its place, or it was used where it was asked for.
    let (tx, reason) = (app.db.write().await?, MagicCodeRefusal::Over);
    refuse(app, tx, (reason, Some(user)), Typed::Over(reason), arrival).await
}

/// Counts a try before it is made.
async fn may_try(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    arrival: &Arrival<'_>,
    now: Time,
) -> Result<bool, Failure> {
    let key = format!("magic_code:{}", user.0);
    if let Verdict::Admitted { .. } = throttle::reserve(tx, &key, TRIES, now).await? {
        return Ok(true);
    }
    let event = Event::LimitExceeded { limit: LimitName::MagicCodes };
    let context = Context { subject: Some(user), ..arrival.context.clone() };
    record(tx, app.random, &event, &context, now).await?;
    Ok(false)
}

/// Writes down why, and with it that the try was made.
async fn refuse(
    app: &App,
    mut tx: Tx,
    (reason, subject): (MagicCodeRefusal, Option<UserId>),
    typed: Typed,
    arrival: &Arrival<'_>,
) -> Result<Typed, Failure> {
    let event = Event::MagicCodeRefused { reason };
    let context = Context { subject, ..arrival.context.clone() };
    record(&mut tx, app.random, &event, &context, app.clock.now()).await?;
    tx.commit().await?;
    Ok(typed)
}

/// The link that a code is of, as its row writes it.
fn link(detail: &str) -> Option<Mac> {
    Mac::from_bytes(&hex::decode(detail).ok()?)
}
