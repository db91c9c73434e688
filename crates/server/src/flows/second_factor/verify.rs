//! A code of somebody who is signed in: right or not, and used (contract S6).

use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_store::{Error, users};

use super::check::{Checked, check};
use crate::app::App;

/// What came of a code.
pub enum Verified {
    Right,
    Wrong,
    /// There were so many wrong ones that only a backup code is taken.
    Exhausted,
    Locked {
        retry_after: Duration,
    },
    /// There is no second factor.
    NotEnabled,
    /// There is no such user any more.
    Gone,
}

/// Looks at a code, as at sign-in.
pub async fn verify(
    app: &App,
    user: UserId,
    code: &str,
    context: &Context,
) -> Result<Verified, Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, user).await? else { return Ok(Verified::Gone) };
    let context = Context { subject: Some(user.id), ..context.clone() };
    let checked = check(app, &mut tx, &user, code, &context).await?;
    tx.commit().await?;
    Ok(match checked {
        Checked::Passed => Verified::Right,
        Checked::Wrong => Verified::Wrong,
        Checked::Exhausted => Verified::Exhausted,
        Checked::Locked { retry_after } => Verified::Locked { retry_after },
        Checked::NoFactor => Verified::NotEnabled,
    })
}
