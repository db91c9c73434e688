//! How an [`Error`] looks to each family of clients: the same refusal in the words that a strict
//! client of that family tests for (contract part 2.1). Shared paths and the gate answer with
//! every family's keys at once, because they use different names for the text.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a family words a few refusals itself; all others share one sentence"
)]

use http::StatusCode;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use serde_json::{Map, Value, json};

use super::error::{Documented, Error, Fault, Forbidden};
use super::reply::{Reply, json_reply};

/// The documented client style that a route speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `{"success": false, "error": …}`.
    P,
    /// `{"statusCode": …, "message": …}`.
    S,
    /// `{"type": …, "errors": [{"code", "detail", "attr"}]}`.
    Z,
    /// All of them at once: shared paths, our own paths and the gate.
    Every,
}

/// The refusal as a JSON answer.
pub fn reply(error: &Error, family: Family, request_id: &str) -> Reply {
    let mut body = Map::new();
    if matches!(family, Family::P | Family::Every) {
        body.insert("success".into(), Value::Bool(false));
        body.insert("error".into(), Value::String(p_text(error)));
    }
    if matches!(family, Family::S | Family::Every) {
        s_body(&mut body, error);
    }
    if matches!(family, Family::Z | Family::Every) {
        z_body(&mut body, error);
    }
    body.insert("code".into(), error.code().into());
    if let Error::Forbidden(Forbidden::Permission { rule: Some(rule), .. }) = error {
        body.insert("rule".into(), rule.as_str().into());
    }
    if let Error::NeedsFactor(_) = error {
        // As the clients of S know it (contract C35).
        body.insert("requiresTwoFactor".into(), true.into());
        body.insert("twoFactorMethod".into(), "TOTP".into());
    }
    if let Error::NewPlace(unfinished) | Error::NeedsFactor(unfinished) = error {
        body.insert("ticket".into(), unfinished.ticket.as_str().into());
        body.insert("expires_in".into(), unfinished.life.as_secs().into());
    }
    if let Error::LinkElsewhere(elsewhere) = error {
        body.insert("confirmation_code".into(), elsewhere.code.reveal().into());
    }
    body.insert("requestId".into(), request_id.into());
    let mut reply = json_reply(error.status(), &Value::Object(body));
    add_headers(&mut reply, error);
    reply
}

/// The headers that belong to a refusal, whatever its body: the challenge, when to come back,
/// which methods there are.
pub fn add_headers(reply: &mut Reply, error: &Error) {
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match error {
        Error::SignIn("credential_missing")
        | Error::WrongCredentials
        | Error::NewPlace(_)
        | Error::NeedsFactor(_)
        | Error::LinkElsewhere(_)
        | Error::Documented(Documented { status: StatusCode::UNAUTHORIZED, .. }) => {
            // RFC 6750, section 3.1: no error attribute when no credential was sent.
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"auth\""));
        }
        Error::SignIn(_) => {
            let challenge = "Bearer realm=\"auth\", error=\"invalid_token\"";
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Error::Malformed("several_credentials" | "bad_authorization") => {
            let challenge = "Bearer realm=\"auth\", error=\"invalid_request\"";
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Error::Forbidden(Forbidden::Permission { .. }) => {
            let challenge = "Bearer realm=\"auth\", error=\"insufficient_scope\"";
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Error::TooMany { retry_after, .. } | Error::Unavailable { retry_after, .. } => {
            // Rounded up, so that a client that obeys is never early.
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                headers.insert(RETRY_AFTER, value);
            }
        }
        Error::Method(allowed) => {
            if let Ok(value) = HeaderValue::from_str(allowed) {
                headers.insert(ALLOW, value);
            }
        }
        Error::Forbidden(
            Forbidden::Csrf(_)
            | Forbidden::UntrustedProxy(_)
            | Forbidden::StepUp
            | Forbidden::Other(_),
        )
        | Error::Documented(_)
        | Error::NotFound
        | Error::Invalid(_)
        | Error::Malformed(_)
        | Error::Forwarded(..)
        | Error::Slow
        | Error::Conflict(_)
        | Error::TooLarge
        | Error::UnsupportedType
        | Error::Misdirected
        | Error::Upstream(_)
        | Error::Internal => {}
    }
    debug_assert!(headers.contains_key(CONTENT_TYPE), "a refusal has a body of a known type");
}

