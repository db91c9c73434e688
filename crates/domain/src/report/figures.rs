//! What is counted: from numbers of events by day, name and reason to the figures of a report. Not
//! here: where those numbers come from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::period::Period;
use crate::time::Time;

/// How many events there were of one kind on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The first moment of the day.
    pub day: Time,
    /// The name in the log.
    pub name: String,
    /// `success` or `failure`.
    pub outcome: String,
    /// Why, in a word of our own; empty if there is none.
    pub reason: String,
    pub events: i64,
    /// What those events say they did so often, such as ending sessions.
    pub amount: i64,
}

/// What every report has, under the documented names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub logins: Logins,
    /// New places that were confirmed.
    pub new_ip_verifications: i64,
    /// Sessions that were ended by another hand, see [`Terminated`].
    pub sessions_terminated: i64,
    /// Users who were put on the blacklist.
    pub blacklisted_users: i64,
    /// Differences of watched files that somebody must judge.
    pub file_integrity_violations: i64,
    /// Passwords that were found in a breach.
    pub password_breaches_detected: i64,
}

/// Sign-ins with a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Logins {
    pub successful: i64,
    /// Those whose password was looked at or that came during a lock-out. What a limit turned away
    /// is not among them.
    pub failed: i64,
}

/// How sessions were ended by another hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Terminated {
    /// One by one, from a list of sessions.
    pub from_a_list: i64,
    /// With all of a user's, without anything else happening to him.
    pub signed_out: i64,
    /// When a user was put on the blacklist.
    pub blacklisted: i64,
    /// When an account was disabled.
    pub disabled: i64,
    /// When an account was deleted.
    pub deleted: i64,
}

/// Events of one name that tell of a refusal, with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub event: String,
    /// Empty where the event gives none.
    pub reason: String,
    pub count: i64,
}

/// The sign-ins of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Such as `2026-11-01`.
    pub day: String,
    pub successful: i64,
    pub failed: i64,
    /// The failed ones by reason.
    pub failures: BTreeMap<String, i64>,
}

/// The event that counts as a failed sign-in.
pub const LOGIN_FAILED: &str = "authn_login_fail";
/// The events that count as a successful one.
const LOGIN_SUCCEEDED: [&str; 2] = ["authn_login_success", "authn_login_successafterfail"];

impl Figures {
    /// The figures of these events.
    pub fn of(counts: &[Count]) -> Self {
        let events = |name| sum(counts, |count| count.name == name, |count| count.events);
        Self {
            logins: Logins {
                successful: LOGIN_SUCCEEDED.into_iter().map(events).sum(),
                failed: events(LOGIN_FAILED),
            },
            new_ip_verifications: events("authn_place_confirmed"),
            sessions_terminated: Terminated::of(counts).total(),
            blacklisted_users: events("user_blacklisted"),
            file_integrity_violations: events("fim_alert_opened"),
            password_breaches_detected: events("authn_password_breached"),
        }
    }

    /// How much more each is than it was before.
    #[must_use]
    pub fn minus(self, before: Self) -> Self {
        Self {
            logins: Logins {
                successful: self.logins.successful - before.logins.successful,
                failed: self.logins.failed - before.logins.failed,
            },
            new_ip_verifications: self.new_ip_verifications - before.new_ip_verifications,
            sessions_terminated: self.sessions_terminated - before.sessions_terminated,
            blacklisted_users: self.blacklisted_users - before.blacklisted_users,
            file_integrity_violations: self.file_integrity_violations
                - before.file_integrity_violations,
            password_breaches_detected: self.password_breaches_detected
                - before.password_breaches_detected,
        }
    }

