//! `[gate]` and its rules: who may pass to the application behind.

use portcullis_domain::account::AccountType;
use portcullis_domain::permission::Key;
use portcullis_domain::request_path::RequestPath;
use portcullis_domain::rule::{Allow, CsrfMode, DefaultRule, Methods, Rule, RuleFault, RuleTable};
use portcullis_domain::text::Host;

use super::fault::{Fault, Faults, Place, Reported};
use super::read::Reader;
use super::source::{Settings, Source};
use super::table::RULE;
use super::values::{self, word};
use super::{Families, Gate, sections};

/// The section and its rules.
pub(super) fn gate(source: &Source, faults: &mut Faults) -> Result<Gate, Reported> {
    let own = sections::read(source, "gate", faults, |r| {
        let upstream = r.optional("upstream", values::http_url);
        let defaults = [("deny", DefaultRule::Deny), ("signed_in", DefaultRule::SignedIn)];
        let default = r.one("default", word(&defaults));
        let csrf_body = r.one("csrf_body", values::size);
        let families = families(r);
        let leads_on = leads_on(source);
        let nowhere = !leads_on && matches!(&default, Ok(DefaultRule::SignedIn));
        if nowhere {
            return Err(r.refuse("default", "signed_in leads nowhere", "deny, or a gate.upstream"));
        }
        Ok((upstream?, default?, csrf_body?, families?))
    });
    let rules = rules(source, faults);
    let (upstream, default, csrf_body, families) = own?;
    Ok(Gate { upstream, default, csrf_body, families, rules: rules? })
}

fn families(r: &mut Reader<'_>) -> Result<Families, Reported> {
    let on = r.list("families", word(&[("p", 'p'), ("s", 's'), ("z", 'z')]))?;
    Ok(Families { p: on.contains(&'p'), s: on.contains(&'s'), z: on.contains(&'z') })
}

/// Whether a rule needs no upstream of its own: there is a usual one, or a proxy that asks by
/// forward-auth leads to the application itself.
fn leads_on(source: &Source) -> bool {
    let is_set = |section, key| source.setting(section, key).is_some();
    is_set("gate", "upstream") || is_set("server", "trusted_proxies")
}

/// The rules that are faulty themselves are left out of the comparison of all.
fn rules(source: &Source, faults: &mut Faults) -> Result<RuleTable, Reported> {
    let leads_on = leads_on(source);
    let mut good = Vec::new();
    let mut outcome = Ok(());
    for settings in source.tables(&RULE) {
        match rule(&mut Reader::new(&RULE, settings.clone(), faults), leads_on) {
            Ok(rule) => good.push(rule),
            Err(reported) => outcome = Err(reported),
        }
    }
    match RuleTable::new(good) {
        Ok(table) => outcome.map(|()| table),
        Err(clashes) => {
            for clash in &clashes {
                report(clash, source, faults);
            }
            Err(Reported)
        }
    }
}

fn rule(r: &mut Reader<'_>, leads_on: bool) -> Result<Rule, Reported> {
    let id = r.one("id", name);
    let host = r.optional("host", |text| Host::parse(text).ok());
    let path = r.one("path", |text| RequestPath::parse(text).ok());
    let methods =
        r.optional_whole("methods", |names| Methods::named(names.iter().map(String::as_str)));
    let upstream = r.optional("upstream", values::http_url);
    let csrf = r.optional("csrf", CsrfMode::parse);
    let allow = r.whole("allow", allow);
    if !leads_on && matches!(upstream, Ok(None)) {
        let accepted = "one of the two, or server.trusted_proxies for forward-auth";
        return Err(r.refuse("upstream", "is missing, and gate.upstream too", accepted));
    }
    let allow = allow?;
    Ok(Rule {
        id: id?,
        host: host?,
        path: path?,
        methods: methods?.unwrap_or_default(),
        upstream: upstream?.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        csrf: csrf?.unwrap_or_else(|| CsrfMode::default_for(&allow)),
        allow,
    })
}

/// Rules are named in events and refusals, so a name is short and printable.
fn name(text: &str) -> Option<String> {
    let is_name =
        (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| text.to_owned())
}

/// A word, or a pair of a kind and its value.
fn allow(items: &[String]) -> Option<Allow> {
    let texts: Vec<&str> = items.iter().map(String::as_str).collect();
    match texts.as_slice() {
        ["anyone"] => Some(Allow::Anyone),
        ["signed_in"] => Some(Allow::SignedIn),
        ["permission", key] => Key::parse(key).ok().map(Allow::Permission),
        ["account_type", name] => AccountType::parse(name).map(Allow::AccountType),
        _ => None,
    }
}

/// Points at the later of the two rules.
fn report(clash: &RuleFault, source: &Source, faults: &mut Faults) {
    let (later, accepted) = match clash {
        RuleFault::DuplicateId(id) => (id, "an id of its own for each rule"),
        RuleFault::Tie { second, .. } => {
            (second, "another host, path or methods for one of the two")
        }
    };
    let is_later = |settings: &&Settings| settings.text("id") == Some(later);
    let place = source.tables(&RULE).iter().rfind(is_later).map(|rule| rule.place_of("id"));
    faults.push(Fault {
        place: place.unwrap_or(Place::Default),
        key: RULE.name.to_owned(),
        found: clash.to_string(),
        accepted: accepted.to_owned(),
    });
}
