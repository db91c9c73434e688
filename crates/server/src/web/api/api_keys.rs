//! `/api/api-keys`: one's own API keys (contract S25–S32). By session only: no key makes, changes or
//! ends another, nor itself.

mod fields;
mod shown;

use std::time::Duration;

use http::{Method, StatusCode};
use portcullis_domain::api_key::State;
use portcullis_domain::id::KeyId;
use portcullis_store::api_keys::ApiKey;
use serde_json::json;

use crate::app::App;
use crate::flows::api_keys::{self, Change, Keeper, No, Reach};
use crate::flows::barrier;
use crate::flows::roles::Acting;
use crate::web::acting::Actor;
use crate::web::caller::{Allowed, ApiKeysManage, Fresh, InSession, SignedIn};
use crate::web::error::{Documented, Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc, Row, row};

pub use fields::{created, overlap};

const PATH: &str = "/api/api-keys";
const TOTALS: &str = "/api/api-keys/stats";
const ONE: &str = "/api/api-keys/{id}";
const REVOKE: &str = "/api/api-keys/{id}/revoke";
const REGENERATE: &str = "/api/api-keys/{id}/regenerate";
const USAGE: &str = "/api/api-keys/{id}/usage";
const STATS: &str = "/api/api-keys/{id}/stats";

const UNKNOWN: Documented =
    Documented { status: StatusCode::NOT_FOUND, code: "key_unknown", text: "API key not found" };

/// The rows of the table.
pub fn rows() -> Vec<Row> {
    vec![
        row(Method::POST, PATH, CREATE_DOC, create),
        row(Method::GET, PATH, LIST_DOC, list),
        row(Method::GET, TOTALS, TOTALS_DOC, totals),
        row(Method::GET, ONE, SHOW_DOC, show),
        row(Method::PATCH, ONE, CHANGE_DOC, change),
        row(Method::DELETE, ONE, DELETE_DOC, delete),
        row(Method::POST, REVOKE, REVOKE_DOC, revoke),
        row(Method::POST, REGENERATE, REGENERATE_DOC, regenerate),
        row(Method::GET, USAGE, USAGE_DOC, uses),
        row(Method::GET, STATS, STATS_DOC, statistics),
    ]
}

/// The fields of a key that is made: what the document says, and what is taken.
const CREATED: [(&str, bool, &str); 7] = [
    ("name", true, "What it is for, at most 100 characters."),
    ("description", false, "More of that, at most 500."),
    ("scopes", false, "Of read, write, delete and admin; without it read."),
    ("rateLimit", false, "Requests in a window; without it 1000."),
    ("rateLimitWindow", false, "The window in seconds; without it 3600."),
    ("allowedIps", false, "Addresses and networks that it may be used from; without it all."),
    ("expiresAt", false, "When it ends (RFC 3339); without it never."),
];

/// And of one that is changed.
const CHANGED: [(&str, bool, &str); 8] = [
    ("name", false, "What it is for, at most 100 characters."),
    ("description", false, "More of that, at most 500."),
    ("scopes", false, "Of read, write, delete and admin."),
    ("rateLimit", false, "Requests in a window."),
    ("rateLimitWindow", false, "The window in seconds."),
    ("allowedIps", false, "Addresses and networks that it may be used from; none of them for all."),
    ("expiresAt", false, "When it ends (RFC 3339); null for never."),
    ("status", false, "REVOKED or ACTIVE."),
];

