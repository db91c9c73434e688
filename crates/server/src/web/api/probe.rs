//! Shows `portcullis doctor` what the server saw of one of its requests. To everybody else there is
//! nothing here.

use http::StatusCode;
use serde_json::json;

use crate::web::caller::Anyone;
use crate::web::error::Error;
use crate::web::reply::json_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

/// Where it is.
pub const PATH: &str = "/-/probe";
/// The header with the pass.
pub const PASS: &str = "x-portcullis-probe";

pub const SHOW: Doc = Doc {
    id: "show_probe",
    summary: "For portcullis doctor: what the server saw of one of its requests. 404 without its pass.",
    answer: (200, r#"{"seen":[]}"#),
    ..Doc::USUAL
};

/// `GET /-/probe`: what was seen of the request that the pass is for.
pub async fn show(call: Call, _: Anyone) -> Answer {
    let app = &call.app;
    let pass = call.facts.header(PASS);
    let id = pass.and_then(|pass| app.keys.probe.shows(pass, app.clock.now()));
    let seen = app.probes.of(app, id.ok_or(Error::NotFound)?);
    Ok(json_reply(StatusCode::OK, &json!({ "seen": seen })))
}
