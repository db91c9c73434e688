//! Proving again who one is, while signed in: the current password, once more. It is what stands before
//! a new password, another address and whatever else asks for a fresh sign-in. A wrong one counts like
//! a wrong one at sign-in, before it is looked at, so a stolen session is no place to guess from.
//!
//! Not here: which routes ask (`web/caller`), and what the proof is for (`change_password`, `email`).

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::event::{Context, Event, LimitName, SignInFailure};
use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::password::Verdict;
use portcullis_domain::secret::{Mac, Opaque, Purpose};
use portcullis_domain::text::Identifier;
use portcullis_domain::throttle::Lock;
use portcullis_domain::time::Time;
use portcullis_store::credentials::CredentialKind;
use portcullis_store::users::{self, Password, PasswordPhc, User};
use portcullis_store::{Error, Tx, lockouts, rotation, sessions};

use super::limits::{self, Counter, LockKey, LoginStanding};
use super::record;
use super::sign_in::count_wrong;
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
    pub standing: Option<LoginStanding>,
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
pub(super) struct Proved {
    seen: User,
    lock_key: Option<String>,
}

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
) -> Result<(Outcome<Proved>, Option<LoginStanding>), Failure> {
    let seat = app.hasher.seat()?;
    let (counted, standing) = count(app, claim).await?;
    let candidate = match counted {
        Ok(candidate) => candidate,
        Err(refusal) => return Ok((Err(refusal), standing)),
    };
    let phc = candidate.usable_phc().map(PasswordPhc::reveal);
    let outcome = match app.hasher.verify(seat, claim.password, phc).await? {
        Verdict::Match | Verdict::MatchNeedsRehash => {
            Ok(Proved { seen: candidate.user, lock_key: candidate.lock_key })
        }
        Verdict::Mismatch | Verdict::Unreadable => {
            fail(app, claim, &candidate).await?;
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
    /// The account as it is now, if nothing that the check rested on has changed; then wrong passwords
    /// from here are forgiven.
    pub(super) async fn settle(&self, tx: &mut Tx) -> Result<Option<User>, Error> {
        let Some(user) = users::by_id(tx, self.seen.id).await? else { return Ok(None) };
        let Some(password) = users::password(tx, user.id).await? else { return Ok(None) };
        let is_open = user.status == AccountStatus::Active && !password.disabled;
        if user.epoch != self.seen.epoch || !is_open {
            return Ok(None);
        }
        if let Some(key) = &self.lock_key {
            lockouts::clear(tx, key).await?;
        }
        users::password_succeeded(tx, user.id).await?;
        Ok(Some(user))
    }
}

impl Claim<'_> {
    pub(super) fn about(&self, user: UserId) -> Context {
        Context { subject: Some(user), ..self.context.clone() }
    }
}

/// The account that a claim is about.
struct Candidate {
    user: User,
    password: Password,
    lock_key: Option<String>,
    /// This attempt is the last: if it fails, the network is locked out.
    locks_until: Option<Time>,
}

impl Candidate {
    /// The hash to check against; none for an account that takes no password.
    fn usable_phc(&self) -> Option<&PasswordPhc> {
        self.password.phc.as_ref().filter(|_| !self.password.disabled)
    }
}

/// Counts the attempt against the limits that sign-in has, in one transaction.
async fn count(
    app: &App,
    claim: &Claim<'_>,
) -> Result<(Outcome<Candidate>, Option<LoginStanding>), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let Some((user, password)) = find(&mut tx, claim.holder.user).await? else {
        return Ok((Err(Refusal::Gone), None));
    };
    let mut standing = None;
    if let Some(limit) = app.limits.in_force().login {
        let name = Identifier::parse(user.email.as_str()).ok();
        let (name, login) = (name.as_ref(), Counter::Login);
        let counted = limits::reserve(&mut tx, login, limit, &claim.from, name, now).await?;
        standing = Some(counted);
        if let Some(retry_after) = counted.retry_after {
            let (event, context) =
                (Event::LimitExceeded { limit: LimitName::Login }, claim.about(user.id));
            record(&mut tx, app.random, &event, &context, now).await?;
            tx.commit().await?;
            return Ok((Err(Refusal::TooMany { retry_after }), standing));
        }
    }
    let mut candidate = Candidate { user, password, lock_key: None, locks_until: None };
    if let Some(limit) = app.limits.in_force().lockout {
        let key = lock_key(app, claim, candidate.user.id);
        match lockouts::reserve_failure(&mut tx, &key, limit, now).await? {
            Lock::Locked { retry_after, .. } => {
                let event = Event::NotProvedAgain { reason: SignInFailure::LockedOut };
                let context = claim.about(candidate.user.id);
                record(&mut tx, app.random, &event, &context, now).await?;
                tx.commit().await?;
                return Ok((Err(Refusal::Locked { retry_after }), standing));
            }
            Lock::Open { last } => {
                candidate.lock_key = Some(key);
                candidate.locks_until = last.then(|| now.plus(limit.period));
            }
        }
    }
    tx.commit().await?;
    Ok((Ok(candidate), standing))
}

async fn find(tx: &mut Tx, id: UserId) -> Result<Option<(User, Password)>, Error> {
    let Some(user) = users::by_id(tx, id).await? else { return Ok(None) };
    let password = users::password(tx, id).await?;
    Ok(password.map(|password| (user, password)))
}

/// As at sign-in: a device that signed in before counts for itself.
fn lock_key(app: &App, claim: &Claim<'_>, user: UserId) -> String {
    let nonce = claim.device_cookie.and_then(|cookie| app.keys.device.verify(user, cookie));
    match nonce {
        Some(nonce) => LockKey::Device(user, nonce).text(),
        None => LockKey::Account(user, &claim.from).text(),
    }
}

async fn fail(app: &App, claim: &Claim<'_>, candidate: &Candidate) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let reason = match candidate.usable_phc() {
        Some(_) => SignInFailure::WrongPassword,
        None => SignInFailure::NoPassword,
    };
    let context = claim.about(candidate.user.id);
    record(&mut tx, app.random, &Event::NotProvedAgain { reason }, &context, now).await?;
    let (user, until) = (Some(&candidate.user), candidate.locks_until);
    count_wrong(app, &mut tx, user, until, &context, now).await?;
    tx.commit().await
}
