//! The hosts that are served here: our own, and those that rules name. A request for another is
//! refused, so that nobody else's name can be put in front of our pages (DNS rebinding).

use std::collections::{HashMap, HashSet};

use portcullis_domain::origin::Origin;
use portcullis_domain::rule::RuleTable;
use portcullis_domain::text::Host;

/// The hosts that are served, and how requests usually spell them.
pub struct Hosts {
    served: HashSet<Host>,
    usual: HashMap<String, Host>,
}

impl Hosts {
    /// Our own hosts and those of the rules.
    pub fn new(own: &[Origin], rules: &RuleTable) -> Self {
        let of_rules = rules.rules().iter().filter_map(|rule| rule.host.as_ref());
        let served = own.iter().map(Origin::host).chain(of_rules).cloned().collect();
        let with_port =
            own.iter().map(|own| (format!("{}:{}", own.host(), own.port()), own.host().clone()));
        let alone = own.iter().map(|own| (own.host().to_string(), own.host().clone()));
        Self { served, usual: with_port.chain(alone).collect() }
    }

    /// The host of a `Host` header or authority; `None` when it is none. The usual spellings need
    /// no parsing.
    pub fn named(&self, authority: &str) -> Option<Host> {
        match self.usual.get(authority) {
            Some(host) => Some(host.clone()),
            None => Host::parse_with_port(authority).ok().map(|(host, _)| host),
        }
    }

    /// Whether requests for this host are answered.
    pub fn are_served(&self, host: &Host) -> bool {
        self.served.contains(host)
    }
}
