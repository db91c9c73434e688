//! The job that delivers what is in the outbox. A message is claimed before it is sent, so that no two
//! nodes send it, and what came of it is written down after; a crash between the two is the one thing
//! that can make a message arrive twice.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_domain::delivery::{self, Undelivered};
use portcullis_domain::event::{Context, Event, Text};
use portcullis_domain::time::Time;
use portcullis_store::outbox::{self, Mail as Row};
use portcullis_store::{Error, Tx};
use tokio::sync::{Notify, Semaphore};

use super::condition::Allowed;
use super::sending::Sending;
use super::smtp;
use crate::app::App;
use crate::flows::record;

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Messages that are sent at once: a server that is slow with one does not hold up the others.
const PARALLEL: usize = 8;
/// How much is given up by one statement.
const SLICE: u32 = 500;
/// How long a message that is being sent may go on once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(20);
/// How often it is tried to write down what came of a message, a second apart.
const NOTES: u32 = 30;

/// Whoever has claimed a message has also written down what came of it before another may claim it.
const _: () = assert!(smtp::WHOLE.as_secs() + NOTES as u64 * 2 < outbox::LEASE.as_secs());

/// Delivers what is due, until the server stops.
pub async fn run(app: App) {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let more = Arc::new(Notify::new());
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
            () = more.notified() => {}
        }
        let free = places.available_permits();
        match look(&app, free).await {
            Ok(due) => {
                if due.is_empty() && free == PARALLEL {
                    let app = app.clone();
                    app.clone().spawn(async move { app.mailer.rest().await });
                }
                for row in due {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                    let (app, more) = (app.clone(), Arc::clone(&more));
                    app.clone().spawn(async move {
                        deliver(&app, row).await;
                        drop(place);
                        more.notify_one();
                    });
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the outbox was not read");
            }
        }
    }
}

/// Delivers what is due now, and returns when it is known what came of it.
pub async fn deliver_due(app: &App) -> Result<(), Error> {
    loop {
        let due = look(app, PARALLEL).await?;
        if due.is_empty() {
            return Ok(());
        }
        join_all(due.into_iter().map(|row| deliver(app, row))).await;
    }
}

/// Gives up what is worth nothing any more, and claims what may be sent now: no more than there are
/// places for.
async fn look(app: &App, free: usize) -> Result<Vec<Row>, Error> {
    let now = app.clock.now();
    let mut tx = app.db.read_once().await?;
    let is_due = outbox::is_due(&mut tx, now).await?;
    drop(tx);
    if !is_due {
        return Ok(Vec::new());
    }
    let at_most = match app.mailer.condition.allows(now) {
        Allowed::AsManyAsFit => free,
        Allowed::One if free == PARALLEL => 1,
        Allowed::One | Allowed::None => 0,
    };
    let mut tx = app.db.write().await?;
    for id in outbox::give_up_expired(&mut tx, now, SLICE).await? {
        note_undelivered(app, &mut tx, id, Undelivered::Expired, now).await?;
    }
    let due = match i64::try_from(at_most) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(at_most) => outbox::claim(&mut tx, now, at_most).await?,
    };
    tx.commit().await?;
    Ok(due)
}

/// Sends one message that was claimed. When the server stops it is left to whoever claims it next.
async fn deliver(app: &App, row: Row) {
    let cut_off = async {
        app.stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let sending = tokio::select! {
        sending = app.mailer.deliver(&row) => sending,
        () = cut_off => return,
    };
    let now = app.clock.now();
    let next = judge(app, &row, &sending, now);
    for _ in 0..NOTES {
        match settle(app, &row, next).await {
            Ok(()) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, id = row.id, "what came of a message is not written down");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
    tracing::warn!(id = row.id, "what came of a message could not be written down; it comes again");
}

/// What becomes of a message.
#[derive(Clone, Copy)]
enum Next {
    Sent,
    Again(Time),
    Never,
}

/// Tells the condition and the figures, and decides. A message is not tried again after its life, but
/// at its end once more, when it is given up.
fn judge(app: &App, row: &Row, sending: &Sending, now: Time) -> Next {
    let [random] = app.random.bytes();
    let (outcome, next) = match sending {
        Sending::Taken(_) => ("sent", Next::Sent),
        Sending::Refused(why) => {
            tracing::warn!(id = row.id, why, "a message was refused for good");
            ("refused", Next::Never)
        }
        Sending::NotNow(why) => {
            tracing::debug!(id = row.id, why, "a message has to wait");
            ("late", Next::Again(now.plus(delivery::wait(row.attempts, random))))
        }
        Sending::Down(trouble) => {
            ("late", Next::Again(app.mailer.condition.is_down(trouble, now, random)))
        }
    };
    app.telemetry.metrics.mail(outcome);
    if !matches!(sending, Sending::Down(_)) {
        app.mailer.condition.works(now);
    }
    match (next, row.worth_until) {
        (Next::Again(at), Some(worth_until)) => Next::Again(at.min(worth_until)),
        (next, _) => next,
    }
}

async fn settle(app: &App, row: &Row, next: Next) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    match next {
        Next::Sent => drop(outbox::sent(&mut tx, &row.id, now).await?),
        Next::Again(at) => drop(outbox::late(&mut tx, &row.id, row.attempts, at).await?),
        Next::Never => {
            if outbox::give_up(&mut tx, &row.id, Undelivered::Refused, now).await? {
                note_undelivered(app, &mut tx, row.id.clone(), Undelivered::Refused, now).await?;
            }
        }
    }
    tx.commit().await
}

async fn note_undelivered(
    app: &App,
    tx: &mut Tx,
    id: String,
    why: Undelivered,
    now: Time,
) -> Result<(), Error> {
    if why == Undelivered::Expired {
        app.telemetry.metrics.mail(why.word());
    }
    let event = Event::MailUndelivered { id: Text::clip(&id), reason: why };
    record(tx, app.random, &event, &Context::default(), now).await
}
