//! What the server saw of a request that `portcullis doctor` marked: kept in memory, a few and for a
//! short time, and shown to whoever holds the pass of that request. Decides nothing, and does nothing
//! for any other request but look at the end of its `User-Agent`.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_domain::client_address::ClientAddress;
use portcullis_domain::probe::ProbeId;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::web::error::{Error, Forbidden};
use crate::web::forward_auth;
use crate::web::request::Facts;

/// How many are kept, and how long.
const KEPT: usize = 64;
const KEPT_FOR: Duration = Duration::from_mins(2);

/// Instead of a value that may be secret.
pub const HIDDEN: &str = "…";

/// One request as it came in, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub door: Door,
    pub peer: IpAddr,
    /// Whether the peer is in `server.trusted_proxies`.
    pub is_trusted: bool,
    pub client: IpAddr,
    pub method: String,
    /// Before anything was read into it.
    pub target: String,
    /// In the order of the names; values that may be secret are [`HIDDEN`].
    pub headers: Vec<(String, String)>,
    /// The names of cookies, as often as they came.
    pub cookies: Vec<String>,
    /// What was judged, if it was clear what.
    pub judged: Option<Judged>,
    /// The rule that the request falls under.
    pub rule: Option<String>,
    /// `None`: it may pass.
    pub code: Option<String>,
    /// What is wrong, where the code does not say it all.
    pub why: Option<String>,
}

/// By which way the request was for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// For the application, through the gate.
    Gate,
    /// A question of a proxy.
    ForwardAuth,
    /// A page or endpoint of our own.
    Own,
}

/// The request that was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    pub method: String,
    pub target: String,
    pub host: String,
}

/// A marked request on its way.
pub struct Watch {
    id: ProbeId,
    seen: Seen,
}

/// What was seen lately.
#[derive(Default)]
pub struct Probes(Mutex<VecDeque<(Duration, ProbeId, Seen)>>);

impl Probes {
    /// Watches the request if it carries a mark that is good now.
    pub fn watch(app: &App, peer: SocketAddr, parts: &Parts) -> Option<Box<Watch>> {
        let agent = parts.headers.get(USER_AGENT)?.as_bytes();
        let id = app.keys.probe.marked(agent, app.clock.now())?;
        let lines = parts.headers.get_all("x-forwarded-for").iter();
        let forwarded: Vec<_> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        let trusted = &app.config.server.trusted_proxies;
        let client = ClientAddress::derive(peer.ip(), &forwarded, trusted);
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let seen = Seen {
            door: door(target),
            peer: client.peer,
            is_trusted: trusted.iter().any(|network| network.contains(&client.peer)),
            client: client.ip,
            method: parts.method.to_string(),
            target: target.to_owned(),
            headers: shown(&parts.headers),
            cookies: cookie_names(&parts.headers),
            judged: None,
            rule: None,
            code: None,
            why: None,
        };
        Some(Box::new(Watch { id, seen }))
    }

    /// Keeps what became of a request that could not even be read.
    pub fn unread(&self, app: &App, watch: Option<Box<Watch>>, error: &Error) {
        if let Some(watch) = watch {
            let seen = Seen { code: Some(error.code().to_owned()), ..watch.seen };
            self.keep(app, watch.id, seen);
        }
    }

    /// Keeps what became of a request, if it is watched. `facts`: of the request that was judged.
    pub fn note(&self, app: &App, facts: &Facts, refused: Option<&Error>) {
        let Some(watch) = &facts.watch else { return };
        let is_question = forward_auth::is_here(facts.target.path().as_str());
        let judged = (!is_question).then(|| Judged {
            method: facts.method.to_string(),
            target: facts.target.to_string(),
            host: facts.authority.clone(),
        });
        let is_by_rule = judged.is_some() && watch.seen.door != Door::Own;
        let rules = &app.config.gate.rules;
        let rule = rules.choose(&facts.host, facts.target.path(), facts.method.as_str());
        let seen = Seen {
            judged,
            rule: rule.filter(|_| is_by_rule).map(|rule| rule.id.clone()),
            code: refused.map(|error| error.code().to_owned()),
            why: refused.and_then(why),
            ..watch.seen.clone()
        };
        self.keep(app, watch.id, seen);
    }

    /// What was seen of this request; more than once where a proxy asked and led on.
    pub fn of(&self, app: &App, id: ProbeId) -> Vec<Seen> {
        let now = app.clock.monotonic();
        let kept = self.locked();
        let fresh = kept.iter().filter(|(at, other, _)| *other == id && now <= *at + KEPT_FOR);
        fresh.map(|(_, _, seen)| seen.clone()).collect()
    }

    fn keep(&self, app: &App, id: ProbeId, seen: Seen) {
        let mut kept = self.locked();
        kept.truncate(KEPT - 1);
        kept.push_front((app.clock.monotonic(), id, seen));
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(Duration, ProbeId, Seen)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn door(target: &str) -> Door {
    let path = target.split('?').next().unwrap_or_default();
    if forward_auth::is_here(path) {
        Door::ForwardAuth
    } else if path.starts_with("/-/") {
        Door::Own
    } else {
        Door::Gate
    }
}

fn why(error: &Error) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the code of all others says it")]
    match error {
        Error::Forwarded(fault, _) => Some(fault.to_string()),
        Error::Forbidden(Forbidden::UntrustedProxy(peer)) => Some(peer.to_string()),
        _ => None,
    }
}

/// Every header, with values where they say how a proxy describes a request and cannot be secret.
fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &HeaderName, value: &HeaderValue| {
        if is_shown(name.as_str()) {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        } else {
            HIDDEN.to_owned()
        }
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(name, value))).collect()
}

fn is_shown(name: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["x-forwarded-", "x-original-", "x-rewrite-", "x-http-method", "sec-fetch-", "x_"];
    const NAMES: [&str; 11] = [
        "host",
        "connection",
        "upgrade",
        "via",
        "forwarded",
        "accept",
        "origin",
        "remote-user",
        "x-auth-user",
        "x-real-ip",
        "x-method-override",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn cookie_names(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter();
    let text = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let pairs: Vec<String> = text
        .flat_map(|line| line.split(';').map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pair| Some(pair.split_once('=')?.0.trim().to_owned()))
        .collect();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_may_be_secret_are_not_shown() {
        let check = |name: &'static str, value: &'static str, expected: &str| {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_static(value));
            assert_eq!(shown(&headers), [(name.to_owned(), expected.to_owned())], "{name}");
        };
        check("x-original-url", "http://a/b", "http://a/b");
        check("x-forwarded-for", "192.0.2.1", "192.0.2.1");
        check("x-auth-user", "evil", "evil");
        for name in [
            "cookie",
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "x-csrf-token",
            "x-csrftoken",
            "x-auth-assertion",
            "x-auth-csrf-token",
            "x-something",
            "user-agent",
        ] {
            check(name, "secret", HIDDEN);
        }
    }

    #[test]
    fn cookies_are_counted_by_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; sessionid=secret;b"));
        headers.append(COOKIE, HeaderValue::from_static("sessionid=two"));
        assert_eq!(cookie_names(&headers), ["a", "sessionid", "sessionid"]);
    }
}
