//! A forgotten password, in the three documented forms (contract C10): a code in a mail and a token for
//! it (S19–S21), a link in a mail (P23), and a token in the path (Z7). Any token is good in any form.
//! What is asked about an address is answered before anybody looks whose it is.

use http::StatusCode;
use portcullis_domain::event::{Event, LinkRefusal};
use portcullis_domain::one_time_link::LinkPurpose;
use portcullis_domain::password::MAX_BYTES;
use portcullis_domain::secret::ResetToken;
use portcullis_domain::text::Email;
use serde_json::{Value, json};

use super::change_password::weak;
use crate::flows::mail_request::{Admission, Question};
use crate::flows::password_reset::{
    self, CodeAttempt, CodeOutcome, Reset, ResetOutcome, Way, ask, try_code,
};
use crate::web::caller::Anyone;
use crate::web::door;
use crate::web::error::{Documented, Error, Fault};
use crate::web::input::both;
use crate::web::refusal::Family;
use crate::web::renewal::too_many;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Csrf, Doc};

/// The longest code or token that is looked at, in characters.
const MAX_TOKEN: usize = 128;
/// The longest address that is looked at, in characters.
const MAX_EMAIL: usize = 255;

const CODE_REFUSED: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "code_refused",
    text: "Invalid or expired reset code",
};

const CODE_EXHAUSTED: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "code_exhausted",
    text: "Too many failed attempts. Please request a new reset code.",
};

/// Nobody is signed in here: the origin wall alone stands before it.
const PUBLIC: Doc = Doc { csrf: Csrf::Exempt, ..Doc::USUAL };

pub const FORGOT: Doc = Doc {
    id: "forgot_password",
    summary: "Mails a code of 30 minutes to an account's address; the answer is the same for every \
              address.",
    family: Family::S,
    fields: &[("email", true, "The e-mail address.")],
    answer: (
        201,
        r#"{"success":true,"message":"If an account exists with this email, a reset code has been sent."}"#,
    ),
    ..PUBLIC
};

/// `POST /api/auth/forgot-password` (S19).
pub async fn forgot(call: Call, _: Anyone) -> Answer {
    const MESSAGE: &str = "If an account exists with this email, a reset code has been sent.";
    let email = email(&call)?;
    ask_by_mail(&call, email, Way::Code).await?;
    Ok(json_reply(StatusCode::CREATED, &said(MESSAGE)))
}

