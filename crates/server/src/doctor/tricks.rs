//! The tricks by which other gates were passed, replayed: what is sent, and whether what came of it
//! is as harmless as the honest request. Pure; `front` sends them.

use super::probe::{Outcome, Sending};
use super::{clipped, in_words, reading};
use crate::probe::Seen;
use crate::web::forward_auth::Kind;

/// One of them.
#[derive(Clone, Debug)]
pub struct Trick {
    /// A stable word.
    pub id: &'static str,
    /// The vulnerability that it is known from.
    pub known: &'static str,
    pub sending: Sending,
    means: Means,
}

/// What it tries to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// The path, which programs read in different ways.
    Spelling,
    /// What a header says, of a request whose path is the honest one.
    Header,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did not pass.
    Refused,
    /// The decision on it is that on the honest request.
    Same,
    /// It made a difference.
    Different(String),
    /// The proxy changed the path before the gate saw it, which then judged and handed on the same.
    Rewritten(String),
}

/// Every trick, on a path that is closed and one that is open (`/` where none is).
pub fn all(closed: &str, open: &str, authority: &str) -> Vec<Trick> {
    let mut tricks = spellings(closed, open);
    tricks.extend(headers(closed, open, authority));
    tricks
}

fn spellings(closed: &str, open: &str) -> Vec<Trick> {
    let open = open.trim_end_matches('/');
    let bare = closed.trim_start_matches('/');
    let dots = "CVE-2026-40912, CVE-2026-42274";
    let malformed = "CVE-2021-32637";
    let table: Vec<(&'static str, &'static str, String)> = vec![
        ("empty_segment", "CVE-2025-71399", format!("/{closed}")),
        ("empty_segment_at_the_end", "CVE-2025-71399", format!("{closed}//")),
        ("dot", dots, format!("/.{closed}")),
        ("dot_at_the_end", dots, format!("{closed}/.")),
        ("two_dots", dots, format!("{open}/x/..{closed}")),
        ("encoded_dots", dots, format!("{open}/x/%2e%2e{closed}")),
        ("encoded_dots_and_slash", dots, format!("{open}/x/%2e%2e%2f{bare}")),
        ("doubly_encoded_dots", dots, format!("{open}/x/%252e%252e{closed}")),
        ("encoded_slash", dots, format!("{open}/x%2f..%2f{bare}")),
        ("encoded_slash_at_the_end", dots, format!("{closed}%2f")),
        ("dots_and_semicolon", dots, format!("{open}/..;{closed}")),
        ("semicolon", dots, format!("{closed};x=/y")),
        ("backslash", dots, format!("{open}/x\\..\\{bare}")),
        ("encoded_backslash", dots, format!("{open}/x%5c..%5c{bare}")),
        ("encoded_letter", dots, encoded_letter(closed)),
        ("other_case", "CVE-2025-71399", closed.to_ascii_uppercase()),
        ("encoded_end", malformed, format!("{closed}%00")),
        ("encoded_line_end", malformed, format!("{closed}%0a")),
        ("bad_escape", malformed, "/%zz".to_owned()),
        ("half_escape", malformed, format!("{closed}%")),
        ("control_character", malformed, "/\u{1}".to_owned()),
        ("tab", malformed, format!("{closed}\tx")),
        ("broken_address", malformed, "http://[".to_owned()),
        ("star", malformed, "*".to_owned()),
        ("endless", malformed, format!("/{}", "a".repeat(70_000))),
        ("query_like_open_path", "GHSA-7rh7-c77v-6434", format!("{closed}?x={open}/")),
        ("query_like_health", "GHSA-7rh7-c77v-6434", format!("{closed}?/healthz")),
        ("query_like_sign_in", "GHSA-7rh7-c77v-6434", format!("{closed}?/-/sign-in")),
    ];
    let trick = |(id, known, target): (_, _, String)| {
        let sending = Sending::get(&target);
        Trick { id, known, sending, means: Means::Spelling }
    };
    table.into_iter().map(trick).collect()
}

/// `/admin` as `/%61dmin`: the same path to everybody who reads it.
fn encoded_letter(path: &str) -> String {
    let mut letters = path.trim_start_matches('/').chars();
    match letters.next() {
        Some(first) if first.is_ascii_alphanumeric() => {
            format!("/%{:02x}{}", u32::from(first), letters.as_str())
        }
        Some(_) | None => "/%61".to_owned(),
    }
}

