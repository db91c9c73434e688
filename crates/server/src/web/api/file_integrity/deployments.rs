//! Deployments, over HTTP: begun with a signed manifest, ended, called off.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use http::StatusCode;
use portcullis_domain::id::DeploymentId;
use portcullis_domain::integrity::USUAL;
use serde_json::{Value, json};

use super::{CSRF, conflict, context, invalid, monitor, shown};
use crate::flows::integrity::Fault as Failed;
use crate::flows::integrity::deployment::{self, Closed, Opened, Refused};
use crate::web::caller::{DeploymentsManage, FileAlertsManage, Fresh, Staff};
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/api/security/integrity-deployments";
pub(super) const END_PATH: &str = "/api/security/integrity-deployments/end";
pub(super) const CANCEL_PATH: &str = "/api/security/integrity-deployments/cancel";

/// So many are shown.
const MOST: i64 = 100;

pub(super) const LIST: Doc = Doc {
    id: "list_integrity_deployments",
    summary: "Deployments, the newest first, with how much was as declared.",
    family: Family::P,
    answer: (200, r#"{"success":true,"data":[],"count":0}"#),
    ..Doc::USUAL
};

pub(super) const BEGIN: Doc = Doc {
    id: "begin_integrity_deployment",
    summary: "For a while files of a root may come to be as a signed manifest declares them; of \
              everything else there are alerts as always. A manifest larger than limits.body goes by \
              the command line.",
    fields: &[
        ("root", true, "The name of the root."),
        ("manifest", true, "The manifest, signed by one of integrity.deploy_keys."),
        ("minutes", false, "For how long, from 1 to 240; without it 30."),
        ("reason", false, "What is deployed, at most 500 characters."),
        CSRF,
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Deployment begun","data":{"id":"dep_0123456789abcdef01234567","root":"app","baseline":2,"ends_at":"2026-11-27T10:30:00.000Z"}}"#,
    ),
    ..LIST
};

pub(super) const END: Doc = Doc {
    id: "end_integrity_deployment",
    summary: "Checks the root once more. If all is as declared, the manifest is the baseline; else \
              the one before it stays, and the deployment is incomplete.",
    fields: &[("id", true, "The deployment."), CSRF],
    answer: (
        200,
        r#"{"success":true,"message":"Deployment complete","data":{"state":"complete","reached":3,"pending":0,"unexpected":0}}"#,
    ),
    ..LIST
};

pub(super) const CANCEL: Doc = Doc {
    id: "cancel_integrity_deployment",
    summary: "Calls a deployment off: its manifest never comes into force.",
    fields: &[("id", true, "The deployment."), CSRF],
    answer: (200, r#"{"success":true,"message":"Deployment cancelled"}"#),
    ..LIST
};

/// `GET /api/security/integrity-deployments`.
pub(super) async fn list(call: Call, Staff(_, _): Staff<FileAlertsManage>) -> Answer {
    let deployments = deployment::list(&call.app.db, MOST).await?;
    let data: Vec<Value> = deployments.iter().map(shown::deployment).collect();
    let body = json!({ "success": true, "count": data.len(), "data": data });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `POST /api/security/integrity-deployments`.
pub(super) async fn begin(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<DeploymentsManage>>,
) -> Answer {
    let root = call.fields.required("root", 40).map_err(invalid)?;
    let text = call.fields.required("manifest", usize::MAX).map_err(invalid)?;
    let reason = call.fields.optional("reason", 500).map_err(invalid)?.unwrap_or_default();
    let minutes = call.fields.number("minutes").map_err(invalid)?;
    let minutes = minutes.map(|minutes| u64::try_from(minutes).unwrap_or(0) * 60);
    let takes = minutes.map_or(USUAL, Duration::from_secs);
    let context = context(&call, &caller);
    let mut file = tempfile::tempfile_in(&call.app.config.server.data_dir).map_err(Failed::Io)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.seek(SeekFrom::Start(0)));
    written.map_err(Failed::Io)?;
    let monitor = monitor(&call, &context);
    match deployment::open(&monitor, root, file, takes, reason).await? {
        Opened::Done { id, number, ends_at } => {
            let data =
                json!({ "id": id, "root": root, "baseline": number, "ends_at": ends_at.iso() });
            let body = json!({ "success": true, "message": "Deployment begun", "data": data });
            Ok(json_reply(StatusCode::OK, &body))
        }
        Opened::Refused(refused) => Err(refusal(refused)),
    }
}

/// `POST /api/security/integrity-deployments/end`.
pub(super) async fn end(call: Call, Staff(caller, _): Staff<DeploymentsManage>) -> Answer {
    let id = id(&call)?;
    let context = context(&call, &caller);
    let monitor = monitor(&call, &context);
    let closed = deployment::end(&monitor, id, &call.app.stopping).await?;
    let (state, counts) = match closed {
        Closed::Complete { counts, .. } => ("complete", counts),
        Closed::Incomplete { counts } => ("incomplete", counts),
        Closed::NotOpen => return Err(Error::NotFound),
        Closed::Expired => {
            return Err(conflict("deployment_expired", "The time of the deployment is over"));
        }
        Closed::Busy => return Err(conflict("check_running", "A check goes on; try again")),
    };
    let body = json!({
        "success": state == "complete",
        "message": format!("Deployment {state}"),
        "data": {
            "state": state,
            "reached": counts.reached,
            "pending": counts.pending,
            "unexpected": counts.unexpected,
        },
    });
    Ok(json_reply(StatusCode::OK, &body))
}

/// `POST /api/security/integrity-deployments/cancel`.
pub(super) async fn cancel(call: Call, Staff(caller, _): Staff<DeploymentsManage>) -> Answer {
    let id = id(&call)?;
    let context = context(&call, &caller);
    if !deployment::cancel(&monitor(&call, &context), id).await? {
        return Err(Error::NotFound);
    }
    let body = json!({ "success": true, "message": "Deployment cancelled" });
    Ok(json_reply(StatusCode::OK, &body))
}

fn id(call: &Call) -> Result<DeploymentId, Error> {
    let text = call.fields.required("id", 64).map_err(invalid)?;
    DeploymentId::parse(text).ok_or(Error::NotFound)
}

fn refusal(refused: Refused) -> Error {
    let manifest = |detail| invalid(Fault::invalid("manifest", detail));
    match refused {
        Refused::UnknownRoot => Error::NotFound,
        Refused::NoKeys => {
            conflict("no_deploy_keys", "The configuration has no integrity.deploy_keys")
        }
        Refused::Malformed => manifest("is no manifest, or not whole"),
        Refused::BadSignature => manifest("is not signed by one of integrity.deploy_keys"),
        Refused::OtherRoot => manifest("is of another root"),
        Refused::NotNext => conflict("baseline_overtaken", "The manifest follows another baseline"),
        Refused::PassesOver => manifest(
            "passes over paths that neither integrity.root.exclude nor the baseline in force does",
        ),
        Refused::NoBaseline => conflict("no_baseline", "The root was never checked"),
        Refused::AlreadyOpen => conflict("deployment_open", "A deployment of the root is open"),
        Refused::Duration => invalid(Fault::invalid("minutes", "must be from 1 to 240")),
    }
}
