//! Ending what is signed in to an account, and taking an account out for good.

use portcullis_domain::administration::Act;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::role::USER;
use portcullis_domain::text::Email;
use portcullis_store::{Error, roles, users};

use crate::app::App;
use crate::flows::administration::{Account, Desk, Halt};
use crate::flows::barrier;
use crate::flows::sessions::alive_of;

/// Ends everything that is signed in to the account, on every node.
pub async fn sign_out(app: &App, context: &Context, uuid: &str) -> Result<(), Halt> {
    let mut desk = Desk::open(app, context).await?;
    let account = desk.account(uuid).await?;
    desk.judge(&account, Act::SignOut)?;
    let sessions = alive_of(&mut desk.tx, account.user.id, desk.now).await?;
    users::bump_epoch(&mut desk.tx, account.user.id).await?;
    desk.record(&Event::UserSignedOut { sessions }, Some(account.user.id)).await?;
    desk.close().await?;
    barrier::felt_everywhere(app).await;
    Ok(())
}

/// Takes the account out: nobody signs in to it again, what it was reached by is free for others,
/// and the log still knows who it was.
pub async fn delete(app: &App, context: &Context, uuid: &str) -> Result<(), Halt> {
    let mut desk = Desk::open(app, context).await?;
    let account = desk.account(uuid).await?;
    depart(&mut desk, &account).await?;
    desk.close().await?;
    barrier::felt_everywhere(app).await;
    Ok(())
}

/// The same at a desk where more is done.
pub(in crate::flows) async fn depart(desk: &mut Desk<'_>, account: &Account) -> Result<(), Halt> {
    desk.judge(account, Act::Delete)?;
    // So that every other can be deleted.
    let role = roles::by_name(&mut desk.tx, USER).await?.ok_or(Error::Conflict)?;
    let grave = grave(&account.user.uuid)?;
    let sessions = alive_of(&mut desk.tx, account.user.id, desk.now).await?;
    users::delete(&mut desk.tx, account.user.id, &grave, role.id, desk.now).await?;
    Ok(desk.record(&Event::UserDeleted { sessions }, Some(account.user.id)).await?)
}

/// An address of nobody (RFC 2606 keeps `invalid` free), in place of the one that is freed.
fn grave(uuid: &str) -> Result<Email, Error> {
    Email::parse(&format!("{uuid}@deleted.invalid")).map_err(|_| Error::Conflict)
}
