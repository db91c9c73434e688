//! How it stands with everybody's password, the worst first: what is breached, what could not be looked up, what
//! nobody looked up, what nobody knows. Not here: looking them up, which needs the password itself (`breach`).

use portcullis_domain::id::UserId;
use portcullis_domain::password::BreachState;
use portcullis_domain::time::Time;
use portcullis_store::Error;
use portcullis_store::users::breach_status::{self, Counts, Listed};
use portcullis_store::users::directory::Page;

use super::breach::Sources;
use super::sign_in::{breached_until, is_due_for_lookup};
use crate::app::App;

/// Which part of the list.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Only those of this state.
    pub state: Option<BreachState>,
    pub begin: Begin,
    /// How many at most.
    pub limit: i64,
}

/// Where a part begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// Behind so many.
    Offset(i64),
    After(After),
}

/// The place in the list of a user who was in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    pub state: BreachState,
    pub user: UserId,
}

/// A part of the list.
pub struct Found {
    pub rows: Vec<Row>,
    /// How many there are of each state, whichever was asked for.
    pub counts: Counts,
    /// Where those are that come after these, if there are any.
    pub next: Option<After>,
}

/// Somebody, and how it stands with his password.
pub struct Row {
    pub of: Listed,
    /// It is to be looked up anew.
    pub is_due: bool,
    /// When it is not taken any more, because it is breached.
    pub taken_until: Option<Time>,
}

impl Found {
    /// How many there are of the state that was asked for, or of all.
    pub fn total(&self, state: Option<BreachState>) -> i64 {
        let wanted = self.counts.iter().filter(|(of, _)| state.is_none_or(|state| state == *of));
        wanted.map(|(_, count)| count).sum()
    }
}

/// A part of the list.
pub async fn list(app: &App, part: Part) -> Result<Found, Error> {
    let mut tx = app.db.read().await?;
    let counts = breach_status::counts(&mut tx).await?;
    let (after, mut skip) = match part.begin {
        Begin::Offset(offset) => (None, offset),
        Begin::After(after) => (Some(after), 0),
    };
    let from = |state| after.is_none_or(|after| after.state <= state);
    let wanted = |state| part.state.is_none_or(|wanted| wanted == state);
    let mut found: Vec<Listed> = Vec::new();
    for (state, count) in counts.into_iter().filter(|(state, _)| wanted(*state) && from(*state)) {
        let behind = after.filter(|after| after.state == state).map_or(UserId(0), |it| it.user);
        // One more than is wanted shows that there is more.
        let missing = part.limit + 1 - i64::try_from(found.len()).unwrap_or(i64::MAX);
        if missing > 0 && skip < count {
            let page = Page { limit: missing, offset: skip };
            found.extend(breach_status::page(&mut tx, state, behind, page).await?);
        }
        skip = (skip - count).max(0);
    }
    drop(tx);
    let limit = usize::try_from(part.limit).unwrap_or_default();
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|last| After { state: last.breach.state, user: last.user.id });
    let corpus = Sources::of(app).corpus();
    let row = |of: Listed| Row {
        is_due: is_due_for_lookup(app, &of.breach, &corpus),
        taken_until: breached_until(app, &of.user, &of.breach),
        of,
    };
    Ok(Found { rows: found.into_iter().map(row).collect(), counts, next })
}
