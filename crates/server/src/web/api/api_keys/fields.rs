//! What is asked of API keys: the fields of a body, by API as JSON and by the page as a form, where a list
//! is text with commas or lines between. All faults are told at once.

use std::time::Duration;

use ipnet::IpNet;
use portcullis_domain::activity::span;
use portcullis_domain::api_key::{Addresses, Scope, Scopes, State, network};
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::Terms;
use serde_json::Value;

use crate::flows::api_keys::LONGEST_OVERLAP;
use crate::web::error::{Error, Fault};
use crate::web::input::Fields;
use crate::web::query::{Blank, Reading, number};
use crate::web::request::Facts;

const MAX_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 500;
/// The most networks, and the longest text of a list, in characters.
const MOST_NETWORKS: usize = 50;
const MAX_LIST: usize = 4000;
const LIMIT: Limit = Limit { count: 1000, period: Duration::from_hours(1) };
const MOST_REQUESTS: i64 = 1_000_000;
const LONGEST_WINDOW: i64 = 24 * 60 * 60;

/// The terms of a key that is made.
pub fn created(fields: &Fields, now: Time) -> Result<Terms, Vec<Fault>> {
    let usual = Terms {
        name: String::new(),
        description: String::new(),
        scopes: [Scope::Read].into_iter().collect(),
        addresses: Addresses::default(),
        limit: LIMIT,
        expires_at: None,
    };
    let named = fields.required("name", MAX_NAME).map(drop);
    match (named, changed(fields, &usual, now)) {
        (Ok(()), terms) => terms,
        (Err(fault), Ok(_)) => Err(vec![fault]),
        // An empty name is a fault of both.
        (Err(fault), Err(others)) => {
            let others = others.into_iter().filter(|other| other.field != "name");
            Err([fault].into_iter().chain(others).collect())
        }
    }
}

/// The terms of a key that is changed; what is absent stays.
pub(super) fn changed(fields: &Fields, before: &Terms, now: Time) -> Result<Terms, Vec<Fault>> {
    let (mut terms, mut faults) = (before.clone(), Vec::new());
    put(&mut faults, name(fields), |name| terms.name = name);
    put(&mut faults, description(fields), |description| terms.description = description);
    put(&mut faults, scopes(fields), |scopes| terms.scopes = scopes);
    put(&mut faults, addresses(fields), |addresses| terms.addresses = addresses);
    put(&mut faults, bounded(fields, "rateLimit", MOST_REQUESTS), |count| {
        terms.limit.count = u32::try_from(count).unwrap_or(u32::MAX);
    });
    put(&mut faults, bounded(fields, "rateLimitWindow", LONGEST_WINDOW), |seconds| {
        terms.limit.period = Duration::from_secs(u64::try_from(seconds).unwrap_or(1));
    });
    put(&mut faults, expires(fields, now), |end| terms.expires_at = end.moment());
    if faults.is_empty() { Ok(terms) } else { Err(faults) }
}

/// Puts what a field says where it belongs; what is absent stays.
fn put<T>(faults: &mut Vec<Fault>, read: Result<Option<T>, Fault>, place: impl FnOnce(T)) {
    match read {
        Ok(Some(value)) => place(value),
        Ok(None) => {}
        Err(fault) => faults.push(fault),
    }
}

/// What the status is to be.
pub(super) fn state(fields: &Fields) -> Result<Option<State>, Fault> {
    let Some(word) = fields.optional("status", MAX_NAME)? else { return Ok(None) };
    match State::parse(word) {
        Some(state @ (State::Active | State::Revoked)) => Ok(Some(state)),
        Some(State::Expired | State::Suspended) | None => {
            Err(Fault::invalid("status", "must be ACTIVE or REVOKED"))
        }
    }
}

/// For how long an old value goes on; without a word of it not at all.
pub fn overlap(fields: &Fields) -> Result<Duration, Fault> {
    let fault = || Fault::invalid("overlap", "must be 0 to 2592000 seconds");
    let Some(seconds) = fields.number("overlap")? else { return Ok(Duration::ZERO) };
    let overlap = u64::try_from(seconds).map(Duration::from_secs).map_err(|_| fault())?;
    if overlap <= LONGEST_OVERLAP { Ok(overlap) } else { Err(fault()) }
}

