//! A forgotten password. Whoever has the mailbox gets a link, or a code and for it a token; whoever has
//! either sets a new password, once. That signs everybody out and nobody in, forgives wrong passwords,
//! and opens no account that was closed: a factor that is asked for at sign-in is asked for after it.
//!
//! Not here: the pages and endpoints, and changing a password that one knows (`change_password`).

mod code;
mod token;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::administration::Act;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_code::{Code, CodePurpose};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::secret::{MacKey, Opaque, ResetToken};
use portcullis_domain::time::Time;
use portcullis_store::one_time_codes::{self, NewCode};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, blacklist};

use super::administration::{Desk, Halt};
use super::first_run::PLACEHOLDER;
use super::limits::LimitStanding;
use super::links::Wanted;
use super::mail_request::{self, Admission, Question};
use super::record;
use super::roles::Acting;
use crate::app::App;
use crate::mail::{self, Letter};

pub use code::{CodeAnswer, CodeAttempt, CodeOutcome, try_code};
pub use token::{Reset, ResetAnswer, ResetOutcome, reset};

const PURPOSE: LinkPurpose = LinkPurpose::PasswordReset;
const CODE: CodePurpose = CodePurpose::PasswordReset;

/// Under what letters and guesses at codes are counted.
const WORD: &str = "reset";

/// The page that a mailed link leads to.
pub const PAGE: &str = "/-/reset";

/// How the mail lets its reader go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a link to our page.
    Link,
    /// By a code to type in an application.
    Code,
}

/// Takes the question for a new password. The answer is the same for every address, before anybody has
/// looked whose it is.
pub async fn ask(
    app: &App,
    question: Question,
    way: Way,
) -> Result<(Admission, Option<LimitStanding>), Error> {
    let (admission, standing) = mail_request::admit(app, &question, WORD).await?;
    if let Admission::Go = admission {
        mail_request::write_later(app, "password_reset", move |app| {
            let question = question.clone();
            async move { write(&app, &question, way).await }
        });
    }
    Ok((admission, standing))
}

/// For the person whose account it is: how it is handed over is not our business.
pub struct Handed {
    pub token: ResetToken,
    pub until: Time,
}

/// Makes a token for somebody who gets no mail. Whoever has it can sign in to the account, so that
/// nobody makes one who lacks a right that the account has.
pub async fn hand_out(acting: &Acting<'_>, key: &MacKey, id: UserId) -> Result<Handed, Halt> {
    let mut desk = Desk::of(acting).await?;
    let account = desk.account_of(id).await?;
    desk.judge(&account, Act::Identify)?;
    let purpose = LinkPurpose::HandedOutReset;
    let (until, random, now) = (desk.now.plus(purpose.life()), desk.random, desk.now);
    let wanted = Wanted { purpose, user: &account.user, until, email: None };
    let token = wanted.issue(&mut desk.tx, key, random, acting.context, now).await?;
    desk.close().await?;
    Ok(Handed { token, until })
}

/// Looks whose address it is, and writes to whoever may have a new password.
async fn write(app: &App, question: &Question, way: Way) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let user = match users::by_email(&mut tx, &question.email).await? {
        Some(user) if may_have_one(&mut tx, &user).await? => Some(user),
        Some(_) | None => None,
    };
    let context =
        Context { subject: user.as_ref().map(|user| user.id), ..question.context.clone() };
    let asked = Event::PasswordResetAsked { known: user.is_some() };
    record(&mut tx, app.random, &asked, &context, now).await?;
    if let Some(user) = &user {
        let letter = match way {
            Way::Link => link(app, &mut tx, user, &context, now).await?,
            Way::Code => code(app, &mut tx, user, now).await?,
        };
        mail::send(app, &mut tx, &user.email, &letter, now).await?;
    }
    tx.commit().await
}

/// A new password, or a link, would open neither a closed account nor one that is kept out. The first owner, who
/// has no address yet, has a way of his own.
pub(super) async fn may_have_one(tx: &mut Tx, user: &User) -> Result<bool, Error> {
    let is_open = user.status == AccountStatus::Active && user.email.as_str() != PLACEHOLDER;
    Ok(is_open && !blacklist::is_listed(tx, user.id).await?)
}

async fn link(
    app: &App,
    tx: &mut Tx,
    user: &User,
    context: &Context,
    now: Time,
) -> Result<Letter, Error> {
    let until = now.plus(PURPOSE.life());
    let wanted = Wanted { purpose: PURPOSE, user, until, email: Some(user.email.clone()) };
    let token: ResetToken =
        wanted.issue(tx, &app.keys.credential, app.random, context, now).await?;
    let url = format!("{}{PAGE}#t={}", app.public_url, token.reveal());
    Ok(Letter::password_reset_link(url, until))
}

async fn code(app: &App, tx: &mut Tx, user: &User, now: Time) -> Result<Letter, Error> {
    let ticket = Opaque::from_random(app.random.bytes());
    let ticket = app.keys.credential.credential_mac(CODE.of_ticket(), &ticket);
    let code = Code::from_random(app.random.bytes());
    let until = now.plus(CODE.life());
    let new = NewCode {
        ticket,
        purpose: CODE,
        user_id: user.id,
        user_epoch: user.epoch,
        code: app.keys.credential.code_mac(&ticket, &code),
        detail: "",
        expires_at: until,
    };
    one_time_codes::issue(tx, &new, now).await?;
    Ok(Letter::password_reset_code(code.reveal().to_owned(), until))
}
