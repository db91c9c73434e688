//! The faults of rules, each beside a rule that is accepted.

use portcullis_domain::rule::{Allow, CsrfMode};

use super::{accepted, check, load};

const GATE: &str = "[gate]\nupstream = \"http://127.0.0.1:3000\"\n";
const ACCEPTED_ALLOW: &str =
    "\"anyone\", \"signed_in\", { permission = \"reports.view\" } or { account_type = \"staff\" }";

fn with_rule(rule: &str) -> String {
    format!("{GATE}[[gate.rule]]\nid = \"one\"\n{rule}\n")
}

#[test]
fn a_rule_takes_each_kind_of_allow() {
    let cases = [
        ("\"anyone\"", CsrfMode::Off),
        ("\"signed_in\"", CsrfMode::Token),
        ("{ permission = \"reports.view\" }", CsrfMode::Token),
        ("{ account_type = \"staff\" }", CsrfMode::Token),
    ];
    for (allow, csrf) in cases {
        let config = accepted(&with_rule(&format!("path = \"/a\"\nallow = {allow}")), &[]);
        assert_eq!(config.gate.rules.rules()[0].csrf, csrf, "{allow}");
    }
    for allow in
        ["\"everyone\"", "{ permission = \"a..b\" }", "{ account_type = \"boss\" }", "true"]
    {
        check(
            &with_rule(&format!("path = \"/a\"\nallow = {allow}")),
            &[],
            &[&format!("6: gate.rule.allow: {allow} is not accepted; accepted: {ACCEPTED_ALLOW}")],
        );
    }
}

#[test]
fn a_rule_says_all_that_it_can() {
    let rule = "host = \"App.Example.org\"\npath = \"/a\"\nmethods = [\"get\", \"POST\"]\n\
                upstream = \"https://other:8443\"\ncsrf = \"origin\"\nallow = \"anyone\"";
    let config = accepted(&with_rule(rule), &[]);
    let rule = &config.gate.rules.rules()[0];
    assert_eq!(rule.host.as_ref().unwrap().as_str(), "app.example.org");
    assert_eq!(rule.upstream.as_deref(), Some("https://other:8443"));
    assert_eq!((rule.csrf, &rule.allow), (CsrfMode::Origin, &Allow::Anyone));
}

#[test]
fn every_fault_of_a_rule_is_listed() {
    let rule = "path = \"a\"\nhost = \"a b\"\nmethods = []\nupstream = \"http://up/path\"\ncsrf = \"on\"\nname = \"x\"";
    check(
        &with_rule(rule),
        &[],
        &[
            &format!("3: gate.rule.allow: is missing; accepted: {ACCEPTED_ALLOW}"),
            "5: gate.rule.path: \"a\" is not accepted; accepted: a path such as /reports, as the \
             gate reads it: absolute and without dot segments",
            "6: gate.rule.host: \"a b\" is not accepted; accepted: a host name such as \
             app.example.org, without a port",
            "7: gate.rule.methods: [] is not accepted; accepted: methods such as GET and POST, at \
             least one",
            "8: gate.rule.upstream: \"http://up/path\" is not accepted; accepted: an http or https \
             address such as http://127.0.0.1:3000, without a path",
            "9: gate.rule.csrf: \"on\" is not accepted; accepted: token, origin or off",
            "10: gate.rule.name: there is no such key; accepted: id, host, path, methods, \
             upstream, csrf, allow",
        ],
    );
}

#[test]
fn a_rule_leads_somewhere() {
    let rule = "[[gate.rule]]\nid = \"one\"\npath = \"/a\"\nallow = \"anyone\"\n";
    let missing = "gate.rule.upstream: is missing, and gate.upstream too; accepted: one of the \
                   two, or server.trusted_proxies for forward-auth";
    check(rule, &[], &[&format!("1: {missing}")]);
    check(&format!("{rule}upstream = \"http://127.0.0.1:1\""), &[], &[]);
    check(&format!("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{rule}"), &[], &[]);
    check(rule, &[("PORTCULLIS__GATE__UPSTREAM", "http://127.0.0.1:1")], &[]);
    let default = "[gate]\ndefault = \"signed_in\"\n";
    check(
        default,
        &[],
        &["2: gate.default: signed_in leads nowhere; accepted: deny, or a gate.upstream"],
    );
    check(&format!("{GATE}default = \"signed_in\"\n"), &[], &[]);
}

#[test]
fn rules_do_not_clash() {
    let rule = |id: &str, path: &str, rest: &str| {
        format!("[[gate.rule]]\nid = \"{id}\"\npath = \"{path}\"\nallow = \"anyone\"\n{rest}\n")
    };
    let both = |one: String, other: String| format!("{GATE}{one}{other}");
    check(&both(rule("one", "/a", ""), rule("two", "/a", "methods = [\"GET\"]")), &[], &[]);
    check(
        &both(rule("one", "/a", ""), rule("one", "/b", "")),
        &[],
        &["9: gate.rule: two rules have the id \"one\"; accepted: an id of its own for each rule"],
    );
    check(
        &both(rule("one", "/a", ""), rule("two", "/a", "")),
        &[],
        &[
            "9: gate.rule: the rules \"one\" and \"two\" are equally specific for the same requests; \
           accepted: another host, path or methods for one of the two",
        ],
    );
}

#[test]
fn rules_are_tables() {
    for gate in ["rule = 1", "rule = [1]", "rule = []"] {
        let outcome = load(&format!("[gate]\n{gate}"), &[]);
        assert_eq!(outcome.is_ok(), gate == "rule = []", "{gate}");
    }
}
