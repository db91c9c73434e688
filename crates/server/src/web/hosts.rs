//! The hosts that are served here: our own, and those that rules name. A request for another is
//! refused, so that nobody else's name can be put in front of our pages (DNS rebinding).

use std::collections::{HashMap, HashSet};

use portcullis_domain::origin::Origin;
use portcullis_domain::rule::RuleTable;
use portcullis_domain::text::Host;

/// A host that was asked for.
pub struct Named {
    pub host: Host,
    /// In the usual spelling, with its port if one was named.
    pub text: String,
    /// Whether requests for it are answered.
    pub is_served: bool,
}

/// The hosts that are served, on which ports, and how requests usually spell them.
pub struct Hosts {
    served: HashSet<Host>,
    ports: HashSet<u16>,
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
        let ports = own.iter().map(Origin::port).collect();
        Self { served, ports, usual: with_port.chain(alone).collect() }
    }

    /// The host and port of a `Host` header or authority; `None` when it is none. The usual
    /// spellings need no parsing.
    pub fn named(&self, authority: &str) -> Option<Named> {
        if let Some(host) = self.usual.get(authority) {
            return Some(Named { host: host.clone(), text: authority.to_owned(), is_served: true });
        }
        let (host, port) = Host::parse_with_port(authority).ok()?;
        // Another port would end up in the links that an application builds.
        let is_served = self.served.contains(&host) && port.is_none_or(|p| self.ports.contains(&p));
        let text = port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        Some(Named { host, text, is_served })
    }
}

/// Where the hosts of the rules are reached by a browser: they have the public scheme and port.
pub fn origins_of_rules(public: &Origin, rules: &RuleTable) -> Vec<Origin> {
    let hosts = rules.rules().iter().filter_map(|rule| rule.host.as_ref());
    hosts.map(|host| Origin::new(public.scheme(), host.clone(), public.port())).collect()
}
