//! What stands beside the entries and is looked at as a whole: who the people of the log are, what waits
//! for its place, when something was signed, and whether the guards are there. Not here: the entries.

use portcullis_domain::audit::entry::Entry;
use portcullis_domain::audit::fault::{Fault, Faults};
use portcullis_domain::time::Time;
use portcullis_store::audit::{checkpoints, examine, pending, rejected};
use portcullis_store::{Db, Error};

use super::range::Standing;
use super::{Ask, Extent, TOLERANCE, Verdict};
use crate::flows::audit::checkpoint::AGE;

/// So many people are read at once.
const TOGETHER: u32 = 4096;

/// Looks at all of it.
pub(super) async fn look(ask: &Ask, verdict: &mut Verdict) -> Result<(), Error> {
    let mut faults = Faults::default();
    if ask.extent == Extent::Whole {
        people(ask, &mut faults).await?;
    }
    waiting(&ask.db, &mut faults).await?;
    signed(ask, verdict, &mut faults).await?;
    for name in examine::missing_guards(&mut ask.db.read_once().await?).await? {
        faults.add(Fault::GuardMissing { name });
    }
    verdict.faults.append(faults);
    Ok(())
}

/// Everybody stands for the user for whom he was made.
async fn people(ask: &Ask, faults: &mut Faults) -> Result<(), Error> {
    let mut after = -1;
    loop {
        let some = examine::people(&mut ask.db.read_once().await?, after, TOGETHER).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = last.number;
        for found in &some {
            if let Standing::Altered(person) = Standing::of(found, &ask.keys) {
                faults.add(Fault::PersonAltered { person });
            }
        }
    }
}

/// Whatever waits was written by this program, and so was all that ever did.
async fn waiting(db: &Db, faults: &mut Faults) -> Result<(), Error> {
    let mut tx = db.read().await?;
    let count = pending::forged(&mut tx).await?;
    if count > 0 {
        faults.add(Fault::PendingForged { count });
    }
    if let Some(rejected::Told { index, count }) = rejected::told(&mut tx).await? {
        faults.add(Fault::PendingRejected { index, count });
    }
    Ok(())
}

/// Nothing was signed in the future, and something was signed.
async fn signed(ask: &Ask, verdict: &Verdict, faults: &mut Faults) -> Result<(), Error> {
    let mut tx = ask.db.read().await?;
    let newest = checkpoints::newest(&mut tx).await?;
    for kept in examine::checkpoints_since(&mut tx, ask.now.plus(TOLERANCE)).await? {
        faults.add(Fault::Future { size: kept.size, at: kept.at });
    }
    if newest.is_some() {
        return Ok(());
    }
    let first = examine::entries(&mut tx, verdict.pruned, verdict.pruned + 1).await?;
    let since =
        first.rows()?.first().and_then(|kept| Entry::read(kept.leaf)).map(|entry| entry.logged);
    let is_overdue = |since: &Time| ask.now.since(*since) > AGE.saturating_mul(2);
    if let Some(since) = since.filter(is_overdue) {
        faults.add(Fault::NeverSigned { since });
    }
    Ok(())
}
