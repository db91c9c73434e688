//! The whole surface: method, path, who may pass (the handler's own type), and what it is.

use http::Method;

use super::api::console::password_tokens as tokens;
use super::api::oauth::{introspect, revoke};
use super::api::{
    access_token, account_sessions, activity_log, api_keys, breach, breach_status, change_password,
    console, csrf, email, file_integrity, first_user, health, limits, login, logout, logout_user,
    magic_link, me, mobile_auth, oauth, openapi, own_permissions, own_profile, password_reset,
    permissions, places, probe, profile, roles, second_factor, security_report, session_acts,
    sessions, trusted_devices, two_factor, users, verify_place,
};
use super::pages;
use super::table::{Row, row};

const OWN_SESSIONS: &str = "/api/account/sessions";
const OWN_SESSION: &str = "/api/account/sessions/{session_id}";

/// Every row, whatever families are switched on.
pub fn rows() -> Vec<Row> {
    let mut rows = api_rows();
    rows.extend(people_rows());
    rows.extend(console_rows());
    rows.extend(password_rows());
    rows.extend(factor_rows());
    rows.extend(own_rows());
    rows.extend(api_keys::rows());
    rows.extend(file_integrity::rows());
    rows.extend(pages::rows());
    rows
}

fn api_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/api/security/csrf-token", csrf::ISSUE, csrf::issue),
        row(Method::GET, "/api/auth/csrf-token", csrf::ISSUE_FLAT, csrf::issue_flat),
        row(Method::GET, "/api/csrf", csrf::SET_COOKIE, csrf::set_cookie),
        row(Method::POST, "/api/auth/login", login::POST, login::post),
        row(Method::POST, "/api/auth/verify-place", verify_place::POST, verify_place::post),
        row(Method::POST, "/api/auth/second-factor", second_factor::POST, second_factor::post),
        row(Method::POST, magic_link::PATH, magic_link::ASK, magic_link::ask),
        row(Method::GET, magic_link::PATH, magic_link::FOLLOW, magic_link::follow),
        row(Method::POST, magic_link::VERIFY_PATH, magic_link::VERIFY, magic_link::verify),
        row(Method::POST, magic_link::CODE_PATH, magic_link::CODE, magic_link::type_code),
        row(Method::GET, "/api/auth/me", me::SHOW, me::show),
        row(Method::POST, "/api/auth/logout", logout::POST, logout::post),
        row(Method::DELETE, "/api/auth/logout", logout::DELETE, logout::delete),
        row(Method::POST, "/api/auth/logout-all", logout::ALL, logout::post_all),
        row(Method::GET, "/api/auth/sessions/count", logout::COUNT, logout::count),
        row(Method::GET, "/api/auth/profile", access_token::PROFILE, access_token::profile),
        row(Method::POST, "/api/auth/refresh", access_token::REFRESH, access_token::post),
        row(Method::POST, "/api/security/mobile-auth", mobile_auth::POST, mobile_auth::post),
        row(Method::DELETE, "/api/security/mobile-auth", mobile_auth::DELETE, mobile_auth::delete),
        row(Method::GET, "/api/security/sessions", sessions::READ, sessions::read),
        row(Method::POST, "/api/security/sessions", session_acts::POST, session_acts::post),
        row(Method::PATCH, own_profile::PATH, own_profile::PATCH, own_profile::patch),
        row(Method::POST, own_profile::PATH, own_profile::POST, own_profile::post),
        row(Method::GET, first_user::EXISTENCE_PATH, first_user::EXISTENCE, first_user::existence),
        row(Method::POST, first_user::PATH, first_user::CREATE, first_user::create),
        row(Method::GET, "/api/users/permissions", permissions::SHOW, permissions::show),
    ]
}

/// What a superuser of the Z family looks after.
fn console_rows() -> Vec<Row> {
    vec![
        row(Method::GET, console::users::PATH, console::users::LIST, console::users::list),
        row(Method::GET, console::users::ONE, console::users::SHOW, console::users::show),
        row(Method::PATCH, console::users::ONE, console::users::PATCH, console::users::patch),
        row(Method::DELETE, console::users::ONE, console::users::DELETE, console::users::delete),
        row(Method::POST, tokens::CODE, tokens::GENERATE, tokens::generate),
        row(Method::GET, tokens::PATH, tokens::LIST, tokens::list),
        row(Method::DELETE, tokens::PATH, tokens::REVOKE_ALL, tokens::revoke_all),
        row(Method::DELETE, tokens::ONE, tokens::REVOKE, tokens::revoke),
    ]
}

