//! `GET /api/admin/password-breach-status`: how it stands with everybody's password, the worst first (contract
//! P28), and the same by the users' endpoint (P25). Nothing of a password is here.

use std::collections::BTreeMap;

use http::StatusCode;
use portcullis_domain::id::UserId;
use portcullis_domain::password::BreachState;
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_store::users::directory::Page;
use serde::Serialize;

use super::users::DONE;
use crate::app::App;
use crate::flows::breach::Sources;
use crate::flows::breach_sources::{self, Source};
use crate::flows::breach_status::{self, After, Begin, Found, Part, Row};
use crate::web::caller::{PasswordBreachStatusManage, Staff};
use crate::web::error::Error;
use crate::web::pages::shown_name;
use crate::web::query::{Blank, Reading, number, user_id};
use crate::web::refusal::Family;
use crate::web::reply::json_reply;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub const PATH: &str = "/api/admin/password-breach-status";

/// How many rows an answer has at most, and unless it is asked for fewer.
const MOST: u64 = 1000;

pub const LIST: Doc = Doc {
    id: "list_password_breach_status",
    summary: "Who has a password, and how it stands with it, the worst first: breached, deferred (whoever was to \
              be asked did not answer), unchecked (nobody looked), clear. last_checked is null for never; of a \
              breached one it is when that was found out, and from taken_until on it is not taken. due: it is to be \
              looked up anew, at the next sign-in. count is how many match, summary how many there are of each; \
              sources says who is asked on this server, and how it stands with each. Where next is, there is more.",
    family: Family::P,
    fields: &[
        ("status", false, "breached, deferred, unchecked or clear."),
        ("limit", false, "1 to 1000; without it 1000."),
        ("after", false, "Go on behind this one, as next says."),
    ],
    answer: (
        200,
        r#"{"success":true,"message":"Operation completed successfully","data":[{"user_id":7,"user_name":"Jane Smith","status":"breached","breach_count":3200,"last_checked":"2026-11-22T01:02:03Z","due":false,"taken_until":"2026-11-29T01:02:03Z","email":"jane@example.com","password_set_at":"2026-02-20T00:00:00Z"}],"count":1,"summary":{"breached":1,"clear":283,"deferred":0,"unchecked":12},"sources":[{"source":"list","standing":"built_in","date":"2026-07-17","passwords":49233,"answered_at":null}]}"#,
    ),
    ..Doc::USUAL
};

#[derive(Serialize)]
struct Listed<'a> {
    success: bool,
    message: &'static str,
    data: Vec<Shown<'a>>,
    /// Of all that match, on this page or not.
    count: i64,
    summary: BTreeMap<&'static str, i64>,
    /// Who is asked, in this order.
    sources: Vec<ShownSource>,
    /// Where those are that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    user_id: UserId,
    user_name: String,
    status: &'static str,
    breach_count: i64,
    last_checked: Option<String>,
    due: bool,
    taken_until: Option<String>,
    email: &'a str,
    password_set_at: Option<String>,
}

#[derive(Serialize)]
struct ShownSource {
    source: &'static str,
    standing: &'static str,
    date: Option<String>,
    passwords: Option<u64>,
    answered_at: Option<String>,
}

/// `GET /api/admin/password-breach-status`.
pub async fn list(call: Call, _: Staff<PasswordBreachStatusManage>) -> Answer {
    let part = part(&call.facts)?;
    let found = breach_status::list(&call.app, part).await?;
    let next = found.next.map(|after| next(&part, after));
    Ok(json_reply(StatusCode::OK, &body(&call.app, &found, part.state, next)))
}

/// A page of the users' endpoint, for a caller who may see it.
pub async fn page(call: &Call, page: Page) -> Answer {
    let part = Part { state: None, begin: Begin::Offset(page.offset), limit: page.limit };
    let found = breach_status::list(&call.app, part).await?;
    Ok(json_reply(StatusCode::OK, &body(&call.app, &found, None, None)))
}

