//! Signing in with a password. The same work and the same answer for a wrong password, a name that
//! is nobody's and an account without a password; what is wrong with an account is told only to
//! whoever knew its password.

mod confirm;
mod count;
mod done;
mod place;

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
use portcullis_store::users::User;

use super::credentials::{Device, Issued};
use super::guess::{Reserved, about};
use super::limits::LimitStanding;
use super::remember::Remembered;
use crate::app::App;
use crate::fault::Failure;

pub use confirm::{ConfirmAnswer, Confirmed, Typed, confirm, send_again};
pub use place::Asked;

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
    /// The password was right, and the place is new: a code was mailed.
    NewPlace(Asked),
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
            Self::Blacklisted => "blacklisted",
            Self::NewPlace(_) => "new_place",
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
            let standing = place::standing(&outcome, standing, now);
            (outcome, standing)
        }
    };
    Ok(Answer { outcome, standing })
}
