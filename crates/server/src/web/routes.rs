//! The whole surface: method, path, who may pass (the handler's own type), and what it is.

use http::Method;

use super::api::{csrf, health, login, logout, me, mobile_auth, openapi, permissions, probe};
use super::pages;
use super::refusal::Family::{Every, P, S, Z};
use super::table::Csrf::{Exempt, Required};
use super::table::{Doc, Row, row};

/// Every row, whatever families are switched on.
pub fn rows() -> Vec<Row> {
    let mut rows = api_rows();
    rows.extend(own_rows());
    rows.extend(pages::rows());
    rows
}

const DEVICE: (&str, bool, &str) = ("device_type", false, "The device, such as iPhone.");

fn api_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/api/security/csrf-token", CSRF_TOKEN, csrf::issue),
        row(Method::GET, "/api/auth/csrf-token", CSRF_TOKEN_FLAT, csrf::issue_flat),
        row(Method::GET, "/api/csrf", CSRF_COOKIE, csrf::set_cookie),
        row(Method::POST, "/api/auth/login", LOGIN, login::post),
        row(Method::GET, "/api/auth/me", ME, me::show),
        row(Method::POST, "/api/auth/logout", LOGOUT, logout::post),
        row(Method::DELETE, "/api/auth/logout", LOGOUT_EMPTY, logout::delete),
        row(Method::POST, "/api/security/mobile-auth", MOBILE_AUTH, mobile_auth::post),
        row(Method::DELETE, "/api/security/mobile-auth", MOBILE_REVOKE, mobile_auth::delete),
        row(Method::GET, "/api/users/permissions", PERMISSIONS, permissions::show),
    ]
}

fn own_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/healthz", HEALTH, health::alive),
        row(Method::GET, "/readyz", READY, health::ready),
        row(Method::GET, "/-/openapi.json", OPENAPI, openapi::show),
        row(Method::GET, "/.well-known/jwks.json", KEYS, openapi::key_set),
        row(Method::GET, probe::PATH, PROBE, probe::show),
    ]
}

/// What most rows are like; the others say where they differ.
const USUAL: Doc =
    Doc { id: "", summary: "", family: Every, csrf: Required, fields: &[], answer: (200, "") };

const CSRF_TOKEN: Doc = Doc {
    id: "issue_csrf_token",
    summary: "A CSRF token of the session; one for a single request, unless ?use=session is asked.",
    family: P,
    answer: (
        200,
        r#"{"success":true,"data":{"token":"…","single_use":true},"message":"CSRF token issued"}"#,
    ),
    ..USUAL
};

const CSRF_TOKEN_FLAT: Doc = Doc {
    id: "issue_session_csrf_token",
    summary: "A CSRF token that lives as long as the session.",
    family: S,
    answer: (200, r#"{"success":true,"csrf_token":"…","single_use":false}"#),
    ..USUAL
};

const CSRF_COOKIE: Doc = Doc {
    id: "set_csrf_cookie",
    summary: "Sets the cookie csrftoken, to be sent back with the same value in X-CSRFToken.",
    family: Z,
    answer: (200, r#"{"details":"CSRF cookie set"}"#),
    ..USUAL
};

const LOGIN: Doc = Doc {
    id: "sign_in",
    summary: "Signs in by username or e-mail address and password: cookie, access token and, \
              outside a browser, a bearer token.",
    csrf: Exempt,
    fields: &[
        ("username", false, "The username; gives a cookie for 14 days."),
        ("email", false, "The e-mail address; gives a cookie for 2 hours."),
        ("password", true, "The password."),
        ("remember", false, "true keeps the browser signed in by the cookie remember."),
        ("remember_me", false, "The same."),
    ],
    answer: (
        201,
        r#"{"success":true,"token":"…","token_type":"Bearer","expires_at":"2026-02-20T00:00:00Z","accessToken":"…","expires_in":86400,"csrf_token":"…","user":{"id":1,"email":"user@example.com"}}"#,
    ),
    ..USUAL
};

const ME: Doc = Doc {
    id: "show_caller",
    summary: "Who is calling.",
    answer: (
        200,
        r#"{"id":1,"email":"user@example.com","name":"Jane Smith","user":{"username":"jane","first_name":"Jane","last_name":"Smith","is_superuser":false},"membership":null}"#,
    ),
    ..USUAL
};

const LOGOUT: Doc = Doc {
    id: "sign_out",
    summary: "Ends the session with all its credentials.",
    answer: (201, r#"{"success":true,"message":"Successfully logged out"}"#),
    ..USUAL
};

const LOGOUT_EMPTY: Doc = Doc { id: "delete_session", answer: (204, ""), ..LOGOUT };

const MOBILE_AUTH: Doc = Doc {
    id: "mobile_auth",
    summary: "By e-mail and password: a bearer token for 365 days. With action: exchanges a bearer \
              for a session token (validate_token), or ends it (logout).",
    family: P,
    csrf: Exempt,
    fields: &[
        ("email", false, "The e-mail address, when no action is given."),
        ("password", false, "The password, when no action is given."),
        ("action", false, "validate_token or logout; needs a bearer."),
        ("token", false, "The token to validate, or to end with the session."),
        ("platform", false, "ios or android."),
        DEVICE,
        ("app_version", false, "The application's version."),
    ],
    answer: (
        200,
        r#"{"success":true,"data":{"token":"…"},"message":"Mobile authentication token issued"}"#,
    ),
};

const MOBILE_REVOKE: Doc = Doc {
    id: "revoke_mobile_token",
    summary: "Ends the bearer token that is sent.",
    family: P,
    csrf: Exempt,
    answer: (200, r#"{"success":true,"message":"Token revoked"}"#),
    ..USUAL
};

const PERMISSIONS: Doc = Doc {
    id: "list_permissions",
    summary: "What the caller may do, by role.",
    family: P,
    answer: (
        200,
        r#"{"success":true,"data":{"permissions":{"api.jobs.manage.manage":true},"role":{"id":2,"name":"staff","level":50},"account_type":{"id":1,"name":"Staff"}},"message":"Permissions resolved"}"#,
    ),
    ..USUAL
};

const HEALTH: Doc = Doc {
    id: "alive",
    summary: "Whether the process lives.",
    answer: (200, r#"{"status":"ok"}"#),
    ..USUAL
};

const READY: Doc = Doc {
    id: "ready",
    summary: "Whether the server can serve: 200, or 503 with the reason.",
    answer: (200, r#"{"status":"ready"}"#),
    ..USUAL
};

const OPENAPI: Doc = Doc {
    id: "show_openapi",
    summary: "This description, as OpenAPI 3.1.",
    answer: (200, r#"{"openapi":"3.1.0"}"#),
    ..USUAL
};

const PROBE: Doc = Doc {
    id: "show_probe",
    summary: "For portcullis doctor: what the server saw of one of its requests. 404 without its pass.",
    answer: (200, r#"{"seen":[]}"#),
    ..USUAL
};

const KEYS: Doc = Doc {
    id: "list_keys",
    summary: "The public keys that access tokens are verified with (RFC 7517).",
    answer: (200, r#"{"keys":[]}"#),
    ..USUAL
};
