//! The one error of the web: what the client should do next, and nothing about what went wrong
//! inside. Its text is chosen by variant; there is no path from a source error to a body.
//! How it looks in each family is in [`super::refusal`].

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use portcullis_domain::csrf;
use portcullis_domain::one_time_code::Code;

use super::forward_auth;

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub enum Error {
    /// 401: no credential, or one that is not (any longer) good. The code says which.
    SignIn(&'static str),
    /// 401: the password form was filled in wrongly. Never says which half was wrong.
    WrongCredentials,
    /// 401: the password was right, the place is new, and a code was mailed.
    NewPlace(Unfinished),
    /// 401: the password was right, and the second factor is needed.
    NeedsFactor(Unfinished),
    /// 401: the link is good, but it was asked for in another browser, where this code is to be typed.
    LinkElsewhere(Elsewhere),
    /// 403: known, but not allowed. The code and, where it helps, the rule that said so.
    Forbidden(Forbidden),
    /// A refusal that a documented family words itself, which every family is then told.
    Documented(Documented),
    /// 404: not there, or not yours to see.
    NotFound,
    /// 405: the path exists, the method does not. Holds the methods that do.
    Method(String),
    /// 400: fields that are missing or wrong.
    Invalid(Vec<Fault>),
    /// 400: the request itself cannot be read in exactly one way.
    Malformed(&'static str),
    /// 400: a proxy, which has this address, does not say which request it asks about.
    Forwarded(forward_auth::Fault, IpAddr),
    /// 408: the client did not finish sending.
    Slow,
    /// 409: it exists already.
    Conflict(&'static str),
    /// 413: more bytes than this endpoint takes.
    TooLarge,
    /// 415: a body of a type that this endpoint does not read.
    UnsupportedType,
    /// 421: a host that is not served here.
    Misdirected,
    /// 429: come back after the given time.
    TooMany { code: &'static str, retry_after: Duration },
    /// 503: the store or the password threads cannot answer now.
    Unavailable { code: &'static str, retry_after: Duration },
    /// 502 and 504: the upstream did not answer.
    Upstream(&'static str),
    /// 500: nobody planned this. The inner chain has been logged, and is not here.
    Internal,
}

/// A refusal with words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documented {
    pub status: StatusCode,
    /// The stable word.
    pub code: &'static str,
    /// The sentence, as the clients know it.
    pub text: &'static str,
}

/// What a sign-in goes on with that is not finished. No `Debug` of the ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct Unfinished {
    pub ticket: String,
    /// How long it is good.
    pub life: Duration,
}

impl std::fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfinished").field("life", &self.life).finish_non_exhaustive()
    }
}

/// The code of a link that was opened elsewhere than it was asked for. No `Debug` of it.
#[derive(Clone)]
pub struct Elsewhere {
    pub code: Code,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").finish_non_exhaustive()
    }
}

/// What stands in the way of a caller who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forbidden {
    /// A cross-site request, or a missing or wrong CSRF token.
    Csrf(csrf::Refusal),
    /// The permission or account type that the door asks for is missing.
    Permission {
        /// `permission_missing`, `account_type` or `no_rule`.
        code: &'static str,
        /// The rule or route that denied, by name.
        rule: Option<String>,
    },
    /// A peer asks or speaks as a proxy, and is not one that the operator named.
    UntrustedProxy(IpAddr),
    /// Whoever calls must prove again who they are.
    StepUp,
    /// A refusal that one flow makes, by its stable code.
    Other(&'static str),
}

impl Forbidden {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Csrf(refusal) => refusal.code(),
            Self::UntrustedProxy(_) => "untrusted_proxy",
            Self::StepUp => "step_up_required",
            Self::Permission { code, .. } | Self::Other(code) => code,
        }
    }
}

/// One field that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field's name as the client sent it, or should have.
    pub field: &'static str,
    /// What is wrong: a stable word, such as `required` or `invalid`.
    pub code: &'static str,
    /// The sentence for a person, without the field's name, such as "must be an email".
    pub detail: Cow<'static, str>,
}