pub const VERIFY: Doc = Doc {
    id: "verify_reset_code",
    summary: "Exchanges the code of the mail for a token of 30 minutes. Five wrong ones, and another \
              code must be asked for.",
    family: Family::S,
    fields: &[
        ("email", true, "The e-mail address."),
        ("code", true, "The six digits of the mail."),
    ],
    answer: (201, r#"{"success":true,"token":"…"}"#),
    ..PUBLIC
};

/// `POST /api/auth/verify-reset-code` (S20).
pub async fn verify(call: Call, _: Anyone) -> Answer {
    let code = call.fields.required("code", MAX_TOKEN);
    let (email, code) = both(address(&call), code).map_err(Error::Invalid)?;
    let (from, context) = (call.facts.client, call.facts.context());
    let attempt = CodeAttempt { email: &email, code, from, context };
    let answer = try_code(&call.app, &attempt).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        CodeOutcome::Token(token) => {
            let body = json!({"success": true, "token": token.reveal()});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        CodeOutcome::Refused => Err(Error::Documented(CODE_REFUSED)),
        CodeOutcome::Exhausted => Err(Error::Documented(CODE_EXHAUSTED)),
        CodeOutcome::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

pub const RESET: Doc = Doc {
    id: "reset_password",
    summary: "Sets a new password with a token, once. Everybody who was signed in to the account is \
              signed out, and nobody is signed in.",
    fields: &[("token", true, "The token."), ("newPassword", true, "The new password.")],
    answer: (201, r#"{"success":true,"message":"Password has been reset successfully"}"#),
    ..PUBLIC
};

/// `POST /api/auth/reset-password` (S21).
pub async fn reset(call: Call, _: Anyone) -> Answer {
    let (token, new) = both(
        call.fields.required("token", MAX_TOKEN),
        call.fields.required("newPassword", MAX_BYTES),
    )
    .map_err(Error::Invalid)?;
    match set(&call, token, new, "newPassword").await? {
        None => Ok(json_reply(StatusCode::CREATED, &said("Password has been reset successfully"))),
        Some(refusal @ LinkRefusal::Expired) => {
            Err(refused(refusal.code(), "Reset token has expired"))
        }
        Some(refusal) => Err(refused(refusal.code(), "Invalid or expired reset token")),
    }
}

pub const RESET_BY_PATH: Doc = Doc {
    id: "reset_password_by_path",
    family: Family::Z,
    fields: &[
        ("new_password", true, "The new password."),
        ("confirm_password", true, "The new password again."),
    ],
    answer: (200, r#"{"success":true}"#),
    ..RESET
};

/// `POST /api/auth/reset-password/{token}` (Z7).
pub async fn reset_by_path(call: Call, _: Anyone) -> Answer {
    let (new, again) = both(
        call.fields.required("new_password", MAX_BYTES),
        call.fields.required("confirm_password", MAX_BYTES),
    )
    .map_err(Error::Invalid)?;
    if new != again {
        let fault = Fault::invalid("confirm_password", "Passwords do not match");
        return Err(Error::Invalid(vec![fault]));
    }
    match set(&call, call.facts.last_segment(), new, "new_password").await? {
        None => Ok(json_reply(StatusCode::OK, &json!({"success": true}))),
        Some(refusal) => Err(Error::Documented(Documented {
            status: StatusCode::NOT_FOUND,
            code: refusal.code(),
            text: "Invalid or expired token.",
        })),
    }
}

pub const BY_ACTION: Doc = Doc {
    id: "password_reset",
    summary: "action=request mails a link of one hour to an account's address; the answer is the same \
              for every address. action=reset sets a new password with its token, once.",
    family: Family::P,
    fields: &[
        ("action", true, "request or reset."),
        ("email", false, "The e-mail address, for request."),
        ("token", false, "The token, for reset."),
        ("password", false, "The new password, for reset."),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"If an account exists for that address, a reset link has been sent."}"#,
    ),
    ..PUBLIC
};

/// `POST /api/password-reset` (P23).
pub async fn by_action(call: Call, _: Anyone) -> Answer {
    const MAILED: &str = "If an account exists for that address, a reset link has been sent.";
    const DONE: &str = "Password reset successfully. You can now log in.";
    let fault = |fault| Error::Invalid(vec![fault]);
    match call.fields.required("action", MAX_TOKEN).map_err(fault)? {
        "request" => {
            let email = email(&call)?;
            ask_by_mail(&call, email, Way::Link).await?;
            Ok(json_reply(StatusCode::OK, &said(MAILED)))
        }
        "reset" => {
            let (token, new) = both(
                call.fields.required("token", MAX_TOKEN),
                call.fields.required("password", MAX_BYTES),
            )
            .map_err(Error::Invalid)?;
            match set(&call, token, new, "password").await? {
                None => Ok(json_reply(StatusCode::OK, &said(DONE))),
                Some(refusal) => {
                    Err(refused(refusal.code(), "Reset token is invalid or has expired."))
                }
            }
        }
        _ => Err(fault(Fault::invalid("action", "must be request or reset"))),
    }
}

async fn ask_by_mail(call: &Call, email: Email, way: Way) -> Result<(), Error> {
    let question = Question { email, from: call.facts.client, context: call.facts.context() };
    let (admission, standing) = ask(&call.app, question, way).await?;
    call.facts.set_limit_standing(standing);
    match admission {
        Admission::Go | Admission::Enough => Ok(()),
        Admission::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

/// Sets the password; why not, if the token is not good.
async fn set(
    call: &Call,
    token: &str,
    new: &str,
    field: &'static str,
) -> Result<Option<LinkRefusal>, Error> {
    let (from, context) = (call.facts.client, call.facts.context());
    let wanted = Reset { token: ResetToken::parse(token), password: new, from, context };
    let answer = password_reset::reset(&call.app, &wanted).await?;
    call.facts.set_limit_standing(answer.standing);
    match answer.outcome {
        ResetOutcome::Done => Ok(None),
        ResetOutcome::Refused(reason) => {
            let event = Event::LinkRefused { purpose: LinkPurpose::PasswordReset, reason };
            door::record_of_stranger(&call.app, &call.facts, event).await;
            Ok(Some(reason))
        }
        ResetOutcome::Weak(faults) => Err(weak(field, &faults)),
        ResetOutcome::TooMany { retry_after } => Err(too_many(retry_after)),
    }
}

/// The address that a question is about.
pub(super) fn email(call: &Call) -> Result<Email, Error> {
    address(call).map_err(|fault| Error::Invalid(vec![fault]))
}

fn address(call: &Call) -> Result<Email, Fault> {
    let text = call.fields.required("email", MAX_EMAIL)?;
    Email::parse(text).map_err(|_| Fault::invalid("email", "must be an email"))
}

fn said(message: &str) -> Value {
    json!({"success": true, "message": message})
}

pub(super) fn refused(code: &'static str, text: &'static str) -> Error {
    Error::Documented(Documented { status: StatusCode::BAD_REQUEST, code, text })
}