/// One sentence for a person, the same in every family unless that family documents its own.
pub fn sentence(error: &Error) -> String {
    match error {
        Error::SignIn("place_code_wrong" | "magic_code_wrong") => {
            "The code is not right".to_owned()
        }
        Error::SignIn("place_code_exhausted") => {
            "The code was tried too often. Please log in again.".to_owned()
        }
        Error::SignIn("place_ticket_over") => "The code is over. Please log in again.".to_owned(),
        Error::SignIn("second_factor_over") => {
            "The sign-in took too long. Please log in again.".to_owned()
        }
        Error::SignIn("magic_code_exhausted") => {
            "The code was tried too often. Please ask for another link.".to_owned()
        }
        Error::SignIn("magic_code_over") => {
            "The code is over, or no link was asked for in this browser. Please ask for another \
             link."
                .to_owned()
        }
        Error::SignIn(_) => "Authentication required. Please log in.".to_owned(),
        Error::NewPlace(_) => {
            "You sign in from a new place. Confirm it with the code that was mailed to you."
                .to_owned()
        }
        Error::NeedsFactor(_) => "Two-factor authentication code required".to_owned(),
        Error::LinkElsewhere(_) => {
            "This link was asked for in another browser. Type the code there.".to_owned()
        }
        Error::WrongCredentials => "Invalid email or password".to_owned(),
        Error::Forbidden(forbidden) => forbidden_sentence(forbidden),
        Error::Documented(documented) => documented.text.to_owned(),
        Error::NotFound => "Not found".to_owned(),
        Error::Method(allowed) => format!("This path answers only {allowed}"),
        Error::Invalid(faults) => match faults.first() {
            Some(fault) if faults.len() == 1 && fault.code != "required" => {
                format!("{}: {}", fault.field, fault.detail)
            }
            Some(_) | None => {
                let mut names: Vec<_> = faults.iter().map(|fault| fault.field).collect();
                // The faults of one field come one after the other.
                names.dedup();
                format!("Invalid or missing required parameter: {}", names.join(", "))
            }
        },
        Error::Malformed(code) => format!("The request cannot be read: {}", code.replace('_', " ")),
        Error::Forwarded(fault, peer) => {
            format!("What the proxy at {peer} asks about is not known: {fault}")
        }
        Error::Slow => "The request was not sent in time".to_owned(),
        Error::Conflict(code) => conflict_sentence(code).to_owned(),
        Error::TooLarge => "The request is too large".to_owned(),
        Error::UnsupportedType => {
            "Send application/json, application/x-www-form-urlencoded or multipart/form-data"
                .to_owned()
        }
        Error::Misdirected => "This host is not served here".to_owned(),
        Error::TooMany { code: "locked_out" | "second_factor_locked", .. } => {
            "Account temporarily locked due to too many failed attempts. Try again later."
                .to_owned()
        }
        Error::TooMany { .. } => "Too many requests. Try again later.".to_owned(),
        Error::Unavailable { .. } => "Temporarily unavailable. Try again shortly.".to_owned(),
        Error::Upstream(_) => "The application behind this gate does not answer".to_owned(),
        Error::Internal => "Something went wrong".to_owned(),
    }
}

fn conflict_sentence(code: &str) -> &'static str {
    match code {
        "email_taken" => "Another user has this email address",
        "own_account" => "You cannot do this to your own account",
        "already_erased" => "This person was erased before",
        "username_taken" => "Another user has this username",
        "role_taken" => "There is a role of this name",
        "role_in_use" => "Somebody has this role. Give them another one first",
        "keys_full" => "There are 50 keys that can still be used. Revoke one first",
        "key_revoked" => "This key was revoked. Make it anew, or make another",
        "key_expired" => "This key is over. Give it a later end first",
        "last_owner" => "There must be one open account with the role owner",
        "built_in_role" => "This is a built-in role and cannot be changed so",
        "held_by_role" => "The user's role gives this permission. Change the role instead",
        "permission_kept" => {
            "A wider permission such as api.* still gives it. Take that away first"
        }
        _ => "It exists already",
    }
}

