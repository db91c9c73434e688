//! Writing down what API keys are used for: counted in memory by each request, and written once a
//! second beside them. A server that is killed loses the last second of it. What one key may do within a
//! second is bounded, so that none fills the store: every request is counted, and the first few of each
//! second are kept one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_domain::id::KeyId;
use portcullis_domain::time::Time;
use portcullis_store::api_keys::usage::{self, Counted, Use, Used};
use portcullis_store::{Db, Error};

use crate::app::App;
use crate::random::Random;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(1);
/// Requests of one key that are kept one by one, of each batch.
const KEPT_OF_KEY: i64 = 20;
/// And of all keys.
const KEPT: usize = 512;
/// Keys and endpoints that one batch tells apart; what is beyond is not counted by endpoint.
const TOLD_APART: usize = 16 * 1024;
/// What is counted together.
const HOUR: i64 = 60 * 60 * 1000;

/// What was not written yet.
#[derive(Default)]
pub struct KeyUsage(Mutex<Batch>);

#[derive(Default)]
struct Batch {
    /// In order, so that nodes that write down the same keys meet in the same order.
    keys: BTreeMap<KeyId, OfKey>,
    /// Of all keys.
    told_apart: usize,
    log: Vec<Use>,
}

#[derive(Default)]
struct OfKey {
    requests: i64,
    last: Time,
    hours: BTreeMap<Time, BTreeMap<String, Count>>,
}

#[derive(Default)]
struct Count {
    requests: i64,
    took_ms: i64,
}

/// A request by a key that was answered.
pub struct Answered<'a> {
    pub key: KeyId,
    pub at: Time,
    /// The path of a route of ours, or the id of a rule: never what a client wrote.
    pub endpoint: &'a str,
    pub method: &'a str,
    pub status: u16,
    pub took: Duration,
}

impl KeyUsage {
    /// Counts a request.
    pub fn note(&self, random: Random, it: &Answered<'_>) {
        let took_ms = i64::try_from(it.took.as_millis()).unwrap_or(i64::MAX);
        let mut batch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Batch { keys, told_apart, log } = &mut *batch;
        let key = keys.entry(it.key).or_default();
        key.requests += 1;
        key.last = key.last.max(it.at);
        let is_kept = key.requests <= KEPT_OF_KEY && log.len() < KEPT;
        let places = key.hours.entry(Time(it.at.0 - it.at.0.rem_euclid(HOUR))).or_default();
        if let Some(count) = places.get_mut(it.endpoint) {
            count.add(took_ms);
        } else if *told_apart < TOLD_APART {
            *told_apart += 1;
            places.entry(it.endpoint.to_owned()).or_default().add(took_ms);
        }
        if is_kept {
            log.push(Use {
                id: random.row_id(it.at),
                key: it.key,
                at: it.at,
                endpoint: it.endpoint.to_owned(),
                method: it.method.to_owned(),
                status: it.status.into(),
                took_ms,
            });
        }
    }

    /// Writes what was counted since the last time. What cannot be written is given up: it is told of
    /// nobody, and the next second has its own.
    pub async fn write(&self, db: &Db) -> Result<(), Error> {
        let batch = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.keys.is_empty() {
            return Ok(());
        }
        let used: Vec<Used> = batch
            .keys
            .iter()
            .map(|(key, it)| Used { key: *key, requests: it.requests, last: it.last })
            .collect();
        let counted: Vec<Counted<'_>> = batch.counted().collect();
        let mut tx = db.write().await?;
        usage::count(&mut tx, &used).await?;
        usage::count_hours(&mut tx, &counted).await?;
        usage::log(&mut tx, &batch.log).await?;
        tx.commit().await
    }
}

impl Batch {
    fn counted(&self) -> impl Iterator<Item = Counted<'_>> {
        let hours =
            self.keys.iter().flat_map(|(key, it)| it.hours.iter().map(move |hour| (key, hour)));
        hours.flat_map(|(key, (hour, places))| {
            places.iter().map(|(endpoint, count)| Counted {
                key: *key,
                hour: *hour,
                endpoint,
                requests: count.requests,
                took_ms: count.took_ms,
            })
        })
    }
}

impl Count {
    fn add(&mut self, took_ms: i64) {
        self.requests += 1;
        self.took_ms = self.took_ms.saturating_add(took_ms);
    }
}

/// Writes until the server stops, and once more then.
pub async fn run(app: App) {
    let mut is_failing = false;
    loop {
        let is_over = tokio::select! {
            () = app.stopping.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let written = app.key_usage.write(&app.db).await;
        if let (Err(error), false) = (&written, is_failing) {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the use of API keys was not written down");
        }
        is_failing = written.is_err();
        if is_over {
            return;
        }
    }
}
