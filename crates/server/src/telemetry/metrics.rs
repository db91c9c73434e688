//! The figures, and the handles by which they are counted. Every handle of the hot path is made
//! beforehand, so that counting a request is a few atomic additions.
//!
//! A label is one of our own words: a surface, a class of answers, a reason code. It is never
//! something that a client sent, so the number of series has a bound.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use portcullis_store::Counts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::breach_checks::BreachChecks;
use super::file_alerts::{FileAlerts, Open};
use super::process::Process;
use crate::clock::Clock;
use crate::verify::Verified;

/// One label, of our own words.
type Label = [(&'static str, &'static str); 1];

/// Where the buckets of durations end, in seconds: from a cached check to an upstream that is slow.
const SECONDS: [f64; 12] =
    [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// Every figure of one application.
pub struct Metrics {
    registry: Registry,
    surfaces: [OfSurface; 3],
    refusals: Family<Label, Counter>,
    sign_ins: Family<Label, Counter>,
    magic_links: Family<Label, Counter>,
    mail: Family<Label, Counter>,
    backups: Family<Label, Counter>,
    hash_seconds: Histogram,
    upstream_requests: Family<Label, Counter>,
    upstream_answered: Counter,
    upstream_seconds: Histogram,
    connections: Gauge,
    at_scrape: AtScrape,
    /// How credentials were verified.
    pub verification: Verification,
    /// What was said of passwords.
    pub breach_checks: BreachChecks,
}

/// Which part of the server a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Surface {
    /// Our own pages and endpoints, and what could not be read at all.
    #[default]
    Own,
    /// The application behind the gate.
    Gate,
    /// The answers to other people's proxies.
    ForwardAuth,
}

/// How credentials were verified: one of these for each time. Clones count together.
#[derive(Clone, Default)]
pub struct Verification {
    /// Good, by what was remembered.
    pub hit: Counter,
    /// Good, by what the store said.
    pub read: Counter,
    /// The store has never heard of it.
    pub unknown: Counter,
    /// It was good once.
    pub dead: Counter,
    /// The store did not answer.
    pub unavailable: Counter,
}

/// Times the hashing of passwords, on the threads that do it.
pub struct HashTimes {
    clock: Clock,
    seconds: Histogram,
}

/// A connection that is open; it is counted until this is dropped.
pub struct OpenConnection(Gauge);

/// What is looked up when somebody asks.
pub(super) struct Moment<'a> {
    pub(super) store: &'a Counts,
    /// Messages that wait, and the age of the oldest in seconds; `None` where the store did not
    /// answer.
    pub(super) mail_waiting: Option<(i64, i64)>,
    /// Whether this node finds that mail cannot be sent.
    pub(super) mail_is_down: bool,
    /// The moment of the last good backup in seconds; `None` where none is known of.
    pub(super) backup_at: Option<i64>,
    pub(super) passwords_waiting: usize,
    /// `None` where no webhook is configured.
    pub(super) webhooks: Option<OfWebhooks>,
    /// `None` where places are not looked up.
    pub(super) geo_is_good: Option<bool>,
    /// When the audit log was last verified, in seconds, and how much was not in order; `None` where
    /// it never was.
    pub(super) audit_verified: Option<(i64, i64)>,
    /// Whether rows that waited for the log were put aside.
    pub(super) has_rejected: bool,
    /// `None` where no files are watched, or the store did not answer.
    pub(super) file_alerts: Option<Open>,
    pub(super) process: Process,
}

/// How it stands with the webhooks, as far as this process knows.
pub(super) struct OfWebhooks {
    pub(super) failing: i64,
    /// Of the one that is furthest behind.
    pub(super) behind: i64,
    pub(super) oldest_seconds: Option<i64>,
}

struct OfSurface {
    /// 1xx to 5xx.
    classes: [Counter; 5],
    seconds: Histogram,
}

/// Figures that are counted elsewhere, and taken over when somebody asks.
struct AtScrape {
    store_unavailable: Counter,
    store_failed: Counter,
    events: Counter,
    mail_waiting: Known,
    mail_oldest: Known,
    mail_down: Gauge,
    backup_at: Known,
    passwords_waiting: Gauge,
    webhooks_failing: Known,
    webhook_behind: Known,
    webhook_oldest: Known,
    geo_is_good: Known,
    audit_verified: Known,
    audit_faults: Known,
    audit_rejected: Known,
    file_alerts: FileAlerts,
    resident_bytes: Known,
    open_files: Known,
}

