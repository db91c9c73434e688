//! `/api/admin/activity-log`: what happened, newest first (P29), and all of it to take along. The
//! documented keys come first in each row; the others are ours.

use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderName, HeaderValue};
use portcullis_domain::activity::{Record, Somebody, to_the_millisecond};
use portcullis_domain::event::ocsf::Resource;
use portcullis_domain::text::visible;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::flows::activity::export::{self, Begun, By, Format};
use crate::flows::activity::{self, Found, Reader};
use crate::flows::audit::settle;
use crate::web::activity::{query, stream};
use crate::web::caller::{ActivityLogManage, Staff};
use crate::web::refusal::Family;
use crate::web::reply::{json_reply, stream_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/admin/activity-log";
pub const EXPORT_PATH: &str = "/api/admin/activity-log/export";

/// Where the log ended when the export began: what came later is not in it.
const END: HeaderName = HeaderName::from_static("x-audit-end");

pub const LIST: Doc = Doc {
    id: "list_activity",
    summary: "What happened, newest first. Where next is, there is more, and it says where to go on; a \
              page may be shorter than limit and still not be the last. count_is_capped: there are at \
              least so many.",
    family: Family::P,
    fields: query::fields!(
        ("limit", false, "How many, up to 200; without it 50."),
        ("offset", false, "How many are passed over, up to 10000."),
        ("before", false, "Only what stands before the entry of this ID."),
    ),
    answer: (
        200,
        r#"{"success":true,"data":[{"ID":4711,"user_id":1,"user_name":"Jane Smith","action":"session_ended","resource_type":"session","resource_id":"sess_6b9d0c1f2e3a4b5c6d7e8f90","ip_address":"203.0.113.7","created_at":"2026-11-22T01:02:03.456Z","outcome":"success","severity":"info","event_id":"019ab8c1-0a2b-7c3d-8e4f-5a6b7c8d9e0f","actor":{"person":"2b7e151628aed2a6","user_id":1,"name":"Jane Smith"},"subject":{"person":"2b7e151628aed2a6","user_id":1,"name":"Jane Smith"},"session_id":"sess_6b9d0c1f2e3a4b5c6d7e8f90","request_id":"6b9d0c1f2e3a4b5c6d7e8f90","user_agent":"Mozilla/5.0 …","detail":{"reason":"logout"},"erased":false}],"count":1,"count_is_capped":false}"#,
    ),
    ..Doc::USUAL
};

pub const EXPORT: Doc = Doc {
    id: "export_activity",
    summary: "The same to take along, in the order of the log, up to where it ended when it was asked. \
              Whoever is cut off goes on with after= the last index that came. That it was taken along \
              is an event.",
    family: Family::P,
    fields: query::fields!(
        ("format", true, "csv, ndjson or ocsf."),
        ("after", false, "Only what stands after the entry of this index."),
    ),
    ..Doc::USUAL
};

#[derive(Serialize)]
struct Listed {
    success: bool,
    data: Vec<Value>,
    count: u64,
    count_is_capped: bool,
    /// Where those are that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /api/admin/activity-log`.
pub async fn list(call: Call, Staff(..): Staff<ActivityLogManage>) -> Answer {
    let (asked, wanted) = query::of_list(&call.facts)?;
    settle(&call.app).await;
    let reader = Reader { db: &call.app.db, keys: &call.app.keys.audit };
    let listing = match activity::list(reader, &asked, wanted).await? {
        Found::Listing(listing) => listing,
        Found::UnknownBefore => return Err(query::unknown_before()),
        Found::TooManyPeople => return Err(query::too_many_people(&call.facts)),
    };
    let next =
        listing.next.map(|index| query::same(&call.facts, PATH, ("before", &index.to_string())));
    let body = Listed {
        success: true,
        data: listing.records.iter().map(row).collect(),
        count: listing.count,
        count_is_capped: listing.is_capped,
        next,
    };
    Ok(json_reply(StatusCode::OK, &body))
}

/// `GET /api/admin/activity-log/export`.
pub async fn export(call: Call, Staff(caller, _): Staff<ActivityLogManage>) -> Answer {
    let (asked, after, format) = query::of_export(&call.facts)?;
    settle(&call.app).await;
    let reader = Reader { db: &call.app.db, keys: &call.app.keys.audit };
    let by = By {
        context: &call.facts.context_of(&caller),
        random: call.app.random,
        now: call.app.clock.now(),
    };
    let begun = match export::begin(reader, &asked, after, format, by).await? {
        Begun::Export(begun) => begun,
        Begun::TooManyPeople => return Err(query::too_many_people(&call.facts)),
    };
    let end = begun.end();
    let mut reply =
        stream_reply(content_type(format), stream::body(&call.app, &caller, begun, format));
    let name = format!("attachment; filename=\"activity.{}\"", format.as_str());
    reply.headers_mut().insert(END, HeaderValue::from(end));
    if let Ok(name) = HeaderValue::from_str(&name) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(reply)
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Ndjson | Format::Ocsf => "application/x-ndjson",
    }
}

/// One row: under the documented keys, and then all that is known. No text of it steers what shows it.
fn row(record: &Record) -> Value {
    let doer = record.actor.as_ref().or(record.subject.as_ref());
    let somebody = |it: &Option<Somebody>| {
        it.as_ref().map(|it| {
            let name = it.name.as_deref().map(visible);
            json!({"person": it.person, "user_id": it.user_id, "name": name})
        })
    };
    let detail: Map<String, Value> =
        record.detail.iter().map(|(name, value)| (name.clone(), inert(value))).collect();
    json!({
        "ID": record.index,
        "user_id": doer.and_then(|it| it.user_id),
        "user_name": doer.and_then(|it| it.name.as_deref()).map(visible),
        "action": record.event,
        "resource_type": record.resource().map(Resource::as_str),
        "resource_id": resource_id(record),
        "ip_address": record.ip,
        "created_at": to_the_millisecond(record.at),
        "outcome": record.outcome,
        "severity": record.severity,
        "event_id": record.id,
        "actor": somebody(&record.actor),
        "subject": somebody(&record.subject),
        "session_id": record.session,
        "request_id": record.request_id,
        "user_agent": record.user_agent.as_deref().map(visible),
        "detail": detail,
        "erased": record.is_erased,
    })
}

/// Users have numbers; everything else has a name.
fn resource_id(record: &Record) -> Value {
    let id = record.resource_id();
    if record.resource() == Some(Resource::User) {
        return record.user().and_then(|it| it.user_id).map_or(Value::Null, |id| id.0.into());
    }
    id.as_deref().map(visible).map_or(Value::Null, Value::from)
}

fn inert(value: &Value) -> Value {
    match value {
        Value::String(text) => visible(text).into(),
        Value::Array(items) => items.iter().map(inert).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), inert(value))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    }
}
