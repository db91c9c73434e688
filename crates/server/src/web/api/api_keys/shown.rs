//! API keys as they are shown to programs, by the documented names (contract S25–S31). Of a value nothing
//! but its beginning, except where one was just made.

use portcullis_domain::api_key::Scope;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::ApiKey;
use portcullis_store::api_keys::usage::Use;
use serde_json::{Value, json};

use crate::flows::api_keys::{Made, Statistics};

pub(super) const ONE: &str = r#"{"id":"key_6b9d0c1f2e3a4b5c6d7e8f90","name":"nightly import","description":"","keyPrefix":"sk_0123456789","scopes":["read"],"rateLimit":1000,"rateLimitWindow":3600,"ipWhitelist":[],"allowedIps":[],"status":"ACTIVE","expiresAt":null,"lastUsedAt":null,"usageCount":0,"createdAt":"2026-11-22T01:02:03Z","updatedAt":"2026-11-22T01:02:03Z"}"#;
pub(super) const LIST: &str = r#"[{"id":"key_6b9d0c1f2e3a4b5c6d7e8f90","name":"nightly import","keyPrefix":"sk_0123456789","scopes":["read"],"status":"ACTIVE"}]"#;
pub(super) const USAGE: &str = r#"{"logs":[{"id":"…","endpoint":"leads","method":"GET","status":200,"responseTime":4,"createdAt":"2026-11-22T01:02:03Z"}],"pagination":{"page":1,"limit":50,"total":1,"totalPages":1}}"#;
pub(super) const STATS: &str = r#"{"total":7,"last24h":7,"last7d":7,"last30d":7,"topEndpoints":[{"endpoint":"leads","count":7}],"avgResponseTime":4,"rateLimit":{"limit":1000,"window":3600}}"#;

const STORE_IT: &str = "Store this key securely. It will not be shown again.";

/// A key that was just made, with its value.
pub(super) fn made(made: &Made, now: Time) -> Value {
    let mut value = key(&made.key, now);
    if let Value::Object(members) = &mut value {
        members.insert("key".into(), made.value.as_str().into());
        members.insert("message".into(), STORE_IT.into());
    }
    value
}

/// A key that was made anew, with its value.
pub(super) fn made_anew(made: &Made) -> Value {
    json!({
        "id": made.key.id,
        "key": made.value,
        "keyPrefix": made.key.prefix,
        "message": STORE_IT,
    })
}

/// A key.
pub(super) fn key(key: &ApiKey, now: Time) -> Value {
    let terms = &key.terms;
    let scopes: Vec<_> = terms.scopes.iter().map(Scope::as_str).collect();
    let addresses: Vec<_> = terms.addresses.iter().map(ToString::to_string).collect();
    json!({
        "id": key.id,
        "name": terms.name,
        "description": terms.description,
        "keyPrefix": key.prefix,
        "scopes": scopes,
        "rateLimit": terms.limit.count,
        "rateLimitWindow": terms.limit.period.as_secs(),
        "ipWhitelist": addresses,
        "allowedIps": addresses,
        "status": key.state(now).as_str(),
        "expiresAt": terms.expires_at.map(Time::iso),
        "lastUsedAt": key.last_used_at.map(Time::iso),
        "usageCount": key.usage_count,
        "createdAt": key.created_at.iso(),
        "updatedAt": key.updated_at.iso(),
    })
}

/// A page of requests: its number, how many it may have, and how many there are.
pub(super) fn uses(uses: &[Use], (page, limit, total): (i64, i64, i64)) -> Value {
    let logs: Vec<_> = uses
        .iter()
        .map(|it| {
            json!({
                "id": it.id,
                "endpoint": it.endpoint,
                "method": it.method,
                "status": it.status,
                "responseTime": it.took_ms,
                "createdAt": it.at.iso(),
            })
        })
        .collect();
    let pages = (total + limit - 1).checked_div(limit).unwrap_or_default();
    let pagination = json!({"page": page, "limit": limit, "total": total, "totalPages": pages});
    json!({"logs": logs, "pagination": pagination})
}

/// What was done with a key. Times are milliseconds.
pub(super) fn statistics(key: &ApiKey, found: &Statistics) -> Value {
    let top: Vec<_> = found
        .top
        .iter()
        .map(|(endpoint, count)| json!({"endpoint": endpoint, "count": count}))
        .collect();
    let Statistics { last_24h, last_7d, last_30d, average_ms, .. } = found;
    let limit = key.terms.limit;
    json!({
        "total": key.usage_count,
        "last24h": last_24h,
        "last7d": last_7d,
        "last30d": last_30d,
        "topEndpoints": top,
        "avgResponseTime": average_ms,
        "rateLimit": {"limit": limit.count, "window": limit.period.as_secs()},
    })
}
