//! `/api/auth/update-profile`: what people change of their own account. PATCH is the form of the Z
//! family (contract Z6), POST that of the S family (S18). What is not named here is not looked at:
//! nobody gives themselves a role, a type or an address.

use http::StatusCode;
use portcullis_domain::text::{Name, Username};
use serde_json::json;
use url::Url;

use crate::flows::own_profile::{self, Picture, Update, Wanted};
use crate::web::administering::USERNAME_IS_ADDRESS;
use crate::web::api::me;
use crate::web::caller::{InSession, SignedIn};
use crate::web::error::{Error, Fault};
use crate::web::input::Fields;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};
use portcullis_store::users::User;

pub const PATH: &str = "/api/auth/update-profile";

/// The longest address of a picture, in characters.
const MAX_URL: usize = 2048;
/// The longest text that is looked at otherwise: first and last name in one.
const MAX_TEXT: usize = 301;

pub const PATCH: Doc = Doc {
    id: "change_own_names",
    summary: "Changes the caller's own names; what is absent stays, an empty first or last name goes.",
    fields: &[
        ("username", false, "What to sign in as: up to 150 letters, digits and _ . @ + -"),
        ("first_name", false, "The first name."),
        ("last_name", false, "The last name."),
    ],
    answer: (200, r#"{"username":"jane","first_name":"Jane","last_name":"Smith"}"#),
    ..Doc::USUAL
};

pub const POST: Doc = Doc {
    id: "change_own_profile",
    summary: "Changes the caller's own name and picture; what is absent stays.",
    fields: &[
        ("name", false, "The full name: the first word is the first name."),
        ("avatarUrl", false, "The https address of a picture; null or empty for none."),
    ],
    answer: (201, r#"{"id":1,"email":"user@example.com","name":"Jane Smith","avatarUrl":null}"#),
    ..Doc::USUAL
};

/// `PATCH /api/auth/update-profile`.
pub async fn patch(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let fields = &call.fields;
    let (username, first, last) =
        (username(fields), name(fields, "first_name"), name(fields, "last_name"));
    let wanted = match (username, first, last) {
        (Ok(username), Ok(first_name), Ok(last_name)) => {
            Wanted { username, first_name, last_name, ..Wanted::default() }
        }
        (username, first, last) => {
            let faults = username.err().into_iter().chain(first.err()).chain(last.err());
            return Err(Error::Invalid(faults.collect()));
        }
    };
    let user = update(&call, &caller, &wanted).await?;
    let body = json!({
        "username": me::username(&user),
        "first_name": user.first_name.as_str(),
        "last_name": user.last_name.as_str(),
    });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `POST /api/auth/update-profile`.
pub async fn post(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let wanted = match (full_name(&call.fields), picture(&call.fields)) {
        (Ok(None), Ok(picture)) => Wanted { picture, ..Wanted::default() },
        (Ok(Some((first, last))), Ok(picture)) => {
            Wanted { first_name: Some(first), last_name: Some(last), picture, ..Wanted::default() }
        }
        (names, url) => {
            return Err(Error::Invalid(names.err().into_iter().chain(url.err()).collect()));
        }
    };
    let user = update(&call, &caller, &wanted).await?;
    Ok(me::reply(StatusCode::CREATED, &caller, &user))
}

async fn update(call: &Call, caller: &InSession, wanted: &Wanted) -> Result<Box<User>, Error> {
    let context = call.facts.context_of(caller);
    match own_profile::update(&call.app, caller.user_id(), wanted, &context).await? {
        Update::Done(user) => Ok(user),
        Update::UsernameIsAddress => {
            Err(Error::Invalid(vec![Fault::invalid("username", USERNAME_IS_ADDRESS)]))
        }
        Update::UsernameTaken => Err(Error::Conflict("username_taken")),
        Update::Gone => Err(Error::SignIn("session_revoked")),
    }
}

fn username(fields: &Fields) -> Result<Option<Username>, Fault> {
    const DETAIL: &str = "must be 1 to 150 letters, digits and _ . @ + -";
    let Some(text) = given(fields, "username")? else { return Ok(None) };
    Username::parse(text).map(Some).map_err(|_| Fault::invalid("username", DETAIL))
}

fn name(fields: &Fields, field: &'static str) -> Result<Option<Name>, Fault> {
    let Some(text) = given(fields, field)? else { return Ok(None) };
    named(field, text).map(Some)
}

fn named(field: &'static str, text: &str) -> Result<Name, Fault> {
    const DETAIL: &str = "must be at most 150 characters, none of them control characters";
    Name::parse(text).map_err(|_| Fault::invalid(field, DETAIL))
}

/// First and last name.
fn full_name(fields: &Fields) -> Result<Option<(Name, Name)>, Fault> {
    let Some(text) = given(fields, "name")? else { return Ok(None) };
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::required("name"));
    }
    let (first, last) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(Some((named("name", first)?, named("name", last)?)))
}

/// What is kept can be nothing but an address that a browser fetches over TLS.
fn picture(fields: &Fields) -> Result<Picture, Fault> {
    const DETAIL: &str = "must be an https address of at most 2048 characters";
    if !fields.has("avatarUrl") {
        return Ok(Picture::Stays);
    }
    let text = match fields.text("avatarUrl") {
        Some(text) => text.trim(),
        None => fields.optional("avatarUrl", MAX_URL)?.unwrap_or_default(),
    };
    if text.is_empty() {
        return Ok(Picture::Goes);
    }
    let fault = || Fault::invalid("avatarUrl", DETAIL);
    let url = Url::parse(text).map_err(|_| fault())?;
    let is_plain = url.scheme() == "https"
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none();
    let fits = text.chars().count() <= MAX_URL && url.as_str().len() <= MAX_URL;
    if is_plain && fits { Ok(Picture::Is(url)) } else { Err(fault()) }
}

/// The text of a field, which may be empty; `null` is absent.
fn given<'f>(fields: &'f Fields, field: &'static str) -> Result<Option<&'f str>, Fault> {
    match fields.text(field) {
        Some("") => Ok(Some("")),
        Some(_) | None => fields.optional(field, MAX_TEXT),
    }
}
