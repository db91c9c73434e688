//! Pages for people, rendered here and working without scripts; those that a link with a code leads to
//! have one, for comfort. Every page brings its own style sheet inside it, named by its hash in the
//! content policy, so that a refusal looks right even when nothing else can be fetched. Not here: what
//! the pages do, which is in `flows`.

mod account;
mod admin;
mod docs;
mod first_run;
mod keys;
mod magic_link;
mod password;
mod problem;
mod refusal;
mod second_factor;
mod sessions;
mod sign_in;
mod sign_out;
mod trusted_devices;
mod verify_place;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{CONTENT_SECURITY_POLICY, HeaderName};
use http::{Method, StatusCode};
use portcullis_domain::redirect::Next;
use portcullis_domain::text::{Username, person_name};
use portcullis_store::users::User;

use self::admin::{
    blacklist, breached_passwords as breached, limits, report, role, roles, session_end, user,
    users,
};
use super::error::Error;
use super::reply::{Reply, html_reply, set_header};
use super::table::{Row, row};

pub use refusal::{page as refusal_page, refusal, way_to_sign_in};

/// The style sheet of every page.
pub const STYLE: &str = include_str!("../../../templates/style.css");

/// Where people sign in.
pub const SIGN_IN: &str = "/-/sign-in";
/// Where an owner without a password sets one.
pub const FIRST_RUN: &str = "/-/first-run";
/// Where they prove again who they are.
pub const CONFIRM: &str = "/-/confirm";
/// Where they sign out.
const SIGN_OUT: &str = "/-/sign-out";
/// Where they type the code for a new place.
const VERIFY_PLACE: &str = "/-/verify-place";
/// Where they give their second factor.
const SECOND_FACTOR: &str = "/-/second-factor";
/// Where they set one up before they are let in.
const SET_UP_FACTOR: &str = "/-/second-factor/set-up";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The rows of the route table that are pages.
pub fn rows() -> Vec<Row> {
    let mut rows = own_rows();
    rows.extend(admin::files::rows());
    rows.extend(password::rows());
    rows.extend(magic_link::rows());
    rows.extend(second_factor::rows());
    rows
}

fn own_rows() -> Vec<Row> {
    vec![
        row(Method::GET, SIGN_IN, sign_in::SHOW, sign_in::show),
        row(Method::POST, SIGN_IN, sign_in::SUBMIT, sign_in::submit),
        row(Method::POST, VERIFY_PLACE, verify_place::SUBMIT, verify_place::submit),
        row(Method::GET, FIRST_RUN, first_run::SHOW, first_run::show),
        row(Method::POST, FIRST_RUN, first_run::SUBMIT, first_run::submit),
        row(Method::POST, SIGN_OUT, sign_out::SUBMIT, sign_out::submit),
        row(Method::GET, "/logout", sign_out::LOGOUT, sign_out::logout),
        row(Method::GET, "/-/account", account::SHOW, account::show),
        row(Method::POST, sessions::END_PATH, sessions::END, sessions::end),
        row(Method::POST, sessions::END_OTHERS_PATH, sessions::END_OTHERS, sessions::end_others),
        row(Method::GET, admin::sessions::PATH, admin::sessions::SHOW, admin::sessions::show),
        row(Method::POST, "/-/account/places", account::REMOVE_PLACE, account::remove_place),
        row(Method::GET, keys::PATH, keys::SHOW, keys::show),
        row(Method::POST, keys::PATH, keys::SUBMIT, keys::submit),
        row(Method::GET, "/-/docs", docs::SHOW, docs::show),
        row(Method::GET, admin::PATH, admin::SHOW, admin::show),
        row(Method::GET, admin::activity::PATH, admin::activity::SHOW, admin::activity::show),
        row(Method::GET, breached::PATH, breached::SHOW, breached::show),
        row(Method::GET, users::PATH, users::SHOW, users::show),
        row(Method::GET, users::NEW_PATH, users::SHOW_NEW, users::show_new),
        row(Method::POST, users::NEW_PATH, users::SUBMIT_NEW, users::submit_new),
        row(Method::GET, user::PATH, user::SHOW, user::show),
        row(Method::POST, user::PATH, user::SUBMIT, user::submit),
        row(Method::GET, roles::PATH, roles::SHOW, roles::show),
        row(Method::POST, roles::PATH, roles::SUBMIT, roles::submit),
        row(Method::GET, roles::EXPORT_PATH, roles::EXPORT, roles::exported),
        row(Method::GET, role::PATH, role::SHOW, role::show),
        row(Method::POST, role::PATH, role::SUBMIT, role::submit),
        row(Method::POST, session_end::PATH, session_end::SUBMIT, session_end::submit),
        row(Method::GET, report::PATH, report::SHOW, report::show),
        row(Method::GET, report::FILE_PATH, report::SAVE, report::save),
        row(Method::GET, limits::PATH, limits::SHOW, limits::show),
        row(Method::POST, limits::PATH, limits::SUBMIT, limits::submit),
        row(Method::POST, limits::UNLOCK_PATH, limits::SUBMIT_UNLOCK, limits::unlock),
        row(Method::GET, blacklist::PATH, blacklist::SHOW, blacklist::show),
        row(Method::POST, blacklist::PATH, blacklist::ADD, blacklist::add),
        row(Method::POST, blacklist::REMOVE_PATH, blacklist::REMOVE, blacklist::remove),
    ]
}

