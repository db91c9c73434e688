//! Fetching a CSRF token on demand.

use portcullis_domain::csrf::{FetchedToken, Kind, kind_to_issue};
use portcullis_domain::id::SessionId;
use portcullis_domain::time::Time;
use portcullis_store::{Db, Error, sessions};

use crate::app::App;

/// Which kind a fetch gives. Only `first_reusable` asks the store, and writes only the first time.
/// Whoever asks for a token of the session gets one anyway, and leaves the first to the others.
pub async fn kind_of_fetch(
    app: &App,
    session: &SessionId,
    asked_session: bool,
) -> Result<Kind, Error> {
    kind(&app.db, app.config.csrf.fetched_token, session, asked_session, app.clock.now()).await
}

async fn kind(
    db: &Db,
    setting: FetchedToken,
    session: &SessionId,
    asked_session: bool,
    now: Time,
) -> Result<Kind, Error> {
    let first = match setting {
        FetchedToken::FirstReusable if !asked_session => claim_first(db, session, now).await?,
        FetchedToken::OneTime | FetchedToken::FirstReusable | FetchedToken::Session => false,
    };
    Ok(kind_to_issue(setting, first, asked_session))
}

async fn claim_first(db: &Db, session: &SessionId, now: Time) -> Result<bool, Error> {
    let mut tx = db.write().await?;
    let first = sessions::claim_first_fetch(&mut tx, session, now).await?;
    tx.commit().await?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use crate::verify::tests::{NOW, SignedIn};

    use super::*;

    #[tokio::test]
    async fn only_who_would_be_given_the_first_claims_it() {
        let people = SignedIn::open().await;
        let [session, other] = &people.sessions;
        let check = async |setting, session, asked_session, expected| {
            let kind = kind(&people.db, setting, session, asked_session, NOW).await.unwrap();
            assert_eq!(kind, expected, "{setting:?} {asked_session}");
        };
        let first = FetchedToken::FirstReusable;
        check(FetchedToken::OneTime, session, false, Kind::OneTime).await;
        check(FetchedToken::Session, session, false, Kind::Session).await;
        check(first, session, true, Kind::Session).await;
        check(first, session, false, Kind::Session).await;
        check(first, session, false, Kind::OneTime).await;
        check(first, session, true, Kind::Session).await;
        check(first, other, false, Kind::Session).await;
    }
}
