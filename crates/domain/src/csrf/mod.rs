//! CSRF tokens: which requests need one, how it is found, what its bytes are, and the verdict on it.
//! Pure: spending a one-time token, and the origin wall in front (`origin`), are done elsewhere.
//!
//! A token is a MAC over the session that it was made for, so making one writes nothing, and a token
//! tossed in by another site never fits the victim's session (the signed double submit that OWASP
//! recommends). Whatever is born with the session may be used as long as the session lives; what is
//! fetched on demand is spent by its first use, unless a deployment says otherwise.

mod presented;
mod token;
mod verdict;

pub use presented::{BodyToken, Presented, Via, present};
pub use token::{Binding, CsrfKeys, Token, nonce};
pub use verdict::{Accepted, Facts, SessionFacts, judge};

/// What a token is good for. The number is its first three bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Made without a session; used many times.
    Anonymous = 1,
    /// Born with the session; used many times while it lives.
    Session = 2,
    /// The same as a cookie: through `X-CSRFToken` it must equal the cookie `csrftoken`.
    DoubleSubmit = 3,
    /// Fetched on demand; used once.
    OneTime = 4,
}

/// How a caller showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthKind {
    /// The session cookie.
    Cookie,
    /// An opaque bearer token of 64 digits.
    Bearer,
    /// A signed access token.
    Jwt,
    /// An API key.
    Key,
}

/// What `GET /api/security/csrf-token` gives (setting `csrf.fetched_token`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchedToken {
    /// A token for one use.
    #[default]
    OneTime,
    /// The session's first one may be reused, the others not.
    FirstReusable,
    /// A token for as long as the session lives.
    Session,
}

/// Whether an opaque bearer needs a token (setting `csrf.bearer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BearerCsrf {
    /// Always.
    #[default]
    Require,
    /// Never.
    Exempt,
}

/// Whether an access token needs a CSRF token (setting `csrf.jwt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JwtCsrf {
    /// When the request shows a browser.
    #[default]
    Browser,
    /// Never.
    Exempt,
}

/// Whether an anonymous token is good beside a session cookie (setting `csrf.anonymous_with_session`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnonymousWithSession {
    /// If it equals the cookie `csrftoken`, and the request is of our own origin or of no browser.
    #[default]
    Compat,
    /// Never.
    Strict,
}

/// Why a request is refused. Layers in front and behind (`Origin`, `Used`) share the type, so that a
/// refusal has one vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A browser sent it for another site.
    Origin,
    /// No token.
    Missing,
    /// Several tokens that differ.
    Ambiguous,
    /// Not a token of ours, or of another session.
    Invalid,
    /// Made for this session before it changed (sign-in, step-up, new password or rights).
    Stale,
    /// Too old, or from the future.
    Expired,
    /// The rule of the double submit: no cookie `csrftoken`.
    CookieMissing,
    /// The rule of the double submit: the cookie holds another value.
    CookieMismatch,
    /// A one-time token that was used before.
    Used,
}

impl Refusal {
    /// The stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Origin => "csrf_origin",
            Self::Missing => "csrf_missing",
            Self::Ambiguous => "csrf_ambiguous",
            Self::Invalid => "csrf_invalid",
            Self::Stale => "csrf_stale",
            Self::Expired => "csrf_expired",
            Self::CookieMissing => "csrf_cookie_missing",
            Self::CookieMismatch => "csrf_cookie_mismatch",
            Self::Used => "csrf_used",
        }
    }

    /// Whether the answer carries a fresh one-time token, which spares an honest client one request.
    /// The caller still asks that the request was of our own origin or carried an explicit credential.
    pub fn earns_fresh_token(self) -> bool {
        match self {
            Self::Stale | Self::Expired | Self::Used => true,
            Self::Origin
            | Self::Missing
            | Self::Ambiguous
            | Self::Invalid
            | Self::CookieMissing
            | Self::CookieMismatch => false,
        }
    }
}

/// Whether an unsafe request needs a token, by the credential that authenticated it.
/// `browser_context`: the request carries `Origin` or any `Sec-Fetch-*`.
pub fn required(
    credential: AuthKind,
    browser_context: bool,
    bearer: BearerCsrf,
    jwt: JwtCsrf,
) -> bool {
    match credential {
        AuthKind::Cookie => true,
        AuthKind::Bearer => bearer == BearerCsrf::Require,
        AuthKind::Jwt => jwt == JwtCsrf::Browser && browser_context,
        // No other site can have a browser send the header of a key.
        AuthKind::Key => false,
    }
}

/// Which kind a fetch on demand gives. `first_fetch`: the session has fetched none so far;
/// `asked_session`: the client asked for a token of the session by `?use=session`.
pub fn kind_to_issue(setting: FetchedToken, first_fetch: bool, asked_session: bool) -> Kind {
    let reusable = match setting {
        FetchedToken::OneTime => false,
        FetchedToken::FirstReusable => first_fetch,
        FetchedToken::Session => true,
    };
    if reusable || asked_session { Kind::Session } else { Kind::OneTime }
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::{AuthKind as A, BearerCsrf as B, JwtCsrf as J};

    #[test]
    fn who_needs_a_token() {
        let check = |credential, browser, bearer, jwt, expected| {
            assert_eq!(
                required(credential, browser, bearer, jwt),
                expected,
                "{credential:?} browser={browser} {bearer:?} {jwt:?}"
            );
        };
        check(A::Cookie, false, B::Exempt, J::Exempt, true);
        check(A::Cookie, true, B::Require, J::Browser, true);
        check(A::Bearer, false, B::Require, J::Exempt, true);
        check(A::Bearer, true, B::Exempt, J::Browser, false);
        check(A::Jwt, false, B::Require, J::Browser, false);
        check(A::Jwt, true, B::Exempt, J::Browser, true);
        check(A::Jwt, true, B::Require, J::Exempt, false);
        check(A::Key, true, B::Require, J::Browser, false);
    }

    #[test]
    fn which_kind_a_fetch_gives() {
        let check = |setting, first, asked, expected| {
            assert_eq!(
                kind_to_issue(setting, first, asked),
                expected,
                "{setting:?} {first} {asked}"
            );
        };
        check(FetchedToken::OneTime, true, false, Kind::OneTime);
        check(FetchedToken::OneTime, false, false, Kind::OneTime);
        check(FetchedToken::OneTime, false, true, Kind::Session);
        check(FetchedToken::FirstReusable, true, false, Kind::Session);
        check(FetchedToken::FirstReusable, false, false, Kind::OneTime);
        check(FetchedToken::FirstReusable, false, true, Kind::Session);
        check(FetchedToken::Session, true, false, Kind::Session);
        check(FetchedToken::Session, false, false, Kind::Session);
    }
}
