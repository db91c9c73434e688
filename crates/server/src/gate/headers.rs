//! The headers that cross the gate: what is taken away in either direction, and what we set.
//!
//! Pure functions on header maps. The order on the way in is fixed: [`strip_request`] while the
//! rule is chosen, then, when the request may pass, [`remove_own_cookies`] and
//! [`remove_consumed`], and last [`set_forwarded`] and [`set_identity`], so that nothing of the
//! client's can stand beside ours. On the way back [`strip_response`] keeps the upstream from
//! speaking in our name. Cookies are in [`super::cookies`].

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub use super::cookies::remove_own_cookies;
use super::cookies::remove_set_cookies;

#[cfg(test)]
mod tests;

/// Why a request's headers are refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Connection` names a header that says who or where from: a proxy that obeyed would drop
    /// it (CVE-2025-48865, CVE-2024-45410).
    ConnectionNamesIdentity,
}

impl Refusal {
    /// The reason code of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ConnectionNamesIdentity => "connection_names_identity",
        }
    }
}

/// What the gate tells the upstream about the connection.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'a> {
    /// The client, as derived through trusted proxies.
    pub client: IpAddr,
    /// `http` or `https`, as the client sees it.
    pub proto: &'a str,
    /// Host with port, as the client asked for it.
    pub host: &'a str,
    /// The id that all log lines and events of this request carry.
    pub request_id: &'a str,
}

/// Who the caller is, for the `X-Auth-*` headers. Texts may hold any character.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The user's id.
    pub user: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub role: &'a str,
    pub organisation: Option<&'a str>,
    /// Permission keys, separated by one comma each.
    pub permissions: &'a str,
    /// A token of the session kind, for the application to render into its forms; who comes with a key
    /// needs none.
    pub csrf_token: Option<&'a str>,
}

/// Which header carried the credential that we accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// None, or a cookie of ours.
    Nothing,
    Authorization,
    ApiKey,
}

/// Headers that belong to one connection (RFC 9110 section 7.6.1), beside those that
/// `Connection` names.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Beginnings, in folded form, of names by which a proxy tells an application who asks, from
/// where, or for what. Only we may say this to the upstream.
const DENIED_PREFIXES: [&str; 23] = [
    "cf-",
    "proxy",
    "remote-",
    "ssl-client-",
    "x-amzn-oidc-",
    "x-auth-",
    "x-authenticated",
    "x-authentik-",
    "x-client-cert",
    "x-client-verify",
    "x-envoy-",
    "x-forwarded",
    "x-goog-authenticated-user",
    "x-goog-iap-",
    "x-http-method",
    "x-ms-client-principal",
    "x-original-",
    "x-portcullis-",
    "x-remote-",
    "x-rewrite-",
    "x-ssl-",
    "x-user",
    "x-webauth-",
];

/// The same, as whole names.
const DENIED_NAMES: [&str; 11] = [
    "fastly-client-ip",
    "forwarded",
    "front-end-https",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-method-override",
    "x-real-ip",
    "x-request-id",
    "x-scheme",
];

/// Remove what must not reach the upstream whoever sent it, in every spelling.
///
/// Hop-by-hop headers go, and those that `Connection` names; then the identity and forwarding
/// names, compared in folded form (lower-case, `_` and `.` as `-`), because CGI, WSGI and PHP fold
/// them too and would not tell `X_Auth_User` from `X-Auth-User` (CVE-2025-64484). Every other name
/// with an underscore is dropped as well, as nginx does by default: dropped rather than refused,
/// because such names are common and harmless to lose, while a refusal would break their clients.
pub fn strip_request(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let named = named_by_connection(headers);
    if named.iter().any(must_stay) {
        return Err(Refusal::ConnectionNamesIdentity);
    }
    remove_all(headers, &named);
    remove_where(headers, |name| is_hop_by_hop(name) || name.contains('_') || is_denied(name));
    Ok(())
}

/// Remove the header whose credential we have accepted: the upstream has no use for it.
pub fn remove_consumed(headers: &mut HeaderMap, consumed: Consumed) {
    match consumed {
        Consumed::Nothing => {}
        Consumed::Authorization => drop(headers.remove(header::AUTHORIZATION)),
        Consumed::ApiKey => drop(headers.remove("x-api-key")),
    }
}

/// Set `X-Forwarded-For`, `-Proto`, `-Host` and `X-Request-Id`. Call this after
/// [`strip_request`].
///
/// `X-Forwarded-For` holds the client alone, not the proxies between: an application that trusts
/// one hop (us) then reads the client at whichever end it looks.
pub fn set_forwarded(headers: &mut HeaderMap, forwarded: &Forwarded<'_>) {
    set(headers, "x-forwarded-for", &forwarded.client.to_string());
    set(headers, "x-forwarded-proto", forwarded.proto);
    set(headers, "x-forwarded-host", forwarded.host);
    set(headers, "x-request-id", forwarded.request_id);
}

