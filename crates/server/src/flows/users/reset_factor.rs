//! Taking somebody's second factor away who lost it: for whoever looks after accounts. Not here: what
//! people do with their own.

use portcullis_domain::administration::Act;
use portcullis_domain::event::{Context, EndReason, Event, FactorRemover};
use portcullis_domain::id::UserId;
use portcullis_store::users::{self, Strength};
use portcullis_store::{Error, factors, lockouts, outbox, sessions};

use super::{Change, undone};
use crate::app::App;
use crate::flows::administration::{Account, Desk, Halt};
use crate::flows::barrier;
use crate::flows::first_run::PLACEHOLDER;
use crate::flows::roles::Acting;
use crate::flows::second_factor::lock_key;
use crate::mail::{self, Letter};

/// Takes it away in the words of the operator. `place` is the address that people type.
pub async fn reset_factor(acting: &Acting<'_>, id: UserId, place: &str) -> Result<Change, Error> {
    let reset = async {
        let mut desk = Desk::of(acting).await?;
        let account = desk.account_of(id).await?;
        reset(desk, &account, FactorRemover::Operator, place).await
    };
    match reset.await {
        Ok(true) => Ok(Change::Done),
        Ok(false) => Ok(Change::Unchanged),
        Err(halt) => undone(halt),
    }
}

/// Takes it away by a request; `false` if there was none. Answers when no node lets in what had begun.
pub async fn reset_factor_of(app: &App, context: &Context, uuid: &str) -> Result<bool, Halt> {
    let mut desk = Desk::open(app, context).await?;
    let account = desk.account(uuid).await?;
    let place = app.public_url.to_string();
    let is_done = reset(desk, &account, FactorRemover::Administrator, &place).await?;
    if is_done {
        barrier::felt_everywhere(app).await;
    }
    Ok(is_done)
}

async fn reset(
    mut desk: Desk<'_>,
    account: &Account,
    by: FactorRemover,
    place: &str,
) -> Result<bool, Halt> {
    desk.judge(account, Act::ResetFactor)?;
    let (user, now) = (&account.user, desk.now);
    // A sign-in takes lock-outs, factors and users in this order, too.
    lockouts::clear(&mut desk.tx, &lock_key(user.id)).await?;
    if !factors::remove(&mut desk.tx, user.id).await? {
        return Ok(false);
    }
    // A password that is too short to stand alone is closed until another is set by mail.
    let strength = users::password_strength(&mut desk.tx, user.id).await?;
    if strength == Strength::WithFactor {
        users::disable_password(&mut desk.tx, user.id).await?;
    }
    users::bump_epoch(&mut desk.tx, user.id).await?;
    let reason = EndReason::FactorChanged;
    let sessions = sessions::end_all_of_user(&mut desk.tx, user.id, None, reason, now).await?;
    desk.record(&Event::FactorRemoved { by, sessions }, Some(user.id)).await?;
    if user.email.as_str() != PLACEHOLDER {
        let (id, letter) = (desk.random.row_id(now), Letter::factor_reset(now, strength));
        let mail = mail::write(id, &user.email, &letter, place, now);
        outbox::insert(&mut desk.tx, &mail, now).await?;
    }
    desk.close().await?;
    Ok(true)
}
