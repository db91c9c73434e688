//! Every filter finds what it should and nothing else, alone and together with others.

use std::time::Duration;

use portcullis_domain::event::{Context, EndReason, Event, LimitName, Text};
use portcullis_domain::id::UserId;
use portcullis_domain::session::SignInForm;
use portcullis_domain::time::Time;
use serde_json::json;

use super::{LOG, actions, ask, happen, rows};
use crate::harness::client::Client;
use crate::harness::people::{STAFF, TENANT, Z1};
use crate::harness::{TestApp, on_each_database};

const SESSION: &str = "sess_6b9d0c1f2e3a4b5c6d7e8f90";
const REQUEST: &str = "0123456789abcdef01234567";

/// A log in which everything is known: what Jane, Fred and nobody did, long before the test began.
struct Past {
    staff: Client,
    jane: UserId,
    fred: UserId,
    ids: Vec<u64>,
}

/// 2020-01-02T00:00:00Z, and the days after it.
fn day(number: i64) -> Time {
    Time(1_577_923_200_000 + number * 86_400_000)
}

async fn past(server: &TestApp) -> Past {
    let staff = server.by_cookie(&STAFF).await;
    let jane = server.add(&TENANT).await.id;
    let fred = server.add(&Z1).await.id;
    let from = |actor: Option<UserId>, subject: Option<UserId>, ip: &str| Context {
        actor,
        subject,
        ip: Some(ip.to_owned()),
        user_agent: Some("Agent/1".to_owned()),
        ..Context::default()
    };
    let in_session = Context {
        session: Some(SESSION.to_owned()),
        request_id: Some(REQUEST.to_owned()),
        ..from(Some(jane), Some(jane), "192.0.2.1")
    };
    let form = SignInForm::Page;
    let role = |name: &str| Event::RoleCreated { role: Text::clip(name), level: 5 };
    happen(server, &Event::SignedIn { form }, &in_session, day(0)).await;
    happen(
        server,
        &Event::UserDisabled { sessions: 0 },
        &from(Some(fred), Some(jane), "192.0.2.2"),
        day(1),
    )
    .await;
    happen(server, &role("clerks"), &from(Some(fred), None, "2001:db8::1"), day(2)).await;
    let ended = Event::SessionEnded { reason: EndReason::Terminated };
    happen(server, &ended, &in_session, day(3)).await;
    let exceeded = Event::LimitExceeded { limit: LimitName::Login };
    happen(server, &exceeded, &from(None, None, "192.0.2.1"), day(4)).await;
    let tossed = Event::CookieTossed { cookie: "sessionid" };
    happen(server, &tossed, &from(None, Some(fred), "192.0.2.9"), day(5)).await;
    let old = ask(&staff, "?to=2020-12-31").await;
    let ids = rows(&old).iter().map(|row| row["ID"].as_u64().unwrap()).collect();
    Past { staff, jane, fred, ids }
}

const IN: &str = "authn_login_success";
const OFF: &str = "user_updated";
const ROLE: &str = "role_created";
const END: &str = "session_ended";
const LIMIT: &str = "excess_rate_limit_exceeded";
const TOSS: &str = "cookie_toss";

#[tokio::test]
async fn each_filter_finds_what_it_should_and_nothing_else() {
    on_each_database(async |server| {
        let Past { staff, jane, fred, ids } = past(server).await;
        assert_eq!(ids.len(), 6);
        let check = async |filter: &str, expected: &[&str]| {
            let body = ask(&staff, &format!("?{filter}{}", within(filter))).await;
            assert_eq!(actions(&body), expected, "{filter}");
            assert_eq!(body["count"], expected.len(), "{filter}: {body}");
            assert_eq!(body["count_is_capped"], false, "{filter}");
            check_export(&staff, filter, expected).await;
        };
        check("", &[TOSS, LIMIT, END, ROLE, OFF, IN]).await;
        check(&format!("user_id={}", jane.0), &[END, OFF, IN]).await;
        check(&format!("user_id={}", fred.0), &[TOSS, ROLE, OFF]).await;
        check("user_id=999", &[]).await;
        check("user=Fredk", &[TOSS, ROLE, OFF]).await;
        check("user=TENANT@ex", &[END, OFF, IN]).await;
        check("user=smith", &[TOSS, END, ROLE, OFF, IN]).await;
        check("user=mith", &[]).await;
        check("user=%25", &[]).await;
        check("action=role_created", &[ROLE]).await;
        check("action=role_created,session_*", &[END, ROLE]).await;
        check("action=*", &[TOSS, LIMIT, END, ROLE, OFF, IN]).await;
        check("action=of_tomorrow", &[]).await;
        check("outcome=failure", &[TOSS, LIMIT]).await;
        check("outcome=success", &[END, ROLE, OFF, IN]).await;
        check("severity=critical", &[TOSS]).await;
        check("severity=info", &[END, IN]).await;
        check("severity=warning&outcome=success", &[ROLE, OFF]).await;
        check("resource_type=role", &[ROLE]).await;
        check("resource_type=session", &[END]).await;
        check("resource_type=user&outcome=success", &[OFF, IN]).await;
        check("from=2020-01-03&to=2020-01-05", &[END, ROLE, OFF]).await;
        check("from=2020-01-04T00:00:00Z", &[TOSS, LIMIT, END, ROLE]).await;
        check("from=2020-01-04T00:00:00.001Z", &[TOSS, LIMIT, END]).await;
        check("ip=192.0.2.1", &[LIMIT, END, IN]).await;
        check("ip=::ffff:192.0.2.1", &[LIMIT, END, IN]).await;
        check("ip=2001:DB8:0::1", &[ROLE]).await;
        check("ip=192.0.2.1&outcome=failure", &[LIMIT]).await;
        let ever = ask(&staff, "?ip=192.0.2.1").await;
        assert_eq!((actions(&ever), &ever["count"]), (vec![LIMIT, END, IN], &json!(3)));
        check(&format!("session_id={SESSION}"), &[END, IN]).await;
        check("session_id=sess_000000000000000000000000", &[]).await;
        check(&format!("request_id={REQUEST}&action=session_*"), &[END]).await;
        check(&format!("user_id={}&action=user_*", jane.0), &[OFF]).await;
        check(&format!("user_id={}&user=tenant@", fred.0), &[]).await;
        check("action=role_*&resource_type=session", &[]).await;
    })
    .await;
}