/// Users, roles and rights.
fn people_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/api/users/users", users::SHOW, users::show),
        row(Method::POST, "/api/users/users", users::POST, users::post),
        row(Method::POST, users::erase::PATH, users::erase::POST, users::erase::post),
        row(Method::GET, "/api/users/profile", profile::SHOW, profile::show),
        row(Method::PUT, "/api/users/profile", profile::PUT, profile::put),
        row(Method::PUT, "/api/users/permissions", own_permissions::PUT, own_permissions::put),
        row(Method::POST, "/api/users/logout-user", logout_user::POST, logout_user::post),
        row(Method::GET, "/api/admin/roles", roles::SHOW, roles::show),
        row(Method::POST, "/api/admin/roles", roles::POST, roles::post),
        row(Method::POST, "/api/admin/staff-permissions", roles::CELLS, roles::post_cells),
        row(Method::PUT, "/api/admin/user-management-policy", roles::POLICY, roles::put_policy),
        row(Method::GET, "/api/admin/api-permissions", roles::matrix::SHOW, roles::matrix::show),
        row(Method::GET, security_report::PATH, security_report::SHOW, security_report::show),
        row(Method::GET, breach_status::PATH, breach_status::LIST, breach_status::list),
    ]
}

/// A password's life.
fn password_rows() -> Vec<Row> {
    use password_reset as reset;
    vec![
        row(
            Method::POST,
            "/api/auth/change-password",
            change_password::POST,
            change_password::post,
        ),
        row(Method::GET, breach::PATH, breach::BELOW, breach::below),
        row(Method::POST, breach::PATH, breach::CHECK, breach::check),
        row(Method::POST, "/api/auth/forgot-password", reset::FORGOT, reset::forgot),
        row(Method::POST, "/api/auth/verify-reset-code", reset::VERIFY, reset::verify),
        row(Method::POST, "/api/auth/reset-password", reset::RESET, reset::reset),
        row(
            Method::POST,
            "/api/auth/reset-password/{token}",
            reset::RESET_BY_PATH,
            reset::reset_by_path,
        ),
        row(Method::POST, "/api/password-reset", reset::BY_ACTION, reset::by_action),
        row(Method::GET, "/api/auth/verify-email", email::VERIFY, email::verify),
        row(Method::POST, "/api/auth/resend-verification", email::ASK_AGAIN, email::ask_again),
        row(Method::POST, "/api/account/email", email::CHANGE, email::change),
    ]
}

/// What its owner does with a second factor, under one spelling.
macro_rules! own_factor_rows {
    ($prefix:literal) => {{
        use two_factor as own;
        [
            row(Method::POST, concat!($prefix, "/setup"), own::SET_UP, own::set_up),
            row(Method::POST, concat!($prefix, "/verify-setup"), own::ENABLE, own::enable),
            row(Method::POST, concat!($prefix, "/verify"), own::VERIFY, own::verify),
            row(Method::POST, concat!($prefix, "/disable"), own::DISABLE, own::disable),
            row(Method::GET, concat!($prefix, "/status"), own::STATUS, own::status),
            row(
                Method::GET,
                concat!($prefix, "/backup-codes"),
                own::BACKUP_CODES,
                own::backup_codes,
            ),
            row(Method::POST, concat!($prefix, "/regenerate-backup-codes"), own::RENEW, own::renew),
        ]
    }};
}

/// Second factors, under both spellings of the documents (contract C34).
fn factor_rows() -> Vec<Row> {
    use trusted_devices as devices;
    let mut rows = Vec::new();
    for (all, one) in devices::PATHS {
        rows.extend([
            row(Method::GET, all, devices::LIST, devices::list),
            row(Method::POST, all, devices::ADD, devices::add),
            row(Method::DELETE, one, devices::REMOVE, devices::remove),
        ]);
    }
    rows.extend(own_factor_rows!("/api/two-factor"));
    rows.extend(own_factor_rows!("/api/auth/2fa"));
    rows
}

fn own_rows() -> Vec<Row> {
    vec![
        row(Method::GET, activity_log::PATH, activity_log::LIST, activity_log::list),
        row(Method::GET, activity_log::EXPORT_PATH, activity_log::EXPORT, activity_log::export),
        row(Method::GET, limits::PATH, limits::SHOW, limits::show),
        row(Method::PUT, limits::PATH, limits::CHANGE, limits::change),
        row(Method::DELETE, limits::PATH, limits::FORGET, limits::forget),
        row(Method::POST, "/api/admin/limits/unlock", limits::UNLOCK, limits::unlock),
        row(Method::GET, "/healthz", health::ALIVE, health::alive),
        row(Method::GET, "/readyz", health::READY, health::ready),
        row(Method::GET, "/-/openapi.json", openapi::SHOW, openapi::show),
        row(Method::GET, oauth::KEY_SET_PATH, oauth::KEY_SET, oauth::key_set),
        row(Method::GET, oauth::METADATA_PATH, oauth::METADATA, oauth::metadata),
        row(Method::POST, oauth::INTROSPECT_PATH, introspect::POST, introspect::post),
        row(Method::POST, oauth::REVOKE_PATH, revoke::POST, revoke::post),
        row(Method::GET, probe::PATH, probe::SHOW, probe::show),
        row(Method::GET, OWN_SESSIONS, account_sessions::LIST, account_sessions::list),
        row(
            Method::DELETE,
            OWN_SESSIONS,
            account_sessions::END_OTHERS,
            account_sessions::end_others,
        ),
        row(Method::DELETE, OWN_SESSION, account_sessions::END, account_sessions::end),
        row(Method::GET, "/api/account/places", places::LIST, places::list),
        row(Method::DELETE, "/api/account/places/{id}", places::REMOVE, places::remove),
    ]
}