const CREATE_DOC: Doc = Doc {
    id: "create_api_key",
    summary: "Makes an API key. The answer has it once, and nothing has it again.",
    family: Family::S,
    fields: &CREATED,
    answer: (
        201,
        r#"{"id":"key_6b9d0c1f2e3a4b5c6d7e8f90","name":"nightly import","key":"sk_…","keyPrefix":"sk_0123456789","scopes":["read"],"rateLimit":1000,"rateLimitWindow":3600,"expiresAt":null,"createdAt":"2026-11-22T01:02:03Z","message":"Store this key securely. It will not be shown again."}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/api-keys` (S25).
async fn create(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    call.fields.must_be_among(&CREATED.map(|(name, ..)| name))?;
    let terms = created(&call.fields, call.app.clock.now()).map_err(Error::Invalid)?;
    let actor = Actor::of(&call, &caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), &caller);
    let made = api_keys::create(keeper, caller.user_id(), &terms).await?.map_err(refused)?;
    Ok(json_reply(StatusCode::CREATED, &shown::made(&made, call.app.clock.now())))
}

const LIST_DOC: Doc = Doc {
    id: "list_api_keys",
    summary: "Your API keys, the newest first, without their values.",
    family: Family::S,
    fields: &[("status", false, "ACTIVE, REVOKED, EXPIRED or SUSPENDED.")],
    answer: (200, shown::LIST),
    ..Doc::USUAL
};

/// `GET /api/api-keys` (S26).
async fn list(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let fault = || invalid("status", "must be ACTIVE, REVOKED, EXPIRED or SUSPENDED");
    let wanted = call.facts.query("status");
    let wanted = wanted.map(|word| State::parse(&word).ok_or_else(fault)).transpose()?;
    let now = call.app.clock.now();
    let keys = api_keys::list(&call.app.db, Reach::Own(caller.user_id())).await?;
    let is_wanted = |key: &&ApiKey| wanted.is_none_or(|state| key.state(now) == state);
    let shown: Vec<_> = keys.iter().filter(is_wanted).map(|key| shown::key(key, now)).collect();
    Ok(json_reply(StatusCode::OK, &shown))
}

const SHOW_DOC: Doc = Doc {
    id: "show_api_key",
    summary: "One of your API keys, without its value.",
    family: Family::S,
    answer: (200, shown::ONE),
    ..Doc::USUAL
};

/// `GET /api/api-keys/{id}` (S26).
async fn show(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let key = own(&call, &caller, 0).await?;
    Ok(json_reply(StatusCode::OK, &shown::key(&key, call.app.clock.now())))
}

const CHANGE_DOC: Doc = Doc {
    id: "change_api_key",
    summary: "Changes an API key; what is absent stays. The status REVOKED takes it back, ACTIVE has \
              one used again that came back with a backup.",
    family: Family::S,
    fields: &CHANGED,
    answer: (200, shown::ONE),
    ..Doc::USUAL
};

/// `PATCH /api/api-keys/{id}` (S27).
async fn change(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    call.fields.must_be_among(&CHANGED.map(|(name, ..)| name))?;
    let seen = own(&call, &caller, 0).await?;
    let now = call.app.clock.now();
    let terms = fields::changed(&call.fields, &seen.terms, now).map_err(Error::Invalid)?;
    let state = fields::state(&call.fields).map_err(|fault| Error::Invalid(vec![fault]))?;
    let actor = Actor::of(&call, &caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), &caller);
    let key = api_keys::change(keeper, &seen, &Change { terms, state }).await?.map_err(refused)?;
    barrier::felt_everywhere(&call.app).await;
    Ok(json_reply(StatusCode::OK, &shown::key(&key, now)))
}

