//! The e-mail address of an account: a link that proves it, and another in its place, which counts only
//! once the link that was mailed there is used. A change voids every link and code that was mailed to
//! the old address; whoever is signed in stays so.
//!
//! An address that the operator gives, by command or import, counts as proved. One that somebody else
//! gives for a person is doubted until its link is used.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LinkRefusal};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::secret::Opaque;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::one_time_links::{self, Spent};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, rotation};

use super::limits::{self, Asking, Counter, LimitStanding};
use super::links::{self, Wanted};
use super::mail_request::{self, Admission, Question};
use super::record;
use crate::app::App;
use crate::mail::{self, Cap, Letter};

const PURPOSE: LinkPurpose = LinkPurpose::VerifyEmail;

/// Under what letters are counted.
const WORD: &str = "verify";

/// The page that a mailed link leads to.
pub const PAGE: &str = "/-/verify-email";

/// What somebody asks for who proved a moment ago who they are.
pub struct Change {
    pub user: UserId,
    pub email: Email,
    pub from: ClientAddress,
    pub context: Context,
}

/// What became of asking for another address.
pub enum Asked {
    /// A link was mailed, unless the address is somebody else's, which is not told.
    Mailed,
    /// It is the address already.
    Unchanged,
    /// Too many questions from one place.
    TooMany { retry_after: Duration },
}

/// What became of a link.
pub enum Redeemed {
    /// The address of the account was proved.
    Verified,
    /// The account has the address that the link was mailed to.
    Changed,
    Refused(LinkRefusal),
}

/// Mails a link to the new address, and a notice to the old one. Nothing else changes yet.
pub async fn ask_to_change(
    app: &App,
    change: &Change,
) -> Result<(Asked, Option<LimitStanding>), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (from, context) = (&change.from, &change.context);
    let asking = Asking { counter: Counter::Sensitive, from, name: None, context };
    let standing = limits::admit(app, &mut tx, &asking, now).await?;
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        tx.commit().await?;
        return Ok((Asked::TooMany { retry_after }, standing));
    }
    let user = users::by_id(&mut tx, change.user).await?.ok_or(Error::Conflict)?;
    if user.email == change.email {
        tx.commit().await?;
        return Ok((Asked::Unchanged, standing));
    }
    let context = Context { subject: Some(user.id), ..change.context.clone() };
    // Counted before the link is made: what is not mailed voids no link that was.
    if Cap::VERIFY_EMAIL.admits(app.random, &mut tx, &change.email, now).await? {
        // The same is written whoever has the address; else the life of an earlier link would tell.
        let is_free = users::email_is_free(&mut tx, user.id, &change.email).await?;
        let letter = letter(app, &mut tx, &user, &change.email, &context, now).await?;
        if is_free {
            mail::send(app, &mut tx, &change.email, &letter, now).await?;
        }
    }
    mail::send(app, &mut tx, &user.email, &Letter::email_change_asked(), now).await?;
    tx.commit().await?;
    Ok((Asked::Mailed, standing))
}

/// Doubts the address of an account until the link that is mailed there is used: for whoever makes an
/// account for somebody else, or gives it another address.
pub async fn doubt(
    app: &App,
    tx: &mut Tx,
    user: &User,
    context: &Context,
    now: Time,
) -> Result<(), Error> {
    users::doubt_email(tx, user.id).await?;
    send_link(app, tx, user, &user.email, context, now).await
}

/// Takes the question for another link to an address that is doubted. The answer is the same for every
/// address, before anybody has looked whose it is.
pub async fn ask_again(
    app: &App,
    question: Question,
) -> Result<(Admission, Option<LimitStanding>), Error> {
    let (admission, standing) = mail_request::admit(app, &question, WORD).await?;
    if let Admission::Go = admission {
        mail_request::write_later(app, "verify_email", move |app| {
            let question = question.clone();
            async move { write_again(&app, &question).await }
        });
    }
    Ok((admission, standing))
}

