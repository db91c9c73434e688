//! Who the gate says is calling: the `X-Auth-*` headers, read and nothing more.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

/// The identity headers of one request. Empty when the gate let somebody in without a sign-in.
#[derive(Default)]
pub(crate) struct Caller {
    pub(crate) user: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) organisation: Option<String>,
    pub(crate) permissions: Option<String>,
    /// A reusable token for the forms of this session.
    pub(crate) csrf_token: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        Ok(Self {
            user: text(headers, "x-auth-user"),
            email: text(headers, "x-auth-email"),
            name: text(headers, "x-auth-name"),
            role: text(headers, "x-auth-role"),
            organisation: text(headers, "x-auth-organisation"),
            permissions: text(headers, "x-auth-permissions"),
            csrf_token: text(headers, "x-auth-csrf-token"),
        })
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}
