//! `GET /api/admin/security-report`: what happened in a period and how things stand (contract P16).

use http::StatusCode;
use portcullis_domain::report::{Period, Report};
use portcullis_domain::time::Time;
use serde::Serialize;

use crate::flows::report;
use crate::web::caller::{SecurityReportManage, Staff};
use crate::web::error::{Error, Fault};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/admin/security-report";

pub const SHOW: Doc = Doc {
    id: "show_security_report",
    summary: "What happened in a period, beside the one before it, and how things stand now. ?from= and \
              ?to= are days in UTC (the last one is in the period) or moments (RFC 3339, the last one is \
              not); without them the last 30 days, and never more than 366.",
    family: Family::P,
    answer: (
        200,
        r#"{"success":true,"data":{"period":{"from":"2024-06-01","to":"2024-06-14"},"logins":{"successful":284,"failed":17},"new_ip_verifications":8,"sessions_terminated":3,"blacklisted_users":0,"file_integrity_violations":1,"password_breaches_detected":2,"blacklisted_now":0}}"#,
    ),
    ..Doc::USUAL
};

/// `GET /api/admin/security-report`.
pub async fn show(call: Call, _: Staff<SecurityReportManage>) -> Answer {
    #[derive(Serialize)]
    struct Body {
        success: bool,
        data: Report,
    }
    let period = period(&call.facts, call.app.clock.now())?;
    let data = report::of_server(&call.app, period).await?;
    Ok(json_reply(StatusCode::OK, &Body { success: true, data }))
}

/// The period that a query asks for. A parameter without a value is none.
pub fn period(facts: &Facts, now: Time) -> Result<Period, Error> {
    let given = |name| facts.query(name).filter(|text| !text.is_empty());
    let (from, to) = (given("from"), given("to"));
    Period::parse(from.as_deref(), to.as_deref(), now).map_err(|fault| {
        let (field, code, detail) = (fault.field(), fault.code(), fault.detail().into());
        Error::Invalid(vec![Fault { field, code, detail }])
    })
}