/// Set the `X-Auth-*` headers. Call this last, after [`strip_request`].
///
/// Values are sent as they are where they are visible ASCII with single spaces inside; any other
/// byte of the UTF-8 text, and `%`, is percent-encoded, so percent-decoding gives the exact text
/// back whatever a user called himself.
pub fn set_identity(headers: &mut HeaderMap, identity: &Identity<'_>) {
    set(headers, "x-auth-user", identity.user);
    set(headers, "x-auth-email", identity.email);
    set(headers, "x-auth-name", identity.name);
    set(headers, "x-auth-role", identity.role);
    if let Some(organisation) = identity.organisation {
        set(headers, "x-auth-organisation", organisation);
    }
    set(headers, "x-auth-permissions", identity.permissions);
    if let Some(csrf_token) = identity.csrf_token {
        set(headers, "x-auth-csrf-token", csrf_token);
    }
}

/// Remove from an upstream's answer what only the gate may say; give the names of the cookies of
/// ours (`own_cookies`, those of the active profile) that it tried to set, for the log.
///
/// Those are: connection headers, `Alt-Svc` (it would lead browsers past the gate), identity
/// headers, `Strict-Transport-Security` with a `max-age` of zero, which would switch it off for the
/// whole host, and `Clear-Site-Data` that takes cookies along.
pub fn strip_response(headers: &mut HeaderMap, own_cookies: &[&str]) -> Vec<String> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // hyper has decoded the chunks; a length beside them was never true (RFC 9112 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    let named = named_by_connection(headers);
    remove_all(headers, &named);
    headers.remove(header::ALT_SVC);
    remove_where(headers, |name| is_hop_by_hop(name) || is_denied(name));
    if headers.get_all(header::STRICT_TRANSPORT_SECURITY).iter().any(ends_hsts) {
        headers.remove(header::STRICT_TRANSPORT_SECURITY);
    }
    if headers.get_all("clear-site-data").iter().any(clears_cookies) {
        headers.remove("clear-site-data");
    }
    remove_set_cookies(headers, own_cookies)
}

/// The headers that `Connection` names, without the options that are no header.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|option| !option.eq_ignore_ascii_case(b"close"))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .collect()
}

/// Headers that say who asks, from where, or of whom, and so must not be droppable by the client
/// half-way.
fn must_stay(name: &HeaderName) -> bool {
    let end_to_end = matches!(
        *name,
        header::HOST
            | header::COOKIE
            | header::AUTHORIZATION
            | header::ORIGIN
            | header::CONTENT_LENGTH
    );
    let name = name.as_str();
    end_to_end || name == "x-api-key" || is_denied(name) && !is_hop_by_hop(name)
}

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

fn is_denied(name: &str) -> bool {
    DENIED_NAMES.iter().any(|denied| denied.len() == name.len() && folded_starts(name, denied))
        || DENIED_PREFIXES.iter().any(|prefix| folded_starts(name, prefix))
}

/// Header names are in lower case already; `_` and `.` count as `-`.
fn folded_starts(name: &str, prefix: &str) -> bool {
    let fold = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte };
    name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(|(a, b)| fold(a) == b)
}

/// Whether a Strict-Transport-Security value ends the policy (RFC 6797 section 6.1.1).
fn ends_hsts(value: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    text.split(';').filter_map(|directive| directive.split_once('=')).any(|(name, age)| {
        let age = age.trim().trim_matches('"');
        name.trim() == "max-age" && age.bytes().all(|digit| digit == b'0')
    })
}

/// Whether a Clear-Site-Data value makes the browser forget the cookies of the host, ours among them.
fn clears_cookies(value: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(',').any(|kind| matches!(kind.trim(), "\"cookies\"" | "\"*\""))
}

fn remove_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

fn remove_where(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let names: Vec<_> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    remove_all(headers, &names);
}

fn set(headers: &mut HeaderMap, name: &'static str, text: &str) {
    let value = HeaderValue::from_str(&encode(text));
    // `encode` leaves visible ASCII only; were it ever wrong, an empty value grants nothing.
    let value = value.unwrap_or_else(|_| HeaderValue::from_static(""));
    headers.insert(HeaderName::from_static(name), value);
}

/// Percent-encode what is not visible ASCII, `%`, and a space at either end or next to another.
fn encode(text: &str) -> std::borrow::Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    if text.bytes().all(plain) {
        return text.into();
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    let mut previous = b' ';
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let inner_space = byte == b' ' && previous != b' ' && bytes.peek().is_some();
        if plain(byte) || inner_space {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([byte >> 4, byte & 15].map(hex_digit));
        }
        previous = byte;
    }
    encoded.into()
}

fn hex_digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}
