//! Ending sessions and tokens on their owner's word. When the answer is out, no request through
//! this process is let in by what was ended; other nodes follow within the revocation bound.

use portcullis_domain::event::{Context, EndReason, Event, TokenKind};
use portcullis_domain::id::{SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_store::{Error, credentials, sessions};

use super::record;
use crate::app::App;

/// Ends a session with everything that hangs on it. Says whether it was still alive.
pub async fn end_session(
    app: &App,
    user: UserId,
    session: &SessionId,
    context: &Context,
) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let ended = sessions::end(&mut tx, session, EndReason::Logout, now).await?;
    if ended {
        let context = Context { subject: Some(user), ..context.clone() };
        let event = Event::SessionEnded { reason: EndReason::Logout };
        record(&mut tx, app.random, &event, &context, now).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Ends one bearer token and the tokens that were made with it. Says whether it was still alive.
pub async fn revoke_token(
    app: &App,
    user: UserId,
    mac: &Mac,
    kind: TokenKind,
    context: &Context,
) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let ended = credentials::end(&mut tx, mac, now).await?;
    if ended {
        let context = Context { subject: Some(user), ..context.clone() };
        record(&mut tx, app.random, &Event::TokenRevoked { kind }, &context, now).await?;
    }
    tx.commit().await?;
    Ok(ended)
}
