//! Fetching a CSRF token on demand.

use portcullis_domain::csrf::{FetchedToken, Kind, kind_to_issue};
use portcullis_domain::id::SessionId;
use portcullis_store::{Error, sessions};

use crate::app::App;

/// Which kind a fetch gives. Only `first_reusable` asks the store, and writes only the first time.
pub async fn kind_of_fetch(
    app: &App,
    session: &SessionId,
    asked_session: bool,
) -> Result<Kind, Error> {
    let setting = app.config.csrf.fetched_token;
    let first = match setting {
        FetchedToken::OneTime | FetchedToken::Session => false,
        FetchedToken::FirstReusable => claim_first(app, session).await?,
    };
    Ok(kind_to_issue(setting, first, asked_session))
}

async fn claim_first(app: &App, session: &SessionId) -> Result<bool, Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let first = sessions::claim_first_fetch(&mut tx, session, now).await?;
    tx.commit().await?;
    Ok(first)
}
