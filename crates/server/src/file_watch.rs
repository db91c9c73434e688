//! When the files are looked at without anybody asking: at the start of the server, on a schedule, and,
//! where changes are watched, as soon as the system tells of one. Not here: looking (`flows::integrity`).

mod heard;
mod watching;

use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::id::CheckId;
use portcullis_domain::integrity::Cause;

use crate::app::App;
use crate::flows::integrity::check::{self, Begun};
use crate::flows::integrity::{Fault, Monitor, coverage, deployment, schedule};

/// How often it is looked whether it is time.
const EVERY: Duration = Duration::from_secs(10);

/// Checks at the start and on schedule, until the server stops.
pub async fn run(app: App) {
    if let Err(fault) = tell_of_removed(&app).await {
        let error = &fault as &dyn std::error::Error;
        tracing::warn!(error, "it is not known which folders are watched no longer");
    }
    if app.config.integrity.roots.is_empty() {
        return;
    }
    // Before the check at the start, so that it sees all that was not heard of.
    watching::begin(&app).await;
    let mut cause = Some(Cause::Start);
    loop {
        match look(&app, cause).await {
            Ok(waiting) => cause = waiting,
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "the schedule of checks of the files was not looked at");
            }
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Tells of folders that were watched and are not in the configuration any more.
pub async fn tell_of_removed(app: &App) -> Result<(), Fault> {
    let context = Context::default();
    coverage::removed(&Monitor::of(app, &context)).await?;
    Ok(())
}

/// Begins a check if it is time, and ends what is over. A check that waits for another one, which may be
/// that of a process which is gone, is given back.
pub async fn look(app: &App, cause: Option<Cause>) -> Result<Option<Cause>, Fault> {
    let context = Context::default();
    let monitor = Monitor::of(app, &context);
    check::find_interrupted(&monitor).await?;
    deployment::expire(&monitor).await?;
    let due = if schedule::is_due(&monitor).await? { Some(Cause::Schedule) } else { None };
    let Some(cause) = cause.or(due) else { return Ok(None) };
    match check::begin(&monitor, cause).await? {
        Begun::Started(id) => spawn_check(app, id, context),
        Begun::Running(_) => return Ok(Some(cause)),
        Begun::NoRoots => {}
    }
    Ok(None)
}

/// Runs a check that was begun, beside everything else.
pub fn spawn_check(app: &App, id: CheckId, context: Context) {
    let own = app.clone();
    app.spawn(async move {
        let monitor = Monitor::of(&own, &context);
        // Large, and carried by every future above it.
        let ended = Box::pin(check::run(&monitor, id, &own.stopping)).await;
        tracing::info!(
            check = id.as_str(),
            state = ended.state.as_str(),
            scanned = ended.counts.scanned,
            violations = ended.counts.violations,
            alerts = ended.counts.alerts,
            unverifiable = ended.counts.unverifiable,
            "the files were checked"
        );
    });
}
