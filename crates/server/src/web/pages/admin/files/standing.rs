//! How it stands with the watch, in words: of a root, and of a check.

use portcullis_domain::integrity::{Cause, CheckState, Origin};
use portcullis_domain::text::visible;
use portcullis_domain::time::Time;
use portcullis_store::integrity::baselines::Baseline;
use portcullis_store::integrity::checks::{self, Counts};
use portcullis_store::integrity::deployments;

use super::words::mark;
use crate::flows::integrity::status::{Notice, OfRoot};

/// How it stands with a root.
pub(super) struct Root {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) exclude: Vec<String>,
    pub(super) baseline: Option<String>,
    /// How they look, how much they matter, and what they say.
    pub(super) notices: Vec<(&'static str, &'static str, &'static str)>,
    pub(super) looked_at: Option<String>,
    pub(super) deployment: Option<String>,
}

impl Root {
    pub(super) fn of(root: &OfRoot) -> Self {
        Self {
            name: root.name.clone(),
            path: root.path.clone(),
            exclude: root.exclude.iter().map(|glob| visible(glob)).collect(),
            baseline: root.baseline.as_ref().map(baseline),
            notices: root.notices().into_iter().map(notice).collect(),
            looked_at: root.looked_at.map(Time::to_the_minute),
            deployment: root.deployment.as_ref().map(deployment),
        }
    }
}

fn notice(notice: Notice) -> (&'static str, &'static str, &'static str) {
    let severity = notice.severity();
    (mark(severity), severity.as_str(), notice.says())
}

fn baseline(baseline: &Baseline) -> String {
    let Baseline { number, entries, .. } = baseline;
    let says = match baseline.origin {
        Origin::Declared => "It was declared by whoever built it, with a signature",
        Origin::Observed => "Nobody has declared it: it is what was there when it was made",
    };
    format!("Number {number}, {}. {says}", counted(*entries, "path"))
}

fn deployment(deployment: &deployments::Deployment) -> String {
    let (number, until) = (deployment.number, deployment.ends_at.to_the_minute());
    let counts = deployment.counts;
    format!(
        "to baseline {number}, open until {until}: {} as declared, {} not yet, {} unexpected",
        counts.reached, counts.pending, counts.unexpected
    )
}

/// How far a check is, or what it came to.
pub(super) struct Check {
    pub(super) id: String,
    pub(super) is_running: bool,
    pub(super) is_bad: bool,
    pub(super) says: String,
    pub(super) scanned: i64,
    /// How much there is to look at; 0 where no baseline tells.
    pub(super) expected: i64,
}

impl Check {
    pub(super) fn of(check: &checks::Check) -> Self {
        let Counts { scanned, expected, .. } = check.counts;
        let is_running = check.state == CheckState::Running;
        let says = if is_running { going_on(check) } else { ended(check) };
        Self {
            id: check.id.as_str().to_owned(),
            is_running,
            is_bad: check.state == CheckState::Failed,
            says,
            scanned: scanned.min(expected),
            expected,
        }
    }
}

fn going_on(check: &checks::Check) -> String {
    let Counts { scanned, expected, .. } = check.counts;
    let so_far = counted(scanned, "path");
    let of = if expected > 0 { format!(" of about {expected}") } else { String::new() };
    format!("A check{} goes on: {so_far}{of} so far.", cause(check.cause))
}

fn ended(check: &checks::Check) -> String {
    let counts = &check.counts;
    let at = check.finished_at.unwrap_or(check.started_at).to_the_minute();
    let begun = format!("The last check{}", cause(check.cause));
    let how = match check.state {
        CheckState::Complete | CheckState::Running => "came to its end",
        CheckState::Failed => "failed, and not all was looked at; see the alerts and the log",
        CheckState::Cancelled => "was stopped",
        CheckState::Interrupted => "was cut off, because the server ended",
        CheckState::Superseded => "means nothing, because the baseline became another meanwhile",
    };
    let unverifiable = match counts.unverifiable {
        0 => String::new(),
        number => format!(", {number} that could not be checked"),
    };
    format!(
        "{begun} {how} ({at}): {}, {}, {}{unverifiable}.",
        counted(counts.scanned, "path"),
        counted(counts.violations, "difference"),
        counted(counts.alerts, "new alert"),
    )
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Request => ", which somebody asked for,",
        Cause::Command => ", which somebody asked for at the command line,",
        Cause::Schedule => ", which was on schedule,",
        Cause::Start => ", when the server began,",
        Cause::Deployment => ", at the end of a deployment,",
    }
}

fn counted(count: i64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
