//! The fields of requests about users and roles, read into what the flows take. Forms and JSON alike.

use portcullis_domain::account::{AccountType, is_branch};
use portcullis_domain::id::RoleId;
use portcullis_domain::permission::{Grant, Grants};
use portcullis_domain::text::{Email, Name, TextFault, Username};
use portcullis_store::users::directory::Page;
use serde_json::Value;

use crate::flows::users::{Status, Wanted};
use crate::web::error::{Error, Fault};
use crate::web::input::{Fields, whole_number};
use crate::web::request::{Call, Facts};

/// How many accounts or cells one request changes at most.
pub const MOST_AT_ONCE: usize = 200;

const MAX_UUID: usize = 64;
const MAX_PHONE: usize = 40;
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// One fault as the whole answer.
pub fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault])
}

/// The UUID of the account that a body is about.
pub fn uuid(call: &Call) -> Result<&str, Error> {
    let name = if call.fields.has("user_uuid") { "user_uuid" } else { "uuid" };
    call.fields.required(name, MAX_UUID).map_err(invalid)
}

/// The UUID in a query.
pub fn uuid_of_query(facts: &Facts) -> Option<String> {
    facts.query("uuid").or_else(|| facts.query("user_uuid")).filter(|uuid| is_clean(uuid))
}

/// The UUIDs of the accounts that a body is about: at least one, at most 200.
pub fn uuids(fields: &Fields) -> Result<Vec<String>, Error> {
    let name = if fields.has("user_uuids") { "user_uuids" } else { "uuids" };
    let texts = texts(fields, name, MAX_UUID).map_err(invalid)?;
    match texts.len() {
        0 => Err(invalid(Fault::required(name))),
        1..=MOST_AT_ONCE => Ok(texts),
        _ => Err(invalid(Fault::invalid(name, "must not be more than 200"))),
    }
}

