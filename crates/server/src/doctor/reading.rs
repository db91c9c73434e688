//! What a configuration and an observation say, read for the checks: which paths to try, and which
//! target the proxy described. Pure.

use portcullis_domain::request_path::RequestPath;
use portcullis_domain::rule::{Allow, Rule, RuleTable};
use portcullis_domain::text::Host;

use crate::probe::{Door, Seen};
use crate::web::forward_auth::Kind;

/// The paths that are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    /// Not everybody may pass here; `None` where everybody may pass everywhere.
    pub(super) closed: Option<String>,
    /// Everybody may pass here.
    pub(super) open: Option<String>,
}

impl Paths {
    /// Chosen from the rules. A deeper path is the better example of a closed one, and one that people
    /// go to, for whom there is a sign-in page.
    pub(super) fn of(rules: &RuleTable, host: &Host) -> Self {
        /// Where a rule closes everything, a path below it is as good as any.
        const ANYWHERE: &str = "/portcullis-doctor";
        let decides = |rule: &&Rule| {
            let chosen = rules.choose(host, &rule.path, "GET");
            chosen.is_some_and(|chosen| chosen.id == rule.id)
        };
        let deciding: Vec<&Rule> = rules.rules().iter().filter(decides).collect();
        let path = |rule: &&Rule| rule.path.as_str().trim_end_matches('/').to_owned();
        let is_open = |rule: &&&Rule| rule.allow == Allow::Anyone;
        let closed: Vec<String> = deciding.iter().filter(|rule| !is_open(rule)).map(path).collect();
        let named = |wanted: fn(&str) -> bool| {
            closed.iter().find(|path| !path.is_empty() && wanted(path)).cloned()
        };
        let anywhere = || is_closed(rules, host, ANYWHERE).then(|| ANYWHERE.to_owned());
        let closed = named(is_for_people).or_else(anywhere).or_else(|| named(|_| true));
        let open = deciding.iter().find(is_open).map(path);
        Self { closed, open: open.map(|path| if path.is_empty() { "/".to_owned() } else { path }) }
    }
}

/// Whether a browser is led to the sign-in page from here.
pub(super) fn is_for_people(path: &str) -> bool {
    !path.starts_with("/api/")
}

/// Whether not everybody may pass here; no rule means no.
pub(super) fn is_closed(rules: &RuleTable, host: &Host, path: &str) -> bool {
    let Ok(path) = RequestPath::parse(path) else { return false };
    rules.choose(host, &path, "GET").is_none_or(|rule| rule.allow != Allow::Anyone)
}

/// The header that names the target, by kind of proxy.
pub(super) fn target_header(kind: Kind) -> &'static str {
    match kind {
        Kind::Nginx => "x-original-url",
        Kind::Traefik | Kind::Caddy | Kind::Haproxy => "x-forwarded-uri",
        Kind::Envoy => ":path",
    }
}

/// The target as it arrived, before anything was read into it: as the proxy described it, or in the
/// request itself.
pub(super) fn described(kind: Option<Kind>, seen: &Seen) -> Option<&str> {
    let Some(kind) = kind else { return Some(&seen.target) };
    match kind {
        Kind::Envoy => seen.target.strip_prefix("/forward-auth/envoy"),
        Kind::Nginx => {
            let (_, rest) = header(seen, target_header(kind))?.split_once("://")?;
            rest.find('/').and_then(|start| rest.get(start..))
        }
        Kind::Traefik | Kind::Caddy | Kind::Haproxy => header(seen, target_header(kind)),
    }
}

/// The value of a header as it arrived.
pub(super) fn header<'s>(seen: &'s Seen, name: &str) -> Option<&'s str> {
    let found = seen.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}

/// By which way a request must have come.
pub(super) fn door(kind: Option<Kind>) -> Door {
    match kind {
        Some(_) => Door::ForwardAuth,
        None => Door::Gate,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use portcullis_domain::account::AccountType;
    use portcullis_domain::rule::{CsrfMode, Methods};

    use super::*;

    fn rule(path: &str, allow: Allow) -> Rule {
        Rule {
            id: path.to_owned(),
            host: None,
            path: RequestPath::parse(path).unwrap(),
            methods: Methods::All,
            upstream: None,
            csrf: CsrfMode::Off,
            allow,
        }
    }

    #[test]
    fn paths_are_chosen_from_the_rules() {
        let check = |rules: Vec<Rule>, closed: Option<&str>, open: Option<&str>| {
            let table = RuleTable::new(rules).unwrap();
            let paths = Paths::of(&table, &Host::parse("a.example").unwrap());
            let expected =
                Paths { closed: closed.map(str::to_owned), open: open.map(str::to_owned) };
            assert_eq!(paths, expected, "{table:?}");
        };
        let staff = || Allow::AccountType(AccountType::Staff);
        check(vec![], Some("/portcullis-doctor"), None);
        check(vec![rule("/", Allow::SignedIn)], Some("/portcullis-doctor"), None);
        check(vec![rule("/", Allow::SignedIn), rule("/admin", staff())], Some("/admin"), None);
        check(vec![rule("/admin", staff()), rule("/api/jobs", staff())], Some("/admin"), None);
        check(vec![rule("/", Allow::Anyone), rule("/api/x", staff())], Some("/api/x"), Some("/"));
        check(vec![rule("/", Allow::Anyone), rule("/admin", staff())], Some("/admin"), Some("/"));
        check(vec![rule("/public", Allow::Anyone)], Some("/portcullis-doctor"), Some("/public"));
        check(vec![rule("/", Allow::Anyone)], None, Some("/"));
        let mut get = rule("/a", staff());
        get.methods = Methods::named(["POST"]).unwrap();
        check(vec![rule("/", Allow::Anyone), get], None, Some("/"));
        let mut other = rule("/b", staff());
        other.host = Some(Host::parse("b.example").unwrap());
        check(vec![rule("/", Allow::Anyone), other], None, Some("/"));
    }

    #[test]
    fn the_target_is_read_from_the_header_of_the_kind() {
        let seen = |target: &str, headers: &[(&str, &str)]| Seen {
            door: Door::Gate,
            peer: Ipv4Addr::LOCALHOST.into(),
            is_trusted: true,
            client: Ipv4Addr::LOCALHOST.into(),
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            cookies: Vec::new(),
            judged: None,
            rule: None,
            code: None,
            why: None,
        };
        let check = |kind, seen: &Seen, expected| assert_eq!(described(kind, seen), expected);
        let gate = seen("/a?b", &[]);
        check(None, &gate, Some("/a?b"));
        check(Some(Kind::Nginx), &gate, None);
        let nginx = seen("/forward-auth/nginx", &[("x-original-url", "http://h:1//a/../b?c")]);
        check(Some(Kind::Nginx), &nginx, Some("//a/../b?c"));
        check(Some(Kind::Caddy), &nginx, None);
        let caddy = seen("/forward-auth/caddy", &[("x-forwarded-uri", "/%2e")]);
        check(Some(Kind::Caddy), &caddy, Some("/%2e"));
        check(Some(Kind::Envoy), &seen("/forward-auth/envoy/a//b", &[]), Some("/a//b"));
    }
}
