//! How many connections there are, in all and by network: one machine must not hold them all.
//! Proxies that the operator trusts speak for many clients and are not counted by network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use portcullis_domain::client_address::Network;

/// Connections at once.
const TOTAL: usize = 20_000;
/// Connections at once of one network.
const PER_NETWORK: usize = 2_000;

/// Counts connections.
#[derive(Default)]
pub struct Connections(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    total: usize,
    by_network: HashMap<Network, usize>,
}

/// A place among the connections; given back when it is dropped.
pub struct Place {
    connections: Arc<Connections>,
    network: Option<Network>,
}

impl Connections {
    /// A place for a peer, if there is one left.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, trusted: &[IpNet]) -> Option<Place> {
        let is_trusted = trusted.iter().any(|network| network.contains(&peer.to_canonical()));
        let network = (!is_trusted).then(|| Network::of(peer));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = network.and_then(|network| counts.by_network.get(&network)).copied();
        if counts.total >= TOTAL || held.is_some_and(|held| held >= PER_NETWORK) {
            return None;
        }
        counts.total += 1;
        if let Some(network) = network {
            *counts.by_network.entry(network).or_default() += 1;
        }
        Some(Place { connections: Arc::clone(self), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        let Some(network) = self.network else { return };
        if let Some(held) = counts.by_network.get_mut(&network) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                counts.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_hold_every_place() {
        let connections = Arc::new(Connections::default());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let admit = |peer: &str| connections.admit(ip(peer), &trusted);
        let mut places: Vec<_> = (0..PER_NETWORK).map(|_| admit("192.0.2.1").unwrap()).collect();
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("::ffff:192.0.2.1").is_none(), "the same address in another form");
        assert!(admit("192.0.2.2").is_some());
        let proxied: Vec<_> = (0..=PER_NETWORK).map(|_| admit("10.0.0.1").unwrap()).collect();
        drop(proxied);
        places.pop();
        assert!(admit("192.0.2.1").is_some());
        drop(places);
        assert!(connections.0.lock().unwrap().by_network.is_empty());
        assert_eq!(connections.0.lock().unwrap().total, 0);
    }
}
