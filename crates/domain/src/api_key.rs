//! API keys: how one is written, what its scopes let it do, and where it may be used from. Not here:
//! what its owner may do, which bounds every key (`permission`), and how one is found.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::secret::Opaque;
use crate::time::Time;

/// What every key begins with, so that people and scanners for secrets know one.
const MARK: &str = "sk_";
/// How many of its characters are shown afterwards. They tell which key it is, and the rest is still 220
/// bits.
const SHOWN: usize = 12;

/// Reads a key: `sk_` and 64 lower-case hex digits, the one spelling that it has.
pub fn parse(text: &str) -> Option<Opaque> {
    Opaque::parse(text.strip_prefix(MARK)?)
}

/// The key for its owner: shown once, and kept nowhere.
pub fn reveal(secret: &Opaque) -> String {
    format!("{MARK}{}", secret.reveal())
}

/// What is shown of it afterwards.
pub fn prefix(secret: &Opaque) -> String {
    reveal(secret).chars().take(SHOWN).collect()
}

/// How it stands with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It can be used, as far as its owner can sign in.
    Active,
    /// Somebody took it back.
    Revoked,
    /// Its time is over.
    Expired,
    /// It came back with a backup, and waits for somebody to say that it is still wanted.
    Suspended,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Revoked, Self::Expired, Self::Suspended];

    /// By the times of its row.
    pub fn of(
        revoked: Option<Time>,
        suspended: Option<Time>,
        expires: Option<Time>,
        now: Time,
    ) -> Self {
        if revoked.is_some() {
            Self::Revoked
        } else if expires.is_some_and(|end| now >= end) {
            Self::Expired
        } else if suspended.is_some() {
            Self::Suspended
        } else {
            Self::Active
        }
    }

    /// The documented word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// Reads back what [`Self::as_str`] gave; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The days before the end of a key at which its owner is told.
pub const TOLD_DAYS: [i64; 2] = [7, 1];

/// Which of [`TOLD_DAYS`] its owner is to be told of now, if he was not yet. `told` is the last of them.
pub fn days_to_tell(expires: Time, told: Option<i64>, now: Time) -> Option<i64> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let left = expires.0 - now.0;
    let nearest = TOLD_DAYS.into_iter().rev().find(|days| left <= days * DAY)?;
    (left > 0 && told.is_none_or(|told| nearest < told)).then_some(nearest)
}

/// What a key may do, by the method of a request. It is a bound and gives nothing: what its owner may
/// not do, no key of his may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// GET, HEAD and OPTIONS.
    Read,
    /// POST, PUT and PATCH.
    Write,
    /// DELETE.
    Delete,
    /// Every method.
    Admin,
}

impl Scope {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::Admin];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    /// Reads back what [`Self::as_str`] gave; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// What a method asks for beside [`Self::Admin`]; a method that nobody knows asks for that.
    pub fn of_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" => Self::Read,
            "POST" | "PUT" | "PATCH" => Self::Write,
            "DELETE" => Self::Delete,
            _ => Self::Admin,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Delete => 4,
            Self::Admin => 8,
        }
    }
}

/// The scopes of a key.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Reads back what [`fmt::Display`] wrote: words with commas; `None` if one is not known.
    pub fn parse(words: &str) -> Option<Self> {
        words.split(',').filter(|word| !word.is_empty()).map(Scope::parse).collect()
    }

    /// Whether a request with this method is within them.
    pub fn cover(self, method: &str) -> bool {
        self.contains(Scope::Admin) || self.contains(Scope::of_method(method))
    }

    /// Those it has, in their order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        out.write_str(&words.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Scopes({self})")
    }
}

/// The networks that a key may be used from; from anywhere if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Box<[IpNet]>);

impl Addresses {
    /// Reads back what [`fmt::Display`] wrote: networks with commas; `None` if one is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',').filter(|part| !part.is_empty()).map(network).collect()
    }

    /// Whether a client at this address may use the key.
    pub fn admit(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(&ip))
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }
}

impl FromIterator<IpNet> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&texts.join(","))
    }
}

