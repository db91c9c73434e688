//! The token of a link, or of a code, exchanged for a new password: all that follows in one transaction,
//! which of any number of callers one wins.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LinkRefusal, PasswordChanger};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::password::PolicyFault;
use portcullis_domain::secret::{Mac, ResetToken};
use portcullis_store::one_time_links::{self, Spent};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx};

use super::PURPOSE;
use crate::app::App;
use crate::fault::Failure;
use crate::flows::barrier;
use crate::flows::limits::{self, LimitStanding};
use crate::flows::links;
use crate::flows::new_password::{Judge, NewPassword, Person, min_length};
use crate::flows::password::Fresh;
use crate::flows::record;

/// What somebody with a token asks for.
pub struct Reset<'a> {
    /// `None` where what was sent cannot be a token.
    pub token: Option<ResetToken>,
    pub password: &'a str,
    pub from: ClientAddress,
    pub context: Context,
}

/// What became of it.
pub enum ResetOutcome {
    /// The account has the new password. Nobody is signed in.
    Done,
    Refused(LinkRefusal),
    /// The password is not accepted; the token is still good.
    Weak(Vec<PolicyFault>),
    /// Too many attempts from this address.
    TooMany {
        retry_after: Duration,
    },
}

/// An outcome, and what the limit headers say of it.
pub struct ResetAnswer {
    pub outcome: ResetOutcome,
    pub standing: Option<LimitStanding>,
}

/// Sets the new password, or says why not; then nothing has changed.
pub async fn reset(app: &App, wanted: &Reset<'_>) -> Result<ResetAnswer, Failure> {
    let judge = Judge::of(app);
    let by_itself = by_itself(&judge, wanted.password);
    if !by_itself.is_empty() {
        return Ok(ResetAnswer { outcome: ResetOutcome::Weak(by_itself), standing: None });
    }
    // A full queue costs nobody an attempt; nobody takes a place in it while others are asked.
    drop(app.hasher.seat()?);
    let standing = limits::admit_token(app, &wanted.from, &wanted.context).await?;
    let answer = |outcome| Ok(ResetAnswer { outcome, standing });
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return answer(ResetOutcome::TooMany { retry_after });
    }
    let key = &app.keys.credential;
    let mac = wanted.token.as_ref().map(|token| key.credential_mac(PURPOSE.of_secret(), token));
    let Some(mac) = mac else { return answer(ResetOutcome::Refused(LinkRefusal::Unknown)) };
    // Looked at before the work of a hash; what counts is the spending.
    let (purpose, user) = match look(app, &mac).await? {
        (purpose, Ok(user)) => (purpose, user),
        (_, Err(refusal)) => return answer(ResetOutcome::Refused(refusal)),
    };
    let min_chars = min_length(app, user.id).await?;
    let accepted = match judge.accept(wanted.password, min_chars, &Person::from(&user)).await {
        Ok(accepted) => accepted,
        Err(weak) => return answer(ResetOutcome::Weak(weak)),
    };
    let new = accepted.hash(&app.hasher, app.hasher.seat()?, app.random).await?;
    answer(spend(app, wanted, purpose, &mac, &new).await?)
}

/// What is wrong with a password whosever it is to be, and be it that he has a second factor.
fn by_itself(judge: &Judge<'_>, password: &str) -> Vec<PolicyFault> {
    let faults = |min_chars| judge.faults(password, min_chars, &Person::default());
    if faults(judge.lengths.with_factor).is_empty() {
        return Vec::new();
    }
    faults(judge.lengths.alone)
}

/// Whether the token was mailed or handed out, and whose it is, or why it is not good.
async fn look(app: &App, mac: &Mac) -> Result<(LinkPurpose, Result<User, LinkRefusal>), Error> {
    let handed_out = LinkPurpose::HandedOutReset;
    match links::look(app, handed_out, mac).await? {
        Err(LinkRefusal::Unknown) => Ok((PURPOSE, links::look(app, PURPOSE, mac).await?)),
        looked => Ok((handed_out, looked)),
    }
}

async fn spend(
    app: &App,
    wanted: &Reset<'_>,
    purpose: LinkPurpose,
    mac: &Mac,
    new: &NewPassword,
) -> Result<ResetOutcome, Error> {
    let now = app.clock.now();
    let used = Ok(ResetOutcome::Refused(LinkRefusal::Used));
    let mut tx = app.db.write().await?;
    // Somebody may have been faster, here and wherever nothing is found.
    let Some(spent) = one_time_links::spend(&mut tx, purpose, mac, now).await? else { return used };
    let Some(user) = users::by_id(&mut tx, spent.user_id).await? else { return used };
    let is_same = user.status == AccountStatus::Active && user.epoch == spent.user_epoch;
    if !is_same {
        return used;
    }
    let context = Context { subject: Some(user.id), ..wanted.context.clone() };
    record(&mut tx, app.random, &Event::LinkUsed { purpose }, &context, now).await?;
    if !put(app, &mut tx, &user, &spent, &context, new).await? {
        return used;
    }
    tx.commit().await?;
    barrier::felt_everywhere(app).await;
    Ok(ResetOutcome::Done)
}

/// The password; and whoever read the mail has the address. `false` if somebody was faster.
async fn put(
    app: &App,
    tx: &mut Tx,
    user: &User,
    spent: &Spent,
    context: &Context,
    new: &NewPassword,
) -> Result<bool, Error> {
    let now = app.clock.now();
    let fresh = Fresh {
        user,
        new,
        by: PasswordChanger::Link,
        kept: None,
        context,
        place: &app.public_url.to_string(),
    };
    if fresh.put(tx, app.random, now).await?.is_none() {
        return Ok(false);
    }
    if let Some(email) = &spent.email
        && users::verify_email(tx, user.id, email, now).await?
    {
        record(tx, app.random, &Event::EmailVerified, context, now).await?;
    }
    Ok(true)
}
