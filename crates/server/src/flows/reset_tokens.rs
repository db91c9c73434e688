//! Taking back the links and codes with which people could set a new password. Not here: making and
//! using them, which is in [`super::password_reset`].

use portcullis_domain::administration::Act;
use portcullis_domain::event::Event;
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_store::one_time_links;

use super::administration::{Desk, Halt};
use super::roles::Acting;

/// How many are looked at in one transaction.
const SLICE: i64 = 500;

/// Voids what is in force for one user; `false` if there is nothing.
pub async fn revoke(acting: &Acting<'_>, user: UserId) -> Result<bool, Halt> {
    let mut desk = Desk::of(acting).await?;
    let revoked = revoke_one(&mut desk, user).await?;
    desk.close().await?;
    Ok(revoked)
}

/// Voids what is in force for everybody whose the actor may take back; how many.
pub async fn revoke_all(acting: &Acting<'_>) -> Result<usize, Halt> {
    let mut revoked = 0;
    let mut kept = 0;
    loop {
        let mut desk = Desk::of(acting).await?;
        let page = (SLICE, kept);
        let waiting =
            one_time_links::waiting(&mut desk.tx, LinkPurpose::RESETS, desk.now, page).await?;
        if waiting.is_empty() {
            return Ok(revoked);
        }
        for one in waiting {
            match revoke_one(&mut desk, one.user).await {
                Ok(true) => revoked += 1,
                Ok(false) | Err(Halt::UnknownUser | Halt::Refused(_)) => kept += 1,
                Err(
                    halt @ (Halt::UnknownRole
                    | Halt::UsernameIsAddress
                    | Halt::Conflict(_)
                    | Halt::Store(_)),
                ) => {
                    return Err(halt);
                }
            }
        }
        desk.close().await?;
    }
}

/// Judged as making one is, except that everybody may take back what was made for himself.
async fn revoke_one(desk: &mut Desk<'_>, id: UserId) -> Result<bool, Halt> {
    let account = desk.account_of(id).await?;
    if desk.actor.id != Some(id) {
        desk.judge(&account, Act::Identify)?;
    }
    let mut revoked = false;
    for purpose in LinkPurpose::RESETS {
        if one_time_links::void(&mut desk.tx, purpose, id, desk.now).await? {
            desk.record(&Event::LinkRevoked { purpose }, Some(id)).await?;
            revoked = true;
        }
    }
    Ok(revoked)
}