/// A page whose forms lead to ourselves.
fn show(status: StatusCode, page: &impl Template) -> Result<Reply, Error> {
    let html = page.render().map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a page was not rendered");
        Error::Internal
    })?;
    let mut reply = html_reply(status, html);
    set_header(&mut reply, CONTENT_SECURITY_POLICY, &POLICY);
    set_header(&mut reply, OPENER_POLICY, "same-origin");
    Ok(reply)
}

/// Lets the forms of a page lead on to this place: some browsers hold the redirect that answers a
/// form against `form-action` as well (CSP 3, section 6.4.1).
fn let_forms_lead_to(reply: &mut Reply, next: &Next) {
    if next.is_local() {
        return;
    }
    let origin = next.as_str().splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"));
    set_header(reply, CONTENT_SECURITY_POLICY, &policy);
}

/// Lets one script run, the text that stands in the page.
fn allow_script(reply: &mut Reply, script: &str) {
    let hash = BASE64.encode(digest(&SHA256, script.as_bytes()));
    let policy = POLICY.replace("style-src", &format!("script-src 'sha256-{hash}'; style-src"));
    set_header(reply, CONTENT_SECURITY_POLICY, &policy);
}

/// What a page may load: its own style sheet and the icon inside it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
});

/// A span of time in words, rounded up: nobody who waits so long comes too early.
fn in_words(span: std::time::Duration) -> String {
    let seconds = span.as_millis().div_ceil(1000).max(1);
    let (count, unit) = match seconds {
        0..=120 => (seconds, "second"),
        121..=7200 => (seconds.div_ceil(60), "minute"),
        7201..=172_800 => (seconds.div_ceil(3600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// What a person is called: the full name, or else what they sign in with.
pub(super) fn shown_name(user: &User) -> String {
    let username = user.username.as_ref().map(Username::as_str);
    person_name(user.first_name.as_str(), user.last_name.as_str(), username, user.email.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn spans_in_words_are_never_too_short() {
        let check = |millis, words| assert_eq!(in_words(Duration::from_millis(millis)), words);
        check(0, "1 second");
        check(1, "1 second");
        check(1_001, "2 seconds");
        check(120_000, "120 seconds");
        check(120_001, "3 minutes");
        check(900_000, "15 minutes");
        check(7_200_001, "3 hours");
        check(172_800_000, "48 hours");
        check(172_800_001, "3 days");
        check(2_592_000_000, "30 days");
    }

    /// The hash in the policy is of what stands between the tags, to the byte.
    #[test]
    fn the_policy_admits_the_style_sheet_and_nothing_else() {
        let html = empty_html();
        let (_, rest) = html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        assert_eq!(style, STYLE);
        assert!(!STYLE.contains('\r') && !STYLE.contains('<'));
        let hash = BASE64.encode(digest(&SHA256, style.as_bytes()));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}'")), "{}", *POLICY);
        for foreign in ["<script", " style=", " onclick", "http-equiv"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
    }

    fn empty_html() -> String {
        #[derive(Template)]
        #[template(path = "base.html")]
        struct Empty;
        Empty.render().unwrap()
    }

    #[test]
    fn one_script_is_allowed_by_its_hash() {
        let mut reply = html_reply(StatusCode::OK, String::new());
        allow_script(&mut reply, "let a = 1;");
        let hash = BASE64.encode(digest(&SHA256, b"let a = 1;"));
        let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        let scripts = policy.split("; ").filter(|part| part.starts_with("script-src"));
        assert_eq!(scripts.collect::<Vec<_>>(), [format!("script-src 'sha256-{hash}'")]);
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("; style-src 'sha"));
    }

    #[test]
    fn forms_lead_to_ourselves_or_where_they_were_asked_to() {
        let origin = portcullis_domain::origin::Origin::parse("https://app.example").unwrap();
        let check = |next: &str, expected: &str| {
            let next = Next::parse(next, &[], std::slice::from_ref(&origin)).unwrap();
            let mut reply = html_reply(StatusCode::OK, String::new());
            set_header(&mut reply, CONTENT_SECURITY_POLICY, &POLICY);
            let_forms_lead_to(&mut reply, &next);
            let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
            let forms = policy.split("; ").find(|part| part.starts_with("form-action"));
            assert_eq!(forms, Some(expected), "{}", next.as_str());
        };
        check("/jobs", "form-action 'self'");
        check("https://app.example/a/b?c=d", "form-action 'self' https://app.example");
    }
}
