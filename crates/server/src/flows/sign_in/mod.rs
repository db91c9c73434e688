//! Signing in with a password. The same work and the same answer for a wrong password, a name that
//! is nobody's and an account without a password; what is wrong with an account is told only to
//! whoever knew its password.

mod breach;
mod confirm;
mod count;
mod done;
mod factor;
mod finish;
mod place;
mod set_up;

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::Context;
use portcullis_domain::id::{SessionHandle, SessionId, UserId};
use portcullis_domain::password::Verdict;
use portcullis_domain::remember::Ticket;
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::Identifier;
use portcullis_domain::time::Time;
use portcullis_store::Tx;
use portcullis_store::users::User;

use super::credentials::{Device, Issued};
use super::guess::{Reserved, about};
use super::limits::LimitStanding;
use super::remember::Remembered;
use super::trusted_devices::Trusted;
use crate::app::App;
use crate::fault::Failure;

pub use breach::{due as breached_until, is_due_for_lookup};
pub use confirm::{ConfirmAnswer, Confirmed, Typed, confirm, send_again};
pub use finish::{FinishAnswer, Finished, Given, finish};
pub use place::Asked;
pub(super) use place::facts_of;
pub use set_up::{SetUpAsked, SetUpFinished, set_up};

/// One attempt to sign in.
pub struct Attempt<'a> {
    pub form: SignInForm,
    /// The name as typed; the field's length has been checked.
    pub name: &'a str,
    pub password: &'a str,
    /// What was typed as a second factor, if it came along.
    pub factor: Option<&'a str>,
    /// What came as the secret of a device where he is not asked for one.
    pub trusted: Option<&'a str>,
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
#[derive(Clone)]
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
    /// The password was right, and the user is on the blacklist.
    Blacklisted,
    /// The password was right, and has been breached for too long: another must be set first.
    PasswordBreached,
    /// The password was right, and the place is new: a code was mailed.
    NewPlace(Asked),
    /// The password was right, and the second factor is needed.
    NeedsFactor(Asked),
    /// The password was right, and the role asks for a second factor that there is not: a page sets one
    /// up.
    MustSetUp(Option<Box<SetUpAsked>>),
    /// The password was right, and what was given as a second factor is not.
    WrongFactor,
    /// Too many wrong second factors for this account.
    FactorLocked {
        retry_after: Duration,
    },
    /// There were so many that only a backup code is taken any more.
    FactorExhausted,
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
    /// Whether the password was right, and the account is one that may be used.
    fn knew_the_password(&self) -> bool {
        match self {
            Self::SignedIn(_)
            | Self::NewPlace(_)
            | Self::NeedsFactor(_)
            | Self::MustSetUp(_)
            | Self::WrongFactor
            | Self::FactorLocked { .. }
            | Self::FactorExhausted => true,
            Self::Refused
            | Self::Disabled
            | Self::Blacklisted
            | Self::PasswordBreached
            | Self::Locked { .. }
            | Self::TooMany { .. } => false,
        }
    }

    /// The word in the figures.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::SignedIn(_) => "signed_in",
            Self::Refused => "refused",
            Self::Disabled => "disabled",
            Self::Blacklisted => "blacklisted",
            Self::PasswordBreached => "password_breached",
            Self::NewPlace(_) => "new_place",
            Self::NeedsFactor(_) => "needs_factor",
            Self::MustSetUp(_) => "must_set_up",
            Self::WrongFactor => "wrong_factor",
            Self::FactorLocked { .. } => "factor_locked",
            Self::FactorExhausted => "factor_exhausted",
            Self::Locked { .. } => "locked",
            Self::TooMany { .. } => "limited",
        }
    }
}

/// An outcome, and what the limit headers say of it.
pub struct Answer {
    pub outcome: Outcome,
    pub standing: Option<LimitStanding>,
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
    /// For a device that is trusted from now on.
    pub trusted: Option<Trusted>,
    /// By when the role asks for a second factor, if it does and there is none.
    pub factor_due: Option<Time>,
}

/// Somebody who proved who he is: by a password, or by a link that was mailed to him.
pub struct Proved {
    /// As he is now, in the same transaction.
    pub user: User,
    pub role: Role,
    /// Wrong passwords before the right one.
    pub failures: i64,
}

/// Goes on with the sign-in of somebody who proved who he is by something else than a password, in the
/// transaction that used it up: whatever else is asked of whoever knows a password is asked of him, too.
pub async fn admit(
    app: &App,
    tx: Tx,
    attempt: &Attempt<'_>,
    proved: Proved,
) -> Result<Outcome, Failure> {
    let outcome = done::admit(app, tx, attempt, proved).await?;
    app.telemetry.metrics.sign_in(outcome.word());
    Ok(outcome)
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
    if let Some(answer) = count::turn_away(app, attempt, name.as_ref(), now).await? {
        return Ok(answer);
    }
    let seat = app.hasher.seat()?;
    let (reserved, standing) = count::count(app, attempt, name.as_ref(), now).await?;
    let (outcome, standing) = match reserved {
        Reserved::TooMany { retry_after } => (Outcome::TooMany { retry_after }, standing),
        Reserved::Locked { retry_after } => (Outcome::Locked { retry_after }, standing),
        Reserved::Go(guess) => {
            let verdict = app.hasher.verify(seat, attempt.password, guess.usable_phc()).await?;
            let outcome = match verdict {
                Verdict::Match => done::succeed(app, attempt, &guess).await?,
                Verdict::MatchNeedsRehash => {
                    done::rehash_later(app, &guess, attempt.password);
                    done::succeed(app, attempt, &guess).await?
                }
                Verdict::Mismatch | Verdict::Unreadable => {
                    guess.wrong(app, &attempt.context).await?;
                    Outcome::Refused
                }
            };
            if outcome.knew_the_password() {
                breach::look_later(app, attempt, &guess);
            }
            let standing = place::standing(&outcome, standing, now);
            (outcome, standing)
        }
    };
    Ok(Answer { outcome, standing })
}
