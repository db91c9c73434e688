//! Places that people sign in from, and what is done about one that is new. A place is a network: what
//! a provider routes as one, so that the next address of the same line is no new place. Not the
//! networks that limits count, which are smaller because many share a place.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The /24 of an IPv4 address, or the /48 of an IPv6 address. Smaller would ask people again whenever
/// their router starts anew; larger would let an attacker's neighbour in without a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(IpAddr);

impl Place {
    /// The place of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(Ipv4Addr::from_bits(ip.to_bits() & !0xff).into()),
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & !(u128::MAX >> 48)).into()),
        }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, _) = text.split_once('/')?;
        let place = Self::of(address.parse().ok()?);
        (place.to_string() == text).then_some(place)
    }
}

/// In CIDR notation: `192.0.2.0/24`, `2001:db8::/48`.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 24 } else { 48 };
        write!(out, "{}/{bits}", self.0)
    }
}

/// What an account knows of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// Nobody has signed in to this account from anywhere.
    First,
    /// Its owner has signed in there.
    Verified,
    /// Somebody has signed in there, and its owner was told.
    Told,
    /// Nothing.
    New,
}

/// Who wants to sign in, with the right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A browser in which the owner signed in at a place of his own before.
    KnownBrowser,
    /// Another browser, in which a person can type a code.
    Browser,
    /// A program, which cannot.
    Program,
    /// Somebody with a link from the owner's mailbox. A code would be mailed to the same.
    Mailbox,
}

/// What is done about a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, and nobody hears of it.
    Pass,
    /// It goes on, and the place is the owner's from now on.
    Learn,
    /// It goes on, and the owner is told.
    Tell,
    /// It goes on only with the code that is mailed to the owner.
    Ask,
}

/// Whether people are asked for a code at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirming {
    On,
    Off,
}

/// Judges a sign-in by its place. A known browser vouches for the person and not for the place: who
/// else is there is nobody's friend yet, and the owner hears of it.
pub fn judge(knowledge: Knowledge, visitor: Visitor, confirming: Confirming) -> Verdict {
    match (knowledge, visitor, confirming) {
        (Knowledge::First, _, _) | (Knowledge::Told | Knowledge::New, Visitor::Mailbox, _) => {
            Verdict::Learn
        }
        (Knowledge::Told | Knowledge::New, Visitor::Browser, Confirming::On) => Verdict::Ask,
        (Knowledge::New, _, _) => Verdict::Tell,
        (Knowledge::Verified | Knowledge::Told, _, _) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_a_provider_routes_as_one() {
        let check = |ip: &str, expected: &str| {
            let place = Place::of(ip.parse().unwrap());
            assert_eq!(place.to_string(), expected, "{ip}");
            assert_eq!(Place::parse(expected), Some(place), "{ip}");
        };
        check("192.0.2.7", "192.0.2.0/24");
        check("192.0.2.255", "192.0.2.0/24");
        check("::ffff:192.0.2.7", "192.0.2.0/24");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48");
        check("::1", "::/48");
        for text in ["", "192.0.2.0", "192.0.2.7/24", "192.0.2.0/16", "x/24", "2001:db8::/64"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_person_in_a_new_browser_at_a_new_place_is_asked() {
        use Confirming::{Off, On};
        use Knowledge::{First, New, Told, Verified};
        use Visitor::{Browser, KnownBrowser, Mailbox, Program};
        let check = |knowledge, visitor, confirming, expected| {
            let verdict = judge(knowledge, visitor, confirming);
            assert_eq!(verdict, expected, "{knowledge:?} {visitor:?} {confirming:?}");
        };
        for confirming in [On, Off] {
            check(First, Mailbox, confirming, Verdict::Learn);
            check(Told, Mailbox, confirming, Verdict::Learn);
            check(New, Mailbox, confirming, Verdict::Learn);
            check(Verified, Mailbox, confirming, Verdict::Pass);
        }
        for visitor in [KnownBrowser, Browser, Program] {
            for confirming in [On, Off] {
                check(First, visitor, confirming, Verdict::Learn);
                check(Verified, visitor, confirming, Verdict::Pass);
            }
            check(Told, visitor, Off, Verdict::Pass);
        }
        check(Told, Browser, On, Verdict::Ask);
        check(Told, KnownBrowser, On, Verdict::Pass);
        check(Told, Program, On, Verdict::Pass);
        check(New, Browser, On, Verdict::Ask);
        check(New, KnownBrowser, On, Verdict::Tell);
        check(New, Program, On, Verdict::Tell);
        check(New, Browser, Off, Verdict::Tell);
        check(New, KnownBrowser, Off, Verdict::Tell);
        check(New, Program, Off, Verdict::Tell);
    }
}
