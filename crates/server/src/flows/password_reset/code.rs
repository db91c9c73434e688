//! The code of a mail, exchanged for a token. Guesses are counted by address, whether or not anybody
//! has it and a code is in force, so that what is told of them tells nothing of that.

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::one_time_link::SHOWN_RESET_LIFE;
use portcullis_domain::secret::Opaque;
use portcullis_domain::text::{Email, Identifier};
use portcullis_domain::throttle::{Limit, Lock, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::one_time_codes::{self, Tried};
use portcullis_store::users;
use portcullis_store::{Error, Tx, lockouts, throttle};

use super::{CODE, PURPOSE, WORD};
use crate::app::App;
use crate::flows::limits::{self, Asking, Counter, LimitStanding, key_of_name};
use crate::flows::links::Wanted;
use crate::flows::record;

/// Guesses at the code of one mail, of all networks together (contract S20): one in 200,000 guesses it.
const GUESSES: Limit = Limit { count: 5, period: Duration::from_mins(30) };
/// Guesses of one network in a day, however many mails were asked for: one in 50,000 guesses right.
/// Whoever uses them up closes the way for his own network alone.
const GUESSES_A_DAY: Limit = Limit { count: 20, period: Duration::from_hours(24) };
/// Guesses of all networks in a day: one in 10,000 guesses right. Without it three letters in a quarter of
/// an hour would allow 1,440, and one in 700 would be right. It takes five networks to use them up, and
/// then a link is mailed as before, at which nobody can guess.
const GUESSES_OF_ALL: Limit = Limit { count: 100, period: Duration::from_hours(24) };

/// A code as somebody typed it.
pub struct CodeAttempt<'a> {
    pub email: &'a Email,
    pub code: &'a str,
    pub from: ClientAddress,
    pub context: Context,
}

/// What became of it.
pub enum CodeOutcome {
    Token(Opaque),
    /// Wrong, over, used, or nobody's: which is not told.
    Refused,
    /// Too many were wrong: another mail must be asked for.
    Exhausted,
    /// Too many attempts from this address.
    TooMany {
        retry_after: Duration,
    },
}

/// An outcome, and what the limit headers say of it.
pub struct CodeAnswer {
    pub outcome: CodeOutcome,
    pub standing: Option<LimitStanding>,
}

/// Tries a code, once it was counted. The right one is spent in the transaction that makes its token.
pub async fn try_code(app: &App, attempt: &CodeAttempt<'_>) -> Result<CodeAnswer, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let name = Identifier::parse(attempt.email.as_str()).ok();
    let asking = Asking {
        counter: Counter::Login,
        from: &attempt.from,
        name: name.as_ref(),
        context: &attempt.context,
    };
    let standing = limits::admit(app, &mut tx, &asking, now).await?;
    let over = standing.and_then(|standing| standing.retry_after);
    let outcome = match (over, name) {
        (Some(retry_after), _) => CodeOutcome::TooMany { retry_after },
        (None, None) => CodeOutcome::Refused,
        (None, Some(name)) => judge(app, &mut tx, attempt, &name, now).await?,
    };
    tx.commit().await?;
    Ok(CodeAnswer { outcome, standing })
}

async fn judge(
    app: &App,
    tx: &mut Tx,
    attempt: &CodeAttempt<'_>,
    name: &Identifier,
    now: Time,
) -> Result<CodeOutcome, Error> {
    let user = users::by_email(tx, attempt.email).await?;
    let context = Context { subject: user.as_ref().map(|user| user.id), ..attempt.context.clone() };
    let refused = Event::PasswordResetCodeRefused { known: user.is_some() };
    let key = key_of_name(WORD, name);
    let own = format!("{key}:guesses:{}", attempt.from.network());
    if !may_guess(tx, &key, &own, now).await? {
        record(tx, app.random, &refused, &context, now).await?;
        return Ok(CodeOutcome::Exhausted);
    }
    let tried = compare(app, tx, attempt, user.as_ref().map(|user| user.id), now).await?;
    let (Tried::Right { .. }, Some(user)) = (tried, user) else {
        record(tx, app.random, &refused, &context, now).await?;
        return Ok(CodeOutcome::Refused);
    };
    lockouts::clear(tx, &key).await?;
    throttle::forget(tx, &own).await?;
    let until = now.plus(SHOWN_RESET_LIFE);
    let email = Some(user.email.clone());
    let wanted = Wanted { purpose: PURPOSE, user: &user, until, email };
    let token = wanted.issue(tx, &app.keys.credential, app.random, &context, now).await?;
    Ok(CodeOutcome::Token(token))
}

/// Counts a guess before it is made: by its network first, because one that has none left must not use
/// up those that others have at the code.
async fn may_guess(tx: &mut Tx, key: &str, own: &str, now: Time) -> Result<bool, Error> {
    let is_admitted = |verdict| matches!(verdict, Verdict::Admitted { .. });
    if !is_admitted(throttle::reserve(tx, own, GUESSES_A_DAY, now).await?) {
        return Ok(false);
    }
    match lockouts::reserve_failure(tx, key, GUESSES, now).await? {
        Lock::Locked { .. } => Ok(false),
        Lock::Open { .. } => {
            let all = format!("{key}:guesses:all");
            Ok(is_admitted(throttle::reserve(tx, &all, GUESSES_OF_ALL, now).await?))
        }
    }
}

/// Compares with the code in force. Where there is none the same is asked of the store.
async fn compare(
    app: &App,
    tx: &mut Tx,
    attempt: &CodeAttempt<'_>,
    user: Option<UserId>,
    now: Time,
) -> Result<Tried, Error> {
    let nobody = UserId(0);
    let ticket = one_time_codes::ticket_of(tx, CODE, user.unwrap_or(nobody)).await?;
    let none = || {
        let nothing = Opaque::from_random(app.random.bytes());
        app.keys.credential.credential_mac(CODE.of_ticket(), &nothing)
    };
    let ticket = ticket.unwrap_or_else(none);
    let Some(code) = Code::parse(attempt.code) else { return Ok(Tried::Over) };
    let code = app.keys.credential.code_mac(&ticket, &code);
    one_time_codes::try_code(tx, CODE, &ticket, &code, now).await
}
