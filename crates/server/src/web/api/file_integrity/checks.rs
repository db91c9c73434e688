//! Checks: asked for (P11), followed (P12), stopped, and how it stands with the watch as a whole.

use http::StatusCode;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::Cause;
use portcullis_domain::time::Time;
use serde_json::{Value, json};

use super::{CSRF, conflict, context, invalid, monitor, shown};
use crate::file_watch;
use crate::flows::integrity::check::{self, Begun};
use crate::flows::integrity::status::{self, OfRoot};
use crate::web::caller::{FileAlertsManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::etag;
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub(super) const RUN_PATH: &str = "/api/security/run-integrity-check";
pub(super) const CANCEL_PATH: &str = "/api/security/cancel-integrity-check";
pub(super) const PROGRESS_PATH: &str = "/api/security/file-integrity-progress";
pub(super) const STATUS_PATH: &str = "/api/security/file-integrity-status";

pub(super) const RUN: Doc = Doc {
    id: "run_integrity_check",
    summary: "Begins a check of every root. While one goes on, the answer names that one.",
    family: Family::P,
    fields: &[CSRF],
    answer: (
        200,
        r#"{"success":true,"data":{"check_id":"chk_0123456789abcdef01234567","status":"running"},"message":"File integrity check started"}"#,
    ),
    ..Doc::USUAL
};

pub(super) const CANCEL: Doc = Doc {
    id: "cancel_integrity_check",
    summary: "Stops a check that goes on. What it has seen so far changes nothing.",
    fields: &[("check_id", true, "The check."), CSRF],
    answer: (200, r#"{"success":true,"message":"File integrity check cancelled"}"#),
    ..RUN
};

pub(super) const PROGRESS: Doc = Doc {
    id: "show_integrity_check",
    summary: "How far a check is, or what it came to. Kept for 30 days. With If-None-Match and the \
              ETag of the answer before: 304 while nothing has changed but the time.",
    family: Family::P,
    fields: &[("check_id", true, "The id that run-integrity-check gave.")],
    answer: (
        200,
        r#"{"success":true,"data":{"check_id":"chk_0123456789abcdef01234567","status":"complete","files_scanned":120,"violations_found":1,"duration_ms":412,"phase":"end","root":"","cause":"request","files_total_estimate":120,"bytes_hashed":90000,"unverifiable":0,"alerts_raised":1,"percent":100,"eta_ms":null,"scan_mode":"full","fault":null,"started_at":"2026-11-27T10:00:00.000Z","finished_at":"2026-11-27T10:00:00.412Z","oldest_full_hash_at":"2026-11-27T10:00:00.000Z"}}"#,
    ),
    ..Doc::USUAL
};

pub(super) const STATUS: Doc = Doc {
    id: "show_file_integrity",
    summary: "How it stands with the watch over files: the roots with their baselines, when each was \
              last looked at, and how many alerts are new.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"roots":[],"open_alerts":{"critical":0},"last_checks":[]}}"#,
    ),
    ..Doc::USUAL
};

/// `POST /api/security/run-integrity-check`.
pub(super) async fn run(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let context = context(&call, &caller);
    let (id, message) = match check::begin(&monitor(&call, &context), Cause::Request).await? {
        Begun::Started(id) => {
            file_watch::spawn_check(&call.app, id, context);
            (id, "File integrity check started")
        }
        Begun::Running(id) => (id, "A file integrity check is already running"),
        Begun::NoRoots => {
            let text = "No folders are watched: the configuration has no [[integrity.root]]";
            return Err(conflict("no_roots", text));
        }
    };
    let data = json!({ "check_id": id, "status": "running" });
    let body = json!({ "success": true, "data": data, "message": message });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `POST /api/security/cancel-integrity-check`.
pub(super) async fn cancel(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let text = call.fields.required("check_id", 64).map_err(invalid)?;
    let id = CheckId::parse(text).ok_or(Error::NotFound)?;
    let context = context(&call, &caller);
    if !check::cancel(&monitor(&call, &context), id).await? {
        return Err(Error::NotFound);
    }
    let body = json!({ "success": true, "message": "File integrity check cancelled" });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `GET /api/security/file-integrity-progress`.
pub(super) async fn progress(call: Call, Staff(_, _): Staff<FileAlertsManage>) -> Answer {
    let id = check_id(&call.facts)?;
    let app = &call.app;
    let found = status::progress(&app.db, &app.config.integrity, id).await?;
    let data = shown::progress(&found.ok_or(Error::NotFound)?, app.clock.now());
    // Weak: two answers that differ in nothing but the time that went by have the same tag.
    let tag = format!("W/{}", etag::tag(&shown::without_time(data.clone()).to_string()));
    let body = json!({ "success": true, "data": data });
    Ok(etag::tagged(&call.facts, &tag, || json_reply(StatusCode::OK, &body)))
}

/// `GET /api/security/file-integrity-status`.
pub(super) async fn status(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let (context, now) = (context(&call, &caller), call.app.clock.now());
    let stands = status::status(&monitor(&call, &context)).await?;
    let open = stands.open.iter().map(|(severity, count)| (severity.as_str(), *count));
    let body = json!({ "success": true, "data": {
        "roots": stands.roots.iter().map(of_root).collect::<Vec<_>>(),
        "open_alerts": open.collect::<std::collections::BTreeMap<_, _>>(),
        "last_checks":
            stands.checks.iter().map(|check| shown::check(check, now)).collect::<Vec<Value>>(),
    }});
    Ok(json_reply(StatusCode::OK, &body))
}

fn of_root(root: &OfRoot) -> Value {
    json!({
        "name": root.name,
        "path": root.path,
        "exclude": root.exclude,
        "baseline": root.baseline.as_ref().map(shown::baseline),
        "is_attested": root.is_attested(),
        "notices": root.notices().into_iter().map(shown::notice).collect::<Vec<_>>(),
        "deployment": root.deployment.as_ref().map(shown::deployment),
        "looked_at": root.looked_at.map(Time::iso),
        "oldest_full_hash_at": root.looked_at.map(Time::iso),
    })
}

/// The check that a query is about.
pub(super) fn check_id(facts: &Facts) -> Result<CheckId, Error> {
    let text = facts.query("check_id").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| invalid(Fault::required("check_id")))?;
    CheckId::parse(&text).ok_or(Error::NotFound)
}
