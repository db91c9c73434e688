//! Roles from a file, over the API and from the page: the same document as at the command line.

use http::StatusCode;
use serde_json::json;

use crate::flows::roles::{self, Import, ImportFault, administer};
use crate::web::administering;
use crate::web::caller::Caller;
use crate::web::door;
use crate::web::error::{Error, Forbidden};
use crate::web::reply::{Reply, json_reply};
use crate::web::request::Call;

/// What became of a file.
pub enum Imported {
    Done {
        created: usize,
        changed: usize,
        unchanged: usize,
    },
    /// It cannot be read so, or there is no room for it.
    Unreadable(Vec<ImportFault>),
    /// The caller may not bring all of it about.
    Denied(Vec<ImportFault>),
}

/// Brings the roles to what the document says: all of it or nothing.
pub async fn import(call: &Call, caller: &Caller, document: &str) -> Result<Imported, Error> {
    let wanted = match roles::parse(document) {
        Ok(wanted) => wanted,
        Err(faults) => return Ok(Imported::Unreadable(faults)),
    };
    let context = call.facts.context_of(caller);
    let import = administer::import(&call.app, &context, &wanted).await;
    match import.map_err(administering::error)? {
        Import::Done { created, changed, unchanged } => {
            Ok(Imported::Done { created, changed, unchanged })
        }
        Import::Full(fault) => Ok(Imported::Unreadable(vec![fault])),
        Import::Refused(faults) => {
            let denied = Forbidden::Permission { code: "import_refused", rule: None };
            let denied = Error::Forbidden(denied);
            drop(door::record_denial(&call.app, &call.facts, Some(caller), denied).await);
            Ok(Imported::Denied(faults))
        }
    }
}

/// What the client is told, fault by fault.
pub(super) fn imported(call: &Call, imported: &Imported) -> Reply {
    let (status, code, faults) = match imported {
        Imported::Done { created, changed, unchanged } => {
            let body = json!({
                "success": true,
                "message": "Roles imported",
                "data": {"created": created, "changed": changed, "unchanged": unchanged},
            });
            return json_reply(StatusCode::OK, &body);
        }
        Imported::Unreadable(faults) => (StatusCode::BAD_REQUEST, "invalid", faults),
        Imported::Denied(faults) => (StatusCode::FORBIDDEN, "import_refused", faults),
    };
    let sentences: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let body = json!({
        "success": false,
        "error": sentences.first(),
        "faults": sentences,
        "code": code,
        "requestId": call.facts.id,
    });
    json_reply(status, &body)
}
