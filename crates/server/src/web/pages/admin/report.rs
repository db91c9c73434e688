//! The security report as a page, and as a file to keep: for staff. What is in it, and how it looks,
//! is elsewhere; here is which period is asked for, and where the reader may go from it.

use askama::Template;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use portcullis_domain::report::Period;

use super::{Frame, may_open};
use crate::flows::report;
use crate::web::api::security_report::period;
use crate::web::caller::{InSession, SecurityReportManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::pages::show as show_page;
use crate::web::refusal::sentence;
use crate::web::reply::{html_reply, set_header};
use crate::web::report::{Shown, file};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/report";
pub(in crate::web::pages) const FILE_PATH: &str = "/-/admin/report/file";

/// What it is written as, and the type of that.
const FORMATS: [(&str, &str); 3] = [
    ("csv", "text/csv; charset=utf-8"),
    ("json", "application/json"),
    ("html", "text/html; charset=utf-8"),
];

pub(in crate::web::pages) const SHOW: Doc =
    Doc { id: "show_report", summary: "The security report, as a page.", ..Doc::USUAL };

/// `GET /-/admin/report`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<SecurityReportManage, InSession>,
) -> Answer {
    let frame = Frame::of(&call, &caller, PATH);
    let asked = |name| call.facts.query(name).unwrap_or_default();
    let page = match period(&call.facts, call.app.clock.now()) {
        Ok(period) => {
            let (from, to) = (period.from.clone(), period.to.clone());
            let query = query(&period);
            let shown = shown(&call, &caller, period).await?;
            Page { frame, from, to, query, problem: None, report: Some(shown) }
        }
        Err(error @ Error::Invalid(_)) => {
            let (from, to, problem) = (asked("from"), asked("to"), Some(sentence(&error)));
            Page { frame, from, to, query: String::new(), problem, report: None }
        }
        Err(error) => return Err(error),
    };
    let is_good = page.problem.is_none();
    show_page(if is_good { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page)
}

pub(in crate::web::pages) const SAVE: Doc = Doc {
    id: "save_report",
    summary: "The security report as a file, by ?format= csv, json or html.",
    ..Doc::USUAL
};

/// `GET /-/admin/report/file`.
pub(in crate::web::pages) async fn save(
    call: Call,
    _: Staff<SecurityReportManage, InSession>,
) -> Answer {
    let asked = call.facts.query("format").unwrap_or_default();
    let format = FORMATS.into_iter().find(|(word, _)| *word == asked);
    let Some((word, kind)) = format else {
        return Err(Error::Invalid(vec![Fault::invalid("format", "must be csv, json or html")]));
    };
    let period = period(&call.facts, call.app.clock.now())?;
    let name = format!("security-report-{}-{}.{word}", period.from, period.to).replace(':', "");
    let report = report::of_server(&call.app, period).await?;
    let text = match word {
        "csv" => report.csv(),
        "json" => serde_json::to_string(&report).map_err(|_| Error::Internal)?,
        _ => file(&report, &call.app.public_url.to_string()).map_err(|_| Error::Internal)?,
    };
    let mut reply = html_reply(StatusCode::OK, text);
    set_header(&mut reply, CONTENT_TYPE, kind);
    set_header(&mut reply, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    Ok(reply)
}

#[derive(Template)]
#[template(path = "admin_report.html")]
struct Page {
    frame: Frame,
    /// What stands in the fields.
    from: String,
    to: String,
    /// The period, for links.
    query: String,
    /// What is wrong with the question.
    problem: Option<String>,
    report: Option<Shown>,
}

async fn shown(call: &Call, caller: &InSession, period: Period) -> Result<Shown, Error> {
    let report = report::of_server(&call.app, period).await?;
    let link = |page: &str| may_open(caller, page).then(|| page.to_owned());
    Ok(Shown::of(&report, link))
}

fn query(period: &Period) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", &period.from).append_pair("to", &period.to).finish()
}
