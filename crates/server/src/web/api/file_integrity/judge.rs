//! What is made of alerts: P8 to P10 of the contract, and our own `ignore-alerts` and `accept-alerts`. Of
//! many, what can be done is done, and the answer says of each what became of it.

use http::StatusCode;
use portcullis_domain::integrity::alert::Resolution;
use portcullis_domain::time::Time;
use serde_json::json;

use super::matching::{Which, ids, which};
use super::{CSRF, conflict, context, invalid, monitor, overtaken};
use crate::flows::integrity::judge::{self, Act, Acted, Judged, MAY_JUDGE};
use crate::flows::integrity::judge_all::{ActedOnAll, act_on_all};
use crate::web::caller::{BaselinesManage, Caller, FileAlertsManage, Fresh, Staff};
use crate::web::error::{Error, Fault, Forbidden};
use crate::web::input::Fields;
use crate::web::refusal::Family;
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const RESOLVE_PATH: &str = "/api/security/resolve-alert";
pub(super) const RESOLVE_ALL_PATH: &str = "/api/security/bulk-resolve-alerts";
pub(super) const DELETE_ALL_PATH: &str = "/api/security/bulk-delete-alerts";
pub(super) const IGNORE_PATH: &str = "/api/security/ignore-alerts";
pub(super) const ACCEPT_PATH: &str = "/api/security/accept-alerts";

/// The longest note, in characters.
pub(in crate::web) const LONGEST_NOTE: usize = 500;
/// For how many days a difference is ignored at most.
pub(in crate::web) const LONGEST_DAYS: i64 = 366;

const COUNT_DIFFERS: &str = "Another number of alerts fits by now: nothing was done";

const NOTE: (&str, bool, &str) = ("note", false, "Why, at most 500 characters.");
const IDS: (&str, bool, &str) = ("alert_ids", true, "The numbers of the alerts, at most 500.");
/// For acts that can be done to all that a filter finds.
const SOME_IDS: (&str, bool, &str) =
    ("alert_ids", false, "The numbers of the alerts, at most 500. Without it: filter.");
const FILTER: (&str, bool, &str) = (
    "filter",
    false,
    "All alerts that fit now: an object with status, severity, change_type and root, as the list has them.",
);
const COUNT: (&str, bool, &str) = (
    "expected_count",
    false,
    "With filter: how many they are, at most 1000. If others fit by now, nothing is done (409, count_differs).",
);
const RESOLUTION: (&str, bool, &str) =
    ("resolution", false, "reverted, false_positive or remediated.");
pub(super) const RESOLVE: Doc = Doc {
    id: "resolve_file_integrity_alert",
    summary: "Takes an alert for done. If the next check still sees its difference, it is new again.",
    family: Family::P,
    fields: &[("alert_id", true, "The number of the alert."), RESOLUTION, NOTE, CSRF],
    answer: (200, r#"{"success":true,"message":"Alert resolved"}"#),
    ..Doc::USUAL
};

pub(super) const RESOLVE_ALL: Doc = Doc {
    id: "resolve_file_integrity_alerts",
    summary: "Takes alerts for done.",
    fields: &[SOME_IDS, FILTER, COUNT, RESOLUTION, NOTE, CSRF],
    answer: (
        200,
        r#"{"success":true,"message":"2 alert(s) resolved","results":[{"alert_id":12,"result":"changed"},{"alert_id":13,"result":"changed"}]}"#,
    ),
    ..RESOLVE
};

pub(super) const DELETE_ALL: Doc = Doc {
    id: "delete_file_integrity_alerts",
    summary: "Deletes alerts. What they told of stays in the audit log; if the next check still sees \
              it, there is a new alert.",
    fields: &[SOME_IDS, FILTER, COUNT, CSRF],
    answer: (
        200,
        r#"{"success":true,"message":"1 alert(s) deleted","results":[{"alert_id":12,"result":"changed"}]}"#,
    ),
    ..RESOLVE
};

pub(super) const IGNORE: Doc = Doc {
    id: "ignore_file_integrity_alerts",
    summary: "Has exactly these differences be of no interest for some days. Another difference of \
              the same path is a new alert.",
    fields: &[
        SOME_IDS,
        FILTER,
        COUNT,
        ("days", true, "For how many days, from 1 to 366."),
        ("note", true, "Why, at most 500 characters."),
        CSRF,
    ],
    answer: (
        200,
        r#"{"success":true,"message":"1 alert(s) ignored","results":[{"alert_id":12,"result":"changed"}]}"#,
    ),
    ..RESOLVE
};

pub(super) const ACCEPT: Doc = Doc {
    id: "accept_file_integrity_alerts",
    summary: "Makes a baseline that says what was found for these alerts, and resolves them by it.",
    fields: &[IDS, ("note", true, "Why, at most 500 characters."), CSRF],
    answer: (
        200,
        r#"{"success":true,"message":"1 alert(s) accepted into the baseline","results":[{"alert_id":12,"result":"changed"}]}"#,
    ),
    ..RESOLVE
};

/// `POST /api/security/resolve-alert`.
pub(super) async fn resolve(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let id = call.fields.integer("alert_id").map_err(invalid)?;
    let act = Act::Resolve(resolution(&call.fields)?);
    let results = done(&call, &caller, &[id], act, note(&call.fields)?).await?;
    if results.iter().any(|(_, judged)| *judged == Judged::Unknown) {
        return Err(Error::NotFound);
    }
    Ok(json_reply(StatusCode::OK, &json!({ "success": true, "message": "Alert resolved" })))
}

/// `POST /api/security/bulk-resolve-alerts`.
pub(super) async fn resolve_all(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let act = Act::Resolve(resolution(&call.fields)?);
    bulk(&call, &caller, act, "resolved").await
}

/// `POST /api/security/bulk-delete-alerts`.
pub(super) async fn delete_all(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    bulk(&call, &caller, Act::Delete, "deleted").await
}

/// `POST /api/security/ignore-alerts`.
pub(super) async fn ignore(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let days = call.fields.integer("days").map_err(invalid)?;
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(invalid(Fault::invalid("days", "must be from 1 to 366")));
    }
    call.fields.required("note", LONGEST_NOTE).map_err(invalid)?;
    let until = Time(call.app.clock.now().0 + days * 86_400_000);
    bulk(&call, &caller, Act::Ignore { until }, "ignored").await
}