    /// Each with its documented name, in the documented order.
    pub fn named(&self) -> [(&'static str, i64); 7] {
        [
            ("logins.successful", self.logins.successful),
            ("logins.failed", self.logins.failed),
            ("new_ip_verifications", self.new_ip_verifications),
            ("sessions_terminated", self.sessions_terminated),
            ("blacklisted_users", self.blacklisted_users),
            ("file_integrity_violations", self.file_integrity_violations),
            ("password_breaches_detected", self.password_breaches_detected),
        ]
    }
}

impl Terminated {
    /// What these events ended.
    pub fn of(counts: &[Count]) -> Self {
        let ended = |name| sum(counts, |count| count.name == name, |count| count.amount);
        let from_a_list =
            |count: &Count| count.name == "session_ended" && count.reason == "terminated";
        Self {
            from_a_list: sum(counts, from_a_list, |count| count.events),
            signed_out: ended("user_signed_out"),
            blacklisted: ended("user_blacklisted"),
            disabled: ended("user_updated"),
            deleted: ended("user_deleted"),
        }
    }

    /// All of them.
    pub fn total(&self) -> i64 {
        self.from_a_list + self.signed_out + self.blacklisted + self.disabled + self.deleted
    }
}

/// How many events there were of each name.
pub fn by_name(counts: &[Count]) -> BTreeMap<String, i64> {
    let mut names = BTreeMap::new();
    for count in counts {
        *names.entry(count.name.clone()).or_default() += count.events;
    }
    names
}

/// What was refused, and why: the most frequent first.
pub fn failures(counts: &[Count]) -> Vec<Failure> {
    let mut by_reason: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.outcome == "failure") {
        *by_reason.entry((&count.name, &count.reason)).or_default() += count.events;
    }
    let failure = |((event, reason), count): ((&str, &str), i64)| Failure {
        event: event.to_owned(),
        reason: reason.to_owned(),
        count,
    };
    let mut failures: Vec<Failure> = by_reason.into_iter().map(failure).collect();
    // Stable: those as frequent stay in the order of their names.
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}

/// The sign-ins of each day of a period, also of those without any.
pub fn days(period: &Period, counts: &[Count]) -> Vec<Day> {
    let mut days: BTreeMap<Time, Day> = period.days().map(|day| (day, Day::empty(day))).collect();
    for count in counts {
        let Some(day) = days.get_mut(&count.day) else { continue };
        if count.name == LOGIN_FAILED {
            day.failed += count.events;
            *day.failures.entry(count.reason.clone()).or_default() += count.events;
        } else if LOGIN_SUCCEEDED.contains(&count.name.as_str()) {
            day.successful += count.events;
        }
    }
    days.into_values().collect()
}

impl Day {
    fn empty(day: Time) -> Self {
        let iso = day.iso();
        let day = iso.get(..10).unwrap_or(&iso).to_owned();
        Self { day, successful: 0, failed: 0, failures: BTreeMap::new() }
    }
}

fn sum(counts: &[Count], is_meant: impl Fn(&Count) -> bool, number: impl Fn(&Count) -> i64) -> i64 {
    counts.iter().filter(|count| is_meant(count)).map(number).sum()
}

#[cfg(test)]
mod tests {
    use super::super::period::DAY;
    use super::*;

    fn count(day: i64, name: &str, outcome: &str, reason: &str, events: i64, amount: i64) -> Count {
        let [name, outcome, reason] = [name, outcome, reason].map(str::to_owned);
        Count { day: Time(day * DAY), name, outcome, reason, events, amount }
    }

    fn some() -> Vec<Count> {
        vec![
            count(0, "authn_login_success", "success", "", 5, 0),
            count(1, "authn_login_success", "success", "", 2, 0),
            count(1, "authn_login_successafterfail", "success", "", 1, 0),
            count(0, "authn_login_fail", "failure", "wrong_password", 3, 0),
            count(1, "authn_login_fail", "failure", "wrong_password", 1, 0),
            count(1, "authn_login_fail", "failure", "unknown_user", 4, 0),
            count(1, "authn_login_fail_max", "failure", "", 9, 0),
            count(1, "authn_place_asked", "success", "", 3, 0),
            count(1, "authn_place_confirmed", "success", "", 2, 0),
            count(1, "session_ended", "success", "terminated", 2, 0),
            count(1, "session_ended", "success", "logout", 8, 30),
            count(1, "user_signed_out", "success", "", 1, 10),
            count(1, "user_blacklisted", "success", "", 2, 100),
            count(1, "user_updated", "success", "", 7, 1_000),
            count(1, "user_deleted", "success", "", 1, 10_000),
            count(1, "fim_alert_opened", "failure", "", 6, 0),
            count(1, "authn_password_breached", "failure", "", 7, 0),
        ]
    }

