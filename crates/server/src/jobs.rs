//! What happens without a request: mail goes out, what is over is forgotten, and what other nodes
//! changed is heard of.

use std::time::Duration;

use portcullis_domain::time::Time;
use portcullis_store::{
    Db, Error, Tx, api_keys as key_rows, credentials, csrf_spent, factors, integrity,
    invalidations, lockouts, nodes as node_rows, one_time_codes, one_time_links, outbox, remember,
    sessions, sign_in_tickets, signing_keys as signing_key_rows, throttle, trusted_devices,
};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::backups;
use crate::file_watch;
use crate::flows::{api_keys, audit};
use crate::key_usage;
use crate::live_limits;
use crate::mail;
use crate::nodes;
use crate::signing_keys;
use crate::verify::follow;
use crate::webhooks;

/// How often the store is swept.
const EVERY: Duration = Duration::from_mins(5);
/// How many rows are forgotten at once.
const SLICE: u32 = 1000;
/// How long what is over is kept, so that nodes whose clocks differ agree.
const MARGIN: Duration = Duration::from_mins(5);
/// How often the list of who is signed in is brought up to date. Between two times whoever reads it
/// looks himself at what is due.
const MOVE_ON_EVERY: Duration = Duration::from_secs(3);
/// How long what has run out stays in that list unseen: longer than the clocks of nodes differ, and
/// than a use waits to be written down.
const UNSEEN: Duration = Duration::from_secs(15);
/// How long ended sessions and delivered mail are kept for whoever asks what happened.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long alerts of files are kept that are resolved.
const ALERTS_KEPT: Duration = Duration::from_hours(365 * 24);

/// Starts the jobs; they end when the server stops.
pub fn start(app: &App) {
    // Nothing is remembered until the others can know of this node.
    app.verifier.trust_until(Duration::ZERO);
    app.spawn(nodes::keep_lease(app.clone()));
    app.spawn(mail::run(app.clone()));
    app.spawn(sweep_regularly(app.clone()));
    app.spawn(move_on_regularly(app.clone()));
    app.spawn(audit::run(app.clone()));
    app.spawn(audit::watch::run(app.clone()));
    webhooks::start(app);
    app.spawn(follow::run(app.clone()));
    app.spawn(live_limits::follow(app.clone()));
    app.spawn(backups::run(app.clone()));
    app.spawn(file_watch::run(app.clone()));
    app.spawn(signing_keys::run(app.clone()));
    app.spawn(key_usage::run(app.clone()));
}

async fn sweep_regularly(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = sweep(&app.db, app.clock.now(), &app.stopping).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store was not swept");
        }
        if let Err(error) = api_keys::tell_of_ends(&app).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "nobody was told of API keys that end soon");
        }
        if let Err(error) = audit::expire::sweep(&app, app.clock.now()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "old personal data of the audit log was not deleted");
        }
    }
}

async fn move_on_regularly(app: App) {
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(MOVE_ON_EVERY) => {}
        }
        let moved = move_on(&app.db, app.clock.now(), &app.stopping).await;
        if let (Err(error), false) = (&moved, is_failing) {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "the list of who is signed in was not brought up to date");
        }
        is_failing = moved.is_err();
    }
}

/// Brings the list of who is signed in up to date, in slices.
async fn move_on(db: &Db, now: Time, stopping: &CancellationToken) -> Result<(), Error> {
    let mut moved = u64::from(SLICE);
    while moved >= u64::from(SLICE) && !stopping.is_cancelled() {
        let mut tx = db.write_once().await?;
        moved = sessions::move_on(&mut tx, now, SLICE).await?;
        tx.commit().await?;
        let mut tx = db.write_once().await?;
        moved = moved.max(sessions::let_go(&mut tx, now.minus(UNSEEN), SLICE).await?);
        tx.commit().await?;
    }
    Ok(())
}