/// A figure that is absent while it is not known, instead of telling an old one.
#[derive(Clone, Debug)]
struct Known {
    name: &'static str,
    help: &'static str,
    value: Arc<AtomicI64>,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let at_scrape = AtScrape::new(&mut registry);
        let ours = registry.sub_registry_with_prefix("portcullis");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        ours.register("build", "The program that is running", Info::new(version));
        let surfaces = surfaces(ours);
        let refusals = family(ours, "refusals", "Requests refused by the gate, by reason code");
        let sign_ins = family(ours, "sign_ins", "Attempts to sign in with a password, by outcome");
        let magic_links = family(ours, "magic_links", "Links to sign in, by what came of them");
        let mail = family(ours, "mail", "Attempts to send a message, by what came of it");
        let help = "Backups of the schedule, by what came of it";
        let backups = family(ours, "backups", help);
        let hash_seconds = seconds(ours, "password_hash", "Time to hash one password");
        let help = "Requests sent to upstreams, by what came of it";
        let upstream_requests = family(ours, "upstream_requests", help);
        let help = "Time until the upstream's answer began";
        let upstream_seconds = seconds(ours, "upstream_duration", help);
        let connections = gauge(ours, "connections", "Open connections of clients");
        let verification = Verification::new(ours);
        let breach_checks = BreachChecks::register(ours);
        Self {
            registry,
            surfaces,
            refusals,
            sign_ins,
            magic_links,
            mail,
            backups,
            hash_seconds,
            upstream_answered: upstream_requests.get_or_create_owned(&[("outcome", "answered")]),
            upstream_requests,
            upstream_seconds,
            connections,
            verification,
            breach_checks,
            at_scrape,
        }
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, surface: Surface, status: StatusCode, took: Duration) {
        let Some(of_surface) = self.surfaces.get(surface as usize) else { return };
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(class) = of_surface.classes.get(class) {
            class.inc();
        }
        of_surface.seconds.observe(took.as_secs_f64());
    }

    /// Counts a refusal of our own. The code is one of the program's own words, because its text
    /// lives as long as the program.
    pub(super) fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&[("code", code)]).inc();
    }

    /// Counts an attempt to sign in.
    pub fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts what came of a link to sign in.
    pub fn magic_link(&self, outcome: &'static str) {
        self.magic_links.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts what came of sending a message.
    pub fn mail(&self, outcome: &'static str) {
        self.mail.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts what came of a backup.
    pub fn backup(&self, outcome: &'static str) {
        self.backups.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a request to the upstream: `Err` holds the reason code of what went wrong.
    pub(super) fn upstream(&self, outcome: Result<(), &'static str>, took: Duration) {
        match outcome {
            Ok(()) => self.upstream_answered.inc(),
            Err(code) => self.upstream_requests.get_or_create(&[("outcome", code)]).inc(),
        };
        self.upstream_seconds.observe(took.as_secs_f64());
    }

    /// Counts a connection for as long as it is open.
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// For the threads that hash.
    pub fn hash_times(&self) -> HashTimes {
        HashTimes { clock: Clock::system(), seconds: self.hash_seconds.clone() }
    }

    /// Everything as text, in the form of `OpenMetrics` which Prometheus reads.
    pub(super) fn render(&self, moment: &Moment<'_>) -> String {
        self.at_scrape.take_over(moment);
        let mut page = String::new();
        match text::encode(&mut page, &self.registry) {
            Ok(()) => page,
            // Writing to a string does not fail.
            Err(_) => String::new(),
        }
    }
}

impl Surface {
    const ALL: [Self; 3] = [Self::Own, Self::Gate, Self::ForwardAuth];

    /// The word in labels and lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Gate => "gate",
            Self::ForwardAuth => "forward_auth",
        }
    }
}

impl HashTimes {
    /// Does the work, and notes how long it took.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = self.clock.monotonic();
        let done = work();
        self.seconds.observe(self.clock.monotonic().saturating_sub(started).as_secs_f64());
        done
    }
}

impl Verification {
    /// Counts what was not good. What was good, the verifier has counted, which knows how it knew.
    pub fn note(&self, verified: &Result<Verified, portcullis_store::Error>) {
        match verified {
            Ok(Verified::Live(_)) => {}
            Ok(Verified::Dead(_)) => drop(self.dead.inc()),
            Ok(Verified::Unknown) => drop(self.unknown.inc()),
            Err(_) => drop(self.unavailable.inc()),
        }
    }

