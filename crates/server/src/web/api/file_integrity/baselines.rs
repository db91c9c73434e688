//! Baselines: a list of them, one made anew from what is there, one as a signed manifest.

use std::sync::Arc;

use http::StatusCode;
use portcullis_integrity::Progress;
use serde_json::{Value, json};

use super::{CSRF, conflict, context, invalid, monitor, overtaken, shown};
use crate::flows::integrity::baseline::{self, Recorded};
use crate::flows::integrity::status;
use crate::web::caller::{BaselinesManage, FileAlertsManage, Fresh, Staff};
use crate::web::error::{Error, Fault};
use crate::web::input::whole_number;
use crate::web::refusal::Family;
use crate::web::reply::{json_reply, text_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/api/security/integrity-baselines";
pub(super) const MANIFEST_PATH: &str = "/api/security/integrity-manifest";

/// So many are shown.
const MOST: i64 = 100;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

pub(super) const LIST: Doc = Doc {
    id: "list_integrity_baselines",
    summary: "The baselines of all roots, the newest first: what there ought to be, who says so, and \
              which is in force.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":[{"root":"app","number":1,"origin":"observed","state":"active","entries":120,"digest":"","reason":"the first check of the root","created_at":"2026-11-27T10:00:00.000Z","created_by":null,"activated_at":"2026-11-27T10:00:00.000Z"}],"count":1}"#,
    ),
    ..Doc::USUAL
};

pub(super) const RECORD: Doc = Doc {
    id: "record_integrity_baseline",
    summary: "Takes what is there now as what ought to be there. Whatever was changed before is good \
              by that.",
    fields: &[
        ("root", true, "The name of the root."),
        ("reason", true, "Why, at most 500 characters."),
        CSRF,
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Baseline recorded","data":{"root":"app","number":2,"entries":120}}"#,
    ),
    ..LIST
};

pub(super) const MANIFEST: Doc = Doc {
    id: "show_integrity_manifest",
    summary: "A baseline as a signed manifest, which `portcullis integrity verify` reads without a \
              server.",
    fields: &[
        ("root", true, "The name of the root."),
        ("number", false, "The number; without it the one in force."),
    ],
    answer: (200, ""),
    ..LIST
};

/// `GET /api/security/integrity-baselines`.
pub(super) async fn list(call: Call, Staff(_, _): Staff<FileAlertsManage>) -> Answer {
    let baselines = status::baselines(&call.app.db, MOST).await?;
    let data: Vec<Value> = baselines.iter().map(shown::baseline).collect();
    let body = json!({ "success": true, "count": data.len(), "data": data });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `POST /api/security/integrity-baselines`.
pub(super) async fn record(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<BaselinesManage>>,
) -> Answer {
    let name = call.fields.required("root", 40).map_err(invalid)?;
    let reason = call.fields.required("reason", LONGEST_REASON).map_err(invalid)?;
    let root = call.app.config.integrity.root(name).ok_or(Error::NotFound)?;
    let context = context(&call, &caller);
    let progress = Arc::new(Progress::default());
    let recorded = baseline::record(&monitor(&call, &context), root, progress, reason).await;
    match recorded? {
        Recorded::Done { number, entries } => {
            let data = json!({ "root": name, "number": number, "entries": entries });
            let body = json!({ "success": true, "message": "Baseline recorded", "data": data });
            Ok(json_reply(StatusCode::OK, &body))
        }
        Recorded::Root(_) => Err(conflict("root_unavailable", "The folder cannot be opened")),
        Recorded::Overtaken => Err(overtaken()),
    }
}

/// `GET /api/security/integrity-manifest`.
pub(super) async fn manifest(call: Call, Staff(caller, _): Staff<FileAlertsManage>) -> Answer {
    let root = call.facts.query("root").filter(|root| !root.is_empty());
    let root = root.ok_or_else(|| invalid(Fault::required("root")))?;
    let number = match call.facts.query("number") {
        None => None,
        Some(text) => {
            let fault = || invalid(Fault::invalid("number", "must be an integer"));
            Some(whole_number(&text).ok_or_else(fault)?)
        }
    };
    let baseline = status::baseline(&call.app.db, &root, number).await?.ok_or(Error::NotFound)?;
    let context = context(&call, &caller);
    let mut text = Vec::new();
    let exported = baseline::export(&monitor(&call, &context), &baseline, &mut text).await;
    if !exported? {
        let text = "The baseline in the store is not the one that this server signed";
        return Err(conflict("baseline_invalid", text));
    }
    Ok(text_reply(text))
}