/// Which page, and how many a page has.
pub(super) fn page(facts: &Facts) -> Result<(i64, i64), Error> {
    let mut query = Reading::new(facts, Blank::Absent);
    let read = |text: &str| number(text, 1, 1_000_000_000).and_then(|it| i64::try_from(it).ok());
    let page = query.optional("page", "must be a number from 1", read);
    let limit = query.optional("limit", "must be a number from 1", read);
    query.done((page.unwrap_or(1), limit.unwrap_or(50).min(100)))
}

fn name(fields: &Fields) -> Result<Option<String>, Fault> {
    let Some(text) = fields.optional("name", MAX_NAME)? else { return Ok(None) };
    let name = text.trim();
    if name.is_empty() {
        return Err(Fault::required("name"));
    }
    if name.chars().any(char::is_control) {
        return Err(Fault::invalid("name", "must not hold control characters"));
    }
    Ok(Some(name.to_owned()))
}

fn description(fields: &Fields) -> Result<Option<String>, Fault> {
    if fields.text("description") == Some("") {
        return Ok(Some(String::new()));
    }
    Ok(fields.optional("description", MAX_DESCRIPTION)?.map(ToOwned::to_owned))
}

fn scopes(fields: &Fields) -> Result<Option<Scopes>, Fault> {
    let fault = || Fault::invalid("scopes", "must be some of read, write, delete and admin");
    let Some(words) = list(fields, "scopes")? else { return Ok(None) };
    let scopes: Option<Scopes> = words.iter().map(|word| Scope::parse(word)).collect();
    scopes.filter(|scopes| !scopes.is_empty()).map(Some).ok_or_else(fault)
}

fn addresses(fields: &Fields) -> Result<Option<Addresses>, Fault> {
    let fault = || {
        Fault::invalid(
            "allowedIps",
            "must be at most 50 addresses or networks such as 192.0.2.0/24",
        )
    };
    let Some(texts) = list(fields, "allowedIps")? else { return Ok(None) };
    if texts.len() > MOST_NETWORKS {
        return Err(fault());
    }
    let networks: Option<Vec<IpNet>> = texts.iter().map(|text| network(text)).collect();
    networks.map(|networks| Some(networks.into_iter().collect())).ok_or_else(fault)
}

fn bounded(fields: &Fields, name: &'static str, most: i64) -> Result<Option<i64>, Fault> {
    let fault = || match name {
        "rateLimit" => Fault::invalid(name, "must be 1 to 1000000"),
        _ => Fault::invalid(name, "must be 1 to 86400 seconds"),
    };
    let Some(number) = fields.number(name)? else { return Ok(None) };
    if (1..=most).contains(&number) { Ok(Some(number)) } else { Err(fault()) }
}

/// An end that is asked for.
enum End {
    Never,
    At(Time),
}

impl End {
    fn moment(self) -> Option<Time> {
        match self {
            Self::Never => None,
            Self::At(end) => Some(end),
        }
    }
}

/// The end that is asked for; a day counts whole.
fn expires(fields: &Fields, now: Time) -> Result<Option<End>, Fault> {
    const DAY: usize = 10;
    let fault = || Fault::invalid("expiresAt", "must be a day or a moment (RFC 3339) to come");
    match fields.value("expiresAt") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(End::Never)),
        Some(Value::String(text)) if text.is_empty() => Ok(Some(End::Never)),
        Some(Value::String(text)) => {
            let end = if text.len() == DAY { span::until(text) } else { span::from(text) };
            end.filter(|end| *end > now).map(|end| Some(End::At(end))).ok_or_else(fault)
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(fault())
        }
    }
}

/// An array of texts, or a text with commas, white space or lines between.
fn list(fields: &Fields, name: &'static str) -> Result<Option<Vec<String>>, Fault> {
    let fault = || Fault::invalid(name, "must be an array of strings");
    match fields.value(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_LIST => {
            let parts = text.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty());
            Ok(Some(parts.map(ToOwned::to_owned).collect()))
        }
        Some(Value::Array(values)) => {
            let text = |value: &Value| value.as_str().map(ToOwned::to_owned).ok_or_else(fault);
            values.iter().map(text).collect::<Result<_, _>>().map(Some)
        }
        Some(Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(fault())
        }
    }
}
