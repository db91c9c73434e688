//! The list of API keys, as a table or as JSON.

use std::process::ExitCode;

use portcullis_domain::id::{KeyId, UserId};
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::ApiKey;
use serde::Serialize;

use super::super::output::Output;

/// Prints it.
pub(super) fn print(keys: &[ApiKey], now: Time, output: Output) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row> = keys.iter().map(|key| Row::new(key, now)).collect();
    let header = ["Key", "User", "Name", "Begins with", "Scopes", "Status", "Last used", "Ends"];
    output.list(&rows, header, rows.iter().map(Row::cells))
}

#[derive(Serialize)]
struct Row {
    id: KeyId,
    user_id: UserId,
    name: String,
    prefix: String,
    scopes: String,
    allowed_ips: String,
    status: &'static str,
    usage_count: i64,
    /// RFC 3339, UTC, as the next two.
    created_at: String,
    last_used_at: Option<String>,
    expires_at: Option<String>,
}

impl Row {
    fn new(key: &ApiKey, now: Time) -> Self {
        Self {
            id: key.id,
            user_id: key.user_id,
            name: visible(&key.terms.name),
            prefix: key.prefix.clone(),
            scopes: key.terms.scopes.to_string(),
            allowed_ips: key.terms.addresses.to_string(),
            status: key.state(now).as_str(),
            usage_count: key.usage_count,
            created_at: key.created_at.iso(),
            last_used_at: key.last_used_at.map(Time::iso),
            expires_at: key.terms.expires_at.map(Time::iso),
        }
    }

    fn cells(&self) -> [String; 8] {
        let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
        [
            self.id.to_string(),
            self.user_id.to_string(),
            self.name.clone(),
            self.prefix.clone(),
            self.scopes.clone(),
            self.status.to_owned(),
            or_never(&self.last_used_at),
            or_never(&self.expires_at),
        ]
    }
}
