//! A new password for somebody who is signed in and knows the old one. Whatever else is signed in to
//! the account is signed out, with its remembered browsers, links and codes; this session goes on with
//! the credential that asked, a cookie under a new secret. Not here: a forgotten password
//! (`password_reset`), and what an operator sets (`users`).

use portcullis_domain::event::PasswordChanger;
use portcullis_domain::id::UserId;
use portcullis_domain::password::{Lengths, Policy, PolicyFault};
use portcullis_domain::text::{Username, full_name};
use portcullis_store::users::{Strength, User};
use portcullis_store::{Error, Tx, factors, rotation};

use super::barrier;
use super::password::Fresh;
use super::proof::{self, Answer, Claim, Outcome, Proved, Refusal, Renewed};
use super::users::Accepted;
use crate::app::App;
use crate::fault::Failure;

/// The least length of a new password of this user.
pub async fn min_length(app: &App, user: UserId) -> Result<usize, Error> {
    let mut tx = app.db.read().await?;
    min_length_in(app, &mut tx, user).await
}

/// The same in a transaction of the caller's.
pub(super) async fn min_length_in(app: &App, tx: &mut Tx, user: UserId) -> Result<usize, Error> {
    let Lengths { alone, with_factor } = app.config.password.lengths();
    let has_factor = factors::active(tx, user).await?.is_some();
    Ok(if has_factor { with_factor } else { alone })
}

/// Everything that is wrong with a new password of this user, worst first; none, and it is accepted.
pub fn faults(user: &User, password: &str, min_chars: usize) -> Vec<PolicyFault> {
    let name = full_name(user.first_name.as_str(), user.last_name.as_str());
    let address = user.email.as_str();
    let local = address.split('@').next().unwrap_or_default();
    let own_words = [
        address,
        local,
        user.username.as_ref().map_or("", Username::as_str),
        user.first_name.as_str(),
        user.last_name.as_str(),
        &name,
    ];
    Policy { min_chars, own_words: &own_words }.faults(password)
}

/// Puts `new` in the place of the password that the claim proves.
pub async fn change(
    app: &App,
    claim: &Claim<'_>,
    new: &Accepted<'_>,
) -> Result<Answer<Renewed>, Failure> {
    // Taken first, so that a full queue costs nobody an attempt.
    let seat = app.hasher.seat()?;
    let (proved, standing) = proof::check(app, claim).await?;
    let outcome = match proved {
        Ok(proved) => {
            let phc = app.hasher.hash(seat, new.as_str(), app.random.bytes()).await?;
            let outcome = put(app, claim, &proved, (&phc, new.strength())).await?;
            if outcome.is_ok() {
                // What else was signed in may be in the hands of whoever the change is to shut out.
                barrier::felt_everywhere(app).await;
            }
            outcome
        }
        Err(refusal) => Err(refusal),
    };
    Ok(Answer { outcome, standing })
}

/// All of it in one transaction. Of several at once one wins, because the epoch goes up once.
async fn put(
    app: &App,
    claim: &Claim<'_>,
    proved: &Proved,
    (phc, strength): (&str, Strength),
) -> Result<Outcome<Renewed>, Error> {
    let now = app.clock.now();
    let holder = &claim.holder;
    let mut tx = app.db.write().await?;
    let Some(user) = proved.settle(&mut tx).await? else { return Ok(Err(Refusal::Gone)) };
    let context = claim.about(user.id);
    let fresh = Fresh {
        user: &user,
        phc,
        strength,
        by: PasswordChanger::Owner,
        kept: Some(&holder.session),
        context: &context,
        place: &app.public_url.to_string(),
    };
    let Some(epoch) = fresh.put(&mut tx, app.random, now).await? else {
        return Ok(Err(Refusal::Gone));
    };
    rotation::end_other_credentials(&mut tx, &holder.session, &holder.mac, now).await?;
    if !rotation::carry_over(&mut tx, &holder.session, user.epoch, epoch).await? {
        return Ok(Err(Refusal::Gone));
    }
    let Some(renewed) = proof::renew(app, &mut tx, holder, now).await? else {
        return Ok(Err(Refusal::Gone));
    };
    tx.commit().await?;
    Ok(Ok(renewed))
}