/// Where no end is asked for: before the test began.
fn within(filter: &str) -> &'static str {
    if filter.contains("to=") { "" } else { "&to=2020-12-31" }
}

/// The export of the same question has the same events, the oldest first.
async fn check_export(staff: &Client, filter: &str, expected: &[&str]) {
    let path = format!("{LOG}/export?format=ndjson&{filter}{}", within(filter));
    let text = staff.get(&path).send().await.text();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let names: Vec<String> = lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, expected.iter().rev().copied().collect::<Vec<_>>(), "{filter}");
}

#[tokio::test]
async fn one_field_finds_what_it_looks_like() {
    on_each_database(async |server| {
        let Past { staff, .. } = past(server).await;
        let all = ask(&staff, "?to=2020-12-31").await;
        let of = |name: &str| {
            let row = rows(&all).iter().find(|row| row["action"] == name).unwrap();
            row["event_id"].as_str().unwrap().to_owned()
        };
        let event = of(END);
        let check = async |text: &str, expected: &[&str]| {
            let query = form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let body = ask(&staff, &format!("?to=2020-12-31&q={query}")).await;
            assert_eq!(actions(&body), expected, "{text}");
        };
        check("192.0.2.1", &[LIMIT, END, IN]).await;
        check("2001:db8::1", &[ROLE]).await;
        check(SESSION, &[END, IN]).await;
        check(REQUEST, &[END, IN]).await;
        check(&event, &[END]).await;
        check("fredk", &[TOSS, ROLE, OFF]).await;
        check("Smith", &[TOSS, END, ROLE, OFF, IN]).await;
        check("role created", &[ROLE]).await;
        check("login", &[IN]).await;
        // Neither a person nor an event: words of the entries.
        check("clerks", &[ROLE]).await;
        check("terminated", &[END]).await;
        check("\"}{\"", &[]).await;
        check("%", &[]).await;
        check("nothing of the kind", &[]).await;
    })
    .await;
}

#[tokio::test]
async fn a_text_that_may_mean_too_many_people_is_refused_by_name() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        for number in 0..11 {
            let email = format!("many{number}@example.com").leak();
            let person = crate::harness::people::Person { email, username: None, ..TENANT };
            server.add(&person).await;
            let is_few = number < 10;
            for field in ["user", "q"] {
                let answer = staff.get(&format!("{LOG}?{field}=many")).send().await;
                assert_eq!(answer.status.as_u16(), if is_few { 200 } else { 400 }, "{number}");
                assert!(is_few || answer.text().contains(field), "{answer:?}");
            }
        }
        assert_eq!(ask(&staff, "?user=many7").await["success"], true);
    })
    .await;
}

/// What is late gets its place late, and stands in the list where it happened.
#[tokio::test]
async fn the_list_is_in_the_order_of_time_and_the_export_in_that_of_the_log() {
    on_each_database(async |server| {
        let staff = server.by_cookie(&STAFF).await;
        let at = |seconds: u64| day(9).plus(Duration::from_secs(seconds));
        for (name, seconds) in [("a", 10), ("b", 5), ("c", 20)] {
            let event = Event::RoleDeleted { role: Text::clip(name) };
            happen(server, &event, &Context::default(), at(seconds)).await;
        }
        let body = ask(&staff, "?action=role_deleted").await;
        let names: Vec<_> = rows(&body).iter().map(|row| &row["resource_id"]).collect();
        assert_eq!(names, [&json!("c"), &json!("a"), &json!("b")]);
        let text = staff.get(&format!("{LOG}/export?format=csv&action=role_deleted")).send().await;
        let text = text.text();
        let roles: Vec<&str> =
            text.lines().skip(1).map(|line| line.split(',').nth(11).unwrap()).collect();
        assert_eq!(roles, ["a", "b", "c"]);
    })
    .await;
}
