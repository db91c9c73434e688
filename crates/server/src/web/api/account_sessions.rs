//! `/api/account/sessions`: everybody's own sessions, to look at and to end.

use http::{HeaderName, StatusCode};
use portcullis_domain::id::SessionHandle;
use portcullis_domain::revocation::{Reach, Refusal};
use portcullis_store::sessions::Filter;
use serde_json::json;

use crate::flows::barrier;
use crate::flows::sessions::{self, Own};
use crate::flows::terminate::{self, Terminate};
use crate::web::acting;
use crate::web::caller::{Caller, InSession, SignedIn};
use crate::web::door;
use crate::web::error::{Error, Fault};
use crate::web::reply::{json_reply, set_header};
use crate::web::request::Call;
use crate::web::sessions::{Showing, Shown, query};
use crate::web::table::{Answer, Doc};

const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

pub const LIST: Doc = Doc {
    id: "list_own_sessions",
    summary: "Your own sessions, newest first. The header X-Total-Count says how many there are.",
    fields: &[("page", false, "From 1."), ("limit", false, "At most 100; without it 20.")],
    answer: (
        200,
        r#"[{"session_id":"sess_6b9d0c1f2e3a4b5c6d7e8f90","user_id":1,"user_name":"Jane Smith","ip_address":"203.0.113.7","user_agent":"Mozilla/5.0 …","location":"London, GB","last_active":"2026-11-22T01:02:03Z","is_current":true,"kind":"page","device":"Firefox on Linux","platform":null,"device_type":null,"app_version":null,"second_factor":true,"remembered":false,"created_at":"2026-11-22T01:00:00Z","expires_at":"2026-11-22T03:00:00Z","email":"jane@example.com","username":null,"account_type":"Staff"}]"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/account/sessions`.
pub async fn list(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let part = query::of_owner(&call.facts)?;
    let filter = Filter { user: Some(caller.user_id()), ..Filter::default() };
    let listing = sessions::list(&call.app, &filter, &part).await?;
    let listing = listing.ok_or_else(query::unknown_after)?;
    let mut showing = Showing::to(&call.app, &caller);
    let shown: Vec<Shown> =
        listing.sessions.into_iter().map(|session| showing.show(session)).collect();
    let mut reply = json_reply(StatusCode::OK, &shown);
    set_header(&mut reply, TOTAL, &listing.total.to_string());
    Ok(reply)
}

pub const END: Doc = Doc {
    id: "end_own_session",
    summary: "Ends another session of your own. This one is ended by signing out.",
    answer: (200, r#"{"success":true,"message":"Session ended"}"#),
    ..Doc::USUAL
};

/// `DELETE /api/account/sessions/{session_id}`. Somebody else's is as unknown as one that never was.
pub async fn end(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let named = call.facts.target.path().segments().last().and_then(SessionHandle::parse);
    let handle = named.ok_or(Error::NotFound)?;
    match terminate(&call, &caller, &handle).await? {
        Terminate::Done => {
            let body = json!({"success": true, "message": "Session ended"});
            Ok(json_reply(StatusCode::OK, &body))
        }
        // Somebody else's looks like one that never was.
        Terminate::Unknown | Terminate::Refused(Refusal::NotYours) => Err(Error::NotFound),
        Terminate::Refused(_) => Err(current(&call, &caller).await),
    }
}

/// Ends a session of the caller's, whatever he may do to those of others.
pub async fn terminate(
    call: &Call,
    caller: &Caller,
    handle: &SessionHandle,
) -> Result<Terminate, Error> {
    let acting = acting::Actor::of(call, caller);
    let outcome = terminate::terminate(&acting.acting(&call.app), Reach::Own, handle).await?;
    if outcome == Terminate::Done {
        barrier::felt_everywhere(&call.app).await;
    }
    Ok(outcome)
}

/// What is told of ending the session that the request came with, and written down.
pub async fn current(call: &Call, caller: &Caller) -> Error {
    let detail = "is the session that you are using. Sign out to end it";
    let fault = Fault { field: "session_id", code: "own_session", detail: detail.into() };
    let error = Error::Invalid(vec![fault]);
    door::record_denial(&call.app, &call.facts, Some(caller), error).await
}

pub const END_OTHERS: Doc = Doc {
    id: "end_other_sessions",
    summary: "Ends every session of your own but this one.",
    answer: (200, r#"{"success":true,"message":"2 other sessions ended","count":2}"#),
    ..Doc::USUAL
};

/// `DELETE /api/account/sessions`.
pub async fn end_others(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let context = call.facts.context_of(&caller);
    let count = sessions::end_others(&call.app, own(&caller), &context).await?;
    let noun = if count == 1 { "session" } else { "sessions" };
    let message = format!("{count} other {noun} ended");
    let body = json!({"success": true, "message": message, "count": count});
    Ok(json_reply(StatusCode::OK, &body))
}

/// The caller, as the flows take him.
pub fn own(caller: &InSession) -> Own<'_> {
    Own { user: caller.user_id(), session: &caller.session().id }
}
