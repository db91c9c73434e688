//! Web origins, and the wall that unsafe requests from other sites meet before anything else.
//!
//! Not the CSRF token: that is the second wall, in [`crate::csrf`]. Exceptions are made by route,
//! never here and never by a pattern.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::text::Host;

/// The scheme of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A text that is not `http://host[:port]` or `https://host[:port]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "An origin is http:// or https://, a host, and perhaps a port, such as https://app.example.com."
)]
pub struct OriginFault;

/// Scheme, host and port (RFC 6454). The port that the scheme implies and the one written out are
/// equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Origin {
    /// An origin from its parts.
    pub fn new(scheme: Scheme, host: Host, port: u16) -> Self {
        Self { scheme, host, port }
    }

    /// Reads the `Origin` header or a configured origin; nothing may follow the port. `null` is
    /// none.
    pub fn parse(text: &str) -> Result<Self, OriginFault> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginFault)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginFault),
        };
        let (host, port) = Host::parse_with_port(authority).map_err(|_| OriginFault)?;
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) })
    }

    /// Reads a configured base address, where one slash may end the origin.
    pub fn parse_url(text: &str) -> Result<Self, OriginFault> {
        Self::parse(text.strip_suffix('/').unwrap_or(text))
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, also where the scheme implies it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether cookies for this origin carry `Secure`.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }
}

/// As a browser writes it: without the port that the scheme implies.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(out, ":{}", self.port) }
    }
}

/// Our own origins; links are built on the first. Without a public address it follows the socket
/// that is listened on. With a loopback one, all three names of this machine on its port are ours.
pub fn own_origins(public_url: Option<&Origin>, listen: SocketAddr) -> Vec<Origin> {
    let first = public_url.cloned().unwrap_or_else(|| {
        // No browser can go to the wildcard address.
        let ip =
            if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
        Origin::new(Scheme::Http, Host::from_ip(ip), listen.port())
    });
    let mut own = vec![first.clone()];
    if first.host.is_loopback() {
        let names =
            ["127.0.0.1", "localhost", "[::1]"].into_iter().filter_map(|n| Host::parse(n).ok());
        own.extend(
            names.map(|host| Origin { host, ..first.clone() }).filter(|same| *same != first),
        );
    }
    own
}

/// What a request says of where it came from.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallFacts<'a> {
    /// Neither GET, HEAD nor OPTIONS.
    pub unsafe_method: bool,
    /// `Sec-Fetch-Site`. One that came twice or is not text is given as an empty text.
    pub sec_fetch_site: Option<&'a str>,
    /// `Origin`. One that came twice or is not text is given as an empty text.
    pub origin: Option<&'a str>,
    /// Another `Sec-Fetch-*` header or a `Referer` came: a browser is at work.
    pub other_browser_sign: bool,
}

/// What the wall learned about a request that it let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A browser vouches that one of our own pages, or the person, sent it.
    SameOrigin,
    /// It came from an origin that the operator trusts.
    Trusted,
    /// No sign of a browser at all.
    NoBrowser,
    /// Nothing is proven: a safe method from elsewhere, or a browser that hides where it comes from.
    Unproven,
}

/// The wall refused: the request came from a foreign origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request comes from a foreign origin")]
pub struct Refused;

