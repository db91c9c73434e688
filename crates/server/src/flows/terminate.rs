//! Ending somebody's session, with everything that one sign-in gave. Not here: signing out
//! (`sign_out`), and waiting until other nodes have heard of it (`barrier`).

use portcullis_domain::event::{Context, EndReason, Event};
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::permission::Key;
use portcullis_domain::revocation::{Actor, Own, Reach, Refusal, may_end};
use portcullis_domain::role::Level;
use portcullis_store::{Error, Tx, roles, sessions, users};

use super::roles::Acting;
use super::{administration, record};

/// Ends sessions of others.
const OF_OTHERS: &str = "api.security.sessions.terminate";

/// What became of ending a session.
#[derive(Debug, PartialEq, Eq)]
pub enum Terminate {
    Done,
    /// There is no session of this name, or it had ended.
    Unknown,
    Refused(Refusal),
}

/// Ends the session of this name, if it is within reach: `asked` and what the actor may. Whoever may end
/// only his own learns nothing of others: one that is not there and one that is somebody else's are
/// refused alike.
pub async fn terminate(
    acting: &Acting<'_>,
    asked: Reach,
    handle: &SessionHandle,
) -> Result<Terminate, Error> {
    let mut tx = acting.db.write().await?;
    let Some(actor) = actor(&mut tx, acting.context, asked).await? else {
        return Ok(Terminate::Refused(Refusal::SignedOut));
    };
    let found = sessions::by_handle(&mut tx, handle).await?;
    let Some(session) = found.filter(|session| session.ended_at.is_none()) else {
        return Ok(unknown(actor.reach));
    };
    let level = level_of(&mut tx, session.user_id).await?;
    if let Err(refusal) = may_end(&actor, &session.handle, session.user_id, level) {
        return Ok(Terminate::Refused(refusal));
    }
    if !sessions::end(&mut tx, &session.id, EndReason::Terminated, acting.now).await? {
        return Ok(unknown(actor.reach));
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
pub fn unknown(reach: Reach) -> Terminate {
    match reach {
        Reach::Own => Terminate::Refused(Refusal::NotYours),
        Reach::Everybody => Terminate::Unknown,
    }
}

/// Who acts, as he is in the transaction: the door may have let him in by what is not so any more.
/// `None` if he is not signed in any longer. Nobody else is kept waiting by it.
async fn actor(tx: &mut Tx, context: &Context, asked: Reach) -> Result<Option<Actor>, Error> {
    let Some(now) = administration::actor(tx, context).await? else { return Ok(None) };
    let session = context.session.as_deref().and_then(SessionHandle::parse);
    let own = now.id.zip(session).map(|(user, session)| Own { user, session });
    let grants = &now.authority.grants;
    let reaches_all = Key::parse(OF_OTHERS).is_ok_and(|key| grants.allows(&key));
    let reach = if reaches_all { asked } else { Reach::Own };
    Ok(Some(Actor { own, level: now.authority.level, reach }))
}

/// The level of a user's role. Every user has one.
async fn level_of(tx: &mut Tx, user: UserId) -> Result<Level, Error> {
    let user = users::by_id(tx, user).await?.ok_or(Error::Conflict)?;
    let role = roles::by_id(tx, user.role_id).await?.ok_or(Error::Conflict)?;
    Ok(role.level)
}
