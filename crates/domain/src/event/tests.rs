//! What events say of themselves.

use serde_json::{Value, json};

use super::*;

fn check(event: &Event, name: &str, outcome: Outcome, detail: &Value) {
    assert_eq!(event.name(), name);
    assert_eq!(event.outcome(), outcome, "{name}");
    assert_eq!(&event.detail(), detail, "{name}");
}

#[test]
fn each_event_says_what_it_knows() {
    let (done, refused) = (Outcome::Success, Outcome::Failure);
    let some = |text: &str| Some(Text::clip(text));
    let form = SignInForm::Email;
    check(&Event::SignedIn { form }, "authn_login_success", done, &json!({"form": "email"}));
    check(
        &Event::SignedInAfterFailures { form, failures: 3 },
        "authn_login_successafterfail",
        done,
        &json!({"form": "email", "failures": 3}),
    );
    check(
        &Event::SignInFailed { form, reason: SignInFailure::UnknownUser, known: false },
        "authn_login_fail",
        refused,
        &json!({"form": "email", "reason": "unknown_user", "known": false}),
    );
    check(
        &Event::SignInLocked { until: Time(1_795_309_323_000) },
        "authn_login_lock",
        refused,
        &json!({"until": "2026-11-22T01:02:03Z"}),
    );
    check(
        &Event::TokenCreated {
            kind: TokenKind::Mobile,
            platform: some("ios"),
            device_type: None,
            app_version: some("1.2"),
        },
        "authn_token_created",
        done,
        &json!({"kind": "mobile", "platform": "ios", "app_version": "1.2"}),
    );
    check(
        &Event::TokenReused { kind: TokenKind::Remember },
        "authn_token_reuse",
        refused,
        &json!({"kind": "remember"}),
    );
    check(
        &Event::AccessDenied {
            rule: None,
            reason: "permission_missing",
            method: Text::clip("GET"),
            path: Text::clip("/api/leads"),
        },
        "authz_fail",
        refused,
        &json!({"reason": "permission_missing", "method": "GET", "path": "/api/leads"}),
    );
    check(
        &Event::CsrfFailed {
            refusal: csrf::Refusal::Used,
            method: Text::clip("POST"),
            path: Text::clip("/x"),
        },
        "csrf_fail",
        refused,
        &json!({"code": "csrf_used", "method": "POST", "path": "/x"}),
    );
    check(
        &Event::LinkRefused { purpose: LinkPurpose::FirstRun, reason: LinkRefusal::Expired },
        "authn_link_fail",
        refused,
        &json!({"purpose": "first_run", "reason": "expired"}),
    );
    check(&Event::Stopped, "sys_shutdown", done, &json!({}));
}

#[test]
fn changes_of_accounts_say_which_field_and_blacklistings_that_no_reason_was_given() {
    let done = Outcome::Success;
    check(&Event::EmailChanged, "user_updated", done, &json!({"field": "email"}));
    let disabled = json!({"field": "status", "value": "disabled", "sessions": 3});
    check(&Event::UserDisabled { sessions: 3 }, "user_updated", done, &disabled);
    let blacklisted = Event::UserBlacklisted { reason: None, sessions: 2 };
    check(&blacklisted, "user_blacklisted", done, &json!({"reason": null, "sessions": 2}));
}

#[test]
fn severity_follows_power_and_attack() {
    let check = |event: Event, expected| assert_eq!(event.severity(), expected, "{event:?}");
    check(Event::Stopped, Severity::Info);
    check(Event::LimitExceeded { limit: LimitName::Login }, Severity::Warning);
    check(Event::CookieTossed { cookie: "sessionid" }, Severity::Critical);
    check(Event::TokenReused { kind: TokenKind::Remember }, Severity::Critical);
    assert!(Severity::Critical > Severity::Warning && Severity::Warning > Severity::Info);
}
