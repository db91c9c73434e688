//! What the text of a plain value means: addresses, sizes, numbers. `None` is a fault, which the caller words.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_domain::throttle::{self, Limit};
use url::Url;

/// A word of a closed set.
pub(super) fn word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Option<T> {
    move |text| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

pub(super) fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// A positive duration: `30s`, `15m`, `2h`, `30d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    throttle::parse_duration(text).ok()
}

/// `5/60s`: five in a minute.
pub(super) fn limit(text: &str) -> Option<Limit> {
    text.parse().ok()
}

/// Bytes: `65536`, `64KiB`, `1MiB`; from 1 KiB to 64 MiB, because such a body is held in memory.
pub(super) fn size(text: &str) -> Option<u64> {
    large_size(text).filter(|bytes| (KIB..=64 * MIB).contains(bytes))
}

/// Bytes of what is not held in memory, at least one.
pub(super) fn large_size(text: &str) -> Option<u64> {
    let units = [("KiB", KIB), ("MiB", MIB), ("GiB", 1 << 30), ("", 1)];
    let (number, unit) =
        units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))?;
    whole_number::<u64>(number)?.checked_mul(*unit).filter(|bytes| *bytes > 0)
}

/// A name that goes into ids, paths of files and tables as it is.
pub(super) fn short_name(text: &str) -> Option<String> {
    let is_good = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let is_name = (1..=40).contains(&text.len()) && text.bytes().all(is_good);
    is_name.then(|| text.to_owned())
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Digits only: no sign, no space, no separator.
pub(super) fn whole_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `http://` or `https://` with a host, and a port if need be; nothing else.
pub(super) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let names_nobody = url.username().is_empty() && url.password().is_none();
    (is_http && is_bare && names_nobody && url.port() != Some(0)).then_some(url)
}

/// A network, or one address. Not a network of every address: whoever connects could then
/// choose the address that is written down for him.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network =
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    (network.prefix_len() > 0).then_some(network)
}
