//! `/api/security/password-breach-check`: which breached passwords have a prefix (contract P14), and whether
//! a password is one (P15). Neither a prefix nor a password stands in a log.

use std::time::Duration;

use http::StatusCode;
use jiff::civil::Date;
use portcullis_breach::Prefix;
use portcullis_domain::password::{PolicyFault, is_too_long};
use portcullis_domain::text::grouped;
use serde_json::{Value, json};

use crate::flows::breach::{self, Answer as Checked, By, Sources};
use crate::web::caller::{Allowed, PasswordBreachCheckRead, Somebody};
use crate::web::error::{Error, Fault};
use crate::web::input::both;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/security/password-breach-check";

/// The fewest characters of a password that is asked about (contract P15).
const FEWEST: usize = 4;
/// When it may be asked again, if nobody answers.
const RETRY_AFTER: Duration = Duration::from_secs(30);

pub const BELOW: Doc = Doc {
    id: "list_breached_passwords",
    summary: "How many breached passwords have a hash (SHA-1) that begins so, how often they were found, and \
              what follows in each hash. Whoever asks looks there for his own: the first five digits alone say \
              nothing, as every prefix has some. source says who knows it: the offline index knows the first \
              ten digits that follow, the others all 35.",
    family: Family::P,
    fields: &[("hash_prefix", true, "The first five hexadecimal digits of the hash.")],
    answer: (
        200,
        r#"{"success":true,"data":{"breached":true,"count":52256179,"suffixes":[{"suffix":"2DC183F740EE76F27B78EB39C8AD972A757","count":52256179}],"source":"online","date":"2025-11-20"}}"#,
    ),
    ..Doc::USUAL
};

pub const CHECK: Doc = Doc {
    id: "check_breached_password",
    summary: "Whether a password is breached, how often it was found at least, who says so, and of what date. \
              unavailable names the sources that did not answer.",
    family: Family::P,
    fields: &[
        ("password", true, "The password, of at least four characters."),
        ("return_count", false, "true or false; the count is always there."),
        ("csrf_token", false, "The CSRF token, unless it is in a header."),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"This password has appeared in 3,200 data breaches.","breached":true,"count":3200,"source":"online","date":"2025-11-20","unavailable":[]}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/security/password-breach-check`.
pub async fn below(call: Call, _: Somebody) -> Answer {
    let prefix = call.facts.query("hash_prefix");
    let prefix = prefix.as_deref().and_then(Prefix::parse).ok_or_else(|| {
        let detail = "must be the first five hexadecimal digits of a SHA-1 hash";
        Error::Invalid(vec![Fault::invalid("hash_prefix", detail)])
    })?;
    let below = breach::below(Sources::of(&call.app), prefix).await.ok_or_else(unavailable)?;
    let count = below.suffixes.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let suffix = |(suffix, count): &(String, u64)| json!({ "suffix": suffix, "count": count });
    let suffixes: Vec<Value> = below.suffixes.iter().map(suffix).collect();
    let data = json!({
        "breached": !suffixes.is_empty(), "count": count, "suffixes": suffixes,
        "source": below.by.source.as_str(), "date": told(below.by.date),
    });
    Ok(json_reply(StatusCode::OK, &json!({ "success": true, "data": data })))
}

/// `POST /api/security/password-breach-check`.
pub async fn check(call: Call, _: Allowed<PasswordBreachCheckRead>) -> Answer {
    let password = password(call.fields.text("password"), call.fields.has("password"));
    let (password, _) = both(password, call.fields.flag("return_count")).map_err(Error::Invalid)?;
    let checked = breach::check(Sources::of(&call.app), password).await;
    let by = checked.hit.map(|hit| hit.by).or(checked.by).ok_or_else(unavailable)?;
    Ok(json_reply(StatusCode::OK, &body(&checked, by)))
}

fn password(text: Option<&str>, is_there: bool) -> Result<&str, Fault> {
    const NAME: &str = "password";
    match text {
        None if is_there => Err(Fault::invalid(NAME, "must be a string")),
        None | Some("") => Err(Fault::required(NAME)),
        Some(text) if is_too_long(text) => {
            let (code, detail) = (PolicyFault::TooLong.code(), PolicyFault::TooLong.to_string());
            Err(Fault { field: NAME, code, detail: detail.into() })
        }
        Some(text) if text.chars().count() < FEWEST => {
            Err(Fault::invalid(NAME, "must have at least 4 characters"))
        }
        Some(text) => Ok(text),
    }
}

fn body(checked: &Checked, by: By) -> Value {
    let silent: Vec<&str> = checked.silent.iter().map(|source| source.as_str()).collect();
    let count = checked.hit.map_or(0, |hit| hit.count);
    let message = match i64::try_from(count) {
        Ok(0) if silent.is_empty() => {
            "This password has not appeared in any known data breach.".to_owned()
        }
        Ok(0) => "Those who answered know of no data breach with this password.".to_owned(),
        Ok(1) => "This password has appeared in 1 data breach.".to_owned(),
        Ok(many) => format!("This password has appeared in {} data breaches.", grouped(many)),
        Err(_) => "This password has appeared in countless data breaches.".to_owned(),
    };
    json!({
        "success": true, "message": message, "breached": checked.hit.is_some(), "count": count,
        "source": by.source.as_str(), "date": told(by.date), "unavailable": silent,
    })
}

fn told(date: Option<Date>) -> Option<String> {
    date.map(|date| date.to_string())
}

fn unavailable() -> Error {
    Error::Unavailable { code: "breach_unavailable", retry_after: RETRY_AFTER }
}
