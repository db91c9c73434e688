//! The whole surface: method, path, who may pass (the handler's own type), and what it is.

use http::Method;

use super::api::{
    csrf, health, login, logout, me, mobile_auth, openapi, permissions, probe, session_acts,
    sessions,
};
use super::pages;
use super::table::{Row, row};

/// Every row, whatever families are switched on.
pub fn rows() -> Vec<Row> {
    let mut rows = api_rows();
    rows.extend(own_rows());
    rows.extend(pages::rows());
    rows
}

fn api_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/api/security/csrf-token", csrf::ISSUE, csrf::issue),
        row(Method::GET, "/api/auth/csrf-token", csrf::ISSUE_FLAT, csrf::issue_flat),
        row(Method::GET, "/api/csrf", csrf::SET_COOKIE, csrf::set_cookie),
        row(Method::POST, "/api/auth/login", login::POST, login::post),
        row(Method::GET, "/api/auth/me", me::SHOW, me::show),
        row(Method::POST, "/api/auth/logout", logout::POST, logout::post),
        row(Method::DELETE, "/api/auth/logout", logout::DELETE, logout::delete),
        row(Method::POST, "/api/security/mobile-auth", mobile_auth::POST, mobile_auth::post),
        row(Method::DELETE, "/api/security/mobile-auth", mobile_auth::DELETE, mobile_auth::delete),
        row(Method::GET, "/api/security/sessions", sessions::SHOW, sessions::show),
        row(Method::POST, "/api/security/sessions", session_acts::POST, session_acts::post),
        row(Method::GET, "/api/users/permissions", permissions::SHOW, permissions::show),
    ]
}

fn own_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/healthz", health::ALIVE, health::alive),
        row(Method::GET, "/readyz", health::READY, health::ready),
        row(Method::GET, "/-/openapi.json", openapi::SHOW, openapi::show),
        row(Method::GET, "/.well-known/jwks.json", openapi::KEY_SET, openapi::key_set),
        row(Method::GET, probe::PATH, probe::SHOW, probe::show),
    ]
}
