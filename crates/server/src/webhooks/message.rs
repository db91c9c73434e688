//! A message: some events of the log, in its order, and what is said of them. The same events make the
//! same message, with the same id, so a receiver that gets one twice knows it.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_domain::activity::query::{Query, severity};
use portcullis_domain::activity::{Record, SCHEMA, ocsf, to_the_millisecond};
use portcullis_domain::event::Severity;
use portcullis_domain::time::Time;
use serde::Serialize;
use serde_json::{Value, json};

use super::Receiver;
use crate::config::{Webhook, WebhookFormat};

/// The type of a message about events.
const EVENTS: &str = "portcullis.audit.events";
/// That of a test.
const TEST: &str = "portcullis.audit.test";

/// What is sent.
pub struct Message {
    /// Without a full stop: it is signed between two of them.
    pub id: String,
    /// JSON.
    pub body: Vec<u8>,
}

/// Which events a receiver is sent.
pub struct Wants {
    names: Option<BTreeSet<String>>,
    least: Severity,
}

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    /// When the last of them happened.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    schema: u32,
    /// What the log is called.
    log: &'a str,
    receiver: &'a str,
    /// The part of the log that this message is about: from one index on and before another. The
    /// next message begins where this one ends.
    from: u64,
    before: u64,
    events: Vec<Value>,
}

impl Message {
    /// About these events, of the part of the log from one index on and before another.
    pub(super) fn of(
        receiver: &Receiver,
        origin: &str,
        first: u64,
        end: u64,
        records: &[Record],
    ) -> Self {
        let Webhook { name, format, .. } = &receiver.webhook;
        let event = |record: &Record| match format {
            WebhookFormat::Native => json!(record),
            WebhookFormat::Ocsf => ocsf::record(record),
        };
        let last = records.last().map_or(Time(0), |record| record.at);
        let data = Data {
            schema: SCHEMA,
            log: origin,
            receiver: name,
            from: first,
            before: end,
            events: records.iter().map(event).collect(),
        };
        let id = format!("{}-{name}-{first}-{end}", short(origin));
        Self::new(id, &Envelope { r#type: EVENTS, timestamp: to_the_millisecond(last), data })
    }

    /// One that tells of nothing, for whoever sets a receiver up.
    pub fn test(webhook: &Webhook, origin: &str, random: [u8; 8], now: Time) -> Self {
        let data = Data {
            schema: SCHEMA,
            log: origin,
            receiver: &webhook.name,
            from: 0,
            before: 0,
            events: Vec::new(),
        };
        let id = format!("test-{}-{}", webhook.name, hex::encode(random));
        Self::new(id, &Envelope { r#type: TEST, timestamp: to_the_millisecond(now), data })
    }

    /// Our own types always serialise.
    fn new(id: String, envelope: &Envelope<'_>) -> Self {
        Self { id, body: serde_json::to_vec(envelope).unwrap_or_default() }
    }
}

impl Wants {
    pub(super) fn new(webhook: &Webhook) -> Self {
        let query = Query { actions: webhook.events.clone(), ..Query::default() };
        Self { names: query.names(), least: webhook.severity }
    }

    /// Whether events of this name are.
    pub(super) fn name(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether what matters so much is. What is not known, such as of an entry that was altered, is.
    pub(super) fn severity(&self, word: &str) -> bool {
        severity(word).is_none_or(|severity| severity >= self.least)
    }
}

/// A few digits that stand for the name of the log, whose own characters an id may not have.
fn short(origin: &str) -> String {
    let hash = digest(&SHA256, origin.as_bytes());
    hash.as_ref().first_chunk::<6>().map(hex::encode).unwrap_or_default()
}
