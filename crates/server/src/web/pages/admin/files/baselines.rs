//! The page of baselines and deployments: what ought to be there, who says so, and a form to say that
//! what is there now ought to be.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use portcullis_domain::id::DeploymentId;
use portcullis_domain::integrity::{DeploymentState, Origin};
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_integrity::Progress;
use portcullis_store::integrity::baselines::Baseline;
use portcullis_store::integrity::deployments::Deployment;

use super::form;
use crate::flows::integrity::baseline::{self, Recorded};
use crate::flows::integrity::deployment::{self, Closed};
use crate::flows::integrity::{Monitor, status};
use crate::web::caller::{
    BaselinesManage, DeploymentsManage, FileAlertsManage, Fresh, InSession, Permission as _, Staff,
};
use crate::web::error::Error;
use crate::web::pages::admin::Frame;
use crate::web::pages::show as show_page;
use crate::web::reply::redirect_reply;
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(super) const PATH: &str = "/-/admin/files/baselines";
pub(super) const CLOSE_PATH: &str = "/-/admin/files/deployment";

/// So many of each are shown.
const MOST: i64 = 50;

pub(super) const SHOW: Doc = Doc {
    id: "show_file_baselines",
    summary: "What ought to be in watched folders, who says so, and deployments, as a page.",
    ..Doc::USUAL
};

/// `GET /-/admin/files/baselines`.
pub(super) async fn show(
    call: Call,
    Staff(caller, _): Staff<FileAlertsManage, InSession>,
) -> Answer {
    page(&call, &caller, StatusCode::OK, None).await
}

pub(super) const RECORD: Doc = Doc {
    id: "submit_file_baseline",
    summary: "Takes what is there now as what ought to be there, from the page.",
    fields: &[
        ("root", true, "The name of the root."),
        ("note", true, "Why."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

/// `POST /-/admin/files/baselines`.
pub(super) async fn record(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<BaselinesManage, InSession>>,
) -> Answer {
    let note = match form::note(&call.fields) {
        Ok("") => Err("Say why what is there ought to be there.".to_owned()),
        note => note,
    };
    let note = match note {
        Ok(note) => note,
        Err(problem) => return page(&call, &caller, StatusCode::BAD_REQUEST, Some(problem)).await,
    };
    let root = call.fields.text("root").and_then(|name| call.app.config.integrity.root(name));
    let root = root.ok_or(Error::NotFound)?;
    let context = call.facts.context_of(&caller);
    let monitor = Monitor::of(&call.app, &context);
    let problem =
        match baseline::record(&monitor, root, Arc::new(Progress::default()), note).await? {
            Recorded::Done { .. } => return Ok(redirect_reply(StatusCode::SEE_OTHER, PATH)),
            Recorded::Root(_) => "The folder cannot be opened. Nothing was recorded.",
            Recorded::Overtaken => {
                "Somebody else made a baseline meanwhile. Nothing was recorded; look again."
            }
        };
    page(&call, &caller, StatusCode::CONFLICT, Some(problem.to_owned())).await
}

pub(super) const CLOSE: Doc = Doc {
    id: "submit_file_deployment",
    summary: "Ends a deployment, or calls it off, from the page.",
    fields: &[
        ("id", true, "The deployment."),
        ("action", true, "end or cancel."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..RECORD
};

/// `POST /-/admin/files/deployment`.
pub(super) async fn close(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<DeploymentsManage, InSession>>,
) -> Answer {
    let id = call.fields.text("id").and_then(DeploymentId::parse).ok_or(Error::NotFound)?;
    let context = call.facts.context_of(&caller);
    let monitor = Monitor::of(&call.app, &context);
    let problem = match call.fields.text("action") {
        Some("end") => not_ended(&deployment::end(&monitor, id, &call.app.stopping).await?),
        Some("cancel") => {
            // One that is over by now is as it was wanted.
            deployment::cancel(&monitor, id).await?;
            None
        }
        _ => return Err(Error::NotFound),
    };
    // Whoever may end deployments does not have to be one who may see this page.
    if problem.is_some() && caller.holds(FileAlertsManage::KEY) {
        return page(&call, &caller, StatusCode::CONFLICT, problem).await;
    }
    Ok(redirect_reply(StatusCode::SEE_OTHER, PATH))
}

fn not_ended(closed: &Closed) -> Option<String> {
    match closed {
        Closed::Complete { .. } | Closed::NotOpen => None,
        Closed::Incomplete { counts } => Some(format!(
            "Not all is as declared, so the baseline before it stays: {} not yet, {} unexpected.",
            counts.pending, counts.unexpected
        )),
        Closed::Expired => Some("The time of the deployment is over.".to_owned()),
        Closed::Busy => Some("A check goes on. Try again when it is over.".to_owned()),
    }
}

#[derive(Template)]
#[template(path = "admin_file_baselines.html")]
struct Page<'a> {
    frame: Frame,
    problem: Option<String>,
    /// The names of the roots that are watched.
    roots: Vec<(&'a str, bool)>,
    baselines: Vec<Line<'a>>,
    deployments: Vec<Opened<'a>>,
    may_record: bool,
    may_close: bool,
    note: &'a str,
}

/// A baseline.
struct Line<'a> {
    root: &'a str,
    number: i64,
    says: &'static str,
    state: &'a str,
    is_active: bool,
    entries: i64,
    reason: String,
    made: String,
}

/// A deployment.
struct Opened<'a> {
    id: &'a str,
    root: &'a str,
    number: i64,
    state: &'static str,
    is_open: bool,
    reason: String,
    began: String,
    until: String,
    reached: i64,
    pending: i64,
    unexpected: i64,
}

async fn page(
    call: &Call,
    caller: &InSession,
    status: StatusCode,
    problem: Option<String>,
) -> Answer {
    let baselines = status::baselines(&call.app.db, MOST).await?;
    let deployments = deployment::list(&call.app.db, MOST).await?;
    let chosen = call.fields.text("root").unwrap_or_default();
    let roots = call.app.config.integrity.roots.iter();
    let page = Page {
        frame: Frame::of(call, caller, super::PATH),
        problem,
        roots: roots.map(|root| (root.name.as_str(), root.name == chosen)).collect(),
        baselines: baselines.iter().map(Line::of).collect(),
        deployments: deployments.iter().map(Opened::of).collect(),
        may_record: caller.holds(BaselinesManage::KEY),
        may_close: caller.holds(DeploymentsManage::KEY),
        note: call.fields.text("note").unwrap_or_default(),
    };
    show_page(status, &page)
}

impl<'a> Line<'a> {
    fn of(baseline: &'a Baseline) -> Self {
        Self {
            root: &baseline.root,
            number: baseline.number,
            says: match baseline.origin {
                Origin::Declared => "declared, with a signature",
                Origin::Observed => "nobody has declared it",
            },
            state: match baseline.state.as_str() {
                "active" => "in force",
                other => other,
            },
            is_active: baseline.state == "active",
            entries: baseline.entries,
            reason: visible(&baseline.reason),
            made: baseline.created_at.to_the_minute(),
        }
    }
}

impl<'a> Opened<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        let ends = deployment.closed_at.unwrap_or(deployment.ends_at);
        Self {
            id: deployment.id.as_str(),
            root: &deployment.root,
            number: deployment.number,
            state: deployment.state.as_str(),
            is_open: deployment.state == DeploymentState::Open,
            reason: visible(&deployment.reason),
            began: deployment.opened_at.to_the_minute(),
            until: Time::to_the_minute(ends),
            reached: deployment.counts.reached,
            pending: deployment.counts.pending,
            unexpected: deployment.counts.unexpected,
        }
    }
}
