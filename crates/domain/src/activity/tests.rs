//! Every event in every form: that none is left out of the table, and that each has what its class
//! demands.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::event::ocsf::{self as table, mapping};
use crate::event::{Event, Text, samples};

/// The record of an event that Ada brought about on the account of Bob.
fn record_of(event: &Event) -> Record {
    let Value::Object(detail) = event.detail() else { panic!("{event:?}") };
    let somebody = |number, name: &str| Somebody {
        person: Person::from_number(number).unwrap(),
        user_id: Some(UserId(number)),
        name: Some(name.to_owned()),
    };
    Record {
        index: 7,
        leaf_hash: Hash::new([0xab; 32]),
        id: "019ab8c1-0a2b-7c3d-8e4f-5a6b7c8d9e0f".to_owned(),
        at: Time(1_795_309_323_456),
        logged: Time(1_795_309_323_500),
        event: event.name().to_owned(),
        outcome: event.outcome().as_str().to_owned(),
        severity: event.severity().as_str().to_owned(),
        actor: Some(somebody(1, "Ada")),
        subject: Some(somebody(2, "Bob")),
        session: Some("sess_6b9d0c1f2e3a4b5c6d7e8f90".to_owned()),
        request_id: Some("6b9d0c1f2e3a4b5c6d7e8f90".to_owned()),
        ip: Some("192.0.2.1".to_owned()),
        peer: Some("192.0.2.2".to_owned()),
        user_agent: Some("Agent/1".to_owned()),
        detail,
        is_erased: false,
    }
}

/// The same of an event of which nothing is known but that it happened.
fn bare(event: &Event) -> Record {
    Record {
        actor: None,
        subject: None,
        session: None,
        request_id: None,
        ip: None,
        peer: None,
        user_agent: None,
        ..record_of(event)
    }
}

#[test]
fn every_event_has_a_line_and_every_line_an_event() {
    let mut used = BTreeSet::new();
    for event in samples() {
        let record = record_of(&event);
        let line = mapping(&record.event, &record.detail);
        assert!(line.is_some(), "event/ocsf.rs has no line for {event:?}");
        used.insert(event.name());
    }
    assert_eq!(table::names().collect::<BTreeSet<_>>(), used, "a line without an event");
}

/// The attributes that the schema demands of each class, in version 1.3.0 (and in later ones).
#[test]
fn every_event_has_what_its_class_demands() {
    for event in samples() {
        for record in [record_of(&event), bare(&event)] {
            let shown = ocsf::record(&record);
            check_demands(&shown, &event);
        }
    }
}

fn check_demands(shown: &Value, event: &Event) {
    let has = |pointer: &str| {
        assert!(shown.pointer(pointer).is_some_and(|it| !it.is_null()), "{event:?}: {pointer}");
    };
    let number = |pointer: &str| shown.pointer(pointer).and_then(Value::as_u64).unwrap();
    for pointer in ["/time", "/metadata/version", "/metadata/product/vendor_name"] {
        has(pointer);
    }
    let (class, activity) = (number("/class_uid"), number("/activity_id"));
    assert_eq!(number("/type_uid"), class * 100 + activity, "{event:?}");
    assert_eq!(number("/category_uid"), class / 1000, "{event:?}");
    assert!((1..=5).contains(&number("/severity_id")), "{event:?}");
    // Of a finding the status says what has been made of it.
    let last_status = if class == 2004 { 4 } else { 2 };
    assert!((1..=last_status).contains(&number("/status_id")), "{event:?}");
    // A number of the schema has its name; ours say what happened.
    let name = shown["activity_name"].as_str().unwrap();
    assert!(activity == 99 || name != "Other", "{event:?}");
    let demanded: &[&str] = match class {
        2004 => &["/finding_info/uid", "/finding_info/title"],
        3001 => &["/user/type_id"],
        3002 => &["/user/type_id", "/service/name"],
        3004 => &["/entity/name"],
        3005 => &["/user/type_id", "/privileges/0"],
        3006 => &["/group/name", "/privileges/0"],
        6002 => &["/app/name", "/app/vendor_name"],
        6003 => &["/api/operation", "/actor", "/src_endpoint"],
        other => panic!("{event:?}: class {other}"),
    };
    for pointer in demanded {
        has(pointer);
    }
    if shown.pointer("/user").is_some() {
        let is_somebody = ["/user/uid", "/user/name"].iter().any(|it| shown.pointer(it).is_some());
        assert!(is_somebody, "{event:?}");
    }
}

