//! Users, roles and rights, looked after by people who may look after some of them.

mod accounts;
mod factors;
mod levels;
mod listing;
mod nodes;
mod owners;
mod pages;
mod profile;
mod races;
mod report;
mod rights;
mod roles;

use http::Method;
use portcullis_domain::account::AccountType;
use portcullis_domain::id::RoleId;
use portcullis_domain::permission::Grant;
use portcullis_domain::role::Level;
use portcullis_domain::text::Name;
use portcullis_store::roles::NewRole;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::people::Person;

const USERS: &str = "/api/users/users";
const ROLES: &str = "/api/admin/roles";
const PROFILE: &str = "/api/users/profile";
const PERMISSIONS: &str = "/api/users/permissions";
const LOGOUT_USER: &str = "/api/users/logout-user";

const DONE: &str = "Operation completed successfully";

/// Everything that administers, one key of the application, and what ordinary users hold.
const MANAGER_KEYS: [&str; 9] = [
    "api.admin.activity_log.manage",
    "api.admin.roles.manage",
    "api.admin.user_management_policy.manage",
    "api.admin.api_permissions.manage",
    "api.users.users.manage",
    "api.users.permissions.manage",
    "api.users.logout_user.manage",
    "api.jobs.manage.manage",
    "api.security.mobile_auth.use",
];

/// Looks after others, at level 50.
const MANAGER: Person = staff("manager@example.com", "manager", "manager");
/// Another one.
const DEPUTY: Person = staff("deputy@example.com", "deputy", "manager");
/// At the level of the managers, with a key that they lack.
const PEER: Person = staff("peer@example.com", "peer", "peer");
/// Below them.
const CLERK: Person = staff("clerk@example.com", "clerk", "clerk");
/// Above them, without being an owner.
const CHIEF: Person = staff("chief@example.com", "chief", "chief");
/// Manages users, and is no staff.
const AGENCY: Person =
    Person { account_type: AccountType::Agent, ..staff("agency@example.com", "agency", "manager") };

const fn staff(email: &'static str, username: &'static str, role: &'static str) -> Person {
    Person { email, username: Some(username), account_type: AccountType::Staff, role }
}

/// Makes the roles of these people: `manager` and `peer` at 50, `clerk` at 20, `chief` at 80.
async fn make_roles(server: &TestApp) {
    make_role(server, "manager", 50, &MANAGER_KEYS).await;
    make_role(server, "peer", 50, &["api.leads.list"]).await;
    make_role(server, "clerk", 20, &[]).await;
    make_role(server, "chief", 80, &["api.*"]).await;
}

pub(crate) async fn make_role(server: &TestApp, name: &str, level: i64, keys: &[&str]) -> RoleId {
    let now = server.app.clock.now();
    let mut tx = server.app.db.write().await.unwrap();
    let (name, level) = (Name::parse(name).unwrap(), Level::new(level).unwrap());
    let id = portcullis_store::roles::insert(&mut tx, &NewRole { name, level }, now).await.unwrap();
    for key in keys {
        let grant = Grant::parse(key).unwrap();
        portcullis_store::roles::grant(&mut tx, id, &grant).await.unwrap();
    }
    tx.commit().await.unwrap();
    id
}

async fn role_id(server: &TestApp, name: &str) -> RoleId {
    let mut tx = server.app.db.read().await.unwrap();
    portcullis_store::roles::by_name(&mut tx, name).await.unwrap().unwrap().id
}

async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.act(Method::POST, path, body).await
}

async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    client.act(Method::PUT, path, body).await
}

/// What the store says of a user now, as administrators see it.
async fn user(client: &Client, uuid: &str) -> Value {
    let answer = client.get(&format!("{USERS}?action=get_user&uuid={uuid}")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}

/// Whether this client is somebody.
async fn is_in(client: &Client) -> bool {
    client.get("/api/auth/me").send().await.status == 200
}

/// One act on a user's account.
fn on(action: &str, uuid: &str, more: &Value) -> Value {
    let mut body = json!({"action": action, "uuid": uuid});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}
