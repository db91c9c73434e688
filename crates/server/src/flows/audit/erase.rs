//! Taking a person out: of the account and all that hangs on it, and of the log, whose entries stay with
//! a number that leads to nobody. One transaction, of which the last event says that it was done. Not
//! here: what was handed on before, in backups, bundles and webhooks.

use std::time::Duration;

use portcullis_domain::account::AccountStatus;
use portcullis_domain::administration::Act;
use portcullis_domain::audit::entry::Person;
use portcullis_domain::erasure::Basis;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::id::UserId;
use portcullis_domain::role::Level;
use portcullis_store::audit::people;
use portcullis_store::{Db, Error, users};

use super::AuditLog;
use crate::app::App;
use crate::flows::administration::{Desk, Halt};
use crate::flows::barrier;
use crate::flows::limits::fingerprints;
use crate::flows::users::depart;

/// What was taken out of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The number that stands for the person; `None` if he was never in the log.
    pub person: Option<Person>,
    /// How many entries had personal data of his.
    pub entries: u64,
}

/// So often is the log of the database folded, while somebody reads what is in it.
const FOLDS: u32 = 20;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Erases somebody in the name of whoever sent a request. When this returns no node lets in what he
/// had; his bytes go from the disk a little later.
pub async fn by_request(
    app: &App,
    context: &Context,
    id: UserId,
    basis: &Basis,
) -> Result<Erased, Halt> {
    let desk = Desk::open(app, context).await?;
    let erased = erase(&app.audit, desk, id, basis).await?;
    barrier::felt_everywhere(app).await;
    let db = app.db.clone();
    app.spawn(async move {
        match fold(&db).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("somebody was erased whose bytes are still being read"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "somebody was erased whose bytes may still be on the disk");
            }
        }
    });
    Ok(erased)
}

/// Makes what was deleted go from the disk; `false` if somebody read it all the while.
pub async fn fold(db: &Db) -> Result<bool, Error> {
    for _ in 0..FOLDS {
        if db.fold().await? {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}

/// Erases somebody, also one whose account was deleted before. The caller waits until it is felt.
pub async fn erase(
    log: &AuditLog,
    desk: Desk<'_>,
    id: UserId,
    basis: &Basis,
) -> Result<Erased, Halt> {
    let mut desk = desk;
    let mut account = desk.anybody(id).await?;
    if account.user.status == AccountStatus::Deleted {
        // What the account was allowed is forgotten, so it may have been everything.
        account.target.role.level = Level::MAX;
    }
    desk.judge(&account, Act::Delete)?;
    // Known by these until the account is gone.
    let names = fingerprints(&account.user);
    if account.user.status != AccountStatus::Deleted {
        depart(&mut desk, &account).await?;
    }
    // What he did a moment ago comes into the log under his number, and goes with the rest.
    if let Err(fault) = log.settle_in(&mut desk.tx, desk.now).await {
        let error = &fault as &dyn std::error::Error;
        tracing::error!(error, "nobody can be erased, because the audit log does not go on");
        return Err(Error::Unavailable.into());
    }
    let found = people::erase(&mut desk.tx, id, desk.now).await?;
    if !users::erase(&mut desk.tx, id, &names, desk.now).await? {
        return Err(Halt::Conflict("already_erased"));
    }
    let erased = Erased {
        person: found.map(|found| found.person),
        entries: found.map_or(0, |found| found.entries),
    };
    let Erased { person, entries } = erased;
    desk.record(&Event::PersonErased { person, entries, basis: basis.text() }, None).await?;
    desk.close().await?;
    Ok(erased)
}
