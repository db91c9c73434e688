//! One's own second factor under both spellings of the documents, `/api/two-factor/…` and
//! `/api/auth/2fa/…` (contract S4–S8, C34): setting it up, its first code, a code, taking it away, how it
//! stands with it, and the codes for a lost phone.

use std::time::Duration;

use http::StatusCode;
use portcullis_domain::backup_code::BackupCode;
use portcullis_domain::password;
use portcullis_domain::second_factor::MAX_CODE;
use portcullis_domain::time::Time;
use portcullis_store::factors::BackupCodeRow;
use serde_json::{Value, json};

use super::change_password::WRONG as WRONG_PASSWORD;
use super::login::{FACTOR_EXHAUSTED, WRONG_FACTOR};
use super::trusted_devices::NO_FACTOR;
use crate::flows::second_factor::{
    self as flow, BackupCodes, Begun, Checked, Codes, Disabled, Enabled, Guessed, SetUp,
};
use crate::qr;
use crate::web::caller::{Fresh, SignedIn};
use crate::web::error::{Documented, Error, Fault};
use crate::web::renewal::{claim, hand_over, holder, locked, too_many};
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// The fewest characters of a code (contract S5).
const MIN_CODE: usize = 6;

pub const SET_UP: Doc = Doc {
    id: "set_up_second_factor",
    summary: "Begins to set up a second factor: the secret and ten backup codes, shown once. It is \
              asked for once verify-setup was given its first code, within ten minutes.",
    answer: (
        201,
        r#"{"qrCode":"data:image/png;base64,…","qrCodeDataUrl":"data:image/png;base64,…","qrCodeUrl":"data:image/png;base64,…","qrCodeSvg":"<svg …","otpauthUrl":"otpauth://totp/…","secret":"…","backupCodes":["XXXX-XXXX"],"expiresAt":"2026-11-22T01:02:03Z"}"#,
    ),
    ..Doc::USUAL
};

/// `POST …/setup`.
pub async fn set_up(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    call.fields.must_be_among(&[])?;
    match flow::set_up(&call.app, &holder(&caller)).await? {
        SetUp::Begun(begun) => Ok(json_reply(StatusCode::CREATED, &shown(&begun))),
        SetUp::Enabled => Err(Error::Documented(ENABLED)),
        SetUp::Gone => Err(Error::SignIn("session_ended")),
    }
}

const ENABLED: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "second_factor_enabled",
    text: "Two-factor authentication is already enabled",
};

/// Every name that the documents have for it.
fn shown(begun: &Begun) -> Value {
    let picture = qr::png_data_url(&begun.key.otpauth_url);
    json!({
        "qrCode": picture,
        "qrCodeDataUrl": picture,
        "qrCodeUrl": picture,
        "qrCodeSvg": qr::svg(&begun.key.otpauth_url),
        "otpauthUrl": begun.key.otpauth_url.as_str(),
        "secret": begun.key.secret.as_str(),
        "backupCodes": revealed(&begun.backup_codes),
        "expiresAt": begun.until.iso(),
    })
}

