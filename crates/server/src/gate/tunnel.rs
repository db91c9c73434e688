//! A connection that was upgraded: bytes copied both ways, with one bounded buffer for each
//! direction, until both sides have said all, the caller may not go on, or the server stops. Not
//! read: what the two sides say is theirs. There is no limit on silence; that is what pings are for.

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::lease::Lease;

/// The two connections that are about to become one.
pub(super) struct Ends {
    pub(super) client: OnUpgrade,
    pub(super) upstream: OnUpgrade,
}

/// Copies until the end. When one side ends its half, the other is told and may go on with its own.
pub(super) async fn run(stopping: CancellationToken, id: String, ends: Ends, lease: Option<Lease>) {
    let (mut client, mut upstream) = match both(ends).await {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(request_id = id, error = &error as &dyn std::error::Error, "no tunnel");
            return;
        }
    };
    let over = async {
        match lease {
            Some(lease) => lease.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut client, &mut upstream) => match copied {
            Ok((up, down)) => tracing::debug!(request_id = id, up, down, "a tunnel has ended"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(request_id = id, error, "a tunnel broke");
            }
        },
        () = over => {}
        () = stopping.cancelled() => {}
    }
}

async fn both(ends: Ends) -> Result<(TokioIo<Upgraded>, TokioIo<Upgraded>), hyper::Error> {
    let (client, upstream) = tokio::try_join!(ends.client, ends.upstream)?;
    Ok((TokioIo::new(client), TokioIo::new(upstream)))
}
