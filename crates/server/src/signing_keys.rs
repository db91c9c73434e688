//! The keys that sign access tokens, on this node: hearing of those that others made, and seeing that
//! there is a new one when it is time. Not here: making one (`flows::signing_keys`), and what a key
//! signs (`verify::access_token`).

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::signing_key::KeyLife;
use portcullis_domain::time::Time;

use crate::app::App;
use crate::config::Config;
use crate::flows::signing_keys::{self, Failure, Making};

/// How often a node looks for keys that others made. A new one is published for much longer than that
/// before it signs.
const EVERY: Duration = Duration::from_secs(2);
/// How often a node looks whether it is time for a new one.
const KEPT_EVERY: Duration = Duration::from_mins(1);

/// How it stands with the keys, as this node knows.
#[derive(Default)]
pub struct Standing(Mutex<Seen>);

#[derive(Clone, Copy, Default)]
struct Seen {
    newest: Option<KeyLife>,
    /// One was to be made, and could not be.
    is_not_made: bool,
    /// They could not be read.
    is_not_read: bool,
}

impl Standing {
    /// Whether a new key could not be made, or should have been long ago; or what there is cannot be read.
    pub fn is_in_trouble(&self, config: &Config, now: Time) -> bool {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = seen.newest.is_some_and(|newest| config.key_plan().is_late(&newest, now));
        seen.is_not_made || seen.is_not_read || is_late
    }

    fn learn(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sees that there is a key to sign with, and that a new one is made when it is time; then reads what
/// there is. Before a server takes its first request, and from time to time.
pub async fn keep(app: &App) -> Result<(), Failure> {
    let context = Context::default();
    let making = Making::now(app, &context);
    let kept = Box::pin(signing_keys::keep(&making)).await;
    app.signing_keys.learn(|seen| seen.is_not_made = kept.is_err());
    let heard = hear(app).await;
    kept.and(heard)
}

/// Reads what there is.
async fn hear(app: &App) -> Result<(), Failure> {
    let heard = app.access_tokens.refresh(&app.db, &app.clock).await;
    app.signing_keys.learn(|seen| {
        seen.is_not_read = heard.is_err();
        seen.newest = app.access_tokens.newest();
    });
    heard.map_err(Failure::from)
}

/// Looks again and again until the server stops. What is known stays in use while the store cannot be
/// read.
pub async fn run(app: App) {
    let mut kept_at = app.clock.monotonic();
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = app.clock.monotonic();
        let looked = if now.saturating_sub(kept_at) < KEPT_EVERY {
            hear(&app).await
        } else {
            kept_at = now;
            keep(&app).await
        };
        if let Err(error) = looked {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the signing keys cannot be read or replaced");
        }
    }
}
