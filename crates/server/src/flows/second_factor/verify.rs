//! A code of somebody who is signed in: right or not, and used (contract S6).

use portcullis_domain::event::Context;
use portcullis_domain::id::UserId;
use portcullis_store::{Error, users};

use super::check::{Checked, check};
use crate::app::App;

/// Looks at a code, as at sign-in. `None`: there is no such user any more.
pub async fn verify(
    app: &App,
    user: UserId,
    code: &str,
    context: &Context,
) -> Result<Option<Checked>, Error> {
    let mut tx = app.db.write().await?;
    let Some(user) = users::by_id(&mut tx, user).await? else { return Ok(None) };
    let context = Context { subject: Some(user.id), ..context.clone() };
    let checked = check(app, &mut tx, &user, code, &context).await?;
    tx.commit().await?;
    Ok(Some(checked))
}
