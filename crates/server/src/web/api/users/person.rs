//! How a user looks in the answers to administrators: the thirteen documented keys, `ID` in capitals
//! included, and a few of our own. Never a password.

use portcullis_domain::permission::Grants;
use portcullis_domain::text::Username;
use portcullis_store::events::history::Line;
use portcullis_store::users::directory::Listed;
use serde_json::{Value, json};

/// A user with his role.
pub fn person(listed: &Listed) -> Value {
    let user = &listed.user;
    json!({
        "ID": user.id,
        "uuid": user.uuid,
        "first_name": user.first_name.as_str(),
        "last_name": user.last_name.as_str(),
        "email": user.email.as_str(),
        "username": user.username.as_ref().map(Username::as_str),
        "phone": user.phone,
        "account_type_id": user.account_type.id(),
        "account_type_name": user.account_type.name(),
        "account_status_id": user.status.id(),
        "account_status_name": user.status.title(),
        "branch_id": user.branch_id,
        "role_id": user.role_id,
        "role_name": listed.role_name,
        "role_level": listed.role_level,
        "created_at": user.created_at.iso(),
        "updated_at": user.updated_at.iso(),
    })
}

/// A user with what was given to him beside his role.
pub fn with_own(listed: &Listed, own: &Grants) -> Value {
    let mut person = person(listed);
    if let Value::Object(keys) = &mut person {
        keys.insert("own_permissions".to_owned(), keys_of(own));
    }
    person
}

/// Permission keys as they are spelled here.
pub fn keys_of(grants: &Grants) -> Value {
    grants.iter().map(ToString::to_string).collect()
}

/// A line of what happened to an account, in the documented keys of the activity log.
pub fn event(line: &Line) -> Value {
    json!({
        "ID": line.event.id,
        "user_id": line.event.context.actor,
        "user_name": line.actor_name,
        "action": line.event.name,
        "resource_type": "user",
        "resource_id": line.event.context.subject,
        "ip_address": line.event.context.ip,
        "created_at": line.event.at.iso(),
        "outcome": line.event.outcome,
        "severity": line.event.severity,
        "detail": line.event.detail,
    })
}