    #[test]
    fn each_figure_counts_its_own_events() {
        let figures = Figures::of(&some());
        let values = figures.named().map(|(_, value)| value);
        assert_eq!(values, [8, 8, 2, 11_112, 2, 6, 7]);
        let terminated = Terminated::of(&some());
        assert_eq!(terminated.from_a_list, 2, "not what its owner ended");
        assert_eq!(Figures::of(&[]), Figures::default());
        let change = Figures::default().minus(figures).named().map(|(_, value)| value);
        assert_eq!(change, [-8, -8, -2, -11_112, -2, -6, -7]);
    }

    #[test]
    fn the_documented_names_come_first_and_in_their_order() {
        let json = serde_json::to_string(&Figures::of(&some())).unwrap();
        let expected = "{\"logins\":{\"successful\":8,\"failed\":8},\"new_ip_verifications\":2,\
            \"sessions_terminated\":11112,\"blacklisted_users\":2,\"file_integrity_violations\":6,\
            \"password_breaches_detected\":7}";
        assert_eq!(json, expected);
    }

    #[test]
    fn refusals_are_told_by_reason_the_most_frequent_first() {
        let failures = failures(&some());
        let found: Vec<_> = failures
            .iter()
            .map(|one| (one.event.as_str(), one.reason.as_str(), one.count))
            .collect();
        let expected = [
            ("authn_login_fail_max", "", 9),
            ("authn_password_breached", "", 7),
            ("fim_alert_opened", "", 6),
            ("authn_login_fail", "unknown_user", 4),
            ("authn_login_fail", "wrong_password", 4),
        ];
        assert_eq!(found, expected);
        assert_eq!(by_name(&some())["session_ended"], 10);
    }

    #[test]
    fn every_day_has_its_sign_ins() {
        let period =
            Period { from: String::new(), to: String::new(), start: Time(0), end: Time(3 * DAY) };
        let days = days(&period, &some());
        let found: Vec<_> =
            days.iter().map(|day| (day.day.as_str(), day.successful, day.failed)).collect();
        assert_eq!(found, [("1970-01-01", 5, 3), ("1970-01-02", 3, 5), ("1970-01-03", 0, 0)]);
        assert_eq!(days[1].failures["unknown_user"], 4);
    }

    /// The names are those that the events have.
    #[test]
    fn what_is_counted_is_written() {
        use crate::event::{EndReason, Event, Text};
        use crate::session::SignInForm;
        let form = SignInForm::Email;
        let check = |event: Event, name: &str| assert_eq!(event.name(), name);
        check(Event::SignedIn { form }, LOGIN_SUCCEEDED[0]);
        check(Event::SignedInAfterFailures { form, failures: 1 }, LOGIN_SUCCEEDED[1]);
        check(Event::PlaceConfirmed { network: Text::clip("") }, "authn_place_confirmed");
        let ended = Event::SessionEnded { reason: EndReason::Terminated };
        assert_eq!(ended.detail()["reason"], "terminated");
        check(ended, "session_ended");
        check(Event::UserBlacklisted { reason: None, sessions: 0 }, "user_blacklisted");
        check(Event::UserSignedOut { sessions: 0 }, "user_signed_out");
        check(Event::UserDisabled { sessions: 0 }, "user_updated");
        check(Event::UserDeleted { sessions: 0 }, "user_deleted");
    }
}
