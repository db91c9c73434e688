//! What events are counted as: by the hour, by name, outcome and the word that tells them apart.

use serde_json::{Map, Value};

use crate::time::Time;

const HOUR_MS: i64 = 3_600_000;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// When the hour begins.
    pub hour: Time,
    pub name: String,
    pub outcome: String,
    /// The word that tells events of one name apart; empty where there is none.
    pub reason: String,
}

impl Kind {
    /// What an event is counted as.
    pub fn of(at: Time, name: &str, outcome: &str, detail: &Map<String, Value>) -> Self {
        let (name, outcome) = (name.to_owned(), outcome.to_owned());
        Self { hour: hour_of(at), name, outcome, reason: reason_of(detail).to_owned() }
    }

    /// Whether an event is counted as this.
    pub fn is_of(&self, at: Time, name: &str, outcome: &str, detail: &Map<String, Value>) -> bool {
        let is_named = self.name == name && self.outcome == outcome;
        is_named && self.hour == hour_of(at) && self.reason == reason_of(detail)
    }
}

fn hour_of(at: Time) -> Time {
    Time(at.0.div_euclid(HOUR_MS).saturating_mul(HOUR_MS))
}

fn reason_of(detail: &Map<String, Value>) -> &str {
    let reason = ["reason", "code", "limit"].into_iter().find_map(|member| detail.get(member));
    reason.and_then(Value::as_str).unwrap_or_default()
}

/// How often, and how much of what the events count themselves, such as sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub events: u64,
    pub amount: u64,
}

impl Count {
    /// One more event.
    pub fn add(&mut self, detail: &Map<String, Value>) {
        let mut amounts = ["sessions", "others", "count"].into_iter();
        let amount = amounts.find_map(|member| detail.get(member)?.as_u64());
        self.events = self.events.saturating_add(1);
        self.amount = self.amount.saturating_add(amount.unwrap_or_default());
    }
}
