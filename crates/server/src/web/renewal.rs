//! From a request to the claim that its sender is who they are, and from a session that begins anew to
//! what its browser is given. Not here: what is done about the claim, which is in `flows`.

use std::time::Duration;

use portcullis_domain::csrf::{self, Binding, Kind};

use super::caller::InSession;
use super::error::Error;
use super::request::Call;
use crate::flows::proof::{Claim, Holder, Renewed};

/// The claim of a caller who gave a current password.
pub fn claim<'a>(call: &'a Call, caller: &InSession, password: &'a str) -> Claim<'a> {
    Claim {
        holder: holder(caller),
        password,
        from: call.facts.client,
        device_cookie: call.app.cookies.device_value(&call.facts.headers),
        context: call.facts.context_of(caller),
    }
}

/// Whose session, and by what credential of it.
pub fn holder(caller: &InSession) -> Holder {
    let (session, credential) = (caller.session(), caller.credential());
    Holder {
        user: caller.user_id(),
        session: session.id.clone(),
        csrf_epoch: session.csrf_epoch,
        mac: caller.mac,
        kind: credential.kind,
        expires_at: credential.life.expires_at,
    }
}

/// Gives a browser its new cookies, in the place of whatever the door may have gathered. Whoever sent a
/// bearer token keeps it, and its CSRF tokens.
pub fn hand_over(call: &Call, renewed: &Renewed) {
    let Some((secret, expires_at)) = &renewed.cookie else { return };
    let app = &call.app;
    let epoch = renewed.csrf_epoch;
    let binding = Binding::Session { id: renewed.session.as_str(), epoch, auth: None };
    let csrf = app.mint_csrf(Kind::DoubleSubmit, &binding);
    let fetched = csrf::kind_to_issue(app.config.csrf.fetched_token, false, false);
    let mut after = call.facts.after();
    after.cookies = vec![
        app.cookies.session(&secret.reveal(), renewed.at, *expires_at),
        app.cookies.csrf(&csrf, renewed.at),
    ];
    after.csrf_token = Some(app.mint_csrf(fetched, &binding));
}

/// Too many wrong passwords came from this network.
pub fn locked(retry_after: Duration) -> Error {
    Error::TooMany { code: "locked_out", retry_after }
}

/// Too many requests of this kind came.
pub fn too_many(retry_after: Duration) -> Error {
    Error::TooMany { code: "too_many_requests", retry_after }
}
