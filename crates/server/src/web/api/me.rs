//! `GET /api/auth/me`: who is calling, in the shapes of every family at once (contract C6).

use http::StatusCode;
use portcullis_domain::account::AccountStatus;
use portcullis_domain::id::UserId;
use portcullis_domain::permission::Grant;
use portcullis_domain::text::full_name;
use portcullis_store::users::User as Account;
use serde::Serialize;

use crate::web::caller::{InSession, SignedIn};
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// The flat keys are those of the S family, `user` and `membership` those of the Z family.
#[derive(Serialize)]
struct Me<'a> {
    id: UserId,
    uuid: &'a str,
    email: &'a str,
    name: &'a str,
    #[serde(rename = "avatarUrl")]
    avatar_url: Option<&'a str>,
    role: &'a str,
    account_type: &'static str,
    status: &'static str,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    #[serde(rename = "lastLoginAt")]
    last_login_at: String,
    #[serde(rename = "organizationId")]
    organization_id: Option<&'a str>,
    #[serde(rename = "organizationName")]
    organization_name: Option<&'a str>,
    #[serde(rename = "organizationRole")]
    organization_role: Option<&'a str>,
    user: User<'a>,
    membership: Option<&'a str>,
}

#[derive(Serialize)]
struct User<'a> {
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    is_superuser: bool,
}

pub const SHOW: Doc = Doc {
    id: "show_caller",
    summary: "Who is calling.",
    answer: (
        200,
        r#"{"id":1,"email":"user@example.com","name":"Jane Smith","user":{"username":"jane","first_name":"Jane","last_name":"Smith","is_superuser":false},"membership":null}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/auth/me`.
pub async fn show(_: Call, SignedIn(caller): SignedIn) -> Answer {
    Ok(reply(StatusCode::OK, &caller, &caller.found().user))
}

/// The caller, as the account is now.
pub fn reply(status: StatusCode, caller: &InSession, user: &Account) -> Reply {
    let name = full_name(user.first_name.as_str(), user.last_name.as_str());
    json_reply(status, &me(caller, user, &name))
}

/// What somebody signs in as; every account has an address.
pub fn username(user: &Account) -> &str {
    user.username.as_ref().map_or(user.email.as_str(), |name| name.as_str())
}

fn me<'a>(caller: &'a InSession, user: &'a Account, name: &'a str) -> Me<'a> {
    let found = caller.found();
    Me {
        id: user.id,
        uuid: &user.uuid,
        email: user.email.as_str(),
        name,
        avatar_url: user.avatar_url.as_deref(),
        role: &found.role.name,
        account_type: user.account_type.name(),
        status: match user.status {
            AccountStatus::Active => "ACTIVE",
            AccountStatus::Disabled => "DISABLED",
            AccountStatus::Deleted => "DELETED",
        },
        created_at: user.created_at.iso(),
        updated_at: user.updated_at.iso(),
        last_login_at: caller.session().auth_time.iso(),
        organization_id: None,
        organization_name: None,
        organization_role: None,
        user: User {
            username: username(user),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            is_superuser: caller.grants().covers(&Grant::All),
        },
        membership: None,
    }
}