#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are left to the table")]
fn classes_and_activities_are_those_of_the_schema() {
    let check = |event: Event, class: u64, activity: u64, name: &str| {
        let shown = ocsf::record(&record_of(&event));
        let found = (&shown["class_uid"], &shown["activity_id"], &shown["activity_name"]);
        assert_eq!(found, (&class.into(), &activity.into(), &name.into()), "{event:?}");
    };
    for event in samples() {
        let expected = match &event {
            Event::SignedIn { .. } => (3002, 1, "Logon"),
            Event::SessionEnded { .. } => (3002, 2, "Logoff"),
            Event::UserCreated { .. } => (3001, 1, "Create"),
            Event::UserEnabled => (3001, 2, "Enable"),
            Event::UserDisabled { .. } => (3001, 5, "Disable"),
            Event::UserDeleted { .. } => (3001, 6, "Delete"),
            Event::UserBlacklisted { .. } => (3001, 9, "Lock"),
            Event::PasswordChanged { .. } => (3001, 3, "Password Change"),
            Event::RoleAssigned { .. } | Event::OwnPermissionsChanged { .. } => {
                (3005, 1, "Assign Privileges")
            }
            Event::PermissionsChanged { .. } => (3006, 2, "Revoke Privileges"),
            Event::AccessDenied { .. } => (6003, 2, "Read"),
            Event::Started { .. } => (6002, 3, "Start"),
            Event::Stopped => (6002, 4, "Stop"),
            _ => continue,
        };
        check(event, expected.0, expected.1, expected.2);
    }
    let refused = |method| Event::AccessDenied {
        rule: None,
        reason: "no_rule",
        method: Text::clip(method),
        path: Text::clip("/x"),
    };
    check(refused("POST"), 6003, 1, "Create");
    check(refused("PATCH"), 6003, 3, "Update");
    check(refused("DELETE"), 6003, 4, "Delete");
    check(refused("BREW"), 6003, 99, "Other");
}

#[test]
fn somebody_unknown_is_said_to_be_unknown() {
    let fail = samples().into_iter().find(|event| event.name() == "authn_login_fail").unwrap();
    let shown = ocsf::record(&bare(&fail));
    assert_eq!(shown["user"], serde_json::json!({ "name": "unknown", "type_id": 0 }));
    assert_eq!(shown["status_detail"], "wrong_password");
    let shown = ocsf::record(&record_of(&fail));
    assert_eq!((&shown["user"]["uid"], &shown["user"]["name"]), (&"2".into(), &"Bob".into()));
    assert_eq!(shown["actor"]["user"]["name"], "Ada");
}

#[test]
fn an_event_of_a_later_version_is_of_the_base_class() {
    let mut record = bare(&Event::Stopped);
    record.event = "of_tomorrow".to_owned();
    let shown = ocsf::record(&record);
    assert_eq!((&shown["class_uid"], &shown["type_uid"]), (&0.into(), &99.into()));
    assert_eq!(shown["metadata"]["event_code"], "of_tomorrow");
    assert_eq!(row::cells(&record)[10], "");
}

#[test]
fn our_own_form_says_all_and_leaves_out_what_is_not_there() {
    let event = Event::RoleDeleted { role: Text::clip("clerks") };
    let expected = r#"{"schema":1,"index":7,"leaf_hash":"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=","id":"019ab8c1-0a2b-7c3d-8e4f-5a6b7c8d9e0f","at":"2026-11-22T01:02:03.456Z","logged":"2026-11-22T01:02:03.500Z","event":"role_deleted","outcome":"success","severity":"warning","resource_type":"role","resource_id":"clerks","detail":{"role":"clerks"}}"#;
    assert_eq!(serde_json::to_string(&bare(&event)).unwrap(), expected);
    let full = serde_json::to_value(record_of(&event)).unwrap();
    assert_eq!(
        full["actor"],
        serde_json::json!({"person": "0000000000000001", "user_id": 1, "name": "Ada"})
    );
    assert_eq!(
        (&full["ip_address"], &full["request_id"]),
        (&"192.0.2.1".into(), &"6b9d0c1f2e3a4b5c6d7e8f90".into())
    );
}

#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are left to the table")]
fn what_an_event_is_about_has_a_name_where_there_is_one() {
    let check = |event: Event, kind: &str, id: Option<&str>| {
        let record = record_of(&event);
        assert_eq!(record.resource().map(Resource::as_str), Some(kind), "{event:?}");
        assert_eq!(record.resource_id().as_deref(), id, "{event:?}");
    };
    for event in samples() {
        let (kind, id) = match &event {
            Event::UserDeleted { .. } => ("user", Some("2")),
            Event::SessionEnded { .. } => ("session", Some("sess_6b9d0c1f2e3a4b5c6d7e8f90")),
            Event::RoleDeleted { .. } => ("role", Some("clerks")),
            Event::OwnPermissionsChanged { .. } => ("permission", Some("leads.view")),
            Event::RoleAssigned { .. } => ("permission", Some("clerks")),
            Event::LimitChanged { .. } => ("limit", Some("login")),
            Event::PlaceTold { .. } => ("place", Some("192.0.2.0/24")),
            Event::AccessDenied { .. } => ("route", Some("/api/leads")),
            Event::TokenRevoked { .. } => ("token", Some("api")),
            Event::Stopped => ("server", None),
            _ => continue,
        };
        check(event, kind, id);
    }
}

#[test]
fn a_row_is_one_line_of_inert_cells() {
    let event = Event::AddressForgiven { network: Text::clip("=HYPERLINK(\"x\")") };
    let mut record = record_of(&event);
    record.user_agent = Some("+cmd\r\n{\"fake\":1}".to_owned());
    let cells = row::cells(&record);
    assert_eq!(cells[1], "7");
    assert_eq!(cells[11], "'=HYPERLINK(\"x\")");
    assert_eq!(cells[14], "'+cmd\u{fffd}\u{fffd}{\"fake\":1}");
    assert_eq!(cells[17], r#"{"network":"=HYPERLINK(\"x\")"}"#);
}
