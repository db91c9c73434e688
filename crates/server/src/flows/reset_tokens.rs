//! Taking back the links and codes with which people could set a new password. Not here: making and
//! using them, which is in [`super::password_reset`].

use portcullis_domain::event::Event;
use portcullis_domain::id::UserId;
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::permission::Grants;
use portcullis_domain::role;
use portcullis_store::{Error, Tx, one_time_links, roles, users};

use super::roles::Acting;

const PURPOSE: LinkPurpose = LinkPurpose::PasswordReset;
/// How many are looked at in one transaction.
const SLICE: i64 = 500;

/// What became of taking one back.
#[derive(Debug, PartialEq, Eq)]
pub enum Revoked {
    Done,
    /// There is none in force, or no such user.
    Nothing,
    /// The account is above the actor's level.
    AboveLevel,
}

/// Voids what is in force for one user.
pub async fn revoke(acting: &Acting<'_>, user: UserId) -> Result<Revoked, Error> {
    let mut tx = acting.db.write().await?;
    let revoked = revoke_one(acting, &mut tx, user).await?;
    tx.commit().await?;
    Ok(revoked)
}

/// Voids what is in force for everybody who is not above the actor's level; how many.
pub async fn revoke_all(acting: &Acting<'_>) -> Result<usize, Error> {
    let mut revoked = 0;
    let mut above = 0;
    loop {
        let mut tx = acting.db.write().await?;
        let page = (SLICE, above);
        let waiting = one_time_links::waiting(&mut tx, PURPOSE, acting.now, page).await?;
        if waiting.is_empty() {
            return Ok(revoked);
        }
        for one in waiting {
            match revoke_one(acting, &mut tx, one.user).await? {
                Revoked::Done => revoked += 1,
                Revoked::Nothing | Revoked::AboveLevel => above += 1,
            }
        }
        tx.commit().await?;
    }
}

async fn revoke_one(acting: &Acting<'_>, tx: &mut Tx, id: UserId) -> Result<Revoked, Error> {
    let Some(user) = users::by_id(tx, id).await? else { return Ok(Revoked::Nothing) };
    let role = roles::by_id(tx, user.role_id).await?.ok_or(Error::Conflict)?;
    // Only the level counts here: nothing is granted.
    if role::may_create(acting.authority, role.level, &Grants::default()).is_err() {
        return Ok(Revoked::AboveLevel);
    }
    if !one_time_links::void(tx, PURPOSE, id, acting.now).await? {
        return Ok(Revoked::Nothing);
    }
    acting.record(tx, &Event::LinkRevoked { purpose: PURPOSE }, Some(id)).await?;
    Ok(Revoked::Done)
}
