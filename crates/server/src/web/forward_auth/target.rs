//! The request that a proxy asks about, read from exactly one family of headers by the kind of
//! proxy. Pure: neither who the proxy is nor what the rules say is looked at here. There are no
//! defaults: what is missing, came twice or cannot be read is a fault that names its header.

use http::{HeaderMap, Method};
use portcullis_domain::origin::Scheme;
use portcullis_domain::request_path::{PathFault, RequestTarget};
use portcullis_domain::text::Host;

/// The proxies that ask, by how they say what they ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Traefik,
    Caddy,
    Haproxy,
    Envoy,
}

/// The question as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub method: &'a Method,
    /// Without the path of the endpoint.
    pub target: &'a str,
    /// Its `Host`.
    pub authority: &'a str,
    pub headers: &'a HeaderMap,
}

/// The request that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub method: Method,
    pub scheme: Scheme,
    /// Host, perhaps with a port, as the proxy said it.
    pub authority: String,
    pub target: RequestTarget,
}

/// Why the request that is asked about is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A header is not as it must be.
    Header { name: &'static str, problem: Problem },
    /// The path could be read in two ways.
    AmbiguousPath,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Missing,
    Several,
    Empty,
    Unreadable,
    /// It names another scheme than the public address has.
    OtherScheme {
        public: Scheme,
    },
}

const METHOD: &str = "X-Forwarded-Method";
const PROTO: &str = "X-Forwarded-Proto";
const HOST: &str = "X-Forwarded-Host";
const URI: &str = "X-Forwarded-Uri";
const ORIGINAL_METHOD: &str = "X-Original-Method";
const ORIGINAL_URL: &str = "X-Original-URL";

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Nginx, Self::Traefik, Self::Caddy, Self::Haproxy, Self::Envoy];

    /// Its name in the path of the endpoint.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// The header that names the scheme.
    const fn scheme_header(self) -> &'static str {
        match self {
            Self::Nginx => ORIGINAL_URL,
            Self::Traefik | Self::Caddy | Self::Haproxy | Self::Envoy => PROTO,
        }
    }
}

/// Reads the request that a proxy of this kind asks about. `public`: the scheme of the public
/// address, which is the only one that a request can have come by.
pub fn target(kind: Kind, question: &Question<'_>, public: Scheme) -> Result<Target, Fault> {
    let headers = question.headers;
    let target = match kind {
        Kind::Nginx => by_original_url(headers)?,
        Kind::Traefik | Kind::Caddy | Kind::Haproxy => Target {
            method: method(headers, METHOD)?,
            scheme: scheme(PROTO, word(headers, PROTO)?)?,
            authority: authority(HOST, word(headers, HOST)?)?,
            target: path_and_query(URI, single(headers, URI)?)?,
        },
        Kind::Envoy => Target {
            method: question.method.clone(),
            scheme: scheme(PROTO, word(headers, PROTO)?)?,
            authority: authority("Host", question.authority)?,
            target: path_and_query(":path", question.target)?,
        },
    };
    if target.scheme == public {
        Ok(target)
    } else {
        Err(fault(kind.scheme_header(), Problem::OtherScheme { public }))
    }
}

fn by_original_url(headers: &HeaderMap) -> Result<Target, Fault> {
    let method = method(headers, ORIGINAL_METHOD)?;
    let url = single(headers, ORIGINAL_URL)?;
    let unreadable = || fault(ORIGINAL_URL, Problem::Unreadable);
    let (proto, rest) = url.split_once("://").ok_or_else(unreadable)?;
    let path_start = rest.find('/').ok_or_else(unreadable)?;
    let (host, target) = rest.split_at_checked(path_start).ok_or_else(unreadable)?;
    Ok(Target {
        method,
        scheme: scheme(ORIGINAL_URL, proto)?,
        authority: authority(ORIGINAL_URL, host)?,
        target: path_and_query(ORIGINAL_URL, target)?,
    })
}

fn method(headers: &HeaderMap, name: &'static str) -> Result<Method, Fault> {
    let text = word(headers, name)?;
    Method::from_bytes(text.as_bytes()).map_err(|_| fault(name, Problem::Unreadable))
}

fn scheme(name: &'static str, text: &str) -> Result<Scheme, Fault> {
    match text {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        _ => Err(fault(name, Problem::Unreadable)),
    }
}

fn authority(name: &'static str, text: &str) -> Result<String, Fault> {
    match Host::parse_with_port(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(fault(name, Problem::Unreadable)),
    }
}

fn path_and_query(name: &'static str, text: &str) -> Result<RequestTarget, Fault> {
    RequestTarget::parse(text).map_err(|error| {
        let is_no_path = error == PathFault::NotRooted;
        if is_no_path { fault(name, Problem::Unreadable) } else { Fault::AmbiguousPath }
    })
}

/// A header that holds one word, so that a comma means a list.
fn word<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Fault> {
    let text = single(headers, name)?;
    if text.contains(',') { Err(fault(name, Problem::Several)) } else { Ok(text) }
}

/// A header that came in one line and is text.
fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Fault> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(fault(name, Problem::Missing))?;
    if lines.next().is_some() {
        return Err(fault(name, Problem::Several));
    }
    match line.to_str() {
        Ok("") => Err(fault(name, Problem::Empty)),
        Ok(text) => Ok(text),
        Err(_) => Err(fault(name, Problem::Unreadable)),
    }
}

const fn fault(name: &'static str, problem: Problem) -> Fault {
    Fault::Header { name, problem }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, problem) = match self {
            Self::AmbiguousPath => return out.write_str("the path can be read in two ways"),
            Self::Header { name, problem } => (name, problem),
        };
        match problem {
            Problem::Missing => write!(out, "the header {name} is missing"),
            Problem::Several => write!(out, "the header {name} names more than one"),
            Problem::Empty => write!(out, "the header {name} is empty"),
            Problem::Unreadable => write!(out, "the header {name} is not what it should be"),
            Problem::OtherScheme { public } => write!(
                out,
                "the header {name} names another scheme than server.public_url, which is {}",
                public.as_str()
            ),
        }
    }
}

#[cfg(test)]
mod tests;