const DELETE_DOC: Doc = Doc {
    id: "delete_api_key",
    summary: "Takes an API key back, as revoking it does.",
    family: Family::S,
    answer: (200, r#"{"success":true}"#),
    ..Doc::USUAL
};

/// `DELETE /api/api-keys/{id}` (S28).
async fn delete(call: Call, SignedIn(caller): SignedIn) -> Answer {
    take_back(&call, &caller, 0).await?;
    Ok(json_reply(StatusCode::OK, &json!({"success": true})))
}

const REVOKE_DOC: Doc = Doc {
    id: "revoke_api_key",
    summary: "Takes an API key back: it is refused at once.",
    family: Family::S,
    answer: (
        201,
        r#"{"id":"key_6b9d0c1f2e3a4b5c6d7e8f90","name":"nightly import","status":"REVOKED"}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/api-keys/{id}/revoke` (S29).
async fn revoke(call: Call, SignedIn(caller): SignedIn) -> Answer {
    call.fields.must_be_among(&[])?;
    let key = take_back(&call, &caller, 1).await?;
    let body = json!({"id": key.id, "name": key.terms.name, "status": State::Revoked.as_str()});
    Ok(json_reply(StatusCode::CREATED, &body))
}

const REGENERATE_DOC: Doc = Doc {
    id: "regenerate_api_key",
    summary: "Makes an API key anew: the same key with another value, shown once. The old value dies at \
              once, or after `overlap`.",
    family: Family::S,
    fields: &[("overlap", false, "Seconds for which the old value goes on, at most 30 days.")],
    answer: (
        201,
        r#"{"id":"key_6b9d0c1f2e3a4b5c6d7e8f90","key":"sk_…","keyPrefix":"sk_0123456789","message":"Store this key securely. It will not be shown again."}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/api-keys/{id}/regenerate` (S30).
async fn regenerate(call: Call, Fresh(SignedIn(caller)): Fresh<SignedIn>) -> Answer {
    call.fields.must_be_among(&["overlap"])?;
    let overlap = overlap(&call.fields).map_err(|fault| Error::Invalid(vec![fault]))?;
    let id = named(&call, 1)?;
    let made = make_anew(&call, &caller, id, overlap).await?;
    Ok(json_reply(StatusCode::CREATED, &shown::made_anew(&made)))
}

const USAGE_DOC: Doc = Doc {
    id: "list_api_key_usage",
    summary: "Requests by one of your API keys, the last first: the first of each second, for 30 days.",
    family: Family::S,
    fields: &[("page", false, "From 1."), ("limit", false, "At most 100; without it 50.")],
    answer: (200, shown::USAGE),
    ..Doc::USUAL
};

/// `GET /api/api-keys/{id}/usage` (S31).
async fn uses(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let (page, limit) = fields::page(&call.facts)?;
    let key = own(&call, &caller, 1).await?;
    let offset = (page - 1).saturating_mul(limit);
    let (uses, total) = api_keys::uses(&call.app.db, key.id, limit, offset).await?;
    Ok(json_reply(StatusCode::OK, &shown::uses(&uses, (page, limit, total))))
}

const STATS_DOC: Doc = Doc {
    id: "show_api_key_statistics",
    summary: "How often one of your API keys was used, and for what.",
    family: Family::S,
    answer: (200, shown::STATS),
    ..Doc::USUAL
};

/// `GET /api/api-keys/{id}/stats` (S31).
async fn statistics(call: Call, SignedIn(caller): SignedIn) -> Answer {
    let key = own(&call, &caller, 1).await?;
    let found = api_keys::statistics(&call.app.db, key.id, call.app.clock.now()).await?;
    Ok(json_reply(StatusCode::OK, &shown::statistics(&key, &found)))
}

const TOTALS_DOC: Doc = Doc {
    id: "show_api_keys_statistics",
    summary: "How many API keys there are of each state, for whoever holds api.keys.manage.",
    family: Family::S,
    answer: (
        200,
        r#"{"keys":{"total":3,"active":1,"revoked":1,"expired":1,"suspended":0},"requestsLast24h":7}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/api-keys/stats` (S32).
async fn totals(call: Call, _: Allowed<ApiKeysManage, InSession>) -> Answer {
    let (keys, requests) = api_keys::totals(&call.app.db, call.app.clock.now()).await?;
    let body = json!({
        "keys": {
            "total": keys.total,
            "active": keys.active,
            "revoked": keys.revoked,
            "expired": keys.expired,
            "suspended": keys.suspended,
        },
        "requestsLast24h": requests,
    });
    Ok(json_reply(StatusCode::OK, &body))
}

/// The caller as the keeper of his own keys.
pub fn keeper<'a>(app: &'a App, acting: Acting<'a>, caller: &InSession) -> Keeper<'a> {
    let reach = Reach::Own(caller.user_id());
    Keeper { acting, keys: &app.keys.credential, reach, letters: Some(app) }
}

/// Puts a new value in the place of one's own key's.
pub async fn make_anew(
    call: &Call,
    caller: &InSession,
    id: KeyId,
    overlap: Duration,
) -> Result<api_keys::Made, Error> {
    let actor = Actor::of(call, caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), caller);
    let made = api_keys::regenerate(keeper, id, overlap).await?.map_err(refused)?;
    barrier::felt_everywhere(&call.app).await;
    Ok(made)
}

/// What a caller is told of what was not done.
pub fn refused(no: No) -> Error {
    match no {
        No::Unknown => Error::Documented(UNKNOWN),
        No::SignedOut => Error::SignIn("session_ended"),
        No::Full => Error::Conflict("keys_full"),
        No::Overtaken => Error::Conflict("conflict"),
        No::Revoked => Error::Conflict("key_revoked"),
        No::Expired => Error::Conflict("key_expired"),
    }
}

/// Takes one's own key back, which the path names before so many segments.
async fn take_back(call: &Call, caller: &InSession, behind: usize) -> Result<ApiKey, Error> {
    take_back_named(call, caller, named(call, behind)?).await
}

/// Takes one's own key back.
pub async fn take_back_named(call: &Call, caller: &InSession, id: KeyId) -> Result<ApiKey, Error> {
    let actor = Actor::of(call, caller);
    let keeper = keeper(&call.app, actor.acting(&call.app), caller);
    let key = api_keys::revoke(keeper, id).await?.map_err(refused)?;
    barrier::felt_everywhere(&call.app).await;
    Ok(key)
}

/// The caller's own key that the path names before so many segments.
async fn own(call: &Call, caller: &InSession, behind: usize) -> Result<ApiKey, Error> {
    let reach = Reach::Own(caller.user_id());
    let key = api_keys::one(&call.app.db, reach, named(call, behind)?).await?;
    key.ok_or_else(|| refused(No::Unknown))
}

fn named(call: &Call, behind: usize) -> Result<KeyId, Error> {
    let segments: Vec<&str> = call.facts.target.path().segments().collect();
    let named = segments.iter().rev().filter(|it| !it.is_empty()).nth(behind);
    named.and_then(|text| KeyId::parse(text)).ok_or_else(|| refused(No::Unknown))
}

fn invalid(field: &'static str, detail: &'static str) -> Error {
    Error::Invalid(vec![Fault::invalid(field, detail)])
}
