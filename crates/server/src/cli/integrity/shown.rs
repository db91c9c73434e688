//! How alerts look at the command line: as a row of a table, and as a line of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_domain::integrity::alert::Status;
use portcullis_domain::time::Time;
use portcullis_integrity::path::show;
use portcullis_store::integrity::alerts::Alert;
use serde_json::{Value, json};

pub(super) const HEADER: [&str; 6] = ["Alert", "Severity", "Status", "What", "Path", "Since"];

pub(super) fn cells(alert: &Alert) -> [String; 6] {
    let about = &alert.about;
    [
        alert.id.to_string(),
        about.severity.as_str().to_owned(),
        alert.status.as_str().to_owned(),
        about.kind.as_str().to_owned(),
        about.file_path.clone(),
        alert.created_at.iso(),
    ]
}

/// A path comes as people read it, and as the bytes that it is.
pub(super) fn value(alert: &Alert) -> Value {
    let about = &alert.about;
    json!({
        "id": alert.id,
        "severity": about.severity,
        "status": alert.status.as_str(),
        "resolution": alert.resolution,
        "change": about.kind,
        "root": about.root,
        "file_path": about.file_path,
        "path": show(&about.path),
        "path_b64": STANDARD.encode(&about.path),
        "rule": about.rule,
        "details": about.details,
        "was": about.was,
        "is": about.found,
        "note": alert.note,
        "occurrences": alert.occurrences,
        "reopened": alert.reopened,
        "created_at": alert.created_at.iso(),
        "last_seen_at": alert.last_seen_at.iso(),
        "ignored_until": alert.ignored_until.map(Time::iso),
    })
}

/// The status of a word; `None` if all are meant.
pub(super) fn parse_status(word: &str) -> Result<Option<Status>, &'static str> {
    if word == "all" {
        return Ok(None);
    }
    Status::parse(word).map(Some).ok_or("a status is new, resolved, ignored or all")
}
