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
use portcullis_store::users::{self, Strength, User};
use portcullis_store::{Error, Tx};

use super::PURPOSE;
use crate::app::App;
use crate::fault::Failure;
use crate::flows::barrier;
use crate::flows::change_password::{faults, min_length_in};
use crate::flows::limits::{self, LimitStanding};
use crate::flows::links;
use crate::flows::password::Fresh;
use crate::flows::record;
use crate::flows::users::Accepted;

/// What somebody with a token asks for.
pub struct Reset<'a> {
    /// `None` where what was sent cannot be a token.
    pub token: Option<ResetToken>,
    pub password: Accepted<'a>,
    pub from: ClientAddress,
    pub context: Context,
}

/// What became of it.
pub enum ResetOutcome {
    /// The account has the new password. Nobody is signed in.
    Done,
    Refused(LinkRefusal),
    /// The password is not for this person; the token is still good.
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
    let seat = app.hasher.seat()?;
    let standing = limits::admit_token(app, &wanted.from, &wanted.context).await?;
    let answer = |outcome| Ok(ResetAnswer { outcome, standing });
    if let Some(retry_after) = standing.and_then(|standing| standing.retry_after) {
        return answer(ResetOutcome::TooMany { retry_after });
    }
    let key = &app.keys.credential;
    let mac = wanted.token.as_ref().map(|token| key.credential_mac(PURPOSE.of_secret(), token));
    let Some(mac) = mac else { return answer(ResetOutcome::Refused(LinkRefusal::Unknown)) };
    // Looked at before the work of a hash; what counts is the spending.
    let (purpose, refusal) = look(app, &mac).await?;
    if let Some(refusal) = refusal {
        return answer(ResetOutcome::Refused(refusal));
    }
    let password = wanted.password.as_str();
    let phc = app.hasher.hash(seat, password, app.random.bytes()).await?;
    answer(spend(app, wanted, purpose, &mac, &phc).await?)
}

/// Whether the token was mailed or handed out, and why it is not good, if it is not.
async fn look(app: &App, mac: &Mac) -> Result<(LinkPurpose, Option<LinkRefusal>), Error> {
    let handed_out = LinkPurpose::HandedOutReset;
    match links::refusal(app, handed_out, mac).await? {
        Some(LinkRefusal::Unknown) => Ok((PURPOSE, links::refusal(app, PURPOSE, mac).await?)),
        refusal => Ok((handed_out, refusal)),
    }
}

async fn spend(
    app: &App,
    wanted: &Reset<'_>,
    purpose: LinkPurpose,
    mac: &Mac,
    phc: &str,
) -> Result<ResetOutcome, Error> {
    let now = app.clock.now();
    let used = Ok(ResetOutcome::Refused(LinkRefusal::Used));
    let mut tx = app.db.write().await?;
    // Somebody may have been faster, here and wherever nothing is found.
    let Some(spent) = one_time_links::spend(&mut tx, purpose, mac, now).await? else { return used };
    let Some(user) = users::by_id(&mut tx, spent.user_id).await? else { return used };
    let min_chars = min_length_in(app, &mut tx, user.id).await?;
    let weak = faults(&user, wanted.password.as_str(), min_chars);
    if !weak.is_empty() {
        return Ok(ResetOutcome::Weak(weak));
    }
    let is_same = user.status == AccountStatus::Active && user.epoch == spent.user_epoch;
    if !is_same {
        return used;
    }
    let context = Context { subject: Some(user.id), ..wanted.context.clone() };
    record(&mut tx, app.random, &Event::LinkUsed { purpose }, &context, now).await?;
    let new = (phc, wanted.password.strength());
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
    (phc, strength): (&str, Strength),
) -> Result<bool, Error> {
    let now = app.clock.now();
    let fresh = Fresh {
        user,
        phc,
        strength,
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