/// Where a part goes on, as text.
pub fn cursor(after: After) -> String {
    format!("{}-{}", after.state.as_str(), after.user)
}

/// Reads what [`cursor`] gave.
fn parse_cursor(text: &str) -> Option<After> {
    let (state, user) = text.split_once('-')?;
    Some(After { state: BreachState::parse(state)?, user: user_id(user)? })
}

fn part(facts: &Facts) -> Result<Part, Error> {
    let mut read = Reading::new(facts, Blank::Refused);
    let state = state(&mut read);
    let limit = read.optional("limit", "must be 1 to 1000", |text| number(text, 1, MOST));
    let limit = i64::try_from(limit.unwrap_or(MOST)).unwrap_or(i64::MAX);
    let begin = begin(&mut read, state, "must be the value of next in an earlier answer");
    read.done(Part { state, begin, limit })
}

/// Of which state.
pub fn state(read: &mut Reading<'_>) -> Option<BreachState> {
    let states = "must be breached, deferred, unchecked or clear";
    read.optional("status", states, BreachState::parse)
}

/// Where it begins; `told` is what is said of a place that is none, or is of another state.
pub fn begin(read: &mut Reading<'_>, state: Option<BreachState>, told: &'static str) -> Begin {
    let is_of_state = |after: &After| state.is_none_or(|state| state == after.state);
    let after = read.optional("after", told, |text| parse_cursor(text).filter(is_of_state));
    after.map_or(Begin::Offset(0), Begin::After)
}

/// The same question, from behind this one on.
fn next(part: &Part, after: After) -> String {
    let state = part.state.map_or_else(String::new, |state| format!("status={}&", state.as_str()));
    format!("{PATH}?{state}limit={}&after={}", part.limit, cursor(after))
}

fn body<'f>(
    app: &App,
    found: &'f Found,
    state: Option<BreachState>,
    next: Option<String>,
) -> Listed<'f> {
    let sources = breach_sources::all(Sources::of(app));
    let summary = found.counts.iter().map(|(state, count)| (state.as_str(), *count));
    Listed {
        success: true,
        message: DONE,
        data: found.rows.iter().map(shown).collect(),
        count: found.total(state),
        summary: summary.collect(),
        sources: sources.iter().map(shown_source).collect(),
        next,
    }
}

fn shown(row: &Row) -> Shown<'_> {
    let (user, breach) = (&row.of.user, &row.of.breach);
    Shown {
        user_id: user.id,
        user_name: visible(&shown_name(user)),
        status: breach.state.as_str(),
        breach_count: breach.count,
        last_checked: breach.checked_at.map(Time::iso),
        due: row.is_due,
        taken_until: row.taken_until.map(Time::iso),
        email: user.email.as_str(),
        password_set_at: breach.set_at.map(Time::iso),
    }
}

fn shown_source(source: &Source) -> ShownSource {
    ShownSource {
        source: source.source.as_str(),
        standing: source.standing.as_str(),
        date: source.date.map(|date| date.to_string()),
        passwords: source.passwords,
        answered_at: source.answered_at.map(Time::iso),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_is_read_as_it_is_written() {
        let check = |text: &str, expected: Option<(BreachState, i64)>| {
            let parsed = parse_cursor(text);
            let expected = expected.map(|(state, user)| After { state, user: UserId(user) });
            assert_eq!(parsed, expected, "{text:?}");
            assert!(parsed.is_none_or(|after| cursor(after) == text), "{text:?}");
        };
        check("breached-1", Some((BreachState::Breached, 1)));
        check("clear-9223372036854775807", Some((BreachState::Clear, i64::MAX)));
        for bad in
            ["", "clear", "clear-", "-1", "clear-0", "clear--1", "Clear-1", "clear-1-2", "1-clear"]
        {
            check(bad, None);
        }
        check("clear-9223372036854775808", None);
    }
}
