//! Signing in with a password. The same work and the same answer for a wrong password, a name that
//! is nobody's and an account without a password; what is wrong with an account is told only to
//! whoever knew its password.

mod confirm;
mod count;
mod done;
mod place;

use std::time::Duration;

use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, SignInFailure};
use portcullis_domain::id::{SessionHandle, SessionId, UserId};
use portcullis_domain::password::Verdict;
use portcullis_domain::remember::Ticket;
use portcullis_domain::role::Role;
use portcullis_domain::secret::Mac;
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::Identifier;
use portcullis_domain::time::Time;
use portcullis_store::users::{self, Password, User};

use super::credentials::{Device, Issued};
use super::limits::{LockKey, LoginStanding};
use super::remember::Remembered;
use crate::app::App;
use crate::fault::Failure;

pub use confirm::{ConfirmAnswer, Confirmed, Typed, confirm, send_again};
pub use count::count_unreadable;
pub(super) use done::count_wrong;
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
    if let Some(answer) = count::turn_away(app, attempt, name.as_ref(), now).await? {
        return Ok(answer);
    }
    let seat = app.hasher.seat()?;
    let (counted, standing) = count::count(app, attempt, name.as_ref(), now).await?;
    let outcome = match counted {
        Counted::Stop(outcome) => outcome,
        Counted::Go(candidate) => {
            let phc = candidate.usable_phc();
            match app.hasher.verify(seat, attempt.password, phc).await? {
                Verdict::Match => done::succeed(app, attempt, *candidate).await?,
                Verdict::MatchNeedsRehash => {
                    done::rehash_later(app, &candidate, attempt.password);
                    done::succeed(app, attempt, *candidate).await?
                }
                Verdict::Mismatch | Verdict::Unreadable => {
                    done::fail(app, attempt, &candidate).await?
                }
            }
        }
    };
    Ok(Answer { outcome, standing })
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

fn about(context: &Context, user: Option<&User>) -> Context {
    Context { subject: user.map(|user| user.id), ..context.clone() }
}
