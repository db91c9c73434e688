//! Other systems that are sent what happens: each gets the log in its order, in signed messages, at
//! least once. What is sent is read from the log, so nothing waits in memory, nothing is lost while a
//! receiver is down, and no sign-in waits for one. One node sends to a receiver at a time. Not here:
//! the form of a message (`message`) and the way it takes (`client`).

mod client;
mod message;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_domain::activity::Record;
use portcullis_domain::time::Time;
use portcullis_domain::webhook;
use portcullis_store::audit::activity;
use portcullis_store::audit::sinks::{self, Sink};
use portcullis_store::audit::tree::{self, Tree};
use portcullis_store::{Db, Error};

use crate::app::App;
use crate::config::Webhook;

pub use client::{Client, ClientFault, Refused};
pub use message::{Message, Wants};

/// How often it is looked whether there is something to send.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a receiver is left to the node that sends to it: longer than an attempt may take.
const LEASE: Duration = Duration::from_mins(1);
/// The most events of one message.
const MOST: usize = 100;
/// The most entries that are looked at for one.
const SLICE: u64 = 2_000;

/// The receivers of the configuration, as this node sees them.
#[derive(Default)]
pub struct Webhooks(Vec<Receiver>);

/// One of them.
pub struct Receiver {
    pub webhook: Webhook,
    pub client: Client,
    wants: Wants,
    seen: Mutex<Option<Seen>>,
}

/// How it stands with a receiver.
#[derive(Clone, Debug)]
pub struct Seen {
    pub sink: Sink,
    /// Entries that have not been sent, wanted or not.
    pub behind: u64,
    /// When the oldest of them happened.
    pub oldest: Option<Time>,
}

impl Webhooks {
    /// Those of the configuration.
    pub fn new(webhooks: &[Webhook]) -> Result<Self, ClientFault> {
        webhooks.iter().map(Receiver::new).collect::<Result<_, _>>().map(Self)
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Receiver> {
        self.0.iter()
    }

    /// How it stands with all whose standing is known.
    pub fn seen(&self) -> Vec<Seen> {
        self.0.iter().filter_map(Receiver::seen).collect()
    }

    /// Whether one of them takes nothing at the moment.
    pub fn is_failing(&self) -> bool {
        self.seen().iter().any(|seen| seen.sink.failing_since.is_some())
    }
}

impl Receiver {
    fn new(webhook: &Webhook) -> Result<Self, ClientFault> {
        Ok(Self {
            client: Client::new(webhook)?,
            wants: Wants::new(webhook),
            webhook: webhook.clone(),
            seen: Mutex::default(),
        })
    }

    fn name(&self) -> &str {
        &self.webhook.name
    }

    fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

/// Sends to every receiver until the server stops.
pub fn start(app: &App) {
    for number in 0..app.webhooks.0.len() {
        app.spawn(follow(app.clone(), number));
    }
}

/// How it stands with every receiver that there ever was, by the store.
pub async fn standing(db: &Db) -> Result<Vec<Seen>, Error> {
    let mut tx = db.read().await?;
    let Some(tree) = tree::read(&mut tx).await? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for sink in sinks::list(&mut tx).await? {
        let oldest = activity::place(&mut tx, sink.next.max(tree.pruned)).await?;
        all.push(seen(sink, &tree, oldest.map(|place| place.at)));
    }
    Ok(all)
}

fn seen(sink: Sink, tree: &Tree, oldest: Option<Time>) -> Seen {
    Seen { behind: tree.size.saturating_sub(sink.next), oldest, sink }
}

async fn follow(app: App, number: usize) {
    let Some(receiver) = app.webhooks.0.get(number) else { return };
    let mut is_failing = false;
    loop {
        let step = step(&app, receiver).await;
        if let (Err(error), false) = (&step, is_failing) {
            let (error, name) = (error as &dyn std::error::Error, receiver.name());
            tracing::warn!(error, name, "it is not known what a webhook has been sent");
        }
        is_failing = step.is_err();
        let goes_on = matches!(step, Ok(Step::Sent));
        let pause = if goes_on { Duration::ZERO } else { LOOK_EVERY };
        tokio::select! {
            () = app.stopping.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    let left = leave(&app, receiver).await;
    if let Err(error) = left {
        tracing::debug!(error = &error as &dyn std::error::Error, "a webhook stays claimed");
    }
}

async fn leave(app: &App, receiver: &Receiver) -> Result<bool, Error> {
    sinks::release(&mut app.db.write_once().await?, receiver.name(), &app.node).await
}

/// What came of looking.
enum Step {
    /// There may be more to send at once.
    Sent,
    /// There is nothing to send, or it is not this node's turn.
    Idle,
}

async fn step(app: &App, receiver: &Receiver) -> Result<Step, Error> {
    let Some((sink, tree)) = look(app, receiver).await? else { return Ok(Step::Idle) };
    let now = app.clock.now();
    if sink.next >= tree.size || sink.retry_at > now {
        return Ok(Step::Idle);
    }
    let mut tx = app.db.write_once().await?;
    let claimed = sinks::claim(&mut tx, receiver.name(), &app.node, now, now.plus(LEASE)).await?;
    drop(tx);
    match claimed {
        None => Ok(Step::Idle),
        Some(sink) => send(app, receiver, &sink, &tree).await,
    }
}

/// Notes how it stands. A receiver that is new begins where the log ends; `None` while there is no
/// log.
async fn look(app: &App, receiver: &Receiver) -> Result<Option<(Sink, Tree)>, Error> {
    let mut tx = app.db.read().await?;
    let Some(tree) = tree::read(&mut tx).await? else { return Ok(None) };
    let Some(sink) = sinks::by_name(&mut tx, receiver.name()).await? else {
        drop(tx);
        let mut tx = app.db.write_once().await?;
        sinks::begin(&mut tx, receiver.name(), tree.size).await?;
        return Ok(None);
    };
    let oldest = activity::place(&mut tx, sink.next.max(tree.pruned)).await?;
    receiver.see(seen(sink.clone(), &tree, oldest.map(|place| place.at)));
    Ok(Some((sink, tree)))
}

async fn send(app: &App, receiver: &Receiver, sink: &Sink, tree: &Tree) -> Result<Step, Error> {
    let first = sink.next.max(tree.pruned);
    let batch = read(app, receiver, first, sink.batch_end, tree.size).await?;
    let (name, node) = (receiver.name(), app.node.as_str());
    let span = (sink.next, batch.end);
    if batch.records.is_empty() {
        let mut tx = app.db.write_once().await?;
        sinks::advance(&mut tx, name, node, span, None).await?;
        return Ok(Step::Sent);
    }
    let mut tx = app.db.write_once().await?;
    if !sinks::batch(&mut tx, name, node, sink.next, batch.end).await? {
        return Ok(Step::Idle);
    }
    drop(tx);
    let message = Message::of(receiver, &tree.origin, first, batch.end, &batch.records);
    let taken = receiver.client.send(&message, app.clock.now()).await;
    let now = app.clock.now();
    let mut tx = app.db.write_once().await?;
    match taken {
        Ok(()) => {
            if sink.failing_since.is_some() {
                tracing::info!(name, "a webhook takes messages again");
            }
            sinks::advance(&mut tx, name, node, span, Some(now)).await?;
            Ok(Step::Sent)
        }
        Err(refused) => {
            if sink.failing_since.is_none() {
                let error = &refused as &dyn std::error::Error;
                tracing::warn!(name, error, "a webhook takes no messages; they wait until it does");
            }
            let [random] = app.random.bytes();
            let failures = sink.failures.saturating_add(1);
            let retry_at = now.plus(webhook::pause(failures, random));
            sinks::fail(&mut tx, name, node, &refused.to_string(), (now, retry_at)).await?;
            Ok(Step::Idle)
        }
    }
}

/// What one message is about.
struct Batch {
    records: Vec<Record>,
    /// Where it ends.
    end: u64,
}

/// Reads the next message. `end`: where it ended when it was sent before, so that it is the same.
async fn read(
    app: &App,
    receiver: &Receiver,
    first: u64,
    end: Option<u64>,
    size: u64,
) -> Result<Batch, Error> {
    let mut end = end.unwrap_or_else(|| first.saturating_add(SLICE).min(size));
    let mut tx = app.db.read().await?;
    let steps = activity::window(&mut tx, first, end).await?;
    let wanted = steps.iter().filter(|step| receiver.wants.name(&step.name));
    let mut wanted: Vec<u64> = wanted.map(|step| step.place.index).collect();
    if let Some(next) = wanted.get(MOST) {
        end = *next;
        wanted.truncate(MOST);
    }
    let mut records = activity::records(&mut tx, &app.keys.audit, &wanted).await?;
    records.sort_unstable_by_key(|record| record.index);
    records.retain(|record| receiver.wants.severity(&record.severity));
    Ok(Batch { records, end })
}
