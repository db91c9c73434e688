//! The first run: an owner who has no password yet, the one-time link to the page where he sets
//! one, and what he sets there. Until somebody with the link has done so nobody signs in as him;
//! there is no other way in, and no account that comes with a password.
//!
//! Not here: the page (`web/pages/first_run`), and the words of the command (`cli/init`).

use std::time::Duration;

use portcullis_domain::account::AccountType;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LinkRefusal, PasswordChanger, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::password::PolicyFault;
use portcullis_domain::required_factor::Standing;
use portcullis_domain::role::{self, OWNER, Refusal, Role};
use portcullis_domain::second_factor::SecondFactor;
use portcullis_domain::secret::{Mac, MacKey, Opaque};
use portcullis_domain::session::SignInForm;
use portcullis_domain::text::{Email, Name};
use portcullis_domain::time::Time;
use portcullis_store::one_time_links;
use portcullis_store::users::{self, FirstPassword, NewUser, User};
use portcullis_store::{Error, Tx, blacklist, factors, roles};

use super::credentials::{self, Device};
use super::limits::{self, LimitStanding};
use super::links::{self, Wanted};
use super::new_password::{Judge, NewPassword, Person};
use super::roles::Acting;
use super::sign_in::SignedIn;
use super::{record, required_factor};
use crate::app::App;
use crate::fault::Failure;

/// The address of an owner until he gives his own. No mail reaches it.
pub const PLACEHOLDER: &str = "owner@localhost";

const PURPOSE: LinkPurpose = LinkPurpose::FirstRun;

/// What became of preparing the first run.
pub enum Prepared {
    Link(Link),
    Hindered(Hindrance),
}

/// Why there is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// An owner has a password: the first run is over.
    OwnerExists,
    /// The address is another user's.
    EmailTaken,
    Refused(Refusal),
}

/// A link that was just made. Its code goes to whoever asked for it and nowhere else.
pub struct Link {
    pub code: Opaque,
    pub expires_at: Time,
    /// The address of the owner now.
    pub email: Email,
}

/// What somebody with the code of a link asks for.
pub struct Attempt<'a> {
    /// `None` where what was typed cannot be a code.
    pub code: Option<Opaque>,
    pub email: Email,
    pub first_name: Name,
    pub last_name: Name,
    pub password: &'a str,
    /// Whether the request shows a browser.
    pub shows_browser: bool,
    pub from: ClientAddress,
    pub context: Context,
}

impl Attempt<'_> {
    /// Whose password it is to be.
    pub fn whose(&self) -> Person<'_> {
        Person {
            email: self.email.as_str(),
            username: "",
            first_name: self.first_name.as_str(),
            last_name: self.last_name.as_str(),
        }
    }
}

/// What became of an attempt.
pub enum Outcome {
    /// The owner has his password and is signed in.
    SignedIn(Box<SignedIn>),
    /// The owner has his password, and signs in with it, because there a second factor is asked for, or
    /// set up.
    Ready,
    Refused(LinkRefusal),
    /// The password is not accepted. The link is still good.
    Weak(Vec<PolicyFault>),
    /// The address is another user's. The link is still good.
    EmailTaken,
    /// The owner is on the blacklist. The link is still good.
    Blacklisted,
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

/// Makes a link for the owner who has no password, and the owner himself where there is none, under
/// the address. Links that were made for him before are void.
pub async fn prepare(acting: &Acting<'_>, key: &MacKey, email: &Email) -> Result<Prepared, Error> {
    let mut tx = acting.db.write().await?;
    let Some(role) = roles::by_name(&mut tx, OWNER).await? else { return Err(Error::Conflict) };
    if let Err(refusal) = role::may_assign(acting.authority, &role) {
        return Ok(Prepared::Hindered(Hindrance::Refused(refusal)));
    }
    if users::role_has_password(&mut tx, role.id).await? {
        return Ok(Prepared::Hindered(Hindrance::OwnerExists));
    }
    let owner = match users::without_password(&mut tx, role.id).await? {
        Some(owner) => owner,
        None => match make_owner(acting, &mut tx, &role, email).await {
            Err(Error::Conflict) => return Ok(Prepared::Hindered(Hindrance::EmailTaken)),
            made => made?,
        },
    };
    let link = issue(acting, &mut tx, key, owner).await?;
    tx.commit().await?;
    Ok(Prepared::Link(link))
}

/// Gives the owner his address, names and password, and signs him in: all of it, or nothing and the
/// link stays as it was. Of several who send the same code one wins.
pub async fn finish(app: &App, attempt: &Attempt<'_>) -> Result<Answer, Failure> {
    // A full queue costs nobody an attempt; nobody takes a place in it while others are asked.
    drop(app.hasher.seat()?);
    let standing = limits::admit_nameless(app, &attempt.from, &attempt.context).await?;
    let answer = |outcome| Ok(Answer { outcome, standing });
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return answer(Outcome::TooMany { retry_after });
    }
    let purpose = PURPOSE.of_secret();
    let mac = attempt.code.as_ref().map(|code| app.keys.credential.credential_mac(purpose, code));
    let Some(mac) = mac else { return answer(Outcome::Refused(LinkRefusal::Unknown)) };
    // Looked at before the work of a hash; what counts is the spending.
    if let Some(refusal) = links::refusal(app, PURPOSE, &mac).await? {
        return answer(Outcome::Refused(refusal));
    }
    let judge = Judge::of(app);
    let accepted = match judge.accept(attempt.password, judge.lengths.alone, &attempt.whose()).await
    {
        Ok(accepted) => accepted,
        Err(weak) => return answer(Outcome::Weak(weak)),
    };
    let new = accepted.hash(&app.hasher, app.hasher.seat()?, app.random).await?;
    answer(spend(app, attempt, &mac, &new).await?)
}

