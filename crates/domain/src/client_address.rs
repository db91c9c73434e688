//! Who is calling: the socket's peer, or the client that trusted proxies name.
//!
//! Not a parser for every forwarding header: one source, `X-Forwarded-For`, and only from peers
//! whose network the operator listed. All other peers are the client themselves.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// How many addresses of the header are read at most, from the right.
const MAX_HOPS: usize = 32;
/// How many bytes of the header are read at most, from the right.
const MAX_BYTES: usize = 2048;

/// The address of a caller. IPv4 addresses mapped into IPv6 are folded back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress {
    /// The client: what limits, lock-outs and the audit log go by.
    pub ip: IpAddr,
    /// The other end of the socket: the client itself, or the nearest proxy.
    pub peer: IpAddr,
    /// The header could not be read to its end, and `ip` is the last hop that could.
    pub partial: bool,
}

impl ClientAddress {
    /// The network that limits and lock-outs count.
    pub fn network(&self) -> Network {
        Network::of(self.ip)
    }

    /// Walks the `X-Forwarded-For` lines (in the order they came; a line that is not text is given
    /// as an empty one) from right to left, past trusted addresses. The first address outside is
    /// the client; if all are trusted, the leftmost is.
    pub fn derive(peer: IpAddr, forwarded_for: &[&str], trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
        let mut client = Self { ip: peer, peer, partial: false };
        let mut bytes = 0;
        let hops = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
        for (count, hop) in hops.enumerate() {
            if !is_trusted(client.ip) {
                return client;
            }
            bytes += hop.len() + 1;
            let in_bounds = count < MAX_HOPS && bytes <= MAX_BYTES;
            match parse_hop(hop).filter(|_| in_bounds) {
                Some(ip) => client.ip = ip,
                None => return Self { partial: true, ..client },
            }
        }
        client
    }
}

/// What counters go by: one IPv4 address, or the /64 of an IPv6 address, because one customer holds
/// all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip @ IpAddr::V4(_) => Self(ip),
            IpAddr::V6(ip) => {
                Self(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))))
            }
        }
    }
}

/// In CIDR notation: `192.0.2.7/32`, `2001:db8::/64`.
impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 32 } else { 64 };
        write!(out, "{}/{bits}", self.0)
    }
}

/// One element: an address, an IPv6 address in brackets, or either with a port. Zone ids, names,
/// and the short, octal and hex forms of IPv4 are refused.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    if text.contains('%') {
        return None;
    }
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let ip: IpAddr = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trusted() -> Vec<IpNet> {
        ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_client_is_the_first_untrusted_hop_from_the_right() {
        let check = |peer: &str, lines: &[&str], ip: &str, partial: bool| {
            let seen = ClientAddress::derive(peer.parse().unwrap(), lines, &trusted());
            assert_eq!(
                (seen.ip.to_string().as_str(), seen.partial),
                (ip, partial),
                "{peer} {lines:?}"
            );
        };
        // Nobody to trust: the header is not read, whatever it says.
        check("203.0.113.9", &["1.2.3.4"], "203.0.113.9", false);
        check("203.0.113.9", &["garbage"], "203.0.113.9", false);
        check("::ffff:203.0.113.9", &["1.2.3.4"], "203.0.113.9", false);
        // A trusted peer.
        check("10.0.0.1", &[], "10.0.0.1", false);
        check("10.0.0.1", &["1.2.3.4"], "1.2.3.4", false);
        check("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4", false);
        check("10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4", false);
        check("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"], "1.2.3.4", false);
        check("10.0.0.1", &["1.2.3.4, 10.0.0.3", "10.0.0.2"], "1.2.3.4", false);
        check("10.0.0.1", &["junk, 1.2.3.4"], "1.2.3.4", false);
        // All trusted: the leftmost.
        check("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3", false);
        // Forms.
        check("fd00::1", &["2001:db8::5"], "2001:db8::5", false);
        check("10.0.0.1", &["\t[2001:db8::5]:443 "], "2001:db8::5", false);
        check("10.0.0.1", &["[2001:db8::5]"], "2001:db8::5", false);
        check("10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4", false);
        check("10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4", false);
        check("10.0.0.1", &["1.2.3.4, ::ffff:10.0.0.2"], "1.2.3.4", false);
        // What cannot be read stops the walk at the last good hop.
        for junk in [
            "",
            "unknown",
            "_hidden",
            "1.2.3",
            "01.2.3.4",
            "0x1.2.3.4",
            "16909060",
            "1.2.3.4:",
            "1.2.3.4:x",
            "2001:db8::5:",
            "[fe80::1%eth0]",
            "[fe80::1%1]:80",
            "fe80::1%1",
            "[1.2.3.4]",
            "\"1.2.3.4\"",
            "a.example",
            "for=1.2.3.4",
            "1.2.3.4 5.6.7.8",
        ] {
            check("10.0.0.1", &[junk], "10.0.0.1", true);
            check("10.0.0.1", &[junk, "10.0.0.2"], "10.0.0.2", true);
        }
    }

    #[test]
    fn the_walk_is_bounded() {
        let check = |line: String, ip: &str, partial: bool| {
            let seen = ClientAddress::derive("10.0.0.1".parse().unwrap(), &[&line], &trusted());
            assert_eq!((seen.ip.to_string().as_str(), seen.partial), (ip, partial), "{line}");
        };
        check(format!("1.2.3.4{}", ",10.0.0.2".repeat(31)), "1.2.3.4", false);
        check(format!("1.2.3.4{}", ",10.0.0.2".repeat(32)), "10.0.0.2", true);
        check(format!("1.2.3.4,{}10.0.0.2", " ".repeat(2050)), "10.0.0.1", true);
        // What lies left of the client is never read.
        check(format!("{},1.2.3.4", "x".repeat(5000)), "1.2.3.4", false);
    }

    #[test]
    fn networks() {
        let check = |ip: &str, expected: &str| {
            assert_eq!(Network::of(ip.parse().unwrap()).to_string(), expected);
        };
        check("203.0.113.7", "203.0.113.7/32");
        check("::ffff:203.0.113.7", "203.0.113.7/32");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
        check("::1", "::/64");
    }

    proptest! {
        #[test]
        fn a_client_cannot_choose_its_address(forged in "[0-9a-f.:, \\[\\]]{0,40}", octet: u8) {
            let client = format!("203.0.113.{octet}");
            let line = format!("{forged},{client}");
            let seen = ClientAddress::derive("10.0.0.1".parse().unwrap(), &[&line], &trusted());
            prop_assert_eq!(seen.ip.to_string(), client);
            prop_assert!(!seen.partial);
        }

        #[test]
        fn without_trust_the_peer_is_the_client(lines in proptest::collection::vec(any::<String>(), 0..4), bits: u128) {
            let peer = IpAddr::V6(Ipv6Addr::from_bits(bits));
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let seen = ClientAddress::derive(peer, &lines, &[]);
            let peer = peer.to_canonical();
            prop_assert_eq!(seen, ClientAddress { ip: peer, peer, partial: false });
        }

        #[test]
        fn neighbours_share_a_network(high: u64, a: u64, b: u64) {
            // Outside the mapped range, where addresses are IPv4.
            let address = |low: u64| IpAddr::V6(Ipv6Addr::from_bits(u128::from(high | 1) << 64 | u128::from(low)));
            prop_assert_eq!(Network::of(address(a)), Network::of(address(b)));
        }
    }
}
