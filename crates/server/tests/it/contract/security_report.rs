//! TP39, TP40: the security report counts what is known to have happened, to the event and to the
//! millisecond, and only those who may see it get it.

use std::time::Duration;

use portcullis_domain::event::{Context, EndReason, Event, SignInFailure, Text};
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use portcullis_store::events;
use serde_json::{Value, json};

use super::{HOUR, assert_p};
use crate::harness::client::{Answer, Client};
use crate::harness::people::{AGENT, STAFF, STAFF0, TENANT, Z1};
use crate::harness::revoking::{blacklist, terminate};
use crate::harness::{TestApp, on_each_database};

const REPORT: &str = "/api/admin/security-report";
const DENIED: &str = "You do not have permission to perform this action";

/// 2024-06-01T00:00:00Z.
const JUNE: i64 = 1_717_200_000_000;
const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn tp39_counters_match_events_and_the_period_is_echoed() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let form = SignInForm::Email;
        let failed = |reason| Event::SignInFailed { form, reason, known: true };
        let reason = None;
        for (event, times) in [
            (Event::SignedIn { form }, 4),
            (Event::SignedInAfterFailures { form, failures: 2 }, 1),
            (failed(SignInFailure::WrongPassword), 3),
            (failed(SignInFailure::LockedOut), 2),
            (Event::SignInLimited { form }, 7),
            (Event::PlaceAsked { network: Text::clip("192.0.2.0/24") }, 6),
            (Event::PlaceConfirmed { network: Text::clip("192.0.2.0/24") }, 2),
            (Event::SessionEnded { reason: EndReason::Terminated }, 2),
            (Event::SessionEnded { reason: EndReason::Logout }, 9),
            (Event::OtherSessionsEnded { reason: EndReason::Logout, others: 50 }, 1),
            (Event::UserSignedOut { sessions: 3 }, 1),
            (Event::UserDisabled { sessions: 10 }, 2),
            (Event::UserDeleted { sessions: 100 }, 1),
            (Event::UserBlacklisted { reason, sessions: 1000 }, 2),
        ] {
            for number in 0..times {
                write(server, &event, JUNE + number * 7 * HOUR_MS).await;
            }
        }
        let data = report(&staff, "?from=2024-06-01&to=2024-06-14").await;
        assert_eq!(documented(&data), json!({
            "period": {"from": "2024-06-01", "to": "2024-06-14"},
            "logins": {"successful": 5, "failed": 5},
            "new_ip_verifications": 2,
            "sessions_terminated": 2125,
            "blacklisted_users": 2,
            "file_integrity_violations": 0,
            "password_breaches_detected": 0,
        }));
        assert_eq!(data["sessions_terminated_by"], json!({
            "from_a_list": 2, "signed_out": 3, "blacklisted": 2000, "disabled": 20, "deleted": 100,
        }));
        let before = report(&staff, "?from=2024-06-15&to=2024-06-28").await;
        assert_eq!(before["previous"]["period"], data["period"]);
        assert_eq!(before["previous"]["logins"], data["logins"]);
        assert_eq!(before["previous"]["change"]["logins"], json!({"successful": -5, "failed": -5}));
        let first_day = &data["logins_by_day"][0];
        let expected = json!({"day": "2024-06-01", "successful": 5, "failed": 5,
            "failures": {"wrong_password": 3, "locked_out": 2}});
        assert_eq!(first_day, &expected);
        assert_eq!(data["logins_by_day"].as_array().map(Vec::len), Some(14));
        assert_eq!(data["failures_by_reason"][0]["event"], "authn_login_fail_max");
    })
    .await;
}