/// `POST /api/security/accept-alerts`.
pub(super) async fn accept(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<BaselinesManage>>,
) -> Answer {
    call.fields.required("note", LONGEST_NOTE).map_err(invalid)?;
    let act = Act::Resolve(Some(Resolution::Accepted));
    let results = done(&call, &caller, &ids(&call.fields)?, act, note(&call.fields)?).await?;
    if !results.is_empty() && results.iter().all(|(_, judged)| *judged == Judged::Overtaken) {
        return Err(overtaken());
    }
    Ok(told(&results, "accepted into the baseline"))
}

/// Done to the alerts that are named, or that fit.
async fn bulk(call: &Call, caller: &Caller, act: Act, said: &str) -> Answer {
    let note = note(&call.fields)?;
    let results = match which(&call.fields)? {
        Which::Named(ids) => done(call, caller, &ids, act, note).await?,
        Which::Matching(filter, expected) => {
            let context = context(call, caller);
            let monitor = monitor(call, &context);
            match act_on_all(&monitor, &filter, expected, act, note).await? {
                ActedOnAll::Done(results) => results,
                ActedOnAll::Refused => return Err(refused()),
                ActedOnAll::Others => return Err(conflict("count_differs", COUNT_DIFFERS)),
            }
        }
    };
    Ok(told(&results, said))
}

fn told(results: &[(i64, Judged)], said: &str) -> Reply {
    let changed = results.iter().filter(|(_, judged)| *judged == Judged::Changed).count();
    let one = |(id, judged): &(i64, Judged)| json!({"alert_id": id, "result": judged.as_str()});
    let body = json!({
        "success": true,
        "message": format!("{changed} alert(s) {said}"),
        "results": results.iter().map(one).collect::<Vec<_>>(),
    });
    json_reply(StatusCode::OK, &body)
}

/// Does it, as whoever asks may.
pub(in crate::web) async fn done(
    call: &Call,
    caller: &Caller,
    ids: &[i64],
    act: Act,
    note: &str,
) -> Result<Vec<(i64, Judged)>, Error> {
    let context = context(call, caller);
    match judge::act(&monitor(call, &context), ids, act, note).await? {
        Acted::Done(results) => Ok(results),
        Acted::Refused => Err(refused()),
    }
}

fn refused() -> Error {
    let (code, rule) = ("permission_missing", Some(MAY_JUDGE.to_owned()));
    Error::Forbidden(Forbidden::Permission { code, rule })
}

fn note(fields: &Fields) -> Result<&str, Error> {
    Ok(fields.optional("note", LONGEST_NOTE).map_err(invalid)?.unwrap_or_default())
}

/// How it came to be done. What changes a baseline is asked for elsewhere.
pub(in crate::web) fn resolution(fields: &Fields) -> Result<Option<Resolution>, Error> {
    let Some(word) = fields.optional("resolution", 40).map_err(invalid)? else { return Ok(None) };
    let may = [Resolution::Reverted, Resolution::FalsePositive, Resolution::Remediated];
    let resolution = Resolution::parse(word).filter(|resolution| may.contains(resolution));
    let fault = Fault::invalid("resolution", "must be reverted, false_positive or remediated");
    resolution.map(Some).ok_or_else(|| invalid(fault))
}
