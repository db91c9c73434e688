//! `GET /api/users/permissions` (P20): what the caller may do. Parameters are ignored: nobody asks
//! here about somebody else.

use std::collections::BTreeMap;

use http::StatusCode;
use portcullis_domain::permission::Key;
use portcullis_domain::role::DOCUMENTED_KEYS;
use portcullis_domain::rule::Allow;
use serde_json::json;

use crate::app::App;
use crate::web::caller::{Caller, SignedIn};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub const SHOW: Doc = Doc {
    id: "list_permissions",
    summary: "What the caller may do, by role.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"permissions":{"api.jobs.manage.manage":true},"role":{"id":2,"name":"staff","level":50},"account_type":{"id":1,"name":"Staff"}},"message":"Permissions resolved"}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/users/permissions`.
pub async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let found = caller.found();
    let account_type = found.user.account_type;
    let body = json!({
        "success": true,
        "data": {
            "permissions": resolved(&call.app, &caller),
            "role": {"id": found.role.id, "name": found.role.name, "level": found.role.level.get()},
            "account_type": {"id": account_type.id(), "name": account_type.name()},
        },
        "message": "Permissions resolved",
    });
    Ok(json_reply(StatusCode::OK, &body))
}

/// Every key that is known here (documented, or named by a rule) and held, each spelled out, beside
/// the grants as they were given: a client that looks up one key need not understand wildcards.
fn resolved(app: &App, caller: &Caller) -> BTreeMap<String, bool> {
    let documented = DOCUMENTED_KEYS.iter().filter_map(|key| Key::parse(key).ok());
    let of_rules = app.config.gate.rules.rules().iter().filter_map(|rule| match &rule.allow {
        Allow::Permission(key) => Some(key.clone()),
        Allow::Anyone | Allow::SignedIn | Allow::AccountType(_) => None,
    });
    let held = documented.chain(of_rules).filter(|key| caller.grants().allows(key));
    let given = caller.grants().iter().map(ToString::to_string);
    held.map(|key| key.to_string()).chain(given).map(|key| (key, true)).collect()
}
