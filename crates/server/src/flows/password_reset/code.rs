//! The code of a mail, exchanged for a token. Guesses are counted by address, whether or not anybody
//! has it and a code is in force, so that what is told of them tells nothing of that.

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::Code;
use portcullis_domain::one_time_link::SHOWN_RESET_LIFE;
use portcullis_domain::secret::{Opaque, ResetToken};
use portcullis_domain::text::{Email, Identifier};
use portcullis_domain::throttle::{self as domain, Limit, Lock, Verdict};
use portcullis_domain::time::Time;
use portcullis_store::one_time_codes::{self, Tried};
use portcullis_store::users::{self, User};
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
    Token(ResetToken),
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
    let answer = count(app, &mut tx, attempt, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Counts the try by its address; then by its name, unless that name has no guesses left: whoever has
/// used them up must hear of it (contract S20), which waiting for the limit would not mend.
async fn count(
    app: &App,
    tx: &mut Tx,
    attempt: &CodeAttempt<'_>,
    now: Time,
) -> Result<CodeAnswer, Error> {
    let name = Identifier::parse(attempt.email.as_str()).ok();
    let (counter, from, context) = (Counter::Code, &attempt.from, &attempt.context);
    let asking = Asking { counter, from, name: name.as_ref(), context };
    let of_address = limits::admit_address(app, tx, &asking, now).await?;
    let answer = |outcome, standing| Ok(CodeAnswer { outcome, standing });
    if let Some(retry_after) = of_address.and_then(|standing| standing.retry_after) {
        return answer(CodeOutcome::TooMany { retry_after }, of_address);
    }
    let Some(name) = &name else { return answer(CodeOutcome::Refused, of_address) };
    let guesser = Guesser::of(attempt, name);
    if guesser.is_exhausted(tx, now).await? {
        let user = users::by_email(tx, attempt.email).await?;
        refused(app, tx, attempt, user.as_ref(), now).await?;
        return answer(CodeOutcome::Exhausted, of_address);
    }
    let of_name = limits::admit_name(app, tx, &asking, now).await?;
    match of_name.and_then(|standing| standing.retry_after) {
        Some(retry_after) => answer(CodeOutcome::TooMany { retry_after }, of_name),
        None => answer(judge(app, tx, attempt, &guesser, now).await?, of_name),
    }
}

async fn judge(
    app: &App,
    tx: &mut Tx,
    attempt: &CodeAttempt<'_>,
    guesser: &Guesser,
    now: Time,
) -> Result<CodeOutcome, Error> {
    let user = users::by_email(tx, attempt.email).await?;
    if !guesser.may_guess(tx, now).await? {
        refused(app, tx, attempt, user.as_ref(), now).await?;
        return Ok(CodeOutcome::Exhausted);
    }
    let tried = compare(app, tx, attempt, user.as_ref().map(|user| user.id), now).await?;
    let user = match (tried, user) {
        (Tried::Right { .. }, Some(user)) => user,
        (_, user) => {
            refused(app, tx, attempt, user.as_ref(), now).await?;
            return Ok(CodeOutcome::Refused);
        }
    };
    guesser.forgive(tx).await?;
    let context = about(attempt, Some(&user));
    let until = now.plus(SHOWN_RESET_LIFE);
    let email = Some(user.email.clone());
    let wanted = Wanted { purpose: PURPOSE, user: &user, until, email };
    let token = wanted.issue(tx, &app.keys.credential, app.random, &context, now).await?;
    Ok(CodeOutcome::Token(token))
}

async fn refused(
    app: &App,
    tx: &mut Tx,
    attempt: &CodeAttempt<'_>,
    user: Option<&User>,
    now: Time,
) -> Result<(), Error> {
    let event = Event::PasswordResetCodeRefused { known: user.is_some() };
    record(tx, app.random, &event, &about(attempt, user), now).await
}

fn about(attempt: &CodeAttempt<'_>, user: Option<&User>) -> Context {
    Context { subject: user.map(|user| user.id), ..attempt.context.clone() }
}

/// Under what the guesses at the codes of one name are counted.
struct Guesser {
    /// Those at the code of one mail.
    code: String,
    /// Those of a network in a day.
    network: String,
    /// Those of all networks in a day.
    all: String,
}

impl Guesser {
    fn of(attempt: &CodeAttempt<'_>, name: &Identifier) -> Self {
        let code = key_of_name(WORD, name);
        let network = format!("{code}:guesses:{}", attempt.from.network());
        let all = format!("{code}:guesses:all");
        Self { code, network, all }
    }

    /// Whether there is no guess left. Counts nothing.
    async fn is_exhausted(&self, tx: &mut Tx, now: Time) -> Result<bool, Error> {
        for (key, limit) in [(&self.network, GUESSES_A_DAY), (&self.all, GUESSES_OF_ALL)] {
            let window = throttle::get(tx, key, limit).await?;
            if !is_admitted(domain::reserve(limit, window, now).1) {
                return Ok(true);
            }
        }
        let failures = lockouts::get(tx, &self.code).await?;
        let (_, lock) = domain::lockout(GUESSES, failures, now);
        Ok(matches!(lock, Lock::Locked { .. }))
    }

    /// Counts a guess before it is made: by its network first, because one that has none left must not
    /// use up those that others have at the code.
    async fn may_guess(&self, tx: &mut Tx, now: Time) -> Result<bool, Error> {
        if !is_admitted(throttle::reserve(tx, &self.network, GUESSES_A_DAY, now).await?) {
            return Ok(false);
        }
        match lockouts::reserve_failure(tx, &self.code, GUESSES, now).await? {
            Lock::Locked { .. } => Ok(false),
            Lock::Open { .. } => {
                Ok(is_admitted(throttle::reserve(tx, &self.all, GUESSES_OF_ALL, now).await?))
            }
        }
    }

    /// Whoever had the right code has the mailbox.
    async fn forgive(&self, tx: &mut Tx) -> Result<(), Error> {
        lockouts::clear(tx, &self.code).await?;
        throttle::forget(tx, &self.network).await.map(drop)
    }
}

fn is_admitted(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Admitted { .. })
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