async fn make_owner(
    acting: &Acting<'_>,
    tx: &mut Tx,
    role: &Role,
    email: &Email,
) -> Result<User, Error> {
    let account_type = AccountType::Staff;
    let new = NewUser {
        uuid: acting.random.row_id(acting.now),
        email: email.clone(),
        username: None,
        first_name: Name::default(),
        last_name: Name::default(),
        phone: None,
        branch_id: 1,
        account_type,
        role_id: role.id,
        password: None,
    };
    let id = users::insert(tx, &new, acting.now).await?;
    let event = Event::UserCreated { account_type, role: Text::clip(&role.name) };
    acting.record(tx, &event, Some(id)).await?;
    users::by_id(tx, id).await?.ok_or(Error::Conflict)
}

async fn issue(acting: &Acting<'_>, tx: &mut Tx, key: &MacKey, owner: User) -> Result<Link, Error> {
    let expires_at = acting.now.plus(PURPOSE.life());
    let wanted = Wanted { purpose: PURPOSE, user: &owner, until: expires_at, email: None };
    let code: Opaque = wanted.issue(tx, key, acting.random, acting.context, acting.now).await?;
    Ok(Link { code, expires_at, email: owner.email })
}

/// The link and what it buys, in one transaction. Whatever does not come to its end leaves both.
async fn spend(
    app: &App,
    attempt: &Attempt<'_>,
    mac: &Mac,
    password: &NewPassword,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(spent) = one_time_links::spend(&mut tx, PURPOSE, mac, now).await? else {
        drop(tx);
        // Somebody was faster.
        let refusal = links::refusal(app, PURPOSE, mac).await?;
        return Ok(Outcome::Refused(refusal.unwrap_or(LinkRefusal::Used)));
    };
    let id = spent.user_id;
    let before = users::by_id(&mut tx, id).await?.ok_or(Error::Conflict)?;
    if users::role_has_password(&mut tx, before.role_id).await? {
        // Somebody made an owner in another way: the first run is over.
        return Ok(Outcome::Refused(LinkRefusal::Used));
    }
    if blacklist::is_listed(&mut tx, id).await? {
        return Ok(Outcome::Blacklisted);
    }
    let new = FirstPassword {
        email: attempt.email.clone(),
        first_name: attempt.first_name.clone(),
        last_name: attempt.last_name.clone(),
        password: password.row().clone(),
    };
    match users::set_first_password(&mut tx, id, &new, now).await {
        Ok(true) => {}
        Ok(false) => return Ok(Outcome::Refused(LinkRefusal::Used)),
        Err(Error::Conflict) => return Ok(Outcome::EmailTaken),
        Err(error) => return Err(error),
    }
    // What hung on the account before it had an owner is dead. No letter: whoever would get it is here,
    // and no earlier password was changed.
    users::bump_epoch(&mut tx, id).await?;
    write_events(app, &mut tx, attempt, &before, now).await?;
    let signed_in = sign_in(app, &mut tx, attempt, id, now).await?;
    tx.commit().await?;
    Ok(signed_in.map_or(Outcome::Ready, |signed_in| Outcome::SignedIn(Box::new(signed_in))))
}

async fn write_events(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    before: &User,
    now: Time,
) -> Result<(), Error> {
    let has_other_address = before.email != attempt.email;
    let events = [
        Some(Event::LinkUsed { purpose: PURPOSE }),
        has_other_address.then_some(Event::EmailChanged),
        Some(Event::PasswordChanged { by: PasswordChanger::Link }),
    ];
    let context = Context { subject: Some(before.id), ..attempt.context.clone() };
    for event in events.iter().flatten() {
        record(tx, app.random, event, &context, now).await?;
    }
    Ok(())
}

/// As on the sign-in page; `None` where that would ask for more than a password.
async fn sign_in(
    app: &App,
    tx: &mut Tx,
    attempt: &Attempt<'_>,
    id: UserId,
    now: Time,
) -> Result<Option<SignedIn>, Error> {
    let user = users::by_id(tx, id).await?.ok_or(Error::Conflict)?;
    let role = roles::by_id(tx, user.role_id).await?.ok_or(Error::Conflict)?;
    if factors::active(tx, user.id).await?.is_some() {
        return Ok(None);
    }
    let factor_due = match required_factor::tell(app, tx, &user, &role).await? {
        Standing::Free => None,
        Standing::Until(due) => Some(due),
        Standing::Overdue => return Ok(None),
    };
    let form = SignInForm::Page;
    let context = Context { subject: Some(user.id), ..attempt.context.clone() };
    record(tx, app.random, &Event::SignedIn { form }, &context, now).await?;
    let terms = app.config.lifetimes().terms(form, attempt.shows_browser, now);
    let device = &Device::default();
    let second_factor = SecondFactor::NotAsked;
    let occasion = credentials::Occasion { form, second_factor, now, terms, device, origin: None };
    let issued = credentials::issue(app, tx, &user, &occasion, &attempt.context).await?;
    let device_cookie = app.keys.device.mint(user.id, app.random.bytes());
    let (remembered, trusted) = (None, None);
    Ok(Some(SignedIn { user, role, issued, device_cookie, remembered, trusted, factor_due }))
}