#[tokio::test]
async fn tp39_the_documented_keys_come_first_and_in_their_order() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let answer = staff.get(REPORT).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = answer.text();
        let mut rest = text.as_str();
        for key in [
            "{\"success\":true,\"data\":{\"period\":{\"from\":",
            ",\"to\":",
            "},\"logins\":{\"successful\":",
            ",\"failed\":",
            "},\"new_ip_verifications\":",
            ",\"sessions_terminated\":",
            ",\"blacklisted_users\":",
            ",\"file_integrity_violations\":",
            ",\"password_breaches_detected\":",
            ",\"blacklisted_now\":",
        ] {
            let (between, after) = rest.split_once(key).unwrap_or_else(|| panic!("{key}: {text}"));
            assert!(between.len() < 13, "nothing but a value before {key}: {between}");
            rest = after;
        }
    })
    .await;
}

#[tokio::test]
async fn tp39_staff_with_the_permission_and_nobody_else() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for person in [&STAFF0, &AGENT, &TENANT, &Z1] {
            let other = server.by_cookie(person).await;
            let answer = other.get(REPORT).send().await;
            assert_p(&answer, 403, DENIED);
        }
        let nobody = server.client().get(REPORT).send().await;
        assert_p(&nobody, 401, "Authentication required. Please log in.");
        assert_eq!(staff.get(REPORT).send().await.status, 200, "control");
        assert_eq!(server.events("authz_fail", 4).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn tp40_acts_are_in_the_report_at_once() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let tenant = server.add(&TENANT).await.id.0;
        let (_, _) = (server.sign_in(&TENANT).await, server.mobile(&TENANT).await);
        let ended = server.by_cookie(&Z1).await;
        let handle = server.handle_of(&ended).await;
        let before = report(&staff, "").await;

        assert_eq!(blacklist(&staff, tenant).await.status, 200);
        assert_eq!(terminate(&staff, &handle).await.status, 200);
        for name in ["staff", "nobody-of-this-name"] {
            let body = json!({"username": name, "password": "not the right one"});
            let answer = server.client().post("/api/auth/login").json(&body).send().await;
            assert_eq!(answer.status, 401, "{answer:?}");
        }

        let after = report(&staff, "").await;
        let risen = |pointer: &str| {
            let number = |data: &Value| data.pointer(pointer).and_then(Value::as_i64).unwrap();
            number(&after) - number(&before)
        };
        assert_eq!(risen("/blacklisted_users"), 1);
        assert_eq!(risen("/sessions_terminated"), 1 + 2, "one, and two of whom was blacklisted");
        assert_eq!(risen("/sessions_terminated_by/from_a_list"), 1);
        assert_eq!(risen("/logins/failed"), 2);
        assert_eq!(risen("/logins/successful"), 0);
        assert_eq!(after["blacklisted_now"], 1);
    })
    .await;
}

#[tokio::test]
async fn sessions_that_end_with_an_account_are_counted() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let gone = server.add(&TENANT).await;
        let closed = server.add(&Z1).await;
        for _ in 0..2 {
            server.mobile(&TENANT).await;
        }
        let act = async |path: &str, body: Value| {
            let answer = staff.act(http::Method::POST, path, &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        };
        let by = async || report(&staff, "").await["sessions_terminated_by"].clone();
        act("/api/users/logout-user", json!({"uuid": gone.uuid})).await;
        server.mobile(&TENANT).await;
        let delete = json!({"action": "delete_user", "user_uuid": gone.uuid});
        act("/api/users/users", delete).await;
        server.mobile(&Z1).await;
        act("/api/users/users", json!({"action": "toggle_status", "user_uuid": closed.uuid})).await;
        assert_eq!(
            by().await,
            json!({
                "from_a_list": 0, "signed_out": 2, "blacklisted": 0, "disabled": 1, "deleted": 1,
            })
        );
        act("/api/users/users", json!({"action": "toggle_status", "user_uuid": closed.uuid})).await;
        assert_eq!(by().await["disabled"], 1, "opening it ends nothing");
    })
    .await;
}

