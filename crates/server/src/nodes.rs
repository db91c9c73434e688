//! This server's place among those that run over the same database: a lease, renewed every ten
//! seconds. Who ends something on another node waits for this one as long as the lease lasts, so
//! without it nothing that is remembered is used here. Not here: the waiting (`flows::barrier`).

use std::time::Duration;

use portcullis_store::nodes::{self, LEASE};
use portcullis_store::{Error, NotReady, Tx};

use crate::app::App;
use crate::fault::in_time;

/// How often the lease is renewed. A database that nobody else uses is written to so often.
const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// How soon it is tried again after a failure.
const TRIED_AGAIN: Duration = Duration::from_secs(1);
/// How far the clocks of two nodes that are ready may be apart. The lease is over here before it is
/// over for the others.
const SKEW: Duration = Duration::from_secs(5);

/// Keeps the lease until the server stops. [`leave`] gives it up.
pub async fn keep_lease(app: App) {
    let mut was_kept = true;
    loop {
        let renewed = renew(&app).await;
        if let Err(error) = renewed.as_ref().map_err(|error| error as &dyn std::error::Error)
            && was_kept
        {
            tracing::warn!(error, "other nodes cannot be told that this one runs");
        }
        was_kept = renewed.is_ok();
        let pause = if was_kept { RENEWED_EVERY } else { TRIED_AGAIN };
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Gives the lease up, once no request is answered any more.
pub async fn leave(tx: &mut Tx, app: &App) -> Result<(), Error> {
    nodes::remove(tx, &app.node).await.map(drop)
}

async fn renew(app: &App) -> Result<(), NotReady> {
    let (since, now) = (app.clock.monotonic(), app.clock.now());
    // By a clock that differs the lease would be over for others before it is over here.
    in_time(async { Ok(app.db.check(now).await) }).await??;
    in_time(async {
        let mut tx = app.db.write_once().await?;
        nodes::renew(&mut tx, &app.node, now).await?;
        tx.commit().await
    })
    .await?;
    app.verifier.trust_until(since.saturating_add(LEASE.saturating_sub(SKEW)));
    Ok(())
}
