//! Changing a limit while the server runs: judged like the configuration, kept in the store with
//! its event, in force here at once and on other nodes when they next look. The operator at the command
//! line is bound by the configuration's rules alone.

use portcullis_domain::event::{Event, Text};
use portcullis_domain::limits::{Limits, Tunable, Unfit, parse_change, written};
use portcullis_domain::throttle::Limit;
use portcullis_store::Error;
use portcullis_store::settings::{self, Setting};

use crate::app::App;
use crate::flows::roles::Acting;
use crate::live_limits::setting_name;

/// What became of changing a limit.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    Done,
    /// It was so already.
    Unchanged,
    Unfit(Unfit),
    /// Somebody else changed it at the same moment.
    Overtaken,
}

/// What is to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the configuration says.
    Configured,
    /// `None`: no limit.
    Value(Option<Limit>),
}

/// Puts a value in force; `None` gives the configuration's back.
pub async fn change(
    app: &App,
    acting: &Acting<'_>,
    tunable: Tunable,
    wanted: Option<&str>,
) -> Result<Change, Error> {
    let wanted = match wanted.map(|text| parse_change(tunable, text)).transpose() {
        Ok(wanted) => wanted.map_or(Wanted::Configured, Wanted::Value),
        Err(unfit) => return Ok(Change::Unfit(unfit)),
    };
    let changed = put(acting, app.limits.configured(), tunable, wanted).await?;
    if changed != Change::Done {
        return Ok(changed);
    }
    if let Err(error) = app.limits.refresh(acting.db).await {
        // It is done; this node sees it like the others, when it next looks.
        tracing::warn!(error = &error as &dyn std::error::Error, "the limits were not read anew");
    }
    Ok(Change::Done)
}

/// Keeps what is wanted, whatever it is; it is in force when nodes next look.
pub async fn put(
    acting: &Acting<'_>,
    configured: Limits,
    tunable: Tunable,
    wanted: Wanted,
) -> Result<Change, Error> {
    let name = setting_name(tunable);
    let mut tx = acting.db.write().await?;
    let before = settings::get(&mut tx, &name).await?;
    let configured = written(configured.of(tunable));
    let old = before.as_ref().map_or(configured.clone(), |before| before.value.clone());
    let (won, new) = match (&before, wanted) {
        (None, Wanted::Configured) => return Ok(Change::Unchanged),
        (Some(before), Wanted::Configured) => {
            (settings::remove(&mut tx, before).await?, configured)
        }
        (before, Wanted::Value(limit)) => {
            let value = written(limit);
            if before.as_ref().is_some_and(|before| before.value == value) {
                return Ok(Change::Unchanged);
            }
            let (changed_by, changed_at) = (acting.context.actor, acting.now);
            let new = Setting { name, value: value.clone(), changed_by, changed_at };
            (settings::replace(&mut tx, before.as_ref(), &new).await?, value)
        }
    };
    if !won {
        return Ok(Change::Overtaken);
    }
    let event = Event::LimitChanged {
        limit: tunable.key(),
        before: Text::clip(&old),
        after: Text::clip(&new),
        is_configured: wanted == Wanted::Configured,
    };
    acting.record(&mut tx, &event, None).await?;
    tx.commit().await?;
    Ok(Change::Done)
}
