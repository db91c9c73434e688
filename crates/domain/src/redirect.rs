//! Where a person may be sent after signing in.
//!
//! Not a URL repair: an address that a browser could read in two ways is refused, and the caller
//! falls back to [`Next::home`].

use crate::origin::Origin;
use crate::request_path::RequestTarget;

/// A checked place to go on to: a path of ours, or an address on an accepted origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Next(String);

impl Next {
    /// The start page.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Accepts a local path such as `/jobs?page=2`, read as strictly as any request target, or an
    /// absolute http(s) address whose exact origin is our own or allowed. `None` for all else.
    pub fn parse(text: &str, own: &[Origin], allowed: &[Origin]) -> Option<Self> {
        if text.starts_with('/') {
            return RequestTarget::parse(text).ok().map(|target| Self(target.to_string()));
        }
        let after_scheme = text.find("://")? + 3;
        let path_start =
            text.get(after_scheme..)?.find('/').map_or(text.len(), |at| after_scheme + at);
        let (origin, target) = text.split_at_checked(path_start)?;
        let origin = Origin::parse(origin).ok()?;
        if !own.contains(&origin) && !allowed.contains(&origin) {
            return None;
        }
        let target = if target.is_empty() { "/" } else { target };
        let target = RequestTarget::parse(target).ok()?;
        Some(Self(format!("{origin}{target}")))
    }

    /// The value of a `Location` header: printable ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin it names; `None` for a path of ours.
    pub fn origin(&self) -> Option<Origin> {
        let (scheme, rest) = self.0.split_once("://").filter(|_| !self.is_local())?;
        let authority = rest.split('/').next().unwrap_or_default();
        Origin::parse(&format!("{scheme}://{authority}")).ok()
    }

    /// Whether it is a path of ours.
    pub fn is_local(&self) -> bool {
        self.0.starts_with('/')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(text: &str) -> Option<Next> {
        let origin = |text| Origin::parse(text).unwrap();
        let own = [origin("http://localhost:8080"), origin("https://auth.example")];
        Next::parse(text, &own, &[origin("https://app.example")])
    }

    #[test]
    fn places() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(next(text).as_ref().map(Next::as_str), expected, "{text:?}");
        };
        check("/", Some("/"));
        check("/jobs", Some("/jobs"));
        check(
            "/jobs?page=2&back=https://evil.example",
            Some("/jobs?page=2&back=https://evil.example"),
        );
        check("/%6aobs", Some("/jobs"));
        check("https://app.example", Some("https://app.example/"));
        check("HTTPS://APP.example:443/x?y", Some("https://app.example/x?y"));
        check("https://auth.example/-/account", Some("https://auth.example/-/account"));
        check("http://localhost:8080/x", Some("http://localhost:8080/x"));
        for refused in [
            "",
            "jobs",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "/\t/evil",
            "/\n/evil",
            "\t//evil",
            " /jobs",
            "/%5cevil",
            "/%2fevil",
            "/.//evil",
            "/..//evil",
            "/x/../..//evil",
            "/x//evil",
            "/jobs\r\nSet-Cookie:a",
            "https:evil",
            "https:/evil",
            "https:///evil",
            "https://evil",
            "https://auth@evil",
            "https://auth.example@evil",
            "https://evil@app.example",
            "https://app.example.evil",
            "https://app.example:8443",
            "http://app.example",
            "https://app.example\\.evil",
            "https://app.example\\@evil",
            "https://app.example?x",
            "https://app.example#x",
            "https://app.example/\tx",
            "ht\ttps://app.example",
            "https://app.example%2eevil",
            "https://аpp.example",
            "//app.example",
            "javascript:alert(1)",
            "javascript://app.example/%0aalert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "https:\\\\app.example",
            "/jobs#x",
            "http:///localhost:8080",
        ] {
            check(refused, None);
        }
        assert!(next("/x").unwrap().is_local() && Next::home().is_local());
        assert!(!next("https://app.example/x").unwrap().is_local());
        let origin = |text: &str| next(text).unwrap().origin().map(|origin| origin.to_string());
        assert_eq!(origin("/x?next=https://evil/"), None);
        assert_eq!(origin("https://app.example/x?y").as_deref(), Some("https://app.example"));
    }

    proptest! {
        /// A browser-grade parser (the URL Standard) agrees on where each accepted place leads.
        #[test]
        fn browsers_agree(text in "(https?:|HTTPS:)?[/\\\\]{0,3}(app\\.example|auth\\.example|evil|a|@|:|443|\\.|%2e|\t|#|\\?|/){0,5}") {
            if let Some(place) = next(&text) {
                let base = url::Url::parse("https://auth.example/-/sign-in").unwrap();
                let host = base.join(place.as_str()).unwrap().host_str().unwrap().to_owned();
                prop_assert!(matches!(host.as_str(), "auth.example" | "app.example"), "{} {}", text, host);
            }
        }
    }
}
