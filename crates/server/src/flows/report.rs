//! The security report: reads what the domain puts together, all of it from one snapshot, so that
//! every figure speaks of the same log. Not here: what counts for what, and how it is shown.

use portcullis_domain::report::{
    Audit, Checkpoint, Found, Gap, Log, MOST_GAPS, Node, Parts, Period, Report, Verified,
    silent_hours,
};
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;
use portcullis_store::audit::{checkpoints, pending, tree};
use portcullis_store::report::posture;
use portcullis_store::{Db, Error, Tx, report as rows};

use super::audit::watch::Kept;
use super::audit::{self, Trouble, When, watch};
use crate::app::App;

/// What a report is asked for with.
pub struct Asked {
    pub period: Period,
    /// The limit of lock-out that is in force.
    pub lockout: Option<Limit>,
    /// What the server that is asked knows of itself; `None` at the command line.
    pub node: Option<Node>,
    pub now: Time,
}

/// The report of a server that runs: of all that has happened until now, under a checkpoint that
/// covers it.
pub async fn of_server(app: &App, period: Period) -> Result<Report, Error> {
    audit::settle(app).await;
    let (lockout, now) = (app.limits.in_force().lockout, app.clock.now());
    if let Err(error) = app.audit.checkpoint(now, When::Now).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a report has an older checkpoint"
        );
    }
    let trouble = app.audit.trouble();
    let node = Node {
        is_discontinued: matches!(trouble, Some(Trouble::NotSigned(_))),
        is_anchor_lost: trouble == Some(Trouble::Anchor),
    };
    count(&app.db, Asked { period, lockout, node: Some(node), now }).await
}

/// Counts what is in the log.
pub async fn count(db: &Db, asked: Asked) -> Result<Report, Error> {
    let Asked { period, lockout, node, now } = asked;
    let kept = watch::kept(db).await?;
    let mut tx = db.read().await?;
    let counts = rows::counts(&mut tx, &period.spans()).await?;
    let previous = rows::counts(&mut tx, &period.previous().spans()).await?;
    let (log, pruned) = log(&mut tx, kept).await?;
    let mut standing = posture::standing(&mut tx, lockout, now).await?;
    let unsequenced = signed(pending::waiting(&mut tx).await?.events);
    standing.audit = audit_state(&log, unsequenced, node, now);
    let silences = silences(&mut tx, &period, now).await?;
    let begins = rows::begins(&mut tx).await?;
    let found = Found { begins, pruned, unsequenced, silences };
    Ok(Report::of(Parts { period, counts, previous, standing, found, log, now }))
}

/// The log, and how many of its entries are gone.
async fn log(tx: &mut Tx, kept: Option<Kept>) -> Result<(Log, i64), Error> {
    let Some(tree) = tree::read(tx).await? else { return Ok((Log::default(), 0)) };
    let checkpoint = checkpoints::newest(tx).await?.map(|newest| Checkpoint {
        size: signed(newest.size),
        at: newest.at,
        note: newest.note,
    });
    let verified = kept.map(|kept| Verified {
        at: kept.at,
        entries: signed(kept.entries),
        faults: signed(kept.faults),
    });
    let log = Log { origin: tree.origin, size: signed(tree.size), checkpoint, verified };
    Ok((log, signed(tree.pruned)))
}

fn audit_state(log: &Log, unsequenced: i64, node: Option<Node>, now: Time) -> Audit {
    let checkpoint = log.checkpoint.as_ref();
    Audit {
        unsequenced,
        checkpoint_age: checkpoint.map(|checkpoint| now.since(checkpoint.at)),
        unsigned: (log.size - checkpoint.map_or(0, |checkpoint| checkpoint.size)).max(0),
        size: log.size,
        verified: log.verified.map(|verified| (now.since(verified.at), verified.faults)),
        node,
    }
}

/// Times in which nothing was written, as exactly as the log knows them.
async fn silences(tx: &mut Tx, period: &Period, now: Time) -> Result<Vec<Gap>, Error> {
    let Some(begins) = rows::begins(tx).await? else { return Ok(Vec::new()) };
    let hours = rows::hours(tx, period.first_hour(), period.end).await?;
    let mut silences = Vec::new();
    for (number, (from, to)) in silent_hours(period, begins, now, &hours).into_iter().enumerate() {
        if number < MOST_GAPS {
            let (before, after) = rows::around(tx, from, to).await?;
            silences.push(Gap::between(before, after, (from, to), now));
        } else {
            silences.push(Gap { from, to });
        }
    }
    Ok(silences)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
