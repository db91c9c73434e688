//! Our cookies: their names in the active profile, how they are read (every value, because two
//! of one name mean that somebody tossed one in) and how they are written (RFC 6265bis).

use std::time::Duration;

use http::HeaderMap;
use http::header::COOKIE;
use portcullis_domain::text::Host;
use portcullis_domain::time::Time;

use crate::config::{Cookies, Profile};
use crate::random::Random;

/// The life of the `csrftoken` cookie: 52 weeks, as documented.
pub const CSRF_COOKIE_LIFE: Duration = Duration::from_hours(52 * 7 * 24);
/// The life of the device cookie: the longest that browsers keep any, 400 days.
const DEVICE_COOKIE_LIFE: Duration = Duration::from_hours(400 * 24);

/// The life of the id that anonymous tokens are bound to.
const PRE_SESSION_LIFE: Duration = Duration::from_hours(12);

/// Names and attributes of the active profile.
#[derive(Debug, Clone)]
pub struct CookieStyle {
    names: &'static Names,
    secure: bool,
    domain: Option<String>,
}

#[derive(Debug)]
struct Names {
    session: &'static str,
    csrf: &'static str,
    device: &'static str,
    remember: &'static str,
    asking: &'static str,
    trusted: &'static str,
    /// Where anonymous tokens are bound to a browser.
    pre_session: Option<&'static str>,
    all: &'static [&'static str],
}

static COMPAT: Names = Names {
    session: "sessionid",
    csrf: "csrftoken",
    device: "portcullis_device",
    remember: "remember",
    asking: "portcullis_link",
    trusted: "portcullis_trusted",
    pre_session: None,
    all: &[
        "sessionid",
        "csrftoken",
        "portcullis_device",
        "remember",
        "portcullis_link",
        "portcullis_trusted",
    ],
};

static HARDENED: Names = Names {
    session: "__Host-sessionid",
    csrf: "__Host-csrftoken",
    device: "__Host-portcullis_device",
    remember: "__Host-remember",
    asking: "__Host-portcullis_link",
    trusted: "__Host-portcullis_trusted",
    pre_session: Some("__Host-pre"),
    all: &[
        "__Host-sessionid",
        "__Host-csrftoken",
        "__Host-portcullis_device",
        "__Host-remember",
        "__Host-portcullis_link",
        "__Host-portcullis_trusted",
        "__Host-pre",
    ],
};

impl CookieStyle {
    /// `secure`: the public address is https.
    pub fn new(cookies: &Cookies, secure: bool) -> Self {
        let names = match cookies.profile {
            Profile::Compat => &COMPAT,
            Profile::Hardened => &HARDENED,
        };
        Self { names, secure, domain: cookies.domain.as_ref().map(ToString::to_string) }
    }

