//! Writing down what API keys are used for: counted in memory by each request, and written once a
//! second beside them. A server that is killed loses the last second of it. What one key may do within a
//! second is bounded, so that none fills the store: every request is counted, and the first few of each
//! second are kept one by one.

use std::collections::HashMap;
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
    used: HashMap<KeyId, (i64, Time)>,
    hours: HashMap<(KeyId, Time, String), (i64, i64)>,
    log: Vec<Use>,
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
        let (requests, last) = batch.used.entry(it.key).or_insert((0, it.at));
        *requests += 1;
        *last = (*last).max(it.at);
        let is_kept = *requests <= KEPT_OF_KEY && batch.log.len() < KEPT;
        let hour = Time(it.at.0 - it.at.0.rem_euclid(HOUR));
        let place = (it.key, hour, it.endpoint.to_owned());
        if batch.hours.len() < TOLD_APART || batch.hours.contains_key(&place) {
            let (requests, took) = batch.hours.entry(place).or_insert((0, 0));
            *requests += 1;
            *took = took.saturating_add(took_ms);
        }
        if is_kept {
            batch.log.push(Use {
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
        if batch.used.is_empty() {
            return Ok(());
        }
        let mut used: Vec<Used> = batch
            .used
            .into_iter()
            .map(|(key, (requests, last))| Used { key, requests, last })
            .collect();
        let mut counted: Vec<Counted<'_>> = batch
            .hours
            .iter()
            .map(|((key, hour, endpoint), (requests, took_ms))| Counted {
                key: *key,
                hour: *hour,
                endpoint,
                requests: *requests,
                took_ms: *took_ms,
            })
            .collect();
        // Nodes that write down the same keys meet in the same order.
        used.sort_unstable_by_key(|it| it.key);
        counted.sort_unstable_by_key(|it| (it.key, it.hour, it.endpoint));
        let mut tx = db.write().await?;
        usage::count(&mut tx, &used).await?;
        usage::count_hours(&mut tx, &counted).await?;
        usage::log(&mut tx, &batch.log).await?;
        tx.commit().await
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