impl Fault {
    /// The field is not there.
    pub fn required(field: &'static str) -> Self {
        Self { field, code: "required", detail: "This field is required.".into() }
    }

    /// The field is there and cannot be used.
    pub fn invalid(field: &'static str, detail: &'static str) -> Self {
        Self { field, code: "invalid", detail: detail.into() }
    }
}

impl Error {
    /// Logs a failure of the store once, here, and says what the client may know of it.
    pub fn store(error: portcullis_store::Error) -> Self {
        match error {
            portcullis_store::Error::Conflict => Self::Conflict("conflict"),
            portcullis_store::Error::Unavailable => {
                tracing::error!("the store is not available");
                Self::Unavailable { code: "store_unavailable", retry_after: Duration::from_secs(2) }
            }
            error @ (portcullis_store::Error::Corrupt { .. }
            | portcullis_store::Error::Driver(_)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::Internal
            }
        }
    }

    /// The stable word that stands in the body as `code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignIn(code)
            | Self::Malformed(code)
            | Self::Conflict(code)
            | Self::TooMany { code, .. }
            | Self::Unavailable { code, .. }
            | Self::Upstream(code) => code,
            Self::WrongCredentials => "wrong_credentials",
            Self::NewPlace(_) => "new_place",
            Self::NeedsFactor(_) => "second_factor_needed",
            Self::LinkElsewhere(_) => "magic_link_elsewhere",
            Self::Forbidden(forbidden) => forbidden.code(),
            Self::Forwarded(..) => "forwarded_target",
            Self::Documented(documented) => documented.code,
            Self::NotFound => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::Invalid(faults) => match faults.as_slice() {
                [fault] if !matches!(fault.code, "required" | "invalid") => fault.code,
                _ => "invalid",
            },
            Self::Slow => "request_timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedType => "unsupported_type",
            Self::Misdirected => "unknown_host",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        use StatusCode as Status;
        match self {
            Self::SignIn(_)
            | Self::WrongCredentials
            | Self::NewPlace(_)
            | Self::NeedsFactor(_)
            | Self::LinkElsewhere(_) => Status::UNAUTHORIZED,
            Self::Forbidden(_) => Status::FORBIDDEN,
            Self::Documented(documented) => documented.status,
            Self::NotFound => Status::NOT_FOUND,
            Self::Method(_) => Status::METHOD_NOT_ALLOWED,
            Self::Invalid(_) | Self::Malformed(_) | Self::Forwarded(..) => Status::BAD_REQUEST,
            Self::Slow => Status::REQUEST_TIMEOUT,
            Self::Conflict(_) => Status::CONFLICT,
            Self::TooLarge => Status::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => Status::MISDIRECTED_REQUEST,
            Self::TooMany { .. } => Status::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => Status::SERVICE_UNAVAILABLE,
            Self::Upstream("upstream_timeout") => Status::GATEWAY_TIMEOUT,
            Self::Upstream(_) => Status::BAD_GATEWAY,
            Self::Internal => Status::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<portcullis_store::Error> for Error {
    fn from(error: portcullis_store::Error) -> Self {
        Self::store(error)
    }
}

impl From<crate::flows::integrity::Fault> for Error {
    fn from(fault: crate::flows::integrity::Fault) -> Self {
        if let crate::flows::integrity::Fault::Store(error) = fault {
            return Self::store(error);
        }
        tracing::error!(error = &fault as &dyn std::error::Error, "the watch over files failed");
        Self::Internal
    }
}

impl From<crate::hasher::Busy> for Error {
    fn from(_: crate::hasher::Busy) -> Self {
        Self::Unavailable { code: "busy", retry_after: Duration::from_secs(1) }
    }
}

impl From<crate::fault::Failure> for Error {
    fn from(failure: crate::fault::Failure) -> Self {
        match failure {
            crate::fault::Failure::Store(error) => error.into(),
            crate::fault::Failure::Busy(busy) => busy.into(),
            crate::fault::Failure::Signing(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "signing failed");
                Self::Internal
            }
        }
    }
}
