//! Who is signed in, and ending all others of one's own. When that is answered, no node lets in what
//! was ended. Not here: ending one session, one's own or somebody else's (`terminate`).

use portcullis_domain::event::{Context, EndReason, Event};
use portcullis_domain::id::{SessionHandle, SessionId, UserId};
use portcullis_domain::time::Time;
use portcullis_store::sessions::{self, Filter, LiveSession, Page};
use portcullis_store::{Db, Error, Tx};

use super::{barrier, record};
use crate::app::App;

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct Part {
    pub limit: u64,
    pub offset: u64,
    /// Only what began before this session.
    pub after: Option<SessionHandle>,
}

/// A part of a list.
pub struct Listing {
    pub sessions: Vec<LiveSession>,
    /// How many there are in all.
    pub total: u64,
    /// There are others behind the last one.
    pub has_more: bool,
}

/// The live sessions that the filter finds, newest first; `None` where `after` names none.
pub async fn list(app: &App, filter: &Filter, part: &Part) -> Result<Option<Listing>, Error> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let after = match &part.after {
        None => None,
        Some(handle) => match sessions::position(&mut tx, handle).await? {
            Some(position) => Some(position),
            None => return Ok(None),
        },
    };
    let search = sessions::search(&mut tx, filter).await?;
    let total = sessions::count(&mut tx, &search, now).await?;
    // One more than is shown tells whether there are more.
    let page = Page { limit: part.limit.saturating_add(1), skip: part.offset, after };
    let mut sessions = sessions::list(&mut tx, &search, &page, total, now).await?;
    let limit = usize::try_from(part.limit).unwrap_or(usize::MAX);
    let has_more = sessions.len() > limit;
    sessions.truncate(limit);
    Ok(Some(Listing { sessions, total, has_more }))
}

/// The newest live sessions, of everybody or of one user, at most `limit` of them.
pub async fn newest(
    db: &Db,
    user: Option<UserId>,
    limit: u64,
    now: Time,
) -> Result<Listing, Error> {
    let filter = Filter { user, ..Filter::default() };
    let mut tx = db.read().await?;
    let search = sessions::search(&mut tx, &filter).await?;
    let total = sessions::count(&mut tx, &search, now).await?;
    let page = Page { limit, skip: 0, after: None };
    let sessions = sessions::list(&mut tx, &search, &page, total, now).await?;
    let has_more = total > sessions.len() as u64;
    Ok(Listing { sessions, total, has_more })
}

/// How many sessions of a user are alive.
pub async fn alive_of(tx: &mut Tx, user: UserId, now: Time) -> Result<u64, Error> {
    let filter = Filter { user: Some(user), ..Filter::default() };
    let search = sessions::search(tx, &filter).await?;
    sessions::count(tx, &search, now).await
}

/// The caller's user and session.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    pub user: UserId,
    pub session: &'a SessionId,
}

/// Ends every session of a user, with everything that they gave; how many that were alive.
pub async fn end_all(app: &App, user: UserId, context: &Context) -> Result<u64, Error> {
    let (now, reason) = (app.clock.now(), EndReason::Logout);
    let mut tx = app.db.write().await?;
    let ended = alive_of(&mut tx, user, now).await?;
    sessions::end_all_of_user(&mut tx, user, None, reason, now).await?;
    let context = Context { subject: Some(user), ..context.clone() };
    record(&mut tx, app.random, &Event::SessionEnded { reason }, &context, now).await?;
    if let others @ 1.. = ended.saturating_sub(1) {
        let event = Event::OtherSessionsEnded { reason, others };
        record(&mut tx, app.random, &event, &context, now).await?;
    }
    tx.commit().await?;
    barrier::felt_everywhere(app).await;
    Ok(ended)
}

/// Ends every session of the caller's but the current one, with the browsers that stay signed in; how
/// many that were alive.
pub async fn end_others(app: &App, own: Own<'_>, context: &Context) -> Result<u64, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let filter = Filter { user: Some(own.user), ..Filter::default() };
    let search = sessions::search(&mut tx, &filter).await?;
    let alive = sessions::count(&mut tx, &search, now).await?;
    let reason = EndReason::Logout;
    sessions::end_all_of_user(&mut tx, own.user, Some(own.session), reason, now).await?;
    let left = sessions::count(&mut tx, &search, now).await?;
    let ended = alive.saturating_sub(left);
    if ended > 0 {
        let context = Context { subject: Some(own.user), ..context.clone() };
        let event = Event::OtherSessionsEnded { reason, others: ended };
        record(&mut tx, app.random, &event, &context, now).await?;
    }
    tx.commit().await?;
    barrier::felt_everywhere(app).await;
    Ok(ended)
}
