//! `GET /api/auth/me`: who is calling, in the shapes of every family at once (contract C6).

use http::StatusCode;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::permission::Grant;
use serde_json::json;

use crate::web::caller::SignedIn;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::Answer;

/// `GET /api/auth/me`.
pub async fn show(_: Call, SignedIn(caller): SignedIn) -> Answer {
    let found = caller.found();
    let user = &found.user;
    let username = user.username.as_ref().map_or(user.email.as_str(), |name| name.as_str());
    let name = format!("{} {}", user.first_name, user.last_name);
    let body = json!({
        "id": user.id,
        "uuid": user.uuid,
        "email": user.email.as_str(),
        "name": name.trim(),
        "avatarUrl": null,
        "role": found.role.name,
        "account_type": user.account_type.name(),
        "status": match user.status {
            AccountStatus::Active => "ACTIVE",
            AccountStatus::Disabled => "DISABLED",
        },
        "createdAt": user.created_at.iso(),
        "updatedAt": user.updated_at.iso(),
        "lastLoginAt": found.session.auth_time.iso(),
        "organizationId": null,
        "organizationName": null,
        "organizationRole": null,
        "user": {
            "username": username,
            "first_name": user.first_name.as_str(),
            "last_name": user.last_name.as_str(),
            "is_superuser": caller.grants().covers(&Grant::All),
        },
        "membership": null,
    });
    Ok(json_reply(StatusCode::OK, &body))
}
