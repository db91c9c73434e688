//! The page of limits: what is in force and where it comes from, a form to change each, who is locked
//! out, and a button to let them try again.

use askama::Template;
use http::StatusCode;
use portcullis_domain::id::UserId;
use portcullis_domain::limits::{Tunable, Unfit, written};
use portcullis_domain::time::Time;
use portcullis_store::users::User;

use super::Frame;
use crate::config::Config;
use crate::flows::limits::Locked;
use crate::flows::limits::change::{self, Change};
use crate::flows::limits::overview::{self, Lockout, Standing};
use crate::web::acting::Actor;
use crate::web::api::limits as api;
use crate::web::caller::{Fresh, InSession, LimitsManage, Staff};
use crate::web::error::Error;
use crate::web::pages::{in_words, shown_name};
use crate::web::reply::{Reply, redirect_reply};
use crate::web::request::Call;
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/limits";
pub(in crate::web::pages) const UNLOCK_PATH: &str = "/-/admin/limits/unlock";

/// The longest value that is looked at, in characters.
const MAX_VALUE: usize = 40;

pub(in crate::web::pages) const SHOW: Doc = Doc {
    id: "show_limits_page",
    summary: "The limits, who is locked out, and forms to change that, as a page.",
    ..Doc::USUAL
};

pub(in crate::web::pages) const SUBMIT: Doc = Doc {
    id: "submit_limit",
    summary: "Changes a limit from the page.",
    fields: &[
        ("name", true, "The limit."),
        ("value", false, "The new value; without one, the configuration's."),
        ("csrf_token", true, "The token of the form."),
    ],
    answer: (303, ""),
    ..Doc::USUAL
};

pub(in crate::web::pages) const SUBMIT_UNLOCK: Doc = Doc {
    id: "submit_unlock",
    summary: "Lets an account or an address try again, from the page.",
    fields: &[
        ("user_id", false, "The account, by its number."),
        ("address", false, "The IP address."),
        ("csrf_token", true, "The token of the form."),
    ],
    ..SUBMIT
};

/// `GET /-/admin/limits`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<LimitsManage, InSession>,
) -> Answer {
    page(&call, &caller, StatusCode::OK, None).await
}

/// `POST /-/admin/limits`.
pub(in crate::web::pages) async fn submit(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<LimitsManage, InSession>>,
) -> Answer {
    let tunable = call.fields.text("name").and_then(Tunable::of_key).ok_or(Error::NotFound)?;
    let wanted = call.fields.text("value").map(str::trim).filter(|text| !text.is_empty());
    let wanted = wanted.map(|text| text.get(..MAX_VALUE).unwrap_or(text));
    let actor = Actor::of(&call, &caller);
    match change::change(&call.app, &actor.acting(&call.app), tunable, wanted).await? {
        Change::Done | Change::Unchanged => Ok(back()),
        Change::Unfit(unfit) => {
            let problem = Problem { tunable, value: wanted.unwrap_or_default(), unfit };
            page(&call, &caller, StatusCode::BAD_REQUEST, Some(problem)).await
        }
        Change::Overtaken => Err(Error::Conflict("conflict")),
    }
}

/// `POST /-/admin/limits/unlock`.
pub(in crate::web::pages) async fn unlock(
    call: Call,
    Fresh(Staff(caller, _)): Fresh<Staff<LimitsManage, InSession>>,
) -> Answer {
    api::unlock_named(&call, &caller).await.map(|_| back())
}

fn back() -> Reply {
    redirect_reply(StatusCode::SEE_OTHER, PATH)
}

/// A value that was not put in force.
struct Problem<'a> {
    tunable: Tunable,
    value: &'a str,
    unfit: Unfit,
}

#[derive(Template)]
#[template(path = "admin_limits.html")]
struct Page<'a> {
    frame: Frame,
    limits: Vec<Line>,
    locked: Vec<Person>,
    problem: Option<Problem<'a>>,
}

/// A limit as it is shown.
struct Line {
    key: &'static str,
    counts: &'static str,
    origin: String,
    used_up: String,
    /// What stands in the field: what was typed, if it was refused.
    typed: String,
    is_refused: bool,
    is_changed: bool,
}

/// Somebody who is locked out.
struct Person {
    id: UserId,
    name: String,
    email: String,
    what: String,
}

async fn page(
    call: &Call,
    caller: &InSession,
    status: StatusCode,
    problem: Option<Problem<'_>>,
) -> Answer {
    let overview = overview::overview(&call.app, Config::default_limits()).await?;
    let now = call.app.clock.now();
    let disabled = overview.disabled.iter().map(|user| {
        person(user, "takes no password, after a hundred wrong ones in a row".to_owned())
    });
    let locked_out = overview.lockouts.iter().map(|one| person(&one.user, how(one, now)));
    let page = Page {
        frame: Frame::of(call, caller, PATH),
        limits: overview.limits.iter().map(|one| line(one, problem.as_ref())).collect(),
        locked: disabled.chain(locked_out).collect(),
        problem,
    };
    super::super::show(status, &page)
}

fn line((one, exhausted): &(Standing, i64), problem: Option<&Problem<'_>>) -> Line {
    let refused = problem.filter(|problem| problem.tunable == one.tunable);
    Line {
        key: one.tunable.key(),
        counts: counts(one.tunable),
        origin: origin(one),
        used_up: used_up(one.tunable, *exhausted),
        typed: refused.map_or_else(|| written(one.value), |problem| problem.value.to_owned()),
        is_refused: refused.is_some(),
        is_changed: one.changed.is_some(),
    }
}

fn person(user: &User, what: String) -> Person {
    Person { id: user.id, name: shown_name(user), email: user.email.to_string(), what }
}

/// What a limit counts, for people.
fn counts(tunable: Tunable) -> &'static str {
    match tunable {
        Tunable::Login => {
            "Attempts to sign in, and tries of codes and links, by address and name; six times that by \
             address alone."
        }
        Tunable::Sensitive => "Requests that send mail, by address.",
        Tunable::Lockout => {
            "Wrong passwords in a row that lock an account for one network, and for how long."
        }
        Tunable::Requests => {
            "Requests to the gate's own endpoints, by address and by account. Counted by each node."
        }
        Tunable::Upstream => "Requests to the application, by address. Counted by each node.",
    }
}

/// Where a value comes from, for people.
fn origin(one: &Standing) -> String {
    match &one.changed {
        Some(changed) => {
            let who = changed.by.as_deref().unwrap_or("the operator");
            let configured = written(one.configured);
            format!("Set by {who} on {}; configured: {configured}", changed.at.to_the_minute())
        }
        None if one.source() == "default" => "The default".to_owned(),
        None => "From the configuration".to_owned(),
    }
}

fn used_up(tunable: Tunable, exhausted: i64) -> String {
    match (tunable, exhausted) {
        (_, 0) => String::new(),
        (Tunable::Lockout, number) => format!("{number} locked out now"),
        (_, number) => format!("{number} used up now"),
    }
}

fn how(one: &Lockout, now: Time) -> String {
    let place = match &one.what {
        Locked::Network(network) => network,
        Locked::Device => "a known device",
    };
    let (failures, left) = (one.failures, in_words(one.until.since(now)));
    format!("from {place} · {failures} wrong passwords · for {left} more")
}