    /// The names that belong to the gate, and so never to the upstream.
    pub fn own_names(&self) -> &'static [&'static str] {
        self.names.all
    }

    /// The name of the session cookie.
    pub fn session_name(&self) -> &'static str {
        self.names.session
    }

    /// Whether a browser that got the session cookie from one host sends it to the other, too.
    pub fn is_shared(&self, from: &Host, with: &Host) -> bool {
        let domain = self.domain.as_deref();
        let is_below = |domain: &str| match with.as_str().strip_suffix(domain) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        };
        from == with || domain.is_some_and(is_below)
    }

    /// Every value that came under the session cookie's name.
    pub fn session_values<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        values(headers, self.names.session)
    }

    /// The name of the cookie of a browser that stays signed in.
    pub fn remember_name(&self) -> &'static str {
        self.names.remember
    }

    /// Every value that came under that name.
    pub fn remember_values<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        values(headers, self.names.remember)
    }

    /// Every value that came under the CSRF cookie's name.
    pub fn csrf_values<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        values(headers, self.names.csrf)
    }

    /// The device cookie, when exactly one came.
    pub fn device_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        only_value(headers, self.names.device)
    }

    /// The mark of a browser in which a link to sign in was asked for, when exactly one came.
    pub fn asking_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        only_value(headers, self.names.asking)
    }

    /// The cookie of a trusted device, when exactly one came.
    pub fn trusted_value<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        only_value(headers, self.names.trusted)
    }

    /// The id that anonymous tokens are bound to; empty where the profile has none, or the browser
    /// sent none or several.
    pub fn pre_session<'h>(&self, headers: &'h HeaderMap) -> &'h str {
        let Some(name) = self.names.pre_session else { return "" };
        let mut found = values(headers, name);
        let first = found.next().unwrap_or_default();
        if found.next().is_some() { "" } else { first }
    }

    /// A new id for a browser; `None` where the profile has none.
    pub fn new_pre_session(&self, random: Random) -> Option<String> {
        self.names.pre_session.map(|_| hex::encode(random.bytes::<16>()))
    }

    /// `Set-Cookie` of the session, living until `expires`.
    pub fn session(&self, value: &str, now: Time, expires: Time) -> String {
        let line = Line { name: self.names.session, value, now, life: expires.since(now) };
        self.shared(&self.http_only(line))
    }

    /// `Set-Cookie` of a browser that stays signed in until `expires`.
    pub fn remember(&self, value: &str, now: Time, expires: Time) -> String {
        let line = Line { name: self.names.remember, value, now, life: expires.since(now) };
        self.shared(&self.http_only(line))
    }

    /// `Set-Cookie` that makes the browser forget the session: for this host alone, and for the
    /// shared domain where one is configured.
    pub fn forget_session(&self) -> Vec<String> {
        self.forget(self.names.session)
    }

    /// The same for the cookie of a browser that stays signed in.
    pub fn forget_remember(&self) -> Vec<String> {
        self.forget(self.names.remember)
    }

    fn forget(&self, name: &'static str) -> Vec<String> {
        let here = self.http_only(Line { name, value: "", now: Time(0), life: Duration::ZERO });
        match &self.domain {
            Some(_) => vec![self.shared(&here), here],
            None => vec![here],
        }
    }

    /// `Set-Cookie` of the CSRF token; scripts of the page must be able to read it.
    pub fn csrf(&self, token: &str, now: Time) -> String {
        let line = Line { name: self.names.csrf, value: token, now, life: CSRF_COOKIE_LIFE };
        self.shared(&self.readable(line))
    }

    /// `Set-Cookie` of the mark that this device has signed in before.
    pub fn device(&self, token: &str, now: Time) -> String {
        let life = DEVICE_COOKIE_LIFE;
        self.http_only(Line { name: self.names.device, value: token, now, life })
    }

    /// `Set-Cookie` of the mark of a browser in which a link to sign in was asked for, as long as the
    /// link is good.
    pub fn asking(&self, mark: &str, now: Time, life: Duration) -> String {
        let line = Line { name: self.names.asking, value: mark, now, life };
        self.shared(&self.http_only(line))
    }

    /// `Set-Cookie` that makes the browser forget that mark.
    pub fn forget_asking(&self) -> Vec<String> {
        self.forget(self.names.asking)
    }

    /// `Set-Cookie` of a device that is trusted until `expires`.
    pub fn trusted(&self, value: &str, now: Time, expires: Time) -> String {
        let life = expires.since(now);
        self.http_only(Line { name: self.names.trusted, value, now, life })
    }

    /// `Set-Cookie` of the id that anonymous tokens are bound to.
    pub fn pre_session_line(&self, id: &str, now: Time) -> String {
        let name = self.names.pre_session.unwrap_or_default();
        self.http_only(Line { name, value: id, now, life: PRE_SESSION_LIFE })
    }

    fn http_only(&self, line: Line<'_>) -> String {
        self.readable(line) + "; HttpOnly"
    }

    fn readable(&self, line: Line<'_>) -> String {
        let Line { name, value, now, life } = line;
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{name}={value}; expires={}; Max-Age={}; Path=/; SameSite=Lax{secure}",
            http_date(now.plus(life)),
            life.as_secs()
        )
    }

    fn shared(&self, line: &str) -> String {
        match &self.domain {
            Some(domain) => format!("{line}; Domain={domain}"),
            None => line.to_owned(),
        }
    }
}

#[derive(Clone, Copy)]
struct Line<'a> {
    name: &'static str,
    value: &'a str,
    now: Time,
    life: Duration,
}

/// Every value that came under `name`, over all `Cookie` lines. Names compare case-sensitively.
/// Reads bytes, because another cookie on the line need not be text; a value of ours that is not
/// is given as an empty one, which nothing accepts.
fn values<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            pair.trim_ascii_start().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
        })
        .map(|value| std::str::from_utf8(value.trim_ascii_end()).unwrap_or_default())
}

/// The value, when exactly one came.
fn only_value<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    let mut found = values(headers, name);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A time as RFC 9110, section 5.6.7, writes it.
fn http_date(time: Time) -> String {
    jiff::Timestamp::from_millisecond(time.0)
        .map(|at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(profile: Profile, secure: bool) -> CookieStyle {
        CookieStyle::new(&Cookies { profile, domain: None }, secure)
    }

    #[test]
    fn the_documented_attributes() {
        let line = style(Profile::Compat, false).session("v", Time(0), Time(1_209_600_000));
        assert_eq!(
            line,
            "sessionid=v; expires=Thu, 15 Jan 1970 00:00:00 GMT; Max-Age=1209600; Path=/; \
             SameSite=Lax; HttpOnly"
        );
        let line = style(Profile::Hardened, true).csrf("v", Time(0));
        assert!(line.starts_with("__Host-csrftoken=v; "), "{line}");
        assert!(line.ends_with("Max-Age=31449600; Path=/; SameSite=Lax; Secure"), "{line}");
    }

    #[test]
    fn every_value_of_a_name_and_of_that_name_alone() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; sessionid=x;sessionid=y ; Sessionid=z".parse().unwrap());
        headers.append(COOKIE, "xsessionid=1; sessionid=w".parse().unwrap());
        let foreign = http::HeaderValue::from_bytes(b"theme=\xc3\xa9\xff; sessionid=v").unwrap();
        headers.append(COOKIE, foreign);
        let broken = http::HeaderValue::from_bytes(b"sessionid=\xff").unwrap();
        headers.append(COOKIE, broken);
        let compat = style(Profile::Compat, false);
        let found: Vec<_> = compat.session_values(&headers).collect();
        assert_eq!(found, ["x", "y", "w", "v", ""]);
        let hardened = style(Profile::Hardened, true);
        assert_eq!(hardened.session_values(&headers).count(), 0);
    }
}
