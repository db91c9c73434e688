//! Keeping somebody out, whatever he knows, and letting him in again. Not here: waiting until other
//! nodes have heard of it (`barrier`), and the ways in, which ask for themselves.

use portcullis_domain::administration::{Act, Refusal};
use portcullis_domain::blacklist::Reason;
use portcullis_domain::event::{Event, Text};
use portcullis_domain::id::UserId;
use portcullis_store::blacklist::{self, After, Listed};
use portcullis_store::{Db, Error};

use super::administration::{Desk, Halt};
use super::roles::Acting;

/// What became of keeping somebody out.
#[derive(Debug, PartialEq, Eq)]
pub enum Add {
    /// How many sessions that ended; none where he was on the list already, which now says why anew.
    Done {
        ended: u64,
        is_new: bool,
    },
    /// There is no such user.
    Unknown,
    Refused(Refusal),
}

/// What became of letting somebody in again.
#[derive(Debug, PartialEq, Eq)]
pub enum Remove {
    Done,
    /// He is not on the list, or there is no such user.
    Unknown,
    Refused(Refusal),
}

/// A page of the list.
pub struct Page {
    pub rows: Vec<Listed>,
    /// How many are on the list.
    pub count: i64,
    /// Where the next page begins, if there is more.
    pub next: Option<After>,
}

/// Puts a user on the list: everything that was signed in to his account is dead, and nobody signs in
/// to it. Whoever is on it already gets the new reason.
pub async fn add(acting: &Acting<'_>, user: UserId, reason: Option<&Reason>) -> Result<Add, Error> {
    let mut desk = match judge(acting, user, Act::KeepOut).await? {
        Verdict::Unknown => return Ok(Add::Unknown),
        Verdict::Refused(refusal) => return Ok(Add::Refused(refusal)),
        Verdict::Allowed(desk) => desk,
    };
    let by = desk.actor.id;
    let added = blacklist::add(&mut desk.tx, user, reason, by, desk.now).await?;
    let Some(added) = added else { return Ok(Add::Unknown) };
    let reason = reason.map(|reason| Text::clip(reason.as_str()));
    let event = if added.is_new {
        Event::UserBlacklisted { reason, sessions: added.ended }
    } else {
        Event::BlacklistReasonChanged { reason }
    };
    desk.record(&event, Some(user)).await?;
    desk.tx.commit().await?;
    Ok(Add::Done { ended: added.ended, is_new: added.is_new })
}

/// Takes a user off the list. He can sign in again; what he had stays ended.
pub async fn remove(acting: &Acting<'_>, user: UserId) -> Result<Remove, Error> {
    let mut desk = match judge(acting, user, Act::LetIn).await? {
        Verdict::Unknown => return Ok(Remove::Unknown),
        Verdict::Refused(refusal) => return Ok(Remove::Refused(refusal)),
        Verdict::Allowed(desk) => desk,
    };
    if !blacklist::remove(&mut desk.tx, user).await? {
        return Ok(Remove::Unknown);
    }
    desk.record(&Event::UserUnblacklisted, Some(user)).await?;
    desk.tx.commit().await?;
    Ok(Remove::Done)
}

/// At most `limit` of those on the list, the last to be added first.
pub async fn list(db: &Db, after: Option<After>, limit: i64) -> Result<Page, Error> {
    let mut tx = db.read().await?;
    let count = blacklist::count(&mut tx).await?;
    let mut rows = blacklist::list(&mut tx, after, limit.saturating_add(1)).await?;
    let wanted = usize::try_from(limit).unwrap_or_default();
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| has_more);
    let next = next.map(|last| After { created_at: last.created_at, user: last.user.id });
    Ok(Page { rows, count, next })
}

/// Whether the actor may change what the list says of a user.
enum Verdict<'a> {
    Allowed(Desk<'a>),
    Unknown,
    Refused(Refusal),
}

async fn judge<'a>(acting: &Acting<'a>, user: UserId, act: Act<'_>) -> Result<Verdict<'a>, Error> {
    match allowed(acting, user, act).await {
        Ok(desk) => Ok(Verdict::Allowed(desk)),
        Err(Halt::UnknownUser | Halt::UnknownRole) => Ok(Verdict::Unknown),
        Err(Halt::Refused(refusal)) => Ok(Verdict::Refused(refusal)),
        Err(Halt::Conflict(_) | Halt::UsernameIsAddress) => Err(Error::Conflict),
        Err(Halt::Store(error)) => Err(error),
    }
}

async fn allowed<'a>(acting: &Acting<'a>, user: UserId, act: Act<'_>) -> Result<Desk<'a>, Halt> {
    let mut desk = Desk::of(acting).await?;
    let account = desk.account_of(user).await?;
    desk.judge(&account, act)?;
    Ok(desk)
}