fn headers(closed: &str, open: &str, authority: &str) -> Vec<Trick> {
    let url = format!("http://{authority}{open}");
    let (forwarded, method) = ("CVE-2026-40575", "CVE-2023-30845");
    let (proto, host) = ("CVE-2026-33495", "CVE-2026-48794");
    let (drop, fold) = ("GHSA-w9mr-28mw-j8hg", "CVE-2025-64484");
    let table: Vec<(&'static str, &'static str, Lines)> = vec![
        ("forwarded_uri", forwarded, vec![("X-Forwarded-Uri", open.to_owned())]),
        ("original_url", forwarded, vec![("X-Original-URL", url.clone())]),
        ("original_path", forwarded, vec![("X-Original-URL", open.to_owned())]),
        ("original_uri", forwarded, vec![("X-Original-URI", open.to_owned())]),
        ("rewrite_url", forwarded, vec![("X-Rewrite-URL", open.to_owned())]),
        ("forwarded_uri_twice", forwarded, twice("X-Forwarded-Uri", open, closed)),
        ("original_url_twice", forwarded, twice("X-Original-URL", &url, &url)),
        ("underscores", fold, twice("X_Forwarded_Uri", open, open)),
        ("underscores_in_url", fold, vec![("X_Original_URL", url)]),
        ("forwarded_method", method, vec![("X-Forwarded-Method", "OPTIONS".to_owned())]),
        ("original_method", method, vec![("X-Original-Method", "OPTIONS".to_owned())]),
        ("method_override", method, vec![("X-HTTP-Method-Override", "OPTIONS".to_owned())]),
        ("method_override_2", method, vec![("X-Method-Override", "OPTIONS".to_owned())]),
        ("forwarded_proto", proto, vec![("X-Forwarded-Proto", "gopher".to_owned())]),
        ("forwarded_proto_twice", proto, twice("X-Forwarded-Proto", "http", "https")),
        ("forwarded_host", host, vec![("X-Forwarded-Host", "evil.example".to_owned())]),
        ("forwarded", host, vec![("Forwarded", "host=evil.example;proto=http".to_owned())]),
        ("forwarded_prefix", "GHSA-6384-m2mw-rf54", vec![("X-Forwarded-Prefix", open.to_owned())]),
        ("forwarded_for", "CVE-2023-36456", vec![("X-Forwarded-For", "127.0.0.1".to_owned())]),
        ("identity", "CVE-2026-33433", twice("X-Auth-User", "1", "1")),
        ("connection_names_identity", drop, connection("X-Auth-User, X-Auth-Permissions")),
        ("connection_names_target", drop, connection("X-Original-URL, X-Forwarded-Uri")),
        ("connection_names_method", drop, connection("X-Original-Method, X-Forwarded-Method")),
        ("connection_names_client", drop, connection("X-Forwarded-For, X-Forwarded-Host")),
    ];
    let trick = |(id, known, headers)| {
        let sending = Sending { headers, ..Sending::get(closed) };
        Trick { id, known, sending, means: Means::Header }
    };
    let probe = |(id, agent)| {
        let sending = Sending { agent, ..Sending::get(closed) };
        Trick { id, known: "GHSA-5hvv-m4w4-gf6v", sending, means: Means::Header }
    };
    let probes = [("probe_of_google", "GoogleHC/1.0"), ("probe_of_kubernetes", "kube-probe/1.30")];
    table.into_iter().map(trick).chain(probes.map(probe)).collect()
}

/// Headers by name and value.
type Lines = Vec<(&'static str, String)>;

fn twice(name: &'static str, one: &str, two: &str) -> Lines {
    vec![(name, one.to_owned()), (name, two.to_owned())]
}

fn connection(names: &str) -> Lines {
    vec![("Connection", format!("close, {names}"))]
}

impl Trick {
    /// What was sent, for reading.
    pub fn sent(&self) -> String {
        match self.means {
            Means::Spelling => clipped(&self.sending.target),
            Means::Header if !self.sending.agent.is_empty() => {
                format!("User-Agent: {}", self.sending.agent)
            }
            Means::Header => {
                let lines = self.sending.headers.iter();
                lines.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// What came of it, beside the honest request for the same closed path. `kind`: of the proxy that
    /// asks; `None` where the gate itself leads on.
    pub fn judge(&self, kind: Option<Kind>, honest: &Seen, got: &Outcome) -> Verdict {
        let status = got.answer.status;
        let is_success = (200..300).contains(&status);
        let door = reading::door(kind);
        let Some(seen) = got.seen.iter().find(|seen| seen.door == door) else {
            // A proxy that is still writing when the gate hangs up on an endless head says 502.
            if status >= 400 {
                return Verdict::Refused;
            }
            return Verdict::Different(format!("answered {status}, and the gate was not asked"));
        };
        if seen.code.is_none() {
            return Verdict::Different(format!("it may pass: {}", in_words(seen)));
        }
        if is_success {
            return Verdict::Different(format!("answered {status} against the decision"));
        }
        if seen.judged.is_none() {
            return Verdict::Refused;
        }
        match self.means {
            Means::Spelling => self.judge_spelling(kind, honest, seen),
            Means::Header => judge_header(honest, seen),
        }
    }

    fn judge_spelling(&self, kind: Option<Kind>, honest: &Seen, seen: &Seen) -> Verdict {
        let sent = self.sending.target.as_str();
        let arrived = reading::described(kind, seen).unwrap_or_default();
        if arrived != sent {
            let text = format!("{} arrives as {}", clipped(sent), clipped(arrived));
            let is_asked = kind.is_some();
            return if is_asked { Verdict::Different(text) } else { Verdict::Rewritten(text) };
        }
        let is_same = seen.rule == honest.rule && seen.code == honest.code;
        if is_same { Verdict::Same } else { Verdict::Refused }
    }
}

fn judge_header(honest: &Seen, seen: &Seen) -> Verdict {
    if seen.code != honest.code {
        return Verdict::Refused;
    }
    if seen.judged != honest.judged || seen.rule != honest.rule {
        return Verdict::Different(in_words(seen));
    }
    Verdict::Same
}

#[cfg(test)]
mod tests;