    fn new(registry: &mut Registry) -> Self {
        let results: Family<Label, Counter> =
            family(registry, "verify", "Credentials verified, by result");
        let counter = |result| results.get_or_create_owned(&[("result", result)]);
        Self {
            hit: counter("hit"),
            read: counter("read"),
            unknown: counter("unknown"),
            dead: counter("dead"),
            unavailable: counter("unavailable"),
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl AtScrape {
    fn new(registry: &mut Registry) -> Self {
        let process = registry.sub_registry_with_prefix("process");
        let help = "Memory of this process that is in use";
        let resident_bytes = Known::register(process, "resident_memory_bytes", help);
        let open_files = Known::register(process, "open_fds", "Open file descriptors");
        let ours = registry.sub_registry_with_prefix("portcullis");
        let errors = family(ours, "store_errors", "Errors of the database, by kind");
        let events = Counter::default();
        ours.register("events_written", "Events written by this process", events.clone());
        let help = "Messages that have not gone out yet; absent while the database does not answer";
        let mail_waiting = Known::register(ours, "mail_queue", help);
        let help = "Whether the file of places is the one in use; absent where none is configured";
        let geo_is_good = Known::register(ours, "geo_database_good", help);
        let help = "When the audit log was last verified; absent if it never was";
        let audit_verified = Known::register(ours, "audit_verified_timestamp_seconds", help);
        let help = "What was not in order in the audit log then";
        let audit_faults = Known::register(ours, "audit_faults", help);
        let help = "Whether events were put aside that somebody else wrote for the audit log";
        let audit_rejected = Known::register(ours, "audit_rejected", help);
        let help = "Age of the oldest message that has not gone out; absent where none waits";
        let mail_oldest = Known::register(ours, "mail_oldest_seconds", help);
        let mail_down = gauge(ours, "mail_down", "1 while this process cannot send mail");
        let help = "Time of the last good backup; absent where none is known of";
        let backup_at = Known::register(ours, "backup_timestamp_seconds", help);
        let help = "Webhooks that take nothing just now; absent where none is configured";
        let webhooks_failing = Known::register(ours, "webhooks_failing", help);
        let help = "Entries of the log that the webhook furthest behind has not been sent";
        let webhook_behind = Known::register(ours, "webhook_behind", help);
        let help = "Age of the oldest of them; absent where there is none";
        let webhook_oldest = Known::register(ours, "webhook_oldest_seconds", help);
        let help = "Passwords that are being hashed or wait for it";
        Self {
            file_alerts: FileAlerts::register(ours),
            store_unavailable: errors.get_or_create_owned(&[("kind", "unavailable")]),
            store_failed: errors.get_or_create_owned(&[("kind", "failed")]),
            events,
            mail_waiting,
            geo_is_good,
            audit_verified,
            audit_faults,
            audit_rejected,
            mail_oldest,
            mail_down,
            backup_at,
            passwords_waiting: gauge(ours, "password_queue", help),
            webhooks_failing,
            webhook_behind,
            webhook_oldest,
            resident_bytes,
            open_files,
        }
    }

    fn take_over(&self, moment: &Moment<'_>) {
        let Moment { store, mail_waiting, mail_is_down, backup_at, webhooks, .. } = moment;
        let Moment { passwords_waiting, geo_is_good, audit_verified, process, .. } = moment;
        let set = |counter: &Counter<u64, AtomicU64>, to: u64| {
            counter.inner().store(to, Ordering::Relaxed);
        };
        set(&self.store_unavailable, store.unavailable());
        set(&self.store_failed, store.failed());
        set(&self.events, store.events());
        self.passwords_waiting.set(i64::try_from(*passwords_waiting).unwrap_or(i64::MAX));
        self.mail_waiting.set(mail_waiting.map(|(count, _)| count));
        self.mail_oldest.set(mail_waiting.filter(|(count, _)| *count > 0).map(|(_, age)| age));
        self.mail_down.set(i64::from(*mail_is_down));
        self.backup_at.set(*backup_at);
        let of_webhooks = |figure: fn(&OfWebhooks) -> i64| webhooks.as_ref().map(figure);
        self.webhooks_failing.set(of_webhooks(|it| it.failing));
        self.webhook_behind.set(of_webhooks(|it| it.behind));
        self.webhook_oldest.set(webhooks.as_ref().and_then(|it| it.oldest_seconds));
        self.geo_is_good.set(geo_is_good.map(i64::from));
        self.audit_verified.set(audit_verified.map(|(at, _)| at));
        self.audit_rejected.set(Some(i64::from(moment.has_rejected)));
        self.file_alerts.set(moment.file_alerts.as_ref());
        self.audit_faults.set(audit_verified.map(|(_, faults)| faults));
        self.resident_bytes.set(process.resident_bytes);
        self.open_files.set(process.open_files);
    }
}

impl Known {
    const UNKNOWN: i64 = i64::MIN;

    fn register(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let known = Self { name, help, value: Arc::new(AtomicI64::new(Self::UNKNOWN)) };
        registry.register_collector(Box::new(known.clone()));
        known
    }

    fn set(&self, value: Option<i64>) {
        self.value.store(value.unwrap_or(Self::UNKNOWN), Ordering::Relaxed);
    }
}

impl Collector for Known {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let value = self.value.load(Ordering::Relaxed);
        if value == Self::UNKNOWN {
            return Ok(());
        }
        let gauge = ConstGauge::new(value);
        let encoder = encoder.encode_descriptor(self.name, self.help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }
}

fn surfaces(registry: &mut Registry) -> [OfSurface; 3] {
    let requests: Family<[(&'static str, &'static str); 2], Counter> = Family::default();
    registry.register("requests", "Requests answered, by class of answer", requests.clone());
    let durations: Family<Label, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(SECONDS));
    let help = "Time until the answer began";
    registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
    Surface::ALL.map(|surface| {
        let surface = ("surface", surface.word());
        let class = |class| requests.get_or_create_owned(&[surface, ("class", class)]);
        OfSurface {
            classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(class),
            seconds: durations.get_or_create_owned(&[surface]),
        }
    })
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Label, Counter> {
    let family = Family::default();
    registry.register(name, help, Family::clone(&family));
    family
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(SECONDS);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}
