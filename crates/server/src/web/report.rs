//! The security report for people: what the page and the file of the command line both show. Not
//! here: what is counted, which is the domain's, and who may see it.

mod chart;

use askama::Template;
use portcullis_domain::report::{
    Completeness, Concern, Failure, LOGIN_FAILED, Line, Period, Report,
};
use portcullis_domain::text::grouped;
use portcullis_domain::time::Time;

use self::chart::{Chart, SERIES};

/// Where the entries are that were counted.
const ACTIVITY: &str = "/-/admin/activity";

/// A report as it is shown, to stand in a page.
#[derive(Template)]
#[template(path = "report.html")]
pub struct Shown {
    period: String,
    previous_period: String,
    generated: String,
    tiles: Vec<Tile>,
    /// `None` where there were no sign-ins at all.
    chart: Option<Chart>,
    failures: Vec<Refused>,
    /// How many ask for something, in words.
    asks: String,
    concerns: Vec<Standing>,
    /// What is as it should be.
    fine: Vec<Standing>,
    remarks: Vec<String>,
    log: String,
    verified: String,
    note: Option<String>,
}

/// A figure with what it was before.
struct Tile {
    name: &'static str,
    value: String,
    change: String,
    /// Whether that is to be worried about.
    is_worse: bool,
}

/// A line of how things stand.
struct Standing {
    line: Line,
    word: &'static str,
    count: String,
    href: Option<String>,
}

/// What was refused, and why.
struct Refused {
    event: String,
    /// The entries themselves.
    href: Option<String>,
    why: String,
    count: String,
}

/// The report as one file that needs nothing else: every link leads to the server.
pub fn file(report: &Report, server: &str) -> Result<String, askama::Error> {
    #[derive(Template)]
    #[template(path = "report_file.html")]
    struct File {
        report: Shown,
    }
    let link = |page: &str| Some(format!("{server}{page}"));
    File { report: Shown::of(report, link) }.render()
}

impl Shown {
    /// `link`: where a page of ours is, if whoever reads may go there.
    pub fn of(report: &Report, link: impl Fn(&str) -> Option<String>) -> Self {
        let standing = report.posture.iter().map(|line| Standing::of(*line, &link));
        let (fine, concerns): (Vec<_>, Vec<_>) =
            standing.partition(|one| one.line.severity == Concern::Ok);
        let (period, before) = (&report.period, &report.previous.period);
        let (failures, activity) = (report.failures_by_reason.iter(), link(ACTIVITY));
        Self {
            period: format!("{} to {}", period.from, period.to),
            previous_period: format!("{} to {}", before.from, before.to),
            generated: report.generated_at.to_the_minute(),
            tiles: tiles(report),
            chart: Chart::of(&report.logins_by_day),
            failures: failures.map(|one| Refused::of(one, period, activity.as_deref())).collect(),
            asks: asks(&concerns),
            concerns,
            fine,
            remarks: remarks(report),
            log: log(report),
            verified: verified(report),
            note: report.log.checkpoint.as_ref().map(|checkpoint| checkpoint.note.clone()),
        }
    }
}

impl Refused {
    fn of(failure: &Failure, period: &Period, activity: Option<&str>) -> Self {
        let is_sign_in = failure.event == LOGIN_FAILED;
        let why = if is_sign_in { of_sign_in(&failure.reason) } else { &failure.reason };
        Self {
            event: failure.event.clone(),
            href: activity.map(|page| entries(page, &failure.event, period)),
            why: why.to_owned(),
            count: grouped(failure.count),
        }
    }
}

impl Standing {
    fn of(line: Line, link: &impl Fn(&str) -> Option<String>) -> Self {
        let more = if line.at_least { " or more" } else { "" };
        Self {
            word: line.severity.word(),
            count: format!("{}{more}", grouped(line.count)),
            href: line.page.and_then(link),
            line,
        }
    }
}

/// The page of activity, with the events of one name in a period.
fn entries(page: &str, event: &str, period: &Period) -> String {
    let start = format!("{page}?");
    let end = start.len();
    let mut query = form_urlencoded::Serializer::for_suffix(start, end);
    query.append_pair("action", event).append_pair("from", &period.from);
    query.append_pair("to", &period.to).finish()
}

fn tiles(report: &Report) -> Vec<Tile> {
    const NAMES: [(&str, Good); 7] = [
        ("Sign-ins", Good::Either),
        ("Failed sign-ins", Good::Less),
        ("New places confirmed", Good::Either),
        ("Sessions terminated", Good::Either),
        ("People put on the blacklist", Good::Either),
        ("Alerts of watched files", Good::Less),
        ("Breached passwords", Good::Less),
    ];
    let changes = report.previous.change.named();
    let values = report.figures.named().into_iter().zip(changes);
    let tile = |((name, good), ((_, value), (_, change)))| Tile {
        name,
        value: grouped(value),
        change: changed(change),
        is_worse: good == Good::Less && change > 0,
    };
    NAMES.into_iter().zip(values).map(tile).collect()
}

