//! Which alerts an act on many is about: those that `alert_ids` names (contract P9, P10), or those that a
//! `filter` finds, if they are `expected_count` many.

use std::collections::BTreeSet;

use portcullis_domain::integrity::alert::{Kind, Severity, Status};
use portcullis_store::integrity::alerts::Filter;
use serde_json::{Map, Value};

use super::invalid;
use crate::flows::integrity::judge_all::MOST as MOST_FITTING;
use crate::web::error::{Error, Fault};
use crate::web::input::{Fields, whole_number};

/// So many alerts one request names.
const MOST: usize = 500;
const FILTER: &str = "filter";
const COUNT: &str = "expected_count";

/// Which alerts.
pub(super) enum Which {
    /// Each once, by number.
    Named(Vec<i64>),
    /// All that fit, and how many whoever asks has seen.
    Matching(Filter, i64),
}

/// Reads which alerts a body is about.
pub(super) fn which(fields: &Fields) -> Result<Which, Error> {
    let is_there = |name| !matches!(fields.value(name), None | Some(Value::Null));
    if !is_there(FILTER) && !is_there(COUNT) {
        return ids(fields).map(Which::Named);
    }
    if is_there("alert_ids") {
        let fault = Fault::invalid(FILTER, "does not go with alert_ids");
        return Err(invalid(fault));
    }
    let filter = match fields.value(FILTER) {
        Some(Value::Object(members)) => filter(members).map_err(invalid)?,
        Some(_) => return Err(invalid(Fault::invalid(FILTER, "must be an object"))),
        None => return Err(invalid(Fault::required(FILTER))),
    };
    let expected = fields.integer(COUNT).map_err(invalid)?;
    if !(0..=MOST_FITTING).contains(&expected) {
        return Err(invalid(Fault::invalid(COUNT, "must be from 0 to 1000")));
    }
    Ok(Which::Matching(filter, expected))
}

/// The alerts that a body names, each once: an array of numbers, or numbers with commas in a form.
pub(super) fn ids(fields: &Fields) -> Result<Vec<i64>, Error> {
    let named: Vec<Option<i64>> = match fields.value("alert_ids") {
        None | Some(Value::Null) => return Err(invalid(Fault::required("alert_ids"))),
        Some(Value::Array(numbers)) => numbers.iter().map(Value::as_i64).collect(),
        Some(Value::String(text)) => text.split(',').map(|id| whole_number(id.trim())).collect(),
        Some(_) => vec![None],
    };
    let fault = |detail| invalid(Fault::invalid("alert_ids", detail));
    if named.is_empty() {
        return Err(fault("must name at least one alert"));
    }
    if named.len() > MOST {
        return Err(fault("must name 500 alerts at most"));
    }
    let named: Option<BTreeSet<i64>> = named.into_iter().collect();
    Ok(named.ok_or_else(|| fault("must be numbers"))?.into_iter().collect())
}

/// What the list of alerts takes as parameters, as members. One that it does not know would fit more than
/// was meant.
fn filter(members: &Map<String, Value>) -> Result<Filter, Fault> {
    let mut filter = Filter::default();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let text = value.as_str();
        let is_read = match name.as_str() {
            "status" => {
                filter.status = value.as_i64().or(text.and_then(whole_number)).and_then(Status::of);
                filter.status.is_some()
            }
            "severity" => {
                filter.severity = text.and_then(Severity::parse);
                filter.severity.is_some()
            }
            "change_type" => {
                filter.kind = text.and_then(Kind::parse);
                filter.kind.is_some()
            }
            "root" => {
                filter.root = text.filter(|text| !text.contains('\0')).map(str::to_owned);
                filter.root.is_some()
            }
            _ => false,
        };
        if !is_read {
            let detail = "takes status, severity, change_type and root, as the list of alerts does";
            return Err(Fault::invalid(FILTER, detail));
        }
    }
    Ok(filter)
}