#[tokio::test]
async fn a_period_ends_to_the_millisecond() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let signed_in = Event::SignedIn { form: SignInForm::Email };
        // The last millisecond of the day before, the first and the last of the day, and the first
        // of the next; and some within one hour.
        let noon = JUNE + DAY_MS / 2;
        for at in [-1, 0, DAY_MS - 1, DAY_MS].map(|since| JUNE + since) {
            write(server, &signed_in, at).await;
        }
        for minute in [0, 10, 20, 30, 40, 50] {
            write(server, &signed_in, noon + minute * 60_000).await;
        }
        let check = async |from: &str, to: &str, expected: i64| {
            let data = report(&staff, &format!("?from={from}&to={to}")).await;
            assert_eq!(data["logins"]["successful"], expected, "{from} {to}");
            assert_eq!(data["period"], json!({"from": from, "to": to}), "echoed");
        };
        check("2024-06-01", "2024-06-01", 8).await;
        check("2024-05-31", "2024-05-31", 1).await;
        check("2024-06-02", "2024-06-02", 1).await;
        check("2024-05-31", "2024-06-02", 10).await;
        check("2024-06-01T00:00:00Z", "2024-06-01T23:59:59.999Z", 7).await;
        check("2024-05-31T23:59:59.999Z", "2024-06-02T00:00:00.001Z", 10).await;
        check("2024-06-01T00:00:00.001Z", "2024-06-02T00:00:00Z", 7).await;
        check("2024-06-01T12:10:00Z", "2024-06-01T12:30:00Z", 2).await;
        check("2024-06-01T12:10:00Z", "2024-06-01T12:30:00.001Z", 3).await;
        check("2024-06-01T11:59:00Z", "2024-06-01T12:50:00Z", 5).await;
        check("2024-06-01T12:30:00Z", "2024-06-02", 5).await;
        let reasons = "?from=2024-06-01T12:00:00Z&to=2024-06-01T12:59:59Z";
        write(server, &failed(SignInFailure::UnknownUser), noon + 5).await;
        let data = report(&staff, reasons).await;
        assert_eq!(data["logins_by_day"][0]["failures"], json!({"unknown_user": 1}));
    })
    .await;
}

#[tokio::test]
async fn more_events_than_fit_a_page_are_counted_at_an_edge() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let mut tx = server.app.db.write().await.unwrap();
        let event = failed(SignInFailure::WrongPassword);
        for number in 0..4500 {
            let at = Time(JUNE + number / 3);
            let id = server.app.random.row_id(at);
            events::append(&mut tx, &event, &Context::default(), &id, at).await.unwrap();
        }
        tx.commit().await.unwrap();
        let data = report(&staff, "?from=2024-06-01&to=2024-06-01T00:00:01.400Z").await;
        assert_eq!(data["logins"]["failed"], 4200);
        let data = report(&staff, "?from=2024-06-01&to=2024-06-01").await;
        assert_eq!(data["logins"]["failed"], 4500, "control");
    })
    .await;
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for (query, code, named) in [
            ("?from=x", "invalid", "from"),
            ("?to=2024-02-30", "invalid", "to"),
            ("?from=2024-06-01T10:00:00", "invalid", "from"),
            ("?from=2024-06-02&to=2024-06-01", "period_reversed", "from"),
            ("?from=2024-06-01T10:00:00Z&to=2024-06-01T10:00:00Z", "period_reversed", "from"),
            ("?from=2023-06-01&to=2024-06-01", "period_too_long", "from"),
        ] {
            let answer = staff.get(&format!("{REPORT}{query}")).send().await;
            assert_eq!(answer.verdict(), format!("400 {code}"), "{query}: {answer:?}");
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(named), "{query}: {error}");
        }
        for query in ["", "?from=&to=", "?from=2024-06-01&to=2024-06-01", "?to=2024-06-01"] {
            let answer = staff.get(&format!("{REPORT}{query}")).send().await;
            assert_eq!(answer.status, 200, "control: {query}: {answer:?}");
        }
        let days = report(&staff, "").await["logins_by_day"].as_array().unwrap().len();
        assert_eq!(days, 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_at_the_same_time_say_the_same() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        // Written as the server starts, which may be a moment later than it answers.
        server.events("sys_startup", 1).await;
        for round in 1..=5 {
            write(server, &failed(SignInFailure::WrongPassword), JUNE + round).await;
            let ask = || report(&staff, "?from=2024-06-01&to=2024-06-02");
            let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
            for data in [one, two, three, four] {
                assert_eq!(data["logins"]["failed"], round);
                assert_eq!(data["data_completeness"]["events_unsequenced"], 0);
                assert_eq!(data["log"]["size"], data["log"]["checkpoint"]["size"]);
            }
            assert_eq!(server.app.audit.trouble(), None, "each signs or finds it signed");
        }
    })
    .await;
}

