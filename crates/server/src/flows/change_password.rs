//! A new password for somebody who is signed in and knows the old one. Whatever else is signed in to
//! the account is signed out, with its remembered browsers, links and codes; this session goes on with
//! the credential that asked, a cookie under a new secret. Not here: a forgotten password
//! (`password_reset`), and what an operator sets (`users`).

use portcullis_domain::event::PasswordChanger;
use portcullis_store::{Error, rotation};

use super::barrier;
use super::new_password::{Accepted, NewPassword};
use super::password::Fresh;
use super::proof::{self, Answer, Claim, Outcome, Proved, Refusal, Renewed};
use crate::app::App;
use crate::fault::Failure;

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
            let new = new.hash(&app.hasher, seat, app.random).await?;
            let outcome = put(app, claim, &proved, &new).await?;
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
    new: &NewPassword,
) -> Result<Outcome<Renewed>, Error> {
    let now = app.clock.now();
    let holder = &claim.holder;
    let mut tx = app.db.write().await?;
    let Some(user) = proved.settle(&mut tx).await? else { return Ok(Err(Refusal::Gone)) };
    let context = claim.about(user.id);
    let fresh = Fresh {
        user: &user,
        new,
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
