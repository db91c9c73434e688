//! Tables of rules and decisions, and a comparison with a slow and obvious choice.

use proptest::prelude::*;

use super::*;
use crate::permission::Grant;

/// `"id host path methods"`, `*` for any host and all methods.
fn rule(text: &str) -> Rule {
    let [id, host, path, methods] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    Rule {
        id: id.to_owned(),
        host: (host != "*").then(|| Host::parse(host).unwrap()),
        path: RequestPath::parse(path).unwrap(),
        methods: match methods {
            "*" => Methods::All,
            list => Methods::named(list.split(',')).unwrap(),
        },
        upstream: None,
        csrf: CsrfMode::Token,
        allow: Allow::SignedIn,
    }
}

fn table(rules: &[&str]) -> Result<RuleTable, Vec<RuleFault>> {
    RuleTable::new(rules.iter().map(|text| rule(text)).collect())
}

#[test]
fn the_most_specific_rule_is_chosen() {
    let table = table(&[
        "all * / *",
        "admin * /admin *",
        "admin_write * /admin POST,PUT",
        "users * /admin/users get",
        "shop shop.example / *",
        "shop_api shop.example /api DELETE",
        "odd * /a%21 *",
    ])
    .unwrap();
    let check = |host: &str, path: &str, method: &str, expected: &str| {
        let (host, path) = (Host::parse(host).unwrap(), RequestPath::parse(path).unwrap());
        let chosen = table.choose(&host, &path, method).map_or("none", |rule| rule.id.as_str());
        assert_eq!(chosen, expected, "{host} {path} {method}");
    };
    check("a.example", "/", "GET", "all");
    check("a.example", "/administrator", "GET", "all");
    check("a.example", "/admin", "GET", "admin");
    check("a.example", "/admin/", "GET", "admin");
    check("a.example", "/admin", "POST", "admin_write");
    check("a.example", "/admin/users/7", "GET", "users");
    check("a.example", "/admin/users/7", "HEAD", "users");
    // A method that the longer path does not name falls to the next rule.
    check("a.example", "/admin/users", "PUT", "admin_write");
    check("a.example", "/admin/users", "PATCH", "admin");
    // A method is compared as it came: `get` is not GET.
    check("a.example", "/admin/users", "get", "admin");
    // The host outweighs the longer path.
    check("shop.example", "/admin", "POST", "shop");
    check("shop.example", "/api/x", "DELETE", "shop_api");
    check("shop.example", "/api/x", "GET", "shop");
    // An escape that a server would decode does not slip past a rule.
    check("a.example", "/a!/b", "GET", "odd");
}

#[test]
fn no_rule_is_no_rule() {
    let table = table(&["one one.example /x GET"]).unwrap();
    let check = |host: &str, path: &str, method: &str| {
        let (host, path) = (Host::parse(host).unwrap(), RequestPath::parse(path).unwrap());
        assert_eq!(table.choose(&host, &path, method), None, "{host} {path} {method}");
    };
    check("two.example", "/x", "GET");
    check("one.example", "/", "GET");
    check("one.example", "/x", "OPTIONS");
}

