//! The watch over files, over HTTP (contract P7–P13, and our own beside them): alerts, what is made of
//! them, checks, baselines and deployments. All of it is for staff.

pub(in crate::web) mod alerts;
mod baselines;
mod checks;
mod deployments;
pub(in crate::web) mod judge;
mod matching;
mod shown;
mod stream;

use http::{Method, StatusCode};
use portcullis_domain::event::Context;

use crate::flows::integrity::Monitor;
use crate::web::caller::Caller;
use crate::web::error::{Documented, Error, Fault};
use crate::web::request::Call;
use crate::web::table::{Row, row};

/// The field that every act takes.
const CSRF: (&str, bool, &str) = ("csrf_token", false, "The CSRF token, if no header brings it.");

/// The rows of the table.
pub fn rows() -> Vec<Row> {
    vec![
        row(Method::GET, alerts::PATH, alerts::LIST, alerts::list),
        row(Method::GET, alerts::ONE, alerts::SHOW, alerts::show),
        row(Method::GET, alerts::DIFF_PATH, alerts::DIFF, alerts::diff),
        row(Method::POST, judge::RESOLVE_PATH, judge::RESOLVE, judge::resolve),
        row(Method::POST, judge::RESOLVE_ALL_PATH, judge::RESOLVE_ALL, judge::resolve_all),
        row(Method::POST, judge::DELETE_ALL_PATH, judge::DELETE_ALL, judge::delete_all),
        row(Method::POST, judge::IGNORE_PATH, judge::IGNORE, judge::ignore),
        row(Method::POST, judge::ACCEPT_PATH, judge::ACCEPT, judge::accept),
        row(Method::POST, checks::RUN_PATH, checks::RUN, checks::run),
        row(Method::POST, checks::CANCEL_PATH, checks::CANCEL, checks::cancel),
        row(Method::GET, checks::PROGRESS_PATH, checks::PROGRESS, checks::progress),
        row(Method::GET, stream::PATH, stream::STREAM, stream::stream),
        row(Method::GET, checks::STATUS_PATH, checks::STATUS, checks::status),
        row(Method::GET, baselines::PATH, baselines::LIST, baselines::list),
        row(Method::POST, baselines::PATH, baselines::RECORD, baselines::record),
        row(Method::GET, baselines::MANIFEST_PATH, baselines::MANIFEST, baselines::manifest),
        row(Method::GET, deployments::PATH, deployments::LIST, deployments::list),
        row(Method::POST, deployments::PATH, deployments::BEGIN, deployments::begin),
        row(Method::POST, deployments::END_PATH, deployments::END, deployments::end),
        row(Method::POST, deployments::CANCEL_PATH, deployments::CANCEL, deployments::cancel),
    ]
}

/// Who asks for it, for the events.
fn context(call: &Call, caller: &Caller) -> Context {
    call.facts.context_of(caller)
}

/// The watch of this server, as the caller has it act.
fn monitor<'a>(call: &'a Call, context: &'a Context) -> Monitor<'a> {
    Monitor::of(&call.app, context)
}

/// It does not go with how things stand.
fn conflict(code: &'static str, text: &'static str) -> Error {
    Error::Documented(Documented { status: StatusCode::CONFLICT, code, text })
}

fn overtaken() -> Error {
    conflict("baseline_overtaken", "The baseline is another one by now")
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![fault])
}