/// Which way a figure had better go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    Less,
    Either,
}

fn asks(concerns: &[Standing]) -> String {
    let number = concerns.iter().filter(|one| one.line.severity <= Concern::Warning).count();
    match number {
        0 => "Nothing of what is listed asks for attention.".to_owned(),
        1 => "One thing asks for attention.".to_owned(),
        number => format!("{number} things ask for attention."),
    }
}

/// What takes something away from the figures.
fn remarks(report: &Report) -> Vec<String> {
    let found = &report.data_completeness;
    let mut remarks = Vec::new();
    remarks.extend(beginning(found, report.period.start));
    if !found.gaps.is_empty() {
        let (hours, times) = (found.hours_without_server, found.gaps.len());
        let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        let sentence = format!("No server was running for about {hours} hours in all ({times}).");
        remarks.push(sentence);
    }
    if found.events_unsequenced > 0 {
        let waiting = grouped(found.events_unsequenced);
        remarks.push(format!("{waiting} events are not in the log yet and not counted."));
    }
    if found.entries_pruned > 0 {
        let pruned = grouped(found.entries_pruned);
        remarks.push(format!(
            "{pruned} old entries were exported and taken out; whole hours of theirs stay counted."
        ));
    }
    remarks
}

/// What is to be said of the beginning of what is counted. Of a log whose first entries were taken out, the
/// hour is known.
fn beginning(found: &Completeness, start: Time) -> Option<String> {
    match found.log_begins {
        None => Some("Nothing has been written to the log yet.".to_owned()),
        Some(begins) if begins <= start => None,
        Some(begins) if found.entries_pruned == 0 => Some(format!(
            "The log begins on {}; nothing is known of before.",
            begins.to_the_minute()
        )),
        Some(begins) => Some(format!("What is counted begins on {}.", begins.to_the_minute())),
    }
}

fn log(report: &Report) -> String {
    let log = &report.log;
    let size = grouped(log.size);
    match &log.checkpoint {
        None => format!("Counted from {size} entries of the log {}.", log.origin),
        Some(checkpoint) => format!(
            "Counted from {size} entries of the log {}, of which {} are covered by the checkpoint of {}.",
            log.origin,
            grouped(checkpoint.size.min(log.size)),
            checkpoint.at.to_the_minute(),
        ),
    }
}

fn verified(report: &Report) -> String {
    match &report.log.verified {
        None => "It was never verified.".to_owned(),
        Some(verified) if verified.faults == 0 => {
            let (entries, at) = (grouped(verified.entries), verified.at.to_the_minute());
            format!("It was last verified on {at}: {entries} entries, all in order.")
        }
        Some(verified) => {
            let (faults, at) = (grouped(verified.faults), verified.at.to_the_minute());
            format!("It was last verified on {at}, and was NOT in order: {faults} found.")
        }
    }
}

/// Such as `+12`, `−3` or `no change`.
fn changed(change: i64) -> String {
    match change {
        0 => "as before".to_owned(),
        more if more > 0 => format!("+{}", grouped(more)),
        less => format!("−{}", grouped(less.saturating_neg())),
    }
}

/// What a reason of a failed sign-in is called.
fn of_sign_in(word: &str) -> &str {
    match word {
        "unknown_user" => "Nobody has the name",
        "wrong_password" => "Wrong password",
        "no_password" => "Account takes no password",
        "locked_out" => "During a lock-out",
        "account_changed" => "Account changed meanwhile",
        "account_disabled" => "Account is disabled",
        "password_breached" => "Password is breached",
        "blacklisted" => "On the blacklist",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use portcullis_domain::report::{Found, HOUR};

    use super::*;

    #[test]
    fn numbers_are_grouped_and_changes_have_a_sign() {
        let check = |number, text: &str| assert_eq!(grouped(number), text);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(12_345_678, "12,345,678");
        check(-1234, "−1,234");
        let check = |change, text: &str| assert_eq!(changed(change), text);
        check(0, "as before");
        check(1200, "+1,200");
        check(-3, "−3");
    }

    #[test]
    fn that_nothing_is_known_of_before_is_said_where_nothing_was_taken_out() {
        let check = |begins: Option<i64>, pruned, text: Option<&str>| {
            let found = Found { begins: begins.map(Time), pruned, ..Found::default() };
            let period = Period::parse(None, None, Time(HOUR * 24)).unwrap();
            let found = Completeness::of(&period, found);
            assert_eq!(beginning(&found, Time(HOUR)).as_deref(), text);
        };
        check(None, 0, Some("Nothing has been written to the log yet."));
        check(Some(HOUR), 0, None);
        check(Some(HOUR), 256, None);
        let young = "The log begins on 1970-01-01 02:00 UTC; nothing is known of before.";
        check(Some(HOUR * 2), 0, Some(young));
        check(Some(HOUR * 2), 256, Some("What is counted begins on 1970-01-01 02:00 UTC."));
    }
}