pub const ENABLE: Doc = Doc {
    id: "enable_second_factor",
    summary: "Gives the first code of a second factor that was begun: from then on sign-ins ask for \
              it. Everything else that is signed in to the account is signed out.",
    fields: &[("code", true, "The six digits that the app shows.")],
    answer: (201, r#"{"success":true,"message":"Two-factor authentication enabled successfully"}"#),
    ..Doc::USUAL
};

/// `POST …/verify-setup`.
pub async fn enable(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let code = code(&call)?;
    let (holder, context) = (holder(&caller), call.facts.context_of(&caller));
    match flow::enable(&call.app, &holder, (code, Codes::Shown), &context).await? {
        Enabled::Done(renewed, _) => {
            hand_over(&call, &renewed);
            Ok(done("Two-factor authentication enabled successfully"))
        }
        Enabled::NotBegun => Err(Error::Documented(NOT_BEGUN)),
        Enabled::Wrong => {
            Err(Error::Documented(Documented { status: StatusCode::BAD_REQUEST, ..WRONG_FACTOR }))
        }
        Enabled::Gone => Err(Error::SignIn("session_ended")),
    }
}

const NOT_BEGUN: Documented = Documented {
    status: StatusCode::NOT_FOUND,
    code: "second_factor_not_begun",
    text: "Two-factor setup not initiated",
};

pub const VERIFY: Doc = Doc {
    id: "verify_second_factor",
    summary: "Whether a code of your second factor is right. It is used by that.",
    fields: &[("code", true, "The code of the authenticator app, or a backup code.")],
    answer: (201, r#"{"success":true}"#),
    ..Doc::USUAL
};

/// `POST …/verify`.
pub async fn verify(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let code = code(&call)?;
    let context = call.facts.context_of(&caller);
    match flow::verify(&call.app, caller.user_id(), code, &context).await? {
        Some(Checked::Passed) => Ok(json_reply(StatusCode::CREATED, &json!({"success": true}))),
        Some(Checked::Wrong) => Err(Error::Documented(WRONG_FACTOR)),
        Some(Checked::Exhausted) => Err(Error::Documented(FACTOR_EXHAUSTED)),
        Some(Checked::Locked { retry_after }) => Err(factor_locked(retry_after)),
        Some(Checked::NoFactor) => Err(Error::Documented(NO_FACTOR)),
        None => Err(Error::SignIn("session_ended")),
    }
}

pub const DISABLE: Doc = Doc {
    id: "disable_second_factor",
    summary: "Takes your second factor away, by the password or by a code of it. Everything else that \
              is signed in to the account is signed out.",
    fields: &[
        ("password", false, "Your password."),
        ("code", false, "A code of the authenticator app, or a backup code, in its place."),
    ],
    answer: (201, r#"{"success":true,"message":"Two-factor authentication disabled"}"#),
    ..Doc::USUAL
};

/// `POST …/disable`.
pub async fn disable(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    let disabled = match proof(&call)? {
        Proof::Password(text) => {
            let claim = claim(&call, &caller, text);
            let (disabled, standing) = flow::disable_by_password(&call.app, &claim).await?;
            call.facts.set_limit_standing(standing);
            disabled
        }
        Proof::Code(code) => {
            let (holder, context) = (holder(&caller), call.facts.context_of(&caller));
            flow::disable_by_code(&call.app, &holder, code, &context).await?
        }
    };
    match disabled {
        Disabled::Done(renewed) => {
            hand_over(&call, &renewed);
            Ok(done("Two-factor authentication disabled"))
        }
        Disabled::NotEnabled => Err(Error::Documented(NO_FACTOR)),
        Disabled::Required => Err(Error::Documented(REQUIRED)),
        Disabled::ShortPassword => Err(Error::Documented(SHORT_PASSWORD)),
        Disabled::WrongPassword => Err(Error::Documented(WRONG_PASSWORD)),
        Disabled::WrongCode => Err(Error::Documented(WRONG_FACTOR)),
        Disabled::Exhausted => Err(Error::Documented(FACTOR_EXHAUSTED)),
        Disabled::Locked { of: Guessed::Password, retry_after } => Err(locked(retry_after)),
        Disabled::Locked { of: Guessed::Code, retry_after } => Err(factor_locked(retry_after)),
        Disabled::TooMany { retry_after } => Err(too_many(retry_after)),
        Disabled::Gone => Err(Error::SignIn("session_ended")),
    }
}

const REQUIRED: Documented = Documented {
    status: StatusCode::FORBIDDEN,
    code: "second_factor_required",
    text: "Your role needs a second factor: it cannot be switched off",
};

const SHORT_PASSWORD: Documented = Documented {
    status: StatusCode::BAD_REQUEST,
    code: "password_too_short",
    text: "Your password is too short to stand alone. Set a longer one before you switch the second \
           factor off",
};

/// What shows that it is the owner who asks.
enum Proof<'f> {
    Password(&'f str),
    Code(&'f str),
}

fn proof(call: &Call) -> Result<Proof<'_>, Error> {
    call.fields.must_be_among(&["password", "code"])?;
    let one = |fault| Error::Invalid(vec![fault]);
    if call.fields.has("code") && !call.fields.has("password") {
        return call.fields.required("code", MAX_CODE).map(Proof::Code).map_err(one);
    }
    let text = call.fields.required("password", password::MAX_BYTES).map_err(one)?;
    if password::is_too_long(text) {
        return Err(one(Fault::invalid("password", "is too long")));
    }
    Ok(Proof::Password(text))
}

pub const STATUS: Doc = Doc {
    id: "show_second_factor",
    summary: "How it stands with your second factor.",
    answer: (
        200,
        r#"{"enabled":true,"isEnabled":true,"enabledAt":"2026-11-22T01:02:03Z","method":"TOTP","appCodesRefused":false,"backupCodesRemaining":10,"trustedDevicesCount":0}"#,
    ),
    ..Doc::USUAL
};

/// `GET …/status`.
pub async fn status(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let status = flow::status(&call.app, caller.user_id()).await?;
    let is_enabled = status.enabled_at.is_some();
    let body = json!({
        "enabled": is_enabled,
        "isEnabled": is_enabled,
        "enabledAt": status.enabled_at.map(Time::iso),
        "method": is_enabled.then_some("TOTP"),
        "appCodesRefused": status.is_exhausted,
        "backupCodesRemaining": status.backup_codes_left,
        "trustedDevicesCount": status.trusted_devices,
    });
    Ok(json_reply(StatusCode::OK, &body))
}

pub const BACKUP_CODES: Doc = Doc {
    id: "list_backup_codes",
    summary: "Which of your backup codes were used. The codes themselves are shown only when they are \
              made.",
    answer: (
        200,
        r#"{"backupCodesRemaining":9,"total":10,"codes":[{"number":1,"used":true,"usedAt":"2026-11-22T01:02:03Z"}]}"#,
    ),
    ..Doc::USUAL
};

/// `GET …/backup-codes`.
pub async fn backup_codes(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let codes = flow::backup_codes(&call.app, caller.user_id()).await?;
    let codes = codes.ok_or(Error::Documented(NO_FACTOR))?;
    let left = codes.iter().filter(|code| code.used_at.is_none()).count();
    let cell = |code: &BackupCodeRow| {
        let used_at = code.used_at.map(Time::iso);
        json!({"number": code.number, "used": used_at.is_some(), "usedAt": used_at})
    };
    let cells: Vec<Value> = codes.iter().map(cell).collect();
    let body = json!({"backupCodesRemaining": left, "total": codes.len(), "codes": cells});
    Ok(json_reply(StatusCode::OK, &body))
}

pub const RENEW: Doc = Doc {
    id: "renew_backup_codes",
    summary: "Ten new backup codes in the place of all earlier ones, shown once. Everything else that \
              is signed in to the account is signed out.",
    answer: (201, r#"{"backupCodes":["XXXX-XXXX"]}"#),
    ..Doc::USUAL
};

/// `POST …/regenerate-backup-codes`.
pub async fn renew(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    call.fields.must_be_among(&[])?;
    let (holder, context) = (holder(&caller), call.facts.context_of(&caller));
    match flow::renew_backup_codes(&call.app, &holder, &context).await? {
        BackupCodes::Renewed(codes, renewed) => {
            hand_over(&call, &renewed);
            let body = json!({"backupCodes": revealed(&codes)});
            Ok(json_reply(StatusCode::CREATED, &body))
        }
        BackupCodes::NotEnabled => Err(Error::Documented(NO_FACTOR)),
        BackupCodes::Gone => Err(Error::SignIn("session_ended")),
    }
}

fn revealed(codes: &[BackupCode]) -> Vec<String> {
    codes.iter().map(BackupCode::reveal).collect()
}

/// Too many wrong codes.
fn factor_locked(retry_after: Duration) -> Error {
    Error::TooMany { code: "second_factor_locked", retry_after }
}

fn done(message: &str) -> Reply {
    json_reply(StatusCode::CREATED, &json!({"success": true, "message": message}))
}

/// The code, in a body that has nothing else (contract C36).
fn code(call: &Call) -> Result<&str, Error> {
    call.fields.must_be_among(&["code"])?;
    let code = call.fields.required("code", MAX_CODE).and_then(|code| {
        let fault = Fault::invalid("code", "must be longer than or equal to 6 characters");
        if code.chars().count() < MIN_CODE { Err(fault) } else { Ok(code) }
    });
    code.map_err(|fault| Error::Invalid(vec![fault]))
}