/// Uses a link: the account has the address that it was mailed to.
pub async fn redeem(
    app: &App,
    token: Option<&Opaque>,
    context: &Context,
) -> Result<Redeemed, Error> {
    let Some(token) = token else { return Ok(Redeemed::Refused(LinkRefusal::Unknown)) };
    let mac = app.keys.credential.credential_mac(PURPOSE.of_secret(), token);
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    // Before any row of the account, as everybody does who changes what somebody is called: two who take
    // them in another order wait for each other in vain.
    users::hold(&mut tx).await?;
    let Some(spent) = one_time_links::spend(&mut tx, PURPOSE, &mac, now).await? else {
        drop(tx);
        let refusal = links::refusal(app, PURPOSE, &mac).await?;
        // Good: somebody was faster.
        return Ok(Redeemed::Refused(refusal.unwrap_or(LinkRefusal::Used)));
    };
    let redeemed = put(app, &mut tx, &spent, context, now).await?;
    if !matches!(redeemed, Redeemed::Refused(_)) {
        tx.commit().await?;
    }
    Ok(redeemed)
}

async fn put(
    app: &App,
    tx: &mut Tx,
    spent: &Spent,
    context: &Context,
    now: Time,
) -> Result<Redeemed, Error> {
    let used = Ok(Redeemed::Refused(LinkRefusal::Used));
    let Some(email) = &spent.email else { return used };
    let Some(user) = users::by_id(tx, spent.user_id).await? else { return used };
    if user.status != AccountStatus::Active {
        return used;
    }
    let context = Context { subject: Some(user.id), ..context.clone() };
    record(tx, app.random, &Event::LinkUsed { purpose: PURPOSE }, &context, now).await?;
    if user.email == *email {
        users::verify_email(tx, user.id, email, now).await?;
        record(tx, app.random, &Event::EmailVerified, &context, now).await?;
        return Ok(Redeemed::Verified);
    }
    let from = spent.user_epoch;
    let Some(to) = rotation::raise_epoch(tx, user.id, from).await? else { return used };
    rotation::carry_over_all(tx, user.id, from, to).await?;
    match users::set_email(tx, user.id, email, now).await {
        Ok(true) => {}
        // Somebody else has it by now.
        Ok(false) | Err(Error::Conflict) => return used,
        Err(error) => return Err(error),
    }
    record(tx, app.random, &Event::EmailChanged, &context, now).await?;
    mail::send(app, tx, &user.email, &Letter::email_changed(), now).await?;
    Ok(Redeemed::Changed)
}

async fn write_again(app: &App, question: &Question) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_email(&mut tx, &question.email).await? else { return Ok(()) };
    let is_proved = users::email_verified_at(&mut tx, user.id).await?.is_some();
    if is_proved || user.status != AccountStatus::Active {
        return Ok(());
    }
    let context = Context { subject: Some(user.id), ..question.context.clone() };
    send_link(app, &mut tx, &user, &user.email, &context, now).await?;
    tx.commit().await
}

async fn send_link(
    app: &App,
    tx: &mut Tx,
    user: &User,
    to: &Email,
    context: &Context,
    now: Time,
) -> Result<(), Error> {
    // Counted before the link is made: what is not mailed voids no link that was.
    if !Cap::VERIFY_EMAIL.admits(app.random, tx, to, now).await? {
        return Ok(());
    }
    let letter = letter(app, tx, user, to, context, now).await?;
    mail::send(app, tx, to, &letter, now).await
}

/// Makes a link, and the letter with it, which somebody may or may not get.
async fn letter(
    app: &App,
    tx: &mut Tx,
    user: &User,
    to: &Email,
    context: &Context,
    now: Time,
) -> Result<Letter, Error> {
    let until = now.plus(PURPOSE.life());
    let wanted = Wanted { purpose: PURPOSE, user, until, email: Some(to.clone()) };
    let token: Opaque = wanted.issue(tx, &app.keys.credential, app.random, context, now).await?;
    let url = format!("{}{PAGE}#t={}", app.public_url, token.reveal());
    Ok(Letter::verify_email(url, until))
}
