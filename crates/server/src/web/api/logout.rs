//! Signing out by API: `POST /api/auth/logout` (S14) and `DELETE /api/auth/logout` (Z4). The third
//! way, `GET /logout`, is a page.

use http::StatusCode;
use serde_json::json;

use crate::flows::sign_out;
use crate::web::caller::{InSession, Leaving};
use crate::web::error::Error;
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

async fn end(call: &Call, caller: &InSession) -> Result<(), Error> {
    let context = call.facts.context_of(caller);
    sign_out::end_session(&call.app, caller.user_id(), &caller.session().id, &context).await?;
    // In place of a renewed cookie that the door may have gathered.
    call.facts.after().cookies = call.app.cookies.forget_session();
    remember::forget(&call.app, &call.facts).await
}
