//! `GET /api/admin/api-permissions` (P33): which permission opens what, and which role holds it. Made
//! from the table of routes and the rules of the gate, so that it cannot say anything that the server
//! does not do. The path is our own: nothing documents it.

use std::collections::BTreeMap;

use http::StatusCode;
use portcullis_domain::permission::{Grant, Key};
use portcullis_domain::role::{DOCUMENTED_KEYS, Role};
use portcullis_domain::rule::Allow;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::flows::roles::list;
use crate::web::caller::{Allowed, ApiPermissionsManage};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const SHOW: Doc = Doc {
    id: "show_permission_matrix",
    summary: "Every permission key: what it opens here and behind the gate, and which roles hold it.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":[{"key":"api.jobs.manage.manage","opens":["rule jobs"],"roles":{"owner":true,"user":false}}],"count":1}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/admin/api-permissions`.
pub async fn show(call: Call, Allowed(_, _): Allowed<ApiPermissionsManage>) -> Answer {
    let roles = list(&call.app.db).await?;
    let rows: Vec<Value> = keys(&call.app, &roles)
        .into_iter()
        .map(|(key, opens)| {
            let held =
                roles.iter().map(|role| (role.name.clone(), role.grants.allows(&key).into()));
            let held: Map<String, Value> = held.collect();
            json!({"key": key.as_str(), "opens": opens, "roles": held})
        })
        .collect();
    let body = json!({"success": true, "count": rows.len(), "data": rows});
    Ok(json_reply(StatusCode::OK, &body))
}

/// Every key that means something here: that one of our own endpoints asks for, that a rule of the
/// gate names, that the documents name, or that some role was given by name; with what it opens.
pub fn keys(app: &App, roles: &[Role]) -> BTreeMap<Key, Vec<String>> {
    let mut keys: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for key in DOCUMENTED_KEYS.iter().filter_map(|key| Key::parse(key).ok()) {
        keys.entry(key).or_default();
    }
    for row in app.routes.rows() {
        if let Some(key) = row.level.permission().and_then(|key| Key::parse(key).ok()) {
            keys.entry(key).or_default().push(format!("{} {}", row.method, row.path));
        }
    }
    for rule in app.config.gate.rules.rules() {
        if let Allow::Permission(key) = &rule.allow {
            keys.entry(key.clone()).or_default().push(format!("rule {}", rule.id));
        }
    }
    // Pages do what the endpoints do, so what a program asks for is named first.
    for opens in keys.values_mut() {
        opens.sort_by_key(|door| door.contains(" /-/"));
    }
    for grant in roles.iter().flat_map(|role| role.grants.iter()) {
        if let Grant::Key(key) = grant {
            keys.entry(key.clone()).or_default();
        }
    }
    keys
}