fn forbidden_sentence(forbidden: &Forbidden) -> String {
    match forbidden {
        Forbidden::Csrf(portcullis_domain::csrf::Refusal::Used) => {
            "Invalid or missing CSRF token: this one-time token was used before. Fetch one for \
             each request, or set csrf.fetched_token to \"session\" for clients that fetch once"
                .to_owned()
        }
        Forbidden::Csrf(_) => "Invalid or missing CSRF token".to_owned(),
        Forbidden::UntrustedProxy(peer) => format!(
            "This question came from {peer}, which is not in server.trusted_proxies. If that is \
             your proxy, add its address there"
        ),
        Forbidden::Other("account_blacklisted") => "This account is blocked".to_owned(),
        Forbidden::StepUp => {
            "This asks for a sign-in of the last 15 minutes. Sign in again and repeat it".to_owned()
        }
        Forbidden::Permission { .. } | Forbidden::Other(_) => {
            "You do not have permission to perform this action".to_owned()
        }
    }
}

fn p_text(error: &Error) -> String {
    sentence(error)
}

fn s_body(body: &mut Map<String, Value>, error: &Error) {
    body.insert("statusCode".into(), error.status().as_u16().into());
    let message = match error {
        Error::SignIn(_) | Error::WrongCredentials => "Unauthorized".into(),
        Error::TooMany { code: "too_many_requests", .. } => "Too Many Requests".into(),
        Error::Forbidden(Forbidden::Csrf(portcullis_domain::csrf::Refusal::Missing)) => {
            "CSRF token required".into()
        }
        Error::Forbidden(Forbidden::Csrf(_)) => "Invalid CSRF token".into(),
        Error::Invalid(faults) => Value::Array(faults.iter().map(s_fault).collect()),
        other => Value::String(sentence(other)),
    };
    body.insert("message".into(), message);
    // On shared paths `error` keeps the other family's text; see contract part 3, rule 4.
    if matches!(error, Error::Invalid(_)) && !body.contains_key("error") {
        body.insert("error".into(), "Bad Request".into());
    }
}

fn s_fault(fault: &Fault) -> Value {
    match fault.code {
        "required" => format!("{} should not be empty", fault.field).into(),
        _ => format!("{} {}", fault.field, fault.detail).into(),
    }
}

fn z_body(body: &mut Map<String, Value>, error: &Error) {
    let kind = match error {
        Error::Invalid(_) => "validation_error",
        other if other.status().is_server_error() => "server_error",
        _ => "client_error",
    };
    let errors = match error {
        Error::Invalid(faults) => faults
            .iter()
            .map(|fault| json!({"code": fault.code, "detail": fault.detail, "attr": fault.field}))
            .collect(),
        other => vec![json!({"code": z_code(other), "detail": z_detail(other), "attr": null})],
    };
    body.insert("type".into(), kind.into());
    body.insert("errors".into(), Value::Array(errors));
}

fn z_code(error: &Error) -> &'static str {
    match error {
        Error::SignIn(_) => "not_authenticated",
        Error::WrongCredentials
        | Error::NewPlace(_)
        | Error::NeedsFactor(_)
        | Error::LinkElsewhere(_) => "authentication_failed",
        Error::Forbidden(_) => "permission_denied",
        Error::TooMany { .. } => "throttled",
        Error::Conflict(_) => "resource_conflict",
        Error::Malformed(_) | Error::Forwarded(..) => "parse_error",
        other => other.code(),
    }
}

fn z_detail(error: &Error) -> String {
    use portcullis_domain::csrf::Refusal;
    match error {
        Error::SignIn(_) => {
            "Authentication required. Please log in to access this resource.".to_owned()
        }
        Error::WrongCredentials => "Invalid username or password".to_owned(),
        Error::Forbidden(Forbidden::Csrf(refusal)) => match refusal {
            Refusal::CookieMissing => "CSRF Failed: CSRF cookie not set.".to_owned(),
            Refusal::Missing => "CSRF Failed: CSRF token missing.".to_owned(),
            Refusal::Origin => {
                "CSRF Failed: Origin checking failed - it does not match any trusted origins."
                    .to_owned()
            }
            Refusal::Ambiguous
            | Refusal::Invalid
            | Refusal::Stale
            | Refusal::Expired
            | Refusal::CookieMismatch
            | Refusal::Used => {
                "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.".to_owned()
            }
        },
        Error::Forbidden(Forbidden::StepUp) => format!("{}.", sentence(error)),
        Error::Forbidden(_) => "You do not have permission to perform this action.".to_owned(),
        Error::TooMany { retry_after, .. } => format!(
            "You made too many requests in a short amount of time, Please wait for {} seconds \
             before retrying your action.",
            retry_after.as_millis().div_ceil(1000).max(1)
        ),
        other => sentence(other),
    }
}
