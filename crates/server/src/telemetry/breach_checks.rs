//! How often each source was asked about a password, and what it said. Both labels are our own words; nothing of
//! a password is here. Not here: the other figures (`metrics`).

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::config::BreachSource;

/// The figure. Clones count together; one that is not registered is nobody's.
#[derive(Clone, Debug, Default)]
pub struct BreachChecks(Family<[(&'static str, &'static str); 2], Counter>);

/// What a source said of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    Found,
    NotFound,
    /// It did not answer.
    Silent,
}

impl CheckResult {
    const ALL: [Self; 3] = [Self::Found, Self::NotFound, Self::Silent];

    fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Silent => "silent",
        }
    }
}

impl BreachChecks {
    /// With every series at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figure = Self::default();
        let help = "Passwords looked up, by whom was asked and what he said";
        registry.register("breach_checks", help, figure.0.clone());
        for source in [BreachSource::List, BreachSource::Offline, BreachSource::Online] {
            for result in CheckResult::ALL {
                drop(figure.0.get_or_create(&labels(source, result)));
            }
        }
        figure
    }

    /// Counts one password that a source was asked about.
    pub fn note(&self, source: BreachSource, result: CheckResult) {
        self.0.get_or_create(&labels(source, result)).inc();
    }
}

fn labels(source: BreachSource, result: CheckResult) -> [(&'static str, &'static str); 2] {
    [("source", source.as_str()), ("result", result.as_str())]
}
