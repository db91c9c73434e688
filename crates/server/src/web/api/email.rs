//! The e-mail address of an account by API: proving it (S22), asking for another link, and another
//! address in its place.

use http::StatusCode;
use portcullis_domain::event::{Event, LinkRefusal};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::password::MAX_BYTES;
use portcullis_domain::secret::Opaque;
use serde_json::json;

use super::change_password::WRONG;
use super::password_reset::{email, refused};
use crate::flows::email::{self as flow, Asked, Change, Redeemed};
use crate::flows::mail_request::{Admission, Question};
use crate::flows::proof::{Refusal, prove};
use crate::web::caller::{Anyone, Fresh, InSession, SignedIn};
use crate::web::door;
use crate::web::error::Error;
use crate::web::refusal::Family;
use crate::web::renewal::{claim, hand_over, locked, too_many};
use crate::web::reply::{json_reply, redirect_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

pub const VERIFY: Doc = Doc {
    id: "verify_email",
    summary: "Proves an address with the token of the link that was mailed there, for a script that \
              asks for JSON. Whoever follows a link sees a page with a button, and nothing is spent.",
    family: Family::S,
    answer: (200, r#"{"success":true,"message":"Email verified successfully"}"#),
    ..Doc::USUAL
};

/// `GET /api/auth/verify-email?token=` (S22).
pub async fn verify(call: Call, _: Anyone) -> Answer {
    let token = call.facts.query("token").unwrap_or_default();
    let token = Opaque::parse(&token);
    if !wants_json(&call) {
        // What comes after # is not sent on to anybody.
        let fragment = token.map(|token| format!("#t={}", token.reveal())).unwrap_or_default();
        return Ok(redirect_reply(StatusCode::SEE_OTHER, &format!("{}{fragment}", flow::PAGE)));
    }
    match flow::redeem(&call.app, token.as_ref(), &call.facts.context()).await? {
        Redeemed::Verified | Redeemed::Changed => {
            let body = json!({"success": true, "message": "Email verified successfully"});
            Ok(json_reply(StatusCode::OK, &body))
        }
        Redeemed::Refused(reason) => {
            let event = Event::LinkRefused { purpose: LinkPurpose::VerifyEmail, reason };
            door::record_of_stranger(&call.app, &call.facts, event).await;
            Err(refused(
                reason.code(),
                match reason {
                    LinkRefusal::Expired => {
                        "Verification link has expired. Please request a new one."
                    }
                    LinkRefusal::Unknown | LinkRefusal::Used => {
                        "Invalid or expired verification token"
                    }
                },
            ))
        }
    }
}

/// A script that asks for data spends the token; a person's browser, a mail scanner and a HEAD do not.
fn wants_json(call: &Call) -> bool {
    let accepts = call.facts.header("accept").is_some_and(|text| text.contains("application/json"));
    accepts && call.facts.method == http::Method::GET && !call.facts.is_navigation()
}

pub const ASK_AGAIN: Doc = Doc {
    id: "resend_verification",
    summary: "Mails another link to an address that is not proved yet; the answer is the same for \
              every address.",
    family: Family::S,
    csrf: Csrf::Exempt,
    fields: &[("email", true, "The e-mail address.")],
    answer: (
        201,
        r#"{"success":true,"message":"If this email is waiting to be verified, a link has been sent."}"#,
    ),
};

/// `POST /api/auth/resend-verification`.
pub async fn ask_again(call: Call, _: Anyone) -> Answer {
    const MESSAGE: &str = "If this email is waiting to be verified, a link has been sent.";
    let (email, context) = (email(&call)?, call.facts.context());
    let question = Question { email, from: call.facts.client, context };
    let (admission, standing) = flow::ask_again(&call.app, question).await?;
    call.facts.set_limit_standing(standing);
    match admission {
        Admission::Go | Admission::Enough => {
            let body = json!({"success": true, "message": MESSAGE});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        Admission::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

pub const CHANGE: Doc = Doc {
    id: "change_email",
    summary: "Mails a link to a new address, which the account has once the link is used; the old one \
              is told. Asks for the current password.",
    fields: &[
        ("email", true, "The new address."),
        ("current_password", true, "The current password."),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Follow the link in the mail to the new address."}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/account/email`.
pub async fn change(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    const MESSAGE: &str = "Follow the link in the mail to the new address.";
    let email = email(&call)?;
    let password = call.fields.required("current_password", MAX_BYTES);
    let password = password.map_err(|fault| Error::Invalid(vec![fault]))?;
    prove_first(&call, &caller, password).await?;
    let change = Change {
        user: caller.user_id(),
        email,
        from: call.facts.client,
        context: call.facts.context_of(&caller),
    };
    let (asked, standing) = flow::ask_to_change(&call.app, &change).await?;
    call.facts.set_limit_standing(standing);
    match asked {
        Asked::Mailed | Asked::Unchanged => {
            Ok(json_reply(StatusCode::OK, &json!({"success": true, "message": MESSAGE})))
        }
        Asked::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

async fn prove_first(call: &Call, caller: &InSession, password: &str) -> Result<(), Error> {
    let answer = prove(&call.app, &claim(call, caller, password)).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        Ok(renewed) => {
            hand_over(call, &renewed);
            Ok(())
        }
        Err(Refusal::Wrong) => Err(Error::Documented(WRONG)),
        Err(Refusal::Gone) => Err(Error::SignIn("session_ended")),
        Err(Refusal::Locked { retry_after }) => Err(locked(retry_after)),
        Err(Refusal::TooMany { retry_after }) => Err(too_many(retry_after)),
    }
}