/// A network in CIDR notation, or one address. An IPv4 address that is mapped into IPv6 is folded
/// back, as those of clients are; a network of such addresses is none.
pub fn network(text: &str) -> Option<IpNet> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(IpNet::from(ip.to_canonical()));
    }
    let network: IpNet = text.parse().ok()?;
    let is_mapped = match network.addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    (!is_mapped).then(|| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_cover_methods() {
        let check = |scopes: &str, covered: &str| {
            let scopes = Scopes::parse(scopes).unwrap();
            let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"];
            let found: Vec<_> = methods.into_iter().filter(|it| scopes.cover(it)).collect();
            assert_eq!(found.join(" "), covered, "{scopes:?}");
        };
        check("", "");
        check("read", "GET HEAD OPTIONS");
        check("write", "POST PUT PATCH");
        check("delete", "DELETE");
        check("read,delete", "GET HEAD OPTIONS DELETE");
        check("admin", "GET HEAD OPTIONS POST PUT PATCH DELETE PURGE");
        assert!(!Scopes::parse("read,write,delete").unwrap().cover("get"), "methods know case");
    }

    #[test]
    fn a_key_has_one_spelling() {
        let secret = Opaque::from_random([0xab; 32]);
        let text = reveal(&secret);
        assert_eq!(text, format!("sk_{}", "ab".repeat(32)));
        assert_eq!(prefix(&secret), "sk_ababababa");
        assert!(parse(&text).is_some());
        let digits = "ab".repeat(32);
        for other in [
            digits.clone(),
            format!("SK_{digits}"),
            format!("sk_{}", digits.to_uppercase()),
            format!("sk_{digits}0"),
            format!("sk_{}", &digits[1..]),
            format!(" sk_{digits}"),
            format!("sk_{digits} "),
            format!("sk_sk_{digits}"),
            String::new(),
        ] {
            assert!(parse(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn how_it_stands_with_a_key() {
        let (past, now, later) = (Some(Time(1)), Time(5), Some(Time(9)));
        let check = |revoked, suspended, expires, expected: State| {
            assert_eq!(State::of(revoked, suspended, expires, now), expected);
            assert_eq!(State::parse(expected.as_str()), Some(expected));
        };
        check(None, None, None, State::Active);
        check(None, None, later, State::Active);
        check(None, None, Some(now), State::Expired);
        check(None, past, None, State::Suspended);
        check(None, past, past, State::Expired);
        check(past, past, past, State::Revoked);
    }

    #[test]
    fn owners_are_told_of_the_end_once_a_week_and_once_a_day_before() {
        let check = |hours_left: i64, told, expected| {
            let now = Time(1_795_309_323_000);
            let expires = Time(now.0 + hours_left * 3_600_000);
            assert_eq!(days_to_tell(expires, told, now), expected, "{hours_left} {told:?}");
        };
        check(24 * 8, None, None);
        check(24 * 7, None, Some(7));
        check(24 * 3, Some(7), None);
        check(24, Some(7), Some(1));
        check(24, None, Some(1));
        check(1, Some(1), None);
        check(0, None, None);
        check(-1, None, None);
    }

    #[test]
    fn scopes_read_back() {
        for bits in 0..16 {
            assert_eq!(Scopes::parse(&Scopes(bits).to_string()), Some(Scopes(bits)));
        }
        assert_eq!(Scopes::parse("delete,read").unwrap().to_string(), "read,delete");
        for text in ["READ", "read,all", "read write", "*"] {
            assert_eq!(Scopes::parse(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_admit_clients() {
        let check = |networks: &str, ip: &str, expected: bool| {
            let addresses = Addresses::parse(networks).unwrap();
            assert_eq!(addresses.admit(ip.parse().unwrap()), expected, "{networks} {ip}");
            assert_eq!(Addresses::parse(&addresses.to_string()), Some(addresses));
        };
        check("", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
        check("203.0.113.7", "::ffff:203.0.113.7", true);
        check("::ffff:203.0.113.7", "203.0.113.7", true);
        check("10.0.0.0/8,192.0.2.0/24", "192.0.2.200", true);
        check("10.0.0.0/8,192.0.2.0/24", "192.0.3.1", false);
        check("10.1.2.3/8", "10.200.0.1", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/32", "203.0.113.7", false);
        check("0.0.0.0/0", "203.0.113.7", true);
        check("0.0.0.0/0", "2001:db8::1", false);
    }

    #[test]
    fn other_texts_are_no_networks() {
        for text in ["", "10.0.0", "10.0.0.0/33", "010.0.0.1", "host", "::1%eth0", "1.2.3.4 ", "*"]
        {
            assert_eq!(network(text), None, "{text}");
        }
        assert_eq!(network("::ffff:0:0/96"), None, "who wrote this meant something else");
    }
}
