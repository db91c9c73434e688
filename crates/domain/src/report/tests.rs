//! A whole report, as JSON and as CSV.

use serde_json::{Value, json};

use super::*;

pub(crate) fn report() -> Report {
    let period = Period::parse(Some("2024-06-01"), Some("2024-06-02"), Time(0)).unwrap();
    let count = |day: Time, name: &str, outcome: &str, reason: &str, events| Count {
        day,
        name: name.to_owned(),
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        events,
        amount: 0,
    };
    let (first, second) = (period.start, Time(period.start.0 + DAY));
    let before = Time(period.start.0 - DAY);
    Report::of(Parts {
        counts: vec![
            count(first, "authn_login_success", "success", "", 7),
            count(first, "authn_login_fail", "failure", "wrong_password", 1),
            count(second, "authn_login_fail", "failure", "wrong_password", 2),
            count(second, "session_ended", "success", "terminated", 1),
        ],
        previous: vec![count(before, "authn_login_success", "success", "", 9)],
        standing: Standing {
            blacklisted: 4,
            unused_sessions: (Bounded { count: 10_000, at_least: true }, 3.into()),
            ..Standing::default()
        },
        found: Found { begins: Some(Time(0)), ..Found::default() },
        log: Log {
            origin: "gate.example.com/audit".to_owned(),
            size: 11,
            checkpoint: Some(Checkpoint {
                size: 10,
                at: second,
                note: "gate.example.com/audit\n10\nAAAA\n\n— x y\n".to_owned(),
            }),
            verified: Some(Verified { at: second, entries: 10, faults: 0 }),
        },
        now: Time(1_717_400_000_000),
        period,
    })
}

#[test]
fn the_documented_keys_are_first_and_as_documented() {
    let text = serde_json::to_string(&report()).unwrap();
    let documented = "{\"period\":{\"from\":\"2024-06-01\",\"to\":\"2024-06-02\"},\
        \"logins\":{\"successful\":7,\"failed\":3},\"new_ip_verifications\":0,\
        \"sessions_terminated\":1,\"blacklisted_users\":0,\"file_integrity_violations\":0,\
        \"password_breaches_detected\":0,\"blacklisted_now\":4,";
    assert!(text.starts_with(documented), "{text}");
}

#[test]
fn the_rest_says_what_it_was_before_and_how_things_stand() {
    let json: Value = serde_json::to_value(report()).unwrap();
    assert_eq!(json["previous"]["period"], json!({"from": "2024-05-30", "to": "2024-05-31"}));
    assert_eq!(json["previous"]["logins"]["successful"], 9);
    assert_eq!(json["previous"]["change"]["logins"], json!({"successful": -2, "failed": 3}));
    let day = json!({"day": "2024-06-02", "successful": 0, "failed": 2,
        "failures": {"wrong_password": 2}});
    assert_eq!(json["logins_by_day"][1], day);
    let failure = json!({"event": "authn_login_fail", "reason": "wrong_password", "count": 3});
    assert_eq!(json["failures_by_reason"], json!([failure]));
    assert_eq!(json["posture"][0]["check"], "owners");
    assert_eq!(json["posture"][0]["severity"], "critical");
    assert_eq!(json["data_completeness"]["is_complete"], true);
    assert_eq!(json["log"]["checkpoint"]["at"], "2024-06-02T00:00:00Z");
    let verified = json!({"at": "2024-06-02T00:00:00Z", "entries": 10, "faults": 0});
    assert_eq!(json["log"]["verified"], verified);
    assert_eq!(json["generated_at"], "2024-06-03T07:33:20Z");
}

#[test]
fn every_figure_is_a_line_of_csv() {
    let csv = report().csv();
    assert!(csv.starts_with(
        "section,name,value,previous,change\r\nperiod,from,2024-06-01,2024-05-30,\r\n"
    ));
    for line in [
        "figures,logins.successful,7,9,-2",
        "figures,logins.failed,3,0,3",
        "figures,sessions_terminated,1,0,1",
        "events,authn_login_fail,3,,",
        "failures_by_reason,authn_login_fail wrong_password,3,,",
        "logins_by_day.failed,2024-06-02,2,,",
        "posture.critical,owners,0,,",
        "posture.note,sessions_unused_30_days,10000 or more,,",
        "data_completeness,is_complete,true,,",
    ] {
        assert!(csv.contains(&format!("\r\n{line}\r\n")), "{line} in {csv}");
    }
}
