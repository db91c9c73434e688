//! Proving again who one is, while signed in: the current password, once more. It is what stands before
//! a new password, another address and whatever else asks for a fresh sign-in. A wrong one counts like
//! a wrong one at sign-in, before it is looked at, so a stolen session is no place to guess from.
//!
//! Not here: which routes ask (`web/caller`), and what the proof is for (`change_password`, `email`).

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::password::Verdict;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::text::Identifier;
use portcullis_domain::time::Time;
use portcullis_store::credentials::CredentialKind;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, rotation, sessions};

use super::guess::{self, Guess, Guesser, Occasion, Reserved};
use super::limits::LimitStanding;
use super::record;
use crate::app::App;
use crate::fault::Failure;

/// Who is signed in, and by what.
#[derive(Clone)]
pub struct Holder {
    pub user: UserId,
    pub session: SessionId,
    pub csrf_epoch: i64,
    /// The credential of the request.
    pub mac: Mac,
    pub kind: CredentialKind,
    pub expires_at: Time,
}

/// A current password, as somebody gives it who is signed in.
pub struct Claim<'a> {
    pub holder: Holder,
    pub password: &'a str,
    pub from: ClientAddress,
    /// The device cookie, if one came.
    pub device_cookie: Option<&'a str>,
    pub context: Context,
}

/// Why nothing was done.
pub enum Refusal {
    /// Another password, or the account takes none.
    Wrong,
    /// The session or the account changed meanwhile: nothing was done.
    Gone,
    /// Too many wrong passwords from this network.
    Locked { retry_after: Duration },
    /// Too many attempts.
    TooMany { retry_after: Duration },
}

/// What became of a claim.
pub type Outcome<T> = Result<T, Refusal>;

/// An outcome, and what the limit headers say of it.
pub struct Answer<T> {
    pub outcome: Outcome<T>,
    pub standing: Option<LimitStanding>,
}

/// What the session goes on with. A bearer token goes on as it is.
pub struct Renewed {
    pub session: SessionId,
    pub csrf_epoch: i64,
    pub at: Time,
    /// In the place of the cookie that came along.
    pub cookie: Option<(Opaque, Time)>,
}

/// The right password of an account as it was when it was looked at.
pub(super) struct Proved(Box<Guess>);

/// Notes a fresh proof: from now on the session counts as just signed in, under a new cookie.
pub async fn prove(app: &App, claim: &Claim<'_>) -> Result<Answer<Renewed>, Failure> {
    let (proved, standing) = check(app, claim).await?;
    let outcome = match proved {
        Ok(proved) => note(app, claim, &proved).await?,
        Err(refusal) => Err(refusal),
    };
    Ok(Answer { outcome, standing })
}

async fn note(app: &App, claim: &Claim<'_>, proved: &Proved) -> Result<Outcome<Renewed>, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some(user) = proved.settle(&mut tx).await? else { return Ok(Err(Refusal::Gone)) };
    let Some(renewed) = renew(app, &mut tx, &claim.holder, now).await? else {
        return Ok(Err(Refusal::Gone));
    };
    let context = claim.about(user.id);
    record(&mut tx, app.random, &Event::ProvedAgain, &context, now).await?;
    tx.commit().await?;
    Ok(Ok(renewed))
}

/// Looks at the password, after the attempt was counted.
pub(super) async fn check(
    app: &App,
    claim: &Claim<'_>,
) -> Result<(Outcome<Proved>, Option<LimitStanding>), Failure> {
    let seat = app.hasher.seat()?;
    let (counted, standing) = count(app, claim).await?;
    let guess = match counted {
        Ok(guess) => guess,
        Err(refusal) => return Ok((Err(refusal), standing)),
    };
    let outcome = match app.hasher.verify(seat, claim.password, guess.usable_phc()).await? {
        Verdict::Match | Verdict::MatchNeedsRehash => Ok(Proved(guess)),
        Verdict::Mismatch | Verdict::Unreadable => {
            guess.wrong(app, &claim.context).await?;
            Err(Refusal::Wrong)
        }
    };
    Ok((outcome, standing))
}

/// Gives the session its new secrets: `None` if it has ended, or somebody was faster.
pub(super) async fn renew(
    app: &App,
    tx: &mut Tx,
    holder: &Holder,
    now: Time,
) -> Result<Option<Renewed>, Error> {
    if !rotation::prove_again(tx, &holder.session, now).await? {
        return Ok(None);
    }
    rotate(app, tx, holder, now).await
}

/// The same where nothing was proved that makes the session a fresh one.
pub(super) async fn rotate(
    app: &App,
    tx: &mut Tx,
    holder: &Holder,
    now: Time,
) -> Result<Option<Renewed>, Error> {
    let (session, at) = (holder.session.clone(), now);
    if holder.kind != CredentialKind::Cookie {
        return Ok(Some(Renewed { session, csrf_epoch: holder.csrf_epoch, at, cookie: None }));
    }
    let secret = Opaque::from_random(app.random.bytes());
    let mac = app.keys.credential.credential_mac(Purpose::Cookie, &secret);
    let is_ours = sessions::rotate_csrf(tx, &holder.session, holder.csrf_epoch).await?
        && rotation::replace_cookie(tx, &holder.mac, &mac).await?;
    let cookie = Some((secret, holder.expires_at));
    let csrf_epoch = holder.csrf_epoch.saturating_add(1);
    Ok(is_ours.then_some(Renewed { session, csrf_epoch, at, cookie }))
}

impl Proved {
    /// The account as it is now, if it is open and nothing that the check rested on has changed.
    pub(super) async fn settle(&self, tx: &mut Tx) -> Result<Option<User>, Error> {
        let user = self.0.right(tx).await?;
        Ok(user.filter(|user| user.status == AccountStatus::Active))
    }
}

impl Claim<'_> {
    pub(super) fn about(&self, user: UserId) -> Context {
        Context { subject: Some(user), ..self.context.clone() }
    }
}

/// Counts the attempt against the limits that sign-in has, in one transaction.
async fn count(
    app: &App,
    claim: &Claim<'_>,
) -> Result<(Outcome<Box<Guess>>, Option<LimitStanding>), Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, claim.holder.user).await? else {
        return Ok((Err(Refusal::Gone), None));
    };
    let name = Identifier::parse(user.email.as_str()).ok();
    let guesser = Guesser {
        occasion: Occasion::Proof,
        name: name.as_ref(),
        user: Some(user),
        from: &claim.from,
        device_cookie: claim.device_cookie,
        context: &claim.context,
    };
    let (reserved, standing) = guess::reserve(app, &mut tx, guesser, app.clock.now()).await?;
    tx.commit().await?;
    let outcome = match reserved {
        Reserved::Go(guess) => Ok(guess),
        Reserved::TooMany { retry_after } => Err(Refusal::TooMany { retry_after }),
        Reserved::Locked { retry_after } => Err(Refusal::Locked { retry_after }),
    };
    Ok((outcome, standing))
}