/// Which part of a list a query asks for.
pub fn page(facts: &Facts) -> Result<Page, Error> {
    let number = |name| facts.query(name).map(|text| whole_number(&text));
    let limit = match number("limit") {
        None => DEFAULT_LIMIT,
        Some(Some(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(invalid(Fault::invalid("limit", "must be from 1 to 200"))),
    };
    let offset = match number("offset") {
        None => 0,
        Some(Some(offset)) if offset >= 0 => offset,
        Some(_) => return Err(invalid(Fault::invalid("offset", "must be 0 or more"))),
    };
    Ok(Page { limit, offset })
}

/// What a profile may be changed to: no address, type or status.
pub fn profile(fields: &Fields) -> Result<Wanted, Error> {
    let (first_name, last_name) = (name(fields, "first_name"), name(fields, "last_name"));
    let (phone, branch_id) = (phone(fields), branch_id(fields));
    let role = fields.number("role_id");
    match (first_name, last_name, phone, branch_id, role) {
        (Ok(first_name), Ok(last_name), Ok(phone), Ok(branch_id), Ok(role)) => Ok(Wanted {
            first_name,
            last_name,
            phone,
            branch_id,
            role: role.map(RoleId),
            ..Wanted::default()
        }),
        (first_name, last_name, phone, branch_id, role) => {
            let faults =
                [first_name.err(), last_name.err(), phone.err(), branch_id.err(), role.err()];
            Err(Error::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

/// What an account may be changed to.
pub fn account(fields: &Fields) -> Result<Wanted, Error> {
    let profile = profile(fields)?;
    let (email, username) = (email(fields), username(fields));
    let (account_type, status) = (account_type(fields), status(fields));
    match (email, username, account_type, status) {
        (Ok(email), Ok(username), Ok(account_type), Ok(status)) => {
            Ok(Wanted { email, username, account_type, status, ..profile })
        }
        (email, username, account_type, status) => {
            let faults = [email.err(), username.err(), account_type.err(), status.err()];
            Err(Error::Invalid(faults.into_iter().flatten().collect()))
        }
    }
}

/// The id of a role that must be named.
pub fn role_id(fields: &Fields) -> Result<RoleId, Error> {
    let id = fields.number("role_id").map_err(invalid)?;
    id.map(RoleId).ok_or_else(|| invalid(Fault::required("role_id")))
}

/// Permission keys: an array, or in a form one text with spaces, commas or lines between.
pub fn grants(fields: &Fields, name: &'static str) -> Result<Grants, Fault> {
    const ONE: &str = "holds something that is no permission key";
    let texts = texts(fields, name, 200)?;
    let parse = |text: &String| Grant::parse(text).map_err(|_| Fault::invalid(name, ONE));
    texts.iter().map(parse).collect()
}

/// The same; the empty text is none of them.
pub fn grants_or_none(fields: &Fields, name: &'static str) -> Result<Grants, Fault> {
    let is_blank = fields.text(name).is_some_and(|text| text.trim().is_empty());
    if is_blank { Ok(Grants::default()) } else { grants(fields, name) }
}

/// Texts: an array, or in a form one text with spaces, commas or lines between.
fn texts(fields: &Fields, name: &'static str, max: usize) -> Result<Vec<String>, Fault> {
    let fault = || Fault::invalid(name, "must be a list of texts");
    let all: Vec<String> = match fields.value(name) {
        None | Some(Value::Null) => return Err(Fault::required(name)),
        Some(Value::Array(items)) => {
            let text = |item: &Value| item.as_str().map(ToOwned::to_owned);
            items.iter().map(text).collect::<Option<_>>().ok_or_else(fault)?
        }
        Some(Value::String(text)) => {
            let is_between = |letter: char| letter == ',' || letter.is_whitespace();
            text.split(is_between).filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return Err(fault()),
    };
    let fits = |text: &String| is_clean(text) && text.len() <= max;
    if all.iter().all(fits) { Ok(all) } else { Err(fault()) }
}

/// A text that may be empty; `None` where it was not sent.
fn text<'f>(fields: &'f Fields, name: &'static str) -> Result<Option<&'f str>, Fault> {
    match fields.value(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_clean(text) => Ok(Some(text)),
        Some(Value::String(_)) => Err(Fault::invalid(name, "must not hold a NUL character")),
        Some(_) => Err(Fault::invalid(name, "must be a string")),
    }
}

/// A first or last name, which may be empty.
pub fn name(fields: &Fields, field: &'static str) -> Result<Option<Name>, Fault> {
    let parse = |text| Name::parse(text).map_err(|fault| worded(field, fault));
    text(fields, field)?.map(parse).transpose()
}

/// An e-mail address.
pub fn email(fields: &Fields) -> Result<Option<Email>, Fault> {
    let parse = |text| Email::parse(text).map_err(|_| Fault::invalid("email", "must be an email"));
    text(fields, "email")?.map(parse).transpose()
}

/// A username; the empty text takes it away.
pub fn username(fields: &Fields) -> Result<Option<Option<Username>>, Fault> {
    match text(fields, "username")?.map(str::trim) {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(text) => match Username::parse(text) {
            Ok(username) => Ok(Some(Some(username))),
            Err(fault) => Err(worded("username", fault)),
        },
    }
}

/// A phone number; the empty text takes it away.
pub fn phone(fields: &Fields) -> Result<Option<Option<String>>, Fault> {
    let Some(text) = text(fields, "phone")?.map(str::trim) else { return Ok(None) };
    let fits = text.chars().count() <= MAX_PHONE && !text.chars().any(char::is_control);
    if !fits {
        return Err(Fault::invalid("phone", "must be at most 40 characters of one line"));
    }
    Ok(Some(Some(text.to_owned()).filter(|text| !text.is_empty())))
}

/// The number of a branch.
fn branch_id(fields: &Fields) -> Result<Option<i64>, Fault> {
    let number = fields.number("branch_id")?;
    let fault = || Fault::invalid("branch_id", "must be from 1 to 2147483647");
    number.map(|number| is_branch(number).then_some(number).ok_or_else(fault)).transpose()
}

/// An account type by its documented id.
pub fn account_type(fields: &Fields) -> Result<Option<AccountType>, Fault> {
    let Some(id) = fields.number("account_type_id")? else { return Ok(None) };
    let fault = || Fault::invalid("account_type_id", "must be from 1 to 5");
    AccountType::from_id(id).map(Some).ok_or_else(fault)
}

fn status(fields: &Fields) -> Result<Option<Status>, Fault> {
    match fields.number("account_status_id")? {
        None => Ok(None),
        Some(1) => Ok(Some(Status::Open)),
        Some(2) => Ok(Some(Status::Closed)),
        Some(_) => Err(Fault::invalid("account_status_id", "must be 1 or 2")),
    }
}

pub fn worded(field: &'static str, fault: TextFault) -> Fault {
    match fault {
        TextFault::Blank => Fault::required(field),
        TextFault::TooLong { .. } => Fault::invalid(field, "is too long"),
        TextFault::Invalid(detail) => Fault::invalid(field, detail),
    }
}

/// PostgreSQL stores no NUL, and nothing of ours holds one.
fn is_clean(text: &str) -> bool {
    !text.contains('\0')
}