/// Forgets what is over, in slices: between two of them others write.
async fn sweep(db: &Db, now: Time, stopping: &CancellationToken) -> Result<(), Error> {
    forget_tokens_of_dead_sessions(db, now.minus(MARGIN), stopping).await?;
    for rows in Rows::ALL {
        let mut deleted = u64::from(SLICE);
        while deleted >= u64::from(SLICE) && !stopping.is_cancelled() {
            let mut tx = db.write_once().await?;
            deleted = rows.delete_slice(&mut tx, now).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Who is dead is asked without keeping those waiting who write.
async fn forget_tokens_of_dead_sessions(
    db: &Db,
    before: Time,
    stopping: &CancellationToken,
) -> Result<(), Error> {
    while !stopping.is_cancelled() {
        let mut tx = db.read_once().await?;
        let dead = csrf_spent::left_behind(&mut tx, before, SLICE).await?;
        drop(tx);
        if dead.is_empty() {
            break;
        }
        let mut tx = db.write().await?;
        csrf_spent::forget(&mut tx, &dead, SLICE).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// What is over at a time that its row tells.
#[derive(Clone, Copy)]
enum Rows {
    Throttle,
    Lockouts,
    SpentTokens,
    Credentials,
    Sessions,
    RememberSeries,
    Outbox,
    Invalidations,
    OneTimeLinks,
    OneTimeCodes,
    TrustedDevices,
    SignInTickets,
    PendingFactors,
    Nodes,
    SigningKeys,
    KeyValues,
    KeyUses,
    KeyHours,
    FileChecks,
    FileAlerts,
    Sightings,
    BaselineLines,
}

impl Rows {
    /// A session goes after its credentials.
    const ALL: [Self; 22] = [
        Self::Throttle,
        Self::Lockouts,
        Self::SpentTokens,
        Self::Credentials,
        Self::Sessions,
        Self::RememberSeries,
        Self::Outbox,
        Self::Invalidations,
        Self::OneTimeLinks,
        Self::OneTimeCodes,
        Self::TrustedDevices,
        Self::SignInTickets,
        Self::PendingFactors,
        Self::Nodes,
        Self::SigningKeys,
        Self::KeyValues,
        Self::KeyUses,
        Self::KeyHours,
        Self::FileChecks,
        Self::FileAlerts,
        Self::Sightings,
        Self::BaselineLines,
    ];

    /// Deletes at most [`SLICE`] rows by one statement; how many.
    async fn delete_slice(self, tx: &mut Tx, now: Time) -> Result<u64, Error> {
        let (over, kept) = (now.minus(MARGIN), now.minus(KEPT));
        match self {
            Self::Throttle => throttle::sweep(tx, over, SLICE).await,
            Self::Lockouts => lockouts::sweep(tx, over, SLICE).await,
            Self::SpentTokens => csrf_spent::sweep(tx, over, SLICE).await,
            Self::Credentials => credentials::sweep(tx, kept, SLICE).await,
            Self::Sessions => sessions::sweep(tx, kept, SLICE).await,
            Self::RememberSeries => remember::sweep(tx, kept, SLICE).await,
            Self::Outbox => outbox::sweep(tx, kept, SLICE).await,
            Self::Invalidations => invalidations::sweep(tx, SLICE).await,
            Self::OneTimeLinks => one_time_links::sweep(tx, kept, SLICE).await,
            Self::OneTimeCodes => one_time_codes::sweep(tx, kept, SLICE).await,
            Self::TrustedDevices => trusted_devices::sweep(tx, kept, SLICE).await,
            Self::SignInTickets => sign_in_tickets::sweep(tx, over, SLICE).await,
            Self::PendingFactors => factors::sweep(tx, over, SLICE).await,
            Self::KeyValues => key_rows::sweep_values(tx, kept, SLICE).await,
            Self::KeyUses => key_rows::usage::sweep(tx, kept, SLICE).await,
            Self::KeyHours => key_rows::usage::sweep_hours(tx, kept.minus(MARGIN)).await,
            Self::FileAlerts => integrity::alerts::sweep(tx, now.minus(ALERTS_KEPT), SLICE).await,
            Self::FileChecks => integrity::checks::sweep(tx, kept, SLICE).await,
            Self::BaselineLines => integrity::baselines::forget_lines(tx, kept).await,
            Self::Sightings => integrity::sightings::sweep(tx, SLICE).await,
            Self::Nodes => node_rows::sweep(tx, over, SLICE).await,
            Self::SigningKeys => signing_key_rows::sweep(tx, kept, SLICE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use portcullis_domain::event::EndReason;
    use portcullis_domain::id::SessionId;
    use portcullis_store::csrf_spent::Spend;

    use super::*;
    use crate::verify::tests::{NOW, SignedIn};

    #[tokio::test]
    async fn the_tokens_of_the_dead_go_and_those_of_the_living_stay() {
        let people = SignedIn::open().await;
        let ([dead, living], later) = (&people.sessions, NOW.plus(MARGIN * 2));
        let nonces: Vec<[u8; 12]> = (0..2_500_u32).map(nonce).collect();
        for session in [dead, living] {
            assert_eq!(spend(&people.db, session, &nonces).await, nonces.len());
        }
        let mut tx = people.db.write().await.unwrap();
        sessions::end(&mut tx, dead, EndReason::Logout, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let stopping = CancellationToken::new();
        stopping.cancel();
        sweep(&people.db, later, &stopping).await.unwrap();
        assert_eq!(left_behind(&people.db, later).await.len(), 1, "a server that stops");
        sweep(&people.db, later, &CancellationToken::new()).await.unwrap();
        assert_eq!(left_behind(&people.db, later).await, []);
        let mut tx = people.db.write().await.unwrap();
        assert_eq!(csrf_spent::forget(&mut tx, slice::from_ref(dead), 1).await.unwrap(), 0);
        drop(tx);
        assert_eq!(spend(&people.db, living, &nonces).await, 0);
    }

    fn nonce(number: u32) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        nonce
    }

    /// How many of the tokens were not spent before.
    async fn spend(db: &Db, session: &SessionId, nonces: &[[u8; 12]]) -> usize {
        let expires_at = NOW.plus(KEPT);
        let spends: Vec<Spend<'_>> = nonces
            .iter()
            .map(|nonce| Spend { session, nonce: *nonce, csrf_epoch: 0, expires_at })
            .collect();
        let mut tx = db.write().await.unwrap();
        let won = csrf_spent::spend(&mut tx, &spends).await.unwrap();
        tx.commit().await.unwrap();
        won.into_iter().filter(|won| *won).count()
    }

    async fn left_behind(db: &Db, now: Time) -> Vec<SessionId> {
        let mut tx = db.read().await.unwrap();
        csrf_spent::left_behind(&mut tx, now.minus(MARGIN), 9).await.unwrap()
    }
}
