//! The page of breached passwords: whose is one, whose could not be looked up, and how it stands with those who
//! know them. For staff. Not here: what is done about one, which the account's own page and sign-in say.

use askama::Template;
use http::StatusCode;
use portcullis_domain::password::BreachState;
use portcullis_domain::text::{grouped, visible};
use portcullis_domain::time::Time;

use super::{Frame, may_open, users};
use crate::config::BreachSource;
use crate::flows::breach::Sources;
use crate::flows::breach_sources::{self, Source, Standing};
use crate::flows::breach_status::{self, Begin, Found, Part};
use crate::web::api::breach_status::{begin, cursor, state};
use crate::web::caller::{InSession, PasswordBreachStatusManage, Staff};
use crate::web::error::Error;
use crate::web::pages::{show as show_page, shown_name};
use crate::web::query::{Blank, Reading};
use crate::web::refusal::sentence;
use crate::web::request::{Call, Facts};
use crate::web::table::{Answer, Doc};

pub(in crate::web::pages) const PATH: &str = "/-/admin/breached-passwords";

/// Rows of a page.
const ROWS: i64 = 50;

pub(in crate::web::pages) const SHOW: Doc = Doc {
    id: "show_breached_passwords",
    summary: "Whose password is breached, and who knows breached passwords, as a page.",
    ..Doc::USUAL
};

#[derive(Template)]
#[template(path = "admin_breached_passwords.html")]
struct Page {
    frame: Frame,
    sources: Vec<SourceLine>,
    /// What is wrong with the question.
    problem: Option<String>,
    /// The word of the state that was asked for; empty for all.
    chosen: &'static str,
    tiles: Vec<Tile>,
    total: String,
    rows: Vec<Line>,
    is_first: bool,
    /// Where the next page begins.
    next: Option<String>,
}

/// How many passwords there are of a state.
struct Tile {
    word: &'static str,
    name: &'static str,
    count: String,
    is_bad: bool,
    is_chosen: bool,
}

/// Somebody who has a password.
struct Line {
    /// The page of the user, for those who may open it.
    href: Option<String>,
    name: String,
    email: String,
    word: &'static str,
    is_bad: bool,
    /// What is to be said of it besides.
    under: String,
    since: String,
    set: String,
}

/// One who is asked.
struct SourceLine {
    name: &'static str,
    key: &'static str,
    date: String,
    passwords: String,
    standing: String,
    is_bad: bool,
}

/// `GET /-/admin/breached-passwords`.
pub(in crate::web::pages) async fn show(
    call: Call,
    Staff(caller, _): Staff<PasswordBreachStatusManage, InSession>,
) -> Answer {
    let (part, problem) = match part(&call.facts) {
        Ok(part) => (part, None),
        Err(error @ Error::Invalid(_)) => (FIRST, Some(sentence(&error))),
        Err(error) => return Err(error),
    };
    let found = breach_status::list(&call.app, part).await?;
    let sources = breach_sources::all(Sources::of(&call.app));
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = Page {
        frame: Frame::of(&call, &caller, PATH),
        sources: sources.iter().map(source_line).collect(),
        problem,
        chosen: part.state.map_or("", BreachState::as_str),
        tiles: found.counts.iter().map(|(state, count)| tile(&part, *state, *count)).collect(),
        total: grouped(found.total(part.state)),
        rows: lines(&found, may_open(&caller, users::PATH)),
        is_first: matches!(part.begin, Begin::Offset(_)),
        next: found.next.map(cursor),
    };
    show_page(status, &page)
}

/// All of them, from the beginning.
const FIRST: Part = Part { state: None, begin: Begin::Offset(0), limit: ROWS };

fn part(facts: &Facts) -> Result<Part, Error> {
    let mut read = Reading::new(facts, Blank::Absent);
    let state = state(&mut read);
    let begin = begin(&mut read, state, "must be a place in the list");
    read.done(Part { state, begin, ..FIRST })
}

fn tile(part: &Part, state: BreachState, count: i64) -> Tile {
    Tile {
        word: state.as_str(),
        name: name(state),
        count: grouped(count),
        is_bad: state == BreachState::Breached && count > 0,
        is_chosen: part.state == Some(state),
    }
}

/// What a state is called, for people.
fn name(state: BreachState) -> &'static str {
    match state {
        BreachState::Breached => "Breached",
        BreachState::Deferred => "No answer yet",
        BreachState::Unchecked => "Never looked up",
        BreachState::Clear => "Not known",
    }
}

fn lines(found: &Found, may_open_users: bool) -> Vec<Line> {
    let line = |row: &breach_status::Row| {
        let (user, breach) = (&row.of.user, &row.of.breach);
        let moment = |at: Option<Time>| at.map_or_else(|| "never".to_owned(), Time::to_the_minute);
        Line {
            href: may_open_users.then(|| users::one(&user.uuid).ok()).flatten(),
            name: visible(&shown_name(user)),
            email: user.email.to_string(),
            word: name(breach.state),
            is_bad: breach.state == BreachState::Breached,
            under: match breach.state {
                BreachState::Breached => breached(breach.count, row.taken_until),
                BreachState::Clear if row.is_due => "by those who were asked then".to_owned(),
                BreachState::Deferred | BreachState::Unchecked | BreachState::Clear => {
                    String::new()
                }
            },
            since: moment(breach.checked_at),
            set: moment(breach.set_at),
        }
    };
    found.rows.iter().map(line).collect()
}

fn breached(count: i64, taken_until: Option<Time>) -> String {
    let found = match count {
        ..=1 => "found at least once".to_owned(),
        _ => format!("found {} times or more", grouped(count)),
    };
    match taken_until {
        Some(until) => format!("{found}, taken until {}", until.to_the_minute()),
        None => found,
    }
}

fn source_line(source: &Source) -> SourceLine {
    let name = match source.source {
        BreachSource::List => "Built-in list",
        BreachSource::Offline => "Index of your own",
        BreachSource::Online => "Range service",
    };
    let passwords = source.passwords.and_then(|count| i64::try_from(count).ok());
    SourceLine {
        name,
        key: source.source.as_str(),
        date: source.date.map_or_else(|| "–".to_owned(), |date| date.to_string()),
        passwords: passwords.map_or_else(|| "–".to_owned(), grouped),
        standing: standing(source),
        is_bad: source.standing.is_bad(),
    }
}

/// How it stands with one, for people.
fn standing(source: &Source) -> String {
    let answered = source.answered_at.map(|at| format!("last answer {}", at.to_the_minute()));
    let word = match source.standing {
        Standing::BuiltIn => "part of the program",
        Standing::Verified => "in use, all of it verified",
        Standing::Opened => "in use, being verified",
        Standing::Reading => "asked when all of it was read, as it must be signed",
        Standing::Refused => "cannot be used; the log says why",
        Standing::Absent => "none is configured",
        Standing::Answers => "answers",
        Standing::NotAsked => "not asked since the start",
        Standing::Down => "does not answer; tried now and then",
    };
    [Some(word.to_owned()), answered].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
