//! Signing out by API: `POST /api/auth/logout` (S14) and `DELETE /api/auth/logout` (Z4). The third
//! way, `GET /logout`, is a page. Also out of every session at once (S15), and how many there are (S16).

use http::StatusCode;
use serde_json::json;

use crate::flows::{sessions, sign_out};
use crate::web::caller::{InSession, Leaving, SignedIn};
use crate::web::error::Error;
use crate::web::refusal::Family;
use crate::web::remember;
use crate::web::reply::{empty_reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const POST: Doc = Doc {
    id: "sign_out",
    summary: "Ends the session with all its credentials.",
    answer: (201, r#"{"success":true,"message":"Successfully logged out"}"#),
    ..Doc::USUAL
};

/// `POST /api/auth/logout`.
pub async fn post(call: Call, Leaving(caller): Leaving) -> Answer {
    end(&call, &caller).await?;
    let body = json!({"success": true, "message": "Successfully logged out"});
    Ok(json_reply(StatusCode::CREATED, &body))
}

pub const DELETE: Doc = Doc { id: "delete_session", answer: (204, ""), ..POST };

/// `DELETE /api/auth/logout`.
pub async fn delete(call: Call, Leaving(caller): Leaving) -> Answer {
    end(&call, &caller).await?;
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

pub const ALL: Doc = Doc {
    id: "sign_out_everywhere",
    summary: "Ends every session of your own, this one too, with all that they gave. API keys stay.",
    family: Family::S,
    answer: (
        201,
        r#"{"success":true,"message":"Successfully logged out from 3 session(s)","sessionsRevoked":3}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/auth/logout-all`.
pub async fn post_all(call: Call, Leaving(caller): Leaving) -> Answer {
    call.fields.must_be_among(&[])?;
    let context = call.facts.context_of(&caller);
    let count = sessions::end_all(&call.app, caller.user_id(), &context).await?;
    call.facts.after().cookies = call.app.cookies.forget_session();
    remember::forget(&call.app, &call.facts).await?;
    let message = format!("Successfully logged out from {count} session(s)");
    let body = json!({"success": true, "message": message, "sessionsRevoked": count});
    Ok(json_reply(StatusCode::CREATED, &body))
}

pub const COUNT: Doc = Doc {
    id: "count_own_sessions",
    summary: "How many sessions of your own are alive.",
    family: Family::S,
    answer: (200, r#"{"activeSessionCount":3}"#),
    ..Doc::USUAL
};

/// `GET /api/auth/sessions/count`.
pub async fn count(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let mut tx = call.app.db.read().await?;
    let count = sessions::alive_of(&mut tx, caller.user_id(), call.app.clock.now()).await?;
    Ok(json_reply(StatusCode::OK, &json!({"activeSessionCount": count})))
}

async fn end(call: &Call, caller: &InSession) -> Result<(), Error> {
    let context = call.facts.context_of(caller);
    sign_out::end_session(&call.app, caller.user_id(), &caller.session().id, &context).await?;
    // In place of a renewed cookie that the door may have gathered.
    call.facts.after().cookies = call.app.cookies.forget_session();
    remember::forget(&call.app, &call.facts).await
}