#[tokio::test]
async fn it_says_what_it_was_counted_from() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let data = report(&staff, "").await;
        let (log, checkpoint) = (&data["log"], &data["log"]["checkpoint"]);
        assert!(log["size"].as_i64().unwrap() > 0, "{log}");
        assert_eq!(log["size"], checkpoint["size"], "all of it is signed");
        let note = checkpoint["note"].as_str().unwrap();
        let head = format!("{}\n{}\n", log["origin"].as_str().unwrap(), log["size"]);
        assert!(note.starts_with(&head), "{note}");
        let found = &data["data_completeness"];
        assert_eq!(found["is_complete"], false, "the log is younger than 30 days");
        let today = &data["period"]["to"];
        let begins = found["log_begins"].as_str().unwrap();
        assert!(begins.starts_with(today.as_str().unwrap()), "{found}");

        // A server that was away for a night, and one that was not.
        server.advance(9 * HOUR);
        write(server, &Event::Heartbeat, server.app.clock.now().0).await;
        server.advance(HOUR);
        write(server, &Event::Heartbeat, server.app.clock.now().0).await;
        let found = report(&server.sign_in(&STAFF).await, "").await["data_completeness"].clone();
        assert_eq!(found["hours_without_server"], 9, "{found}");
        assert_eq!(found["gaps"].as_array().map(Vec::len), Some(1), "{found}");
    })
    .await;
}

#[tokio::test]
async fn how_things_stand_leads_to_where_one_can_act() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        server.add(&TENANT).await;
        let old = Duration::from_hours(24 * 100);
        server.mobile(&TENANT).await;
        server.advance(old);
        let staff_again = server.sign_in(&STAFF).await;
        drop(staff);
        let data = report(&staff_again, "").await;
        let line = |check: &str| {
            let lines = data["posture"].as_array().unwrap();
            lines.iter().find(|line| line["check"] == check).unwrap().clone()
        };
        let unused = line("sessions_unused_90_days");
        assert_eq!((&unused["count"], &unused["severity"]), (&json!(1), &json!("warning")));
        assert_eq!(unused["page"], "/-/admin/sessions");
        assert!(!unused["meaning"].as_str().unwrap().is_empty());
        assert_eq!(line("sessions_long")["count"], 1);
        assert_eq!(line("owners")["count"], 1);
        assert_eq!(line("owners")["severity"], "note");
        assert_eq!(line("blacklisted")["severity"], "ok");
        assert_eq!(line("log_discontinued")["count"], 0);
    })
    .await;
}

const HOUR_MS: i64 = 3_600_000;

fn failed(reason: SignInFailure) -> Event {
    Event::SignInFailed { form: SignInForm::Email, reason, known: true }
}

/// Writes an event that happened then.
async fn write(server: &TestApp, event: &Event, at: i64) {
    let mut tx = server.app.db.write().await.unwrap();
    let id = server.app.random.row_id(Time(at));
    events::append(&mut tx, event, &Context::default(), &id, Time(at)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn report(client: &Client, query: &str) -> Value {
    let answer: Answer = client.get(&format!("{REPORT}{query}")).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let body = answer.json();
    assert_eq!(body["success"], true);
    body["data"].clone()
}

/// What the documents show of a report.
fn documented(data: &Value) -> Value {
    let keys = [
        "period",
        "logins",
        "new_ip_verifications",
        "sessions_terminated",
        "blacklisted_users",
        "file_integrity_violations",
        "password_breaches_detected",
    ];
    keys.into_iter().map(|key| (key.to_owned(), data[key].clone())).collect()
}
