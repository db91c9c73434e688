//! `POST /api/security/sessions` (P3–P5): ending somebody's session, keeping somebody out, letting him
//! in again. For staff; each action asks for its own permission. When the answer is out, no node lets
//! in what was ended.

use http::StatusCode;
use portcullis_domain::administration;
use portcullis_domain::blacklist::Reason;
use portcullis_domain::event::Context;
use portcullis_domain::id::{SessionHandle, UserId};
use portcullis_domain::revocation::{Reach, Refusal};
use portcullis_domain::role::Authority;
use portcullis_domain::session::Dead;
use portcullis_domain::text::TextFault;
use serde_json::json;

use super::account_sessions;
use crate::flows::administration::Halt;
use crate::flows::barrier;
use crate::flows::blacklist::{self, Add, Remove};
use crate::flows::roles::Acting;
use crate::flows::terminate::{self, Terminate};
use crate::web::administering;
use crate::web::caller::{
    Caller, Fresh, Permission, SessionsManage, SessionsTerminate, StaffMember,
};
use crate::web::door;
use crate::web::error::{Error, Fault, Forbidden};
use crate::web::input::Fields;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const POST: Doc = Doc {
    id: "act_on_session",
    summary: "Ends a session (terminate), keeps a user out and ends all that is signed in to his \
              account (blacklist_add), or lets him in again (blacklist_remove). Staff only.",
    family: Family::P,
    fields: &[
        ("action", true, "terminate, blacklist_add or blacklist_remove."),
        ("session_id", false, "The session to end, for terminate."),
        ("user_id", false, "The user, for blacklist_add and blacklist_remove."),
        ("reason", false, "Why, for blacklist_add; null if there is nothing to say."),
        ("csrf_token", false, "The CSRF token, if no header brings it."),
    ],
    answer: (200, r#"{"success":true,"message":"Session terminated"}"#),
    ..Doc::USUAL
};

/// `POST /api/security/sessions`.
pub async fn post(call: Call, Fresh(StaffMember(caller)): Fresh<StaffMember>) -> Answer {
    let message = match call.fields.required("action", 64).map_err(invalid)? {
        "terminate" => {
            let handle = call.fields.required("session_id", 64).map_err(invalid)?;
            terminate(&call, &caller, handle).await?;
            "Session terminated"
        }
        "blacklist_add" => {
            must_hold::<SessionsManage>(&call, &caller).await?;
            let user = user(&call.fields)?;
            let reason = reason(&call.fields)?;
            blacklist(&call, &caller, user, reason.as_ref()).await?;
            "User blacklisted and all sessions terminated"
        }
        "blacklist_remove" => {
            must_hold::<SessionsManage>(&call, &caller).await?;
            let user = user(&call.fields)?;
            let_in(&call, &caller, user).await?;
            "User removed from blacklist"
        }
        _ => {
            let detail = "must be terminate, blacklist_add or blacklist_remove";
            return Err(invalid(Fault::invalid("action", detail)));
        }
    };
    Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": message})))
}

/// Ends the session of this name: another of the caller's own, or, with the permission, anybody's.
pub async fn terminate(call: &Call, caller: &Caller, handle: &str) -> Result<(), Error> {
    let may_reach_others = caller.holds(SessionsTerminate::KEY);
    let reach = if may_reach_others { Reach::Everybody } else { Reach::Own };
    let outcome = match SessionHandle::parse(handle) {
        Some(handle) => {
            let (authority, context) = (caller.authority(), call.facts.context_of(caller));
            let acting = acting(call, &authority, &context);
            terminate::terminate(&acting, Reach::Everybody, &handle).await?
        }
        None => terminate::unknown(reach),
    };
    match outcome {
        Terminate::Done => barrier::felt_everywhere(&call.app).await,
        Terminate::Unknown => return Err(Error::NotFound),
        Terminate::Refused(refusal) => return Err(refused(call, caller, refusal).await),
    }
    Ok(())
}

/// Keeps a user out.
pub async fn blacklist(
    call: &Call,
    caller: &Caller,
    user: UserId,
    reason: Option<&Reason>,
) -> Result<(), Error> {
    let (authority, context) = (caller.authority(), call.facts.context_of(caller));
    let acting = acting(call, &authority, &context);
    match blacklist::add(&acting, user, reason).await? {
        Add::Done { .. } => barrier::felt_everywhere(&call.app).await,
        Add::Unknown => return Err(Error::NotFound),
        Add::Refused(refusal) => return Err(kept(call, caller, refusal).await),
    }
    Ok(())
}

/// Lets a user in again.
pub async fn let_in(call: &Call, caller: &Caller, user: UserId) -> Result<(), Error> {
    let (authority, context) = (caller.authority(), call.facts.context_of(caller));
    let acting = acting(call, &authority, &context);
    match blacklist::remove(&acting, user).await? {
        Remove::Done => Ok(()),
        Remove::Unknown => Err(Error::NotFound),
        Remove::Refused(refusal) => Err(kept(call, caller, refusal).await),
    }
}

/// Refuses a caller without the permission, and writes that down.
pub async fn must_hold<P: Permission>(call: &Call, caller: &Caller) -> Result<(), Error> {
    match caller.must_hold(P::KEY) {
        Ok(()) => Ok(()),
        Err(error) => Err(door::record_denial(&call.app, &call.facts, Some(caller), error).await),
    }
}

/// The user that a request is about.
pub fn user(fields: &Fields) -> Result<UserId, Error> {
    fields.integer("user_id").map(UserId).map_err(invalid)
}

/// The reason must be there; that there is none is said by `null` (C24).
pub fn reason(fields: &Fields) -> Result<Option<Reason>, Error> {
    if !fields.has("reason") {
        return Err(invalid(Fault::required("reason")));
    }
    let text = fields.optional("reason", usize::MAX).map_err(invalid)?;
    text.map(parse_reason).transpose()
}

/// Why somebody is kept out, in the words of who does it.
pub fn parse_reason(text: &str) -> Result<Reason, Error> {
    Reason::parse(text).map_err(|fault| {
        invalid(match fault {
            TextFault::Blank => Fault::required("reason"),
            TextFault::TooLong { .. } => Fault::invalid("reason", "is longer than 500 characters"),
            TextFault::Invalid(detail) => Fault::invalid("reason", detail),
        })
    })
}

fn acting<'a>(call: &'a Call, authority: &'a Authority, context: &'a Context) -> Acting<'a> {
    Acting {
        db: &call.app.db,
        random: call.app.random,
        now: call.app.clock.now(),
        authority,
        context,
    }
}

/// What the caller is told, and what is written down.
async fn refused(call: &Call, caller: &Caller, refusal: Refusal) -> Error {
    let denied = |code, rule: Option<&str>| {
        Error::Forbidden(Forbidden::Permission { code, rule: rule.map(ToOwned::to_owned) })
    };
    let error = match refusal {
        Refusal::NotYours => denied("permission_missing", Some(SessionsTerminate::KEY)),
        Refusal::AboveLevel => denied("above_level", None),
        Refusal::OwnSession => return account_sessions::current(call, caller).await,
        Refusal::SignedOut => Error::SignIn(Dead::Ended.code()),
    };
    door::record_denial(&call.app, &call.facts, Some(caller), error).await
}

/// The same of a change of the blacklist.
async fn kept(call: &Call, caller: &Caller, refusal: administration::Refusal) -> Error {
    let error = if refusal == administration::Refusal::Yourself {
        let detail = "is your own account, and nobody keeps himself out";
        invalid(Fault { field: "user_id", code: "own_account", detail: detail.into() })
    } else {
        administering::error(Halt::Refused(refusal))
    };
    door::record_denial(&call.app, &call.facts, Some(caller), error).await
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault])
}
