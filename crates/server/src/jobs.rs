//! What happens without a request: mail goes out, and what is over is forgotten.

use std::time::Duration;

use portcullis_store::{Error, csrf_spent, lockouts, outbox, sessions, throttle};

use crate::app::App;
use crate::mail;

/// How often the store is swept.
const EVERY: Duration = Duration::from_mins(5);
/// How long what is over is kept, so that nodes whose clocks differ agree.
const MARGIN: Duration = Duration::from_mins(5);
/// How long ended sessions and delivered mail are kept for whoever asks what happened.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Starts the jobs; they end when the server stops.
pub fn start(app: &App) {
    app.spawn(mail::run(app.clone()));
    app.spawn(sweep_regularly(app.clone()));
}

async fn sweep_regularly(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store was not swept");
        }
    }
}

/// Forgets what is over.
pub async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    throttle::sweep(&mut tx, now.minus(MARGIN)).await?;
    lockouts::sweep(&mut tx, now.minus(MARGIN)).await?;
    csrf_spent::sweep(&mut tx, now.minus(MARGIN)).await?;
    sessions::sweep(&mut tx, now.minus(KEPT)).await?;
    outbox::sweep(&mut tx, now.minus(KEPT)).await?;
    tx.commit().await
}
