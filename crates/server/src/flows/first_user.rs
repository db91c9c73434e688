//! The first user of an installation, made by a request: a username and a password, the role of
//! owners, signed in at once. Only while there is no user and never was one; of many who try, one
//! succeeds. Who may try at all is the door's (`web/api/first_user`).
//!
//! Not here: the link that `portcullis init` prints, which is [`super::first_run`].

use std::time::Duration;

use portcullis_domain::account::AccountType;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::password::PolicyFault;
use portcullis_domain::required_factor::Standing;
use portcullis_domain::role::{OWNER, Role};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::{Email, Name, Username};
use portcullis_domain::time::Time;
use portcullis_store::users::{self, NewUser};
use portcullis_store::{Db, Error, Tx, roles};

use super::credentials::{self, Device};
use super::first_run::PLACEHOLDER;
use super::limits::{self, LimitStanding};
use super::new_password::{Judge, NewPassword, Person};
use super::sign_in::SignedIn;
use super::{record, required_factor};
use crate::app::App;
use crate::fault::Failure;

const FORM: SignInForm = SignInForm::Username;

/// What somebody asks for.
pub struct Attempt<'a> {
    pub username: Username,
    pub password: &'a str,
    /// Whether the request shows a browser.
    pub shows_browser: bool,
    pub from: ClientAddress,
    pub context: Context,
}

/// What became of an attempt.
pub enum Outcome {
    SignedIn(Box<SignedIn>),
    /// The password is not accepted.
    Weak(Vec<PolicyFault>),
    /// There is a user, or was one.
    UsersExist,
    /// Too many attempts from this address.
    TooMany {
        retry_after: Duration,
    },
}

/// An outcome, and what the limit headers say of it.
pub struct Answer {
    pub outcome: Outcome,
    pub standing: Option<LimitStanding>,
}

/// Whether there is any user, or ever was one.
pub async fn exists(db: &Db) -> Result<bool, Error> {
    users::any(&mut db.read_once().await?).await
}

/// Makes the first user and signs him in: both or neither.
pub async fn create(app: &App, attempt: &Attempt<'_>) -> Result<Answer, Failure> {
    // A full queue costs nobody an attempt; nobody takes a place in it while others are asked.
    drop(app.hasher.seat()?);
    let standing = limits::admit_nameless(app, &attempt.from, &attempt.context).await?;
    let answer = |outcome| Ok(Answer { outcome, standing });
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return answer(Outcome::TooMany { retry_after });
    }
    // Looked at before the work of a hash; what counts is the insertion.
    if exists(&app.db).await? {
        return answer(Outcome::UsersExist);
    }
    let judge = Judge::of(app);
    let whose = Person { username: attempt.username.as_str(), ..Person::default() };
    let accepted = match judge.accept(attempt.password, judge.lengths.alone, &whose).await {
        Ok(accepted) => accepted,
        Err(weak) => return answer(Outcome::Weak(weak)),
    };
    let new = accepted.hash(&app.hasher, app.hasher.seat()?, app.random).await?;
    answer(insert(app, attempt, &new).await?)
}

async fn insert(
    app: &App,
    attempt: &Attempt<'_>,
    password: &NewPassword,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let role = roles::by_name(&mut tx, OWNER).await?.ok_or(Error::Conflict)?;
    let new = owner(app, attempt, &role, password, now)?;
    // Whoever makes a user waits here for those who do, so that the look that follows is true.
    let id = match users::insert(&mut tx, &new, now).await {
        Ok(id) => id,
        Err(Error::Conflict) => return Ok(Outcome::UsersExist),
        Err(error) => return Err(error),
    };
    if users::any_but(&mut tx, id).await? {
        return Ok(Outcome::UsersExist);
    }
    let signed_in = sign_in(app, &mut tx, attempt, id, role, now).await?;
    tx.commit().await?;
    tracing::warn!(user = id.0, "the first user was made by a request, and owns this installation");
    Ok(Outcome::SignedIn(Box::new(signed_in)))
}

/// A username that is an address is his address, too. Another owner has none until he gives one.
fn owner(
    app: &App,
    attempt: &Attempt<'_>,
    role: &Role,
    password: &NewPassword,
    now: Time,
) -> Result<NewUser, Error> {
    let email = Email::parse(attempt.username.as_str()).or_else(|_| Email::parse(PLACEHOLDER));
    Ok(NewUser {
        uuid: app.random.row_id(now),
        email: email.map_err(|_| Error::Conflict)?,
        username: Some(attempt.username.clone()),
        first_name: Name::default(),
        last_name: Name::default(),
        phone: None,
        branch_id: 1,
        account_type: AccountType::Staff,
        role_id: role.id,
        password: Some(password.row().clone()),
    })
}

async fn sign_in(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    id: UserId,
    role: Role,
    now: Time,
) -> Result<SignedIn, Error> {
    let user = users::by_id(tx, id).await?.ok_or(Error::Conflict)?;
    let context = Context { subject: Some(id), ..attempt.context.clone() };
    let created =
        Event::UserCreated { account_type: user.account_type, role: Text::clip(&role.name) };
    for event in [created, Event::SignedIn { form: FORM }] {
        record(tx, app.random, &event, &context, now).await?;
    }
    let terms = app.config.lifetimes().terms(FORM, attempt.shows_browser, now);
    let device = &Device::default();
    let second_factor = SecondFactor::NotAsked;
    let occasion =
        credentials::Occasion { form: FORM, second_factor, now, terms, device, origin: None };
    let issued = credentials::issue(app, tx, &user, &occasion, &attempt.context).await?;
    let device_cookie = app.keys.device.mint(user.id, app.random.bytes());
    // Whoever makes the first user is signed in by that, which is documented. A factor is asked for next.
    let factor_due = match required_factor::tell(app, tx, &user, &role).await? {
        Standing::Until(due) => Some(due),
        Standing::Free | Standing::Overdue => None,
    };
    let (remembered, trusted) = (None, None);
    Ok(SignedIn { user, role, issued, device_cookie, remembered, trusted, factor_due })
}
