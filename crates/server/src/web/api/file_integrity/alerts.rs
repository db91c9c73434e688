//! `GET /api/security/file-integrity-alerts` (P7), one of them with all that is known of it, and
//! `GET /api/security/file-diff` (P13).

use http::StatusCode;
use portcullis_domain::integrity::alert::{Kind, Severity, Status};
use portcullis_store::integrity::alerts::{Filter, Order};
use serde_json::{Value, json};

use super::shown::{alert, detail, side};
use super::{context, invalid, monitor};
use crate::flows::integrity::alerts::{self, Version};
use crate::web::caller::{FileAlertsManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::query::{Blank, Reading, number};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/api/security/file-integrity-alerts";
pub(super) const ONE: &str = "/api/security/file-integrity-alert";
pub(super) const DIFF_PATH: &str = "/api/security/file-diff";

/// How many rows an answer has unless it says so, and how many at most.
const USUAL: u64 = 25;
const MOST: u64 = 100;

pub(super) const LIST: Doc = Doc {
    id: "list_file_integrity_alerts",
    summary: "Alerts of watched files that are not as their baseline has them, page by page.",
    family: Family::P,
    fields: &[
        ("status", false, "0 new, 1 resolved or 2 ignored."),
        ("severity", false, "critical, high, medium or low."),
        ("sortBy", false, "created_at_desc, which it is without, created_at_asc or severity_desc."),
        ("page", false, "The page, counted from 1."),
        ("limit", false, "Rows of a page; without it 25, at most 100."),
        ("root", false, "The name of a root."),
        (
            "change_type",
            false,
            "added, deleted, modified, attributes, unverifiable or another kind.",
        ),
    ],
    answer: (
        200,
        r#"{"success":true,"data":[{"id":12,"file_path":"/srv/app/index.php","alert_type":"file_integrity_violation","severity":"critical","status":0,"details":"The content is another one (120 bytes before, 133 now).","created_at":"2026-11-27T10:00:00.000Z","change_type":"modified","root":"app","rule":"program","resolution":null,"note":"","resolved_by":null,"resolved_at":null,"ignored_until":null,"occurrences":1,"reopened":0,"last_seen_at":"2026-11-27T10:00:00.000Z","supersedes":null,"path":"index.php","path_b64":"aW5kZXgucGhw","moved":null}],"total":1,"page":1}"#,
    ),
    ..Doc::USUAL
};

pub(super) const SHOW: Doc = Doc {
    id: "show_file_integrity_alert",
    summary: "An alert with what was and what is there, who of the staff was signed in since it was \
              last as it ought to be, and the other alerts of the path.",
    family: Family::P,
    fields: &[("alert_id", true, "The number of the alert.")],
    answer: (200, r#"{"success":true,"data":{"id":12,"was":"","found":"","witnesses":[]}}"#),
    ..Doc::USUAL
};

pub(super) const DIFF: Doc = Doc {
    id: "show_file_diff",
    summary: "What a file and the good one differ in, as it was when the alert was made. Secrets are \
              masked; where there is nothing to show, diff_unavailable_reason says why; where \
              there is more than is shown, truncated is true and the last line says how much. \
              current_differs says whether another content is there by now, null if that cannot be told.",
    family: Family::P,
    fields: &[
        ("alert_id", true, "The number of the alert."),
        ("version", false, "current: as it is now."),
    ],
    answer: (
        200,
        r#"{"success":true,"data":{"file_path":"/srv/app/index.php","diff":"--- a/index.php\n+++ b/index.php\n@@ -1 +1 @@\n-a\n+b\n","lines_added":1,"lines_removed":1,"truncated":false,"diff_unavailable_reason":null,"current_differs":false,"before":{"type":"file","size":2,"sha256":"87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"},"after":{"type":"file","size":2,"sha256":"0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f"},"looks_like":null}}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/security/file-integrity-alerts`.
pub(super) async fn list(call: Call, Staff(_, _): Staff<FileAlertsManage>) -> Answer {
    let asked = Asked::read(&call.facts)?;
    let (page, limit) = (asked.page, asked.limit);
    let found = alerts::list(&call.app.db, &asked.filter, asked.order, page, limit).await?;
    let data: Vec<Value> = found.alerts.iter().map(alert).collect();
    let body = json!({ "success": true, "data": data, "total": found.total, "page": page });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `GET /api/security/file-integrity-alert`.
pub(super) async fn show(call: Call, Staff(_, _): Staff<FileAlertsManage>) -> Answer {
    let id = alert_id(&call.facts)?;
    let known = alerts::by_id(&call.app.db, id).await?.ok_or(Error::NotFound)?;
    Ok(json_reply(StatusCode::OK, &json!({ "success": true, "data": detail(&known) })))
}

/// `GET /api/security/file-diff`.
pub(super) async fn diff(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let id = alert_id(&call.facts)?;
    let version = match call.facts.query("version").as_deref() {
        None | Some("") => Version::Found,
        Some("current") => Version::Current,
        Some(_) => return Err(invalid(Fault::invalid("version", "must be current, or absent"))),
    };
    let context = context(&call, &caller);
    let difference = alerts::difference(&monitor(&call, &context), id, version).await;
    let difference = difference?.ok_or(Error::NotFound)?;
    let sides = &difference.sides;
    let body = json!({ "success": true, "data": {
        "file_path": difference.file_path,
        "diff": difference.diff,
        "lines_added": difference.added,
        "lines_removed": difference.removed,
        "truncated": difference.truncated,
        "diff_unavailable_reason": difference.unavailable,
        "current_differs": sides.current_differs,
        "before": sides.before.as_ref().map(side),
        "after": sides.after.as_ref().map(side),
        "looks_like": sides.looks_like,
    }});
    Ok(json_reply(StatusCode::OK, &body))
}

/// What is asked for.
pub(in crate::web) struct Asked {
    pub(in crate::web) filter: Filter,
    pub(in crate::web) order: Order,
    pub(in crate::web) page: i64,
    pub(super) limit: i64,
}

impl Asked {
    /// Reads a query; a limit above the highest is the highest.
    pub(in crate::web) fn read(facts: &Facts) -> Result<Self, Error> {
        let mut r = Reading::new(facts, Blank::Absent);
        let status = |text: &str| whole_number(text).and_then(Status::of);
        let status = r.optional("status", "must be 0, 1 or 2", status);
        let of = "must be critical, high, medium or low";
        let severity = r.optional("severity", of, Severity::parse);
        let order = |text: &str| match text {
            "created_at_desc" => Some(Order::Newest),
            "created_at_asc" => Some(Order::Oldest),
            "severity_desc" => Some(Order::Worst),
            _ => None,
        };
        let of = "must be created_at_desc, created_at_asc or severity_desc";
        let order = r.optional("sortBy", of, order);
        let page = |text: &str| number(text, 1, 1_000_000);
        let page = r.optional("page", "must be a number from 1 to 1000000", page);
        let limit = |text: &str| number(text, 1, u64::MAX).map(|limit| limit.min(MOST));
        let limit = r.optional("limit", "must be a number from 1", limit);
        let kind = r.optional("change_type", "is no kind of alert", Kind::parse);
        let name = |text: &str| (text.len() <= 40).then(|| text.to_owned());
        let root = r.optional("root", "is no name of a root", name);
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        r.done(Self {
            filter: Filter { status, severity, kind, root },
            order: order.unwrap_or_default(),
            page: signed(page.unwrap_or(1)),
            limit: signed(limit.unwrap_or(USUAL)),
        })
    }
}

/// The alert that a query is about.
pub(super) fn alert_id(facts: &Facts) -> Result<i64, Error> {
    let text = facts.query("alert_id").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| invalid(Fault::required("alert_id")))?;
    whole_number(&text).ok_or_else(|| invalid(Fault::invalid("alert_id", "must be an integer")))
}