/// Judges where a request came from. `Sec-Fetch-Site` comes before `Origin`, because a page with
/// `Referrer-Policy: no-referrer` sends `Origin: null` even to itself. Safe methods always pass; to
/// judge one all the same, call it unsafe.
pub fn wall(facts: &WallFacts<'_>, own: &[Origin], trusted: &[Origin]) -> Result<Signal, Refused> {
    let origin = facts.origin.map(Origin::parse);
    let is_among = |list: &[Origin]| matches!(&origin, Some(Ok(origin)) if list.contains(origin));
    let signal = match (facts.sec_fetch_site, &origin) {
        (Some("same-origin" | "none"), _) => Ok(Signal::SameOrigin),
        (None, None) if facts.other_browser_sign => Ok(Signal::Unproven),
        (None, None) => Ok(Signal::NoBrowser),
        (None, Some(_)) if is_among(own) => Ok(Signal::SameOrigin),
        _ if is_among(trusted) => Ok(Signal::Trusted),
        _ => Err(Refused),
    };
    if facts.unsafe_method { signal } else { Ok(signal.unwrap_or(Signal::Unproven)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(list: &[&str]) -> Vec<Origin> {
        list.iter().map(|text| Origin::parse(text).unwrap()).collect()
    }

    #[test]
    fn origins_read_back() {
        let check = |text: &str, expected: Option<&str>| {
            let shown = Origin::parse(text).ok().map(|origin| origin.to_string());
            assert_eq!(shown.as_deref(), expected, "{text:?}");
        };
        check("https://app.example", Some("https://app.example"));
        check("https://app.example:443", Some("https://app.example"));
        check("http://app.example:80", Some("http://app.example"));
        check("http://app.example:443", Some("http://app.example:443"));
        check("HTTPS://App.Example.:8443", Some("https://app.example:8443"));
        check("http://[::1]:8080", Some("http://[::1]:8080"));
        for invalid in [
            "",
            "null",
            "app.example",
            "//app.example",
            "https:app.example",
            "https://",
            "ftp://a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://a.example?x",
            "https://u@a.example",
            "https://a.example:",
            "https://a.example:0",
            "https://a.example, https://b.example",
            " https://a.example",
            "https://*.example",
            "https://a.example\\",
            "javascript://a.example",
        ] {
            check(invalid, None);
        }
        assert_eq!(Origin::parse_url("https://a.example/"), Origin::parse("https://a.example"));
        assert_eq!(Origin::parse_url("https://a.example//"), Err(OriginFault));
        assert!(Origin::parse("https://a.example").unwrap().is_https());
        assert_eq!(Origin::parse("https://a.example").unwrap().port(), 443);
    }

    #[test]
    fn loopback_names_are_all_ours() {
        let check = |public_url: Option<&str>, listen: &str, expected: &[&str]| {
            let public_url = public_url.map(|text| Origin::parse(text).unwrap());
            let own = own_origins(public_url.as_ref(), listen.parse().unwrap());
            assert_eq!(own, origins(expected), "{public_url:?} {listen}");
        };
        let three = ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"];
        check(None, "127.0.0.1:8080", &three);
        check(None, "0.0.0.0:8080", &three);
        check(None, "[::]:8080", &three);
        check(None, "192.0.2.7:80", &["http://192.0.2.7"]);
        check(Some("https://app.example"), "127.0.0.1:8080", &["https://app.example"]);
        check(
            Some("http://localhost:9000"),
            "127.0.0.1:8080",
            &["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"],
        );
    }

    #[test]
    fn the_wall() {
        let own = origins(&["https://app.example", "http://localhost:8080"]);
        let trusted = origins(&["https://shop.example"]);
        let check =
            |site: Option<&str>, origin: Option<&str>, expected: Result<Signal, Refused>| {
                let facts = WallFacts {
                    unsafe_method: true,
                    sec_fetch_site: site,
                    origin,
                    other_browser_sign: false,
                };
                assert_eq!(wall(&facts, &own, &trusted), expected, "{site:?} {origin:?}");
                // A safe method passes, and what was refused proves nothing.
                let safe = wall(&WallFacts { unsafe_method: false, ..facts }, &own, &trusted);
                assert_eq!(safe, Ok(expected.unwrap_or(Signal::Unproven)), "{site:?} {origin:?}");
            };
        let evil = Some("https://evil.example");
        check(Some("same-origin"), Some("https://app.example"), Ok(Signal::SameOrigin));
        check(Some("same-origin"), Some("null"), Ok(Signal::SameOrigin));
        check(Some("same-origin"), None, Ok(Signal::SameOrigin));
        check(Some("none"), None, Ok(Signal::SameOrigin));
        check(Some("same-site"), None, Err(Refused));
        check(Some("same-site"), Some("https://app.example"), Err(Refused));
        check(Some("same-site"), Some("https://shop.example"), Ok(Signal::Trusted));
        check(Some("cross-site"), Some("https://shop.example"), Ok(Signal::Trusted));
        check(Some("cross-site"), Some("http://shop.example"), Err(Refused));
        check(Some("cross-site"), Some("https://shop.example:8443"), Err(Refused));
        check(Some("cross-site"), Some("null"), Err(Refused));
        check(Some("cross-site"), None, Err(Refused));
        check(Some("cross-site"), evil, Err(Refused));
        check(Some(""), Some("https://app.example"), Err(Refused));
        check(Some("Same-Origin"), evil, Err(Refused));
        check(None, None, Ok(Signal::NoBrowser));
        check(None, Some("https://app.example"), Ok(Signal::SameOrigin));
        check(None, Some("https://app.example:443"), Ok(Signal::SameOrigin));
        check(None, Some("http://localhost:8080"), Ok(Signal::SameOrigin));
        check(None, Some("http://app.example"), Err(Refused));
        check(None, Some("https://app.example.evil.example"), Err(Refused));
        check(None, Some("https://shop.example"), Ok(Signal::Trusted));
        check(None, Some("null"), Err(Refused));
        check(None, Some(""), Err(Refused));
        check(None, evil, Err(Refused));
    }

    #[test]
    fn a_browser_that_hides_its_origin_proves_nothing() {
        let facts =
            WallFacts { unsafe_method: true, other_browser_sign: true, ..WallFacts::default() };
        assert_eq!(wall(&facts, &[], &[]), Ok(Signal::Unproven));
    }
}
