//! Ending somebody's session, with everything that one sign-in gave. Not here: signing out
//! (`sign_out`), and waiting until other nodes have heard of it (`barrier`).

use portcullis_domain::event::{Context, EndReason, Event};
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::revocation::{Actor, Reach, Refusal, may_end};
use portcullis_domain::role::Level;
use portcullis_store::{Error, Tx, roles, sessions, users};

use super::record;
use super::roles::Acting;

/// What became of ending a session.
#[derive(Debug, PartialEq, Eq)]
pub enum Terminate {
    Done,
    /// There is no session of this name, or it had ended.
    Unknown,
    Refused(Refusal),
}

/// Ends the session of this name. Whoever may end only his own learns nothing of others: one that is
/// not there and one that is somebody else's are refused alike.
pub async fn terminate(
    acting: &Acting<'_>,
    actor: &Actor,
    handle: &SessionHandle,
) -> Result<Terminate, Error> {
    let mut tx = acting.db.write().await?;
    let found = sessions::by_handle(&mut tx, handle).await?;
    let Some(session) = found.filter(|session| session.ended_at.is_none()) else {
        return Ok(unknown(actor));
    };
    let level = level_of(&mut tx, session.user_id).await?;
    if let Err(refusal) = may_end(actor, &session.id, session.user_id, level) {
        return Ok(Terminate::Refused(refusal));
    }
    if !sessions::end(&mut tx, &session.id, EndReason::Terminated, acting.now).await? {
        return Ok(unknown(actor));
    }
    let context = Context {
        subject: Some(session.user_id),
        session: Some(handle.as_str().to_owned()),
        ..acting.context.clone()
    };
    let event = Event::SessionEnded { reason: EndReason::Terminated };
    record(&mut tx, acting.random, &event, &context, acting.now).await?;
    tx.commit().await?;
    Ok(Terminate::Done)
}

/// What becomes of a name that no session has.
pub fn unknown(actor: &Actor) -> Terminate {
    match actor.reach {
        Reach::Own => Terminate::Refused(Refusal::NotYours),
        Reach::Everybody => Terminate::Unknown,
    }
}

/// The level of a user's role. Every user has one.
pub(super) async fn level_of(tx: &mut Tx, user: UserId) -> Result<Level, Error> {
    let user = users::by_id(tx, user).await?.ok_or(Error::Conflict)?;
    let role = roles::by_id(tx, user.role_id).await?.ok_or(Error::Conflict)?;
    Ok(role.level)
}