#[test]
fn equal_rules_are_faults() {
    let check = |rules: &[&str], expected: &[&str]| {
        let faults = table(rules).err().unwrap_or_default();
        let seen: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(seen, expected, "{rules:?}");
    };
    let tie = r#"the rules "a" and "b" are equally specific for the same requests"#;
    check(&["a * /x *", "b * /y *"], &[]);
    check(&["a * /x *", "b * /x *"], &[tie]);
    check(&["a * /x *", "b * /x/ *"], &[tie]);
    check(&["a * /x! *", "b * /x%21 *"], &[tie]);
    check(&["a * /x GET,POST", "b * /x POST,PUT"], &[tie]);
    check(&["a * /x HEAD", "b * /x GET"], &[tie]);
    check(&["a * /x GET", "b * /x POST"], &[]);
    check(&["a * /x GET", "b * /x *"], &[]);
    check(&["a h.example /x *", "b * /x *"], &[]);
    check(&["a h.example /x *", "b H.example. /x *"], &[tie]);
    check(&["a * /x *", "a * /y *"], &[r#"two rules have the id "a""#]);
    let all = check;
    all(&["a * /x *", "b * /x *", "a * /y *"], &[tie, r#"two rules have the id "a""#]);
}

#[test]
fn methods_are_words() {
    assert_eq!(Methods::named(["head", "GET", "m-search"]), Methods::named(["GET", "M-SEARCH"]));
    assert_eq!(Methods::named([]), None);
    assert_eq!(Methods::named([""]), None);
    assert_eq!(Methods::named(["GET "]), None);
    assert_eq!(Methods::named(["*"]), None);
}

#[test]
fn csrf_is_off_only_where_anyone_may_pass() {
    assert_eq!(CsrfMode::default_for(&Allow::Anyone), CsrfMode::Off);
    assert_eq!(CsrfMode::default_for(&Allow::SignedIn), CsrfMode::Token);
    assert_eq!(CsrfMode::default_for(&Allow::AccountType(AccountType::Staff)), CsrfMode::Token);
    assert_eq!(CsrfMode::parse("origin"), Some(CsrfMode::Origin));
    assert_eq!(CsrfMode::parse("Off"), None);
}

#[test]
fn decisions() {
    let grants: Grants = [Grant::parse("api.jobs.*").unwrap()].into_iter().collect();
    let agent =
        CallerFacts { account_type: AccountType::Agent, grants: &grants, scope: KeyScope::Covers };
    let check = |allow: Allow, caller: Option<CallerFacts<'_>>, expected: Decision<'_>| {
        let rule = Rule { allow, ..rule("r * / *") };
        // The default is only for requests without a rule.
        for default in [DefaultRule::Deny, DefaultRule::SignedIn] {
            assert_eq!(decide(Some(&rule), default, caller), expected, "{:?}", rule.allow);
        }
    };
    let permission = |text: &str| Allow::Permission(Key::parse(text).unwrap());
    let sign_in = Decision::SignIn { rule: Some("r") };
    let deny = |reason| Decision::Deny { reason, rule: Some("r") };

    check(Allow::Anyone, None, Decision::Allow);
    check(Allow::Anyone, Some(agent), Decision::Allow);
    check(Allow::SignedIn, None, sign_in);
    check(Allow::SignedIn, Some(agent), Decision::Allow);
    check(permission("api.jobs.manage.manage"), None, sign_in);
    check(permission("api.jobs.manage.manage"), Some(agent), Decision::Allow);
    check(permission("api.jobs_old.manage"), Some(agent), deny(DenyReason::PermissionMissing));
    check(Allow::AccountType(AccountType::Agent), None, sign_in);
    check(Allow::AccountType(AccountType::Agent), Some(agent), Decision::Allow);
    check(Allow::AccountType(AccountType::Staff), Some(agent), deny(DenyReason::AccountType));

    let reader = CallerFacts { scope: KeyScope::FallsShort, ..agent };
    let short = deny(DenyReason::ScopeMissing);
    check(Allow::Anyone, Some(reader), Decision::Allow);
    check(Allow::SignedIn, Some(reader), short);
    check(permission("api.jobs.manage.manage"), Some(reader), short);
    check(Allow::AccountType(AccountType::Agent), Some(reader), short);
}

#[test]
fn without_a_rule_the_default_decides() {
    let grants = Grants::default();
    let caller =
        CallerFacts { account_type: AccountType::Tenant, grants: &grants, scope: KeyScope::Covers };
    let check = |default: DefaultRule, caller: Option<CallerFacts<'_>>, expected: Decision<'_>| {
        assert_eq!(decide(None, default, caller), expected, "{default:?}");
    };
    let deny = Decision::Deny { reason: DenyReason::NoRule, rule: None };
    check(DefaultRule::Deny, None, deny);
    check(DefaultRule::Deny, Some(caller), deny);
    check(DefaultRule::SignedIn, None, Decision::SignIn { rule: None });
    check(DefaultRule::SignedIn, Some(caller), Decision::Allow);
    assert_eq!(DenyReason::PermissionMissing.code(), "permission_missing");
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let host = proptest::sample::select(vec!["*", "a.example", "b.example"]);
    let methods = proptest::sample::select(vec!["*", "GET", "POST", "GET,PUT"]);
    (host, any_path(), methods)
        .prop_map(|(host, path, methods)| rule(&format!("x {host} {path} {methods}")))
}

fn any_path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]{1,2}", 0..4).prop_map(|parts| format!("/{}", parts.join("/")))
}

proptest! {
    #[test]
    fn the_choice_is_the_most_specific_match(
        mut rules in proptest::collection::vec(any_rule(), 0..12), path in any_path(),
        host in proptest::sample::select(vec!["a.example", "b.example", "c.example"]),
        method in proptest::sample::select(vec!["GET", "HEAD", "POST", "DELETE"]),
    ) {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.id = index.to_string();
        }
        let Ok(table) = RuleTable::new(rules.clone()) else { return Ok(()) };
        let (host, path) = (Host::parse(host).unwrap(), RequestPath::parse(&path).unwrap());
        let as_get = if method == "HEAD" { "GET" } else { method };
        let matches = |rule: &&Rule| {
            rule.host.as_ref().is_none_or(|named| *named == host)
                && path.segments().collect::<Vec<_>>().starts_with(&rule.path.segments().collect::<Vec<_>>())
                && match &rule.methods {
                    Methods::All => true,
                    Methods::Named(list) => list.contains(&as_get.to_owned()),
                }
        };
        let weight = |rule: &&Rule| {
            (rule.host.is_some(), rule.path.segments().count(), rule.methods != Methods::All)
        };
        let expected = rules.iter().filter(matches).max_by_key(weight);
        prop_assert_eq!(table.choose(&host, &path, method), expected);
    }
}
