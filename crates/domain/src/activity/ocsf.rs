//! A record in the Open Cybersecurity Schema Framework, for tools that read it. The classes and
//! activities are those of the table in [`crate::event::ocsf`]; here are the attributes. What the
//! schema has no place for stands in `unmapped`, so that nothing is lost.

use serde_json::{Map, Value, json};

use super::{Record, SCHEMA, Somebody, to_the_millisecond, worded};
use crate::event::ocsf::{Class, Mapping, SCHEMA_VERSION};

/// What we are called there.
const NAME: &str = "Portcullis";
/// Of things that the schema demands and nobody knows.
const UNKNOWN: &str = "unknown";

/// The record. An event of a name that this version does not know, such as one that a newer node
/// wrote, is of the base class.
pub fn record(record: &Record) -> Value {
    let mut event = common(record);
    match record.mapping() {
        Some(mapping) => {
            classify(&mut event, mapping, record);
            of_class(&mut event, mapping.class, record);
        }
        None => insert(
            &mut event,
            json!({
                "category_uid": 0, "class_uid": 0, "activity_id": 99,
                "activity_name": record.event, "type_uid": 99,
            }),
        ),
    }
    Value::Object(event)
}

/// What every class has.
fn common(record: &Record) -> Map<String, Value> {
    let (status_id, status) = match record.outcome.as_str() {
        "success" => (1, "Success"),
        "failure" => (2, "Failure"),
        _ => (0, "Unknown"),
    };
    let (severity_id, severity) = match record.severity.as_str() {
        "info" => (1, "Informational"),
        "warning" => (3, "Medium"),
        "critical" => (5, "Critical"),
        _ => (0, "Unknown"),
    };
    let mut event = Map::new();
    insert(
        &mut event,
        json!({
            "time": record.at.0,
            "message": record.event,
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "metadata": {
                "version": SCHEMA_VERSION,
                "product": { "name": NAME, "vendor_name": NAME, "version": env!("CARGO_PKG_VERSION") },
                "uid": record.id,
                "sequence": record.index,
                "event_code": record.event,
                "log_name": "audit",
                "logged_time": record.logged.0,
            },
            "unmapped": unmapped(record),
        }),
    );
    let why = ["reason", "code", "limit"].iter().find_map(|member| record.detail.get(*member));
    if let Some(why) = why.filter(|why| why.is_string()) {
        event.insert("status_detail".to_owned(), why.clone());
    }
    if record.actor.is_some() || record.session.is_some() {
        event.insert("actor".to_owned(), actor(record));
    }
    if record.ip.is_some() {
        event.insert("src_endpoint".to_owned(), source(record));
    }
    if let Some(request) = request(record) {
        event.insert("http_request".to_owned(), request);
    }
    event
}

fn classify(event: &mut Map<String, Value>, mapping: &Mapping, record: &Record) {
    let activity = mapping.activity_id(&record.detail);
    let (category, category_name) = mapping.class.category();
    insert(
        event,
        json!({
            "category_uid": category,
            "category_name": category_name,
            "class_uid": mapping.class.uid(),
            "class_name": mapping.class.caption(),
            "activity_id": activity,
            "activity_name": mapping.activity_name(&record.detail),
            "type_uid": mapping.class.uid() * 100 + u32::from(activity),
        }),
    );
}

/// What a class demands beside that.
fn of_class(event: &mut Map<String, Value>, class: Class, record: &Record) {
    let user = || user(record.user());
    let own = match class {
        Class::AccountChange => json!({ "user": user() }),
        // Of a service and a destination one must be there.
        Class::Authentication => json!({ "user": user(), "service": { "name": NAME } }),
        Class::EntityManagement => json!({ "entity": entity(record) }),
        Class::UserAccess => json!({ "user": user(), "privileges": privileges(record) }),
        Class::GroupManagement => json!({
            "group": { "name": member(record, "role"), "type": "Role" },
            "privileges": privileges(record),
        }),
        Class::ApplicationLifecycle => json!({
            "app": { "name": NAME, "vendor_name": NAME, "version": env!("CARGO_PKG_VERSION") },
        }),
        Class::DetectionFinding => finding(record),
        Class::ApiActivity => json!({
            "api": { "operation": operation(record) },
            "actor": actor(record),
            "src_endpoint": source(record),
        }),
    };
    insert(event, own);
}

/// A finding, whose status is not whether something went well but what has been made of it.
fn finding(record: &Record) -> Value {
    let (status, status_name) = match record.event.as_str() {
        "fim_alert_opened" => (1, "New"),
        "fim_alert_ignored" => (3, "Suppressed"),
        _ => (4, "Resolved"),
    };
    json!({
        "finding_info": {
            "uid": member(record, "alert"),
            "title": "A watched file is not as it ought to be",
        },
        "status_id": status,
        "status": status_name,
    })
}

/// Somebody; where nobody is known, that is said, because the schema demands a user.
fn user(somebody: Option<&Somebody>) -> Value {
    let Some(somebody) = somebody else { return json!({ "name": UNKNOWN, "type_id": 0 }) };
    let uid = somebody.user_id.map_or_else(|| somebody.person.to_string(), |id| id.0.to_string());
    let mut user = json!({ "uid": uid, "uid_alt": somebody.person, "type_id": 1 });
    if let (Value::Object(user), Some(name)) = (&mut user, &somebody.name) {
        user.insert("name".to_owned(), name.as_str().into());
    }
    user
}

/// Who acted: a user, or the program itself.
fn actor(record: &Record) -> Value {
    let mut actor = match &record.actor {
        Some(somebody) => json!({ "user": user(Some(somebody)) }),
        None => json!({ "app_name": NAME }),
    };
    if let (Value::Object(actor), Some(session)) = (&mut actor, &record.session) {
        actor.insert("session".to_owned(), json!({ "uid": session }));
    }
    actor
}

fn source(record: &Record) -> Value {
    match &record.ip {
        Some(ip) => json!({ "ip": ip }),
        None => json!({ "name": UNKNOWN }),
    }
}

fn request(record: &Record) -> Option<Value> {
    let of_detail = |name: &str| record.detail.get(name).and_then(Value::as_str);
    let mut request = Map::new();
    if let Some(id) = &record.request_id {
        request.insert("uid".to_owned(), id.as_str().into());
    }
    if let Some(agent) = &record.user_agent {
        request.insert("user_agent".to_owned(), agent.as_str().into());
    }
    if let Some(method) = of_detail("method") {
        request.insert("http_method".to_owned(), method.into());
    }
    if let Some(path) = of_detail("path") {
        request.insert("url".to_owned(), json!({ "path": path }));
    }
    (!request.is_empty()).then_some(Value::Object(request))
}

/// What was managed.
fn entity(record: &Record) -> Value {
    let kind = record.resource().map_or(UNKNOWN, crate::event::ocsf::Resource::as_str);
    let name = record.resource_id().unwrap_or_else(|| UNKNOWN.to_owned());
    json!({ "name": name, "type": kind })
}

fn privileges(record: &Record) -> Value {
    let given = record.detail.get("key").or_else(|| record.detail.get("role"));
    json!([given.map_or_else(|| UNKNOWN.to_owned(), worded)])
}

/// What was asked of the server.
fn operation(record: &Record) -> String {
    let of_detail = |name: &str| record.detail.get(name).and_then(Value::as_str);
    match (of_detail("method"), of_detail("path")) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        _ => record.event.clone(),
    }
}

fn member(record: &Record, name: &str) -> String {
    record.detail.get(name).map_or_else(|| UNKNOWN.to_owned(), worded)
}

fn unmapped(record: &Record) -> Value {
    let mut rest = json!({
        "schema": SCHEMA,
        "leaf_hash": record.leaf_hash.to_string(),
        "logged": to_the_millisecond(record.logged),
        "outcome": record.outcome,
        "severity": record.severity,
        "detail": record.detail,
    });
    if let Value::Object(rest) = &mut rest {
        if let Some(peer) = &record.peer {
            rest.insert("peer".to_owned(), peer.as_str().into());
        }
        if record.is_erased {
            rest.insert("erased".to_owned(), true.into());
        }
    }
    rest
}

fn insert(event: &mut Map<String, Value>, members: Value) {
    if let Value::Object(members) = members {
        event.extend(members);
    }
}
