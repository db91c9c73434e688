//! The limits that are in force: those of the configuration, and in their place what administrators
//! set while the server ran. One value in memory, which requests read without asking the store; every
//! node looks for changes every [`EVERY`].
//!
//! Not here: who may change them (`flows::limits::change`), and what they count.

use std::time::Duration;

use portcullis_domain::limits::{Limits, Tunable};
use portcullis_domain::throttle::parse_limit;
use portcullis_store::settings::{self, Setting};
use portcullis_store::{Db, Error};
use tokio::sync::{Mutex, watch};

use crate::app::App;
use crate::fault::in_time;

/// How often a node looks for what others changed.
pub const EVERY: Duration = Duration::from_secs(2);

/// What the names of these settings begin with.
const PREFIX: &str = "limits.";

/// The limits that are in force.
pub struct LiveLimits {
    configured: Limits,
    in_force: watch::Sender<Limits>,
    /// One look at a time, so that an older one never overwrites a newer one.
    looking: Mutex<()>,
}

impl LiveLimits {
    /// Until the first look, the configuration's.
    pub fn new(configured: Limits) -> Self {
        Self { configured, in_force: watch::Sender::new(configured), looking: Mutex::default() }
    }

    /// What is in force.
    pub fn in_force(&self) -> Limits {
        *self.in_force.borrow()
    }

    /// What the configuration says.
    pub fn configured(&self) -> Limits {
        self.configured
    }

    /// Looks at what is set, and puts it in force.
    pub async fn refresh(&self, db: &Db) -> Result<(), Error> {
        let _turn = self.looking.lock().await;
        let set = settings::all(&mut db.read_once().await?).await?;
        let limits = with_settings(self.configured, &set);
        self.in_force.send_if_modified(|now| std::mem::replace(now, limits) != limits);
        Ok(())
    }
}

/// Looks for changes until the server stops. While the store cannot be read, what was in force stays.
pub async fn follow(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = in_time(app.limits.refresh(&app.db)).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "changes of limits cannot be read");
        }
    }
}

/// The name of a limit among the settings.
pub fn setting_name(tunable: Tunable) -> String {
    format!("{PREFIX}{}", tunable.key())
}

/// A setting that cannot be read, because a newer program wrote it, leaves the configuration's value.
fn with_settings(configured: Limits, set: &[Setting]) -> Limits {
    set.iter().fold(configured, |limits, setting| {
        let key = setting.name.strip_prefix(PREFIX).and_then(Tunable::of_key);
        match (key, parse_limit(&setting.value)) {
            (Some(tunable), Ok(value)) => limits.with(tunable, value),
            (None, _) | (_, Err(_)) => limits,
        }
    })
}

#[cfg(test)]
mod tests {
    use portcullis_domain::throttle::Limit;
    use portcullis_domain::time::Time;

    use super::*;

    #[test]
    fn settings_stand_in_place_of_the_configuration() {
        let five = Some(Limit { count: 5, period: Duration::from_mins(1) });
        let configured = Limits { login: five, requests: five, ..Limits::default() };
        let check = |name: &str, value: &str, expected: Limits| {
            let setting = Setting {
                name: name.to_owned(),
                value: value.to_owned(),
                changed_by: None,
                changed_at: Time(0),
            };
            assert_eq!(with_settings(configured, &[setting]), expected, "{name} {value}");
        };
        let nine = Some(Limit { count: 9, period: Duration::from_mins(1) });
        check("limits.login", "9/60s", Limits { login: nine, ..configured });
        check("limits.login", "off", Limits { login: None, ..configured });
        check("limits.upstream", "9/60s", Limits { upstream: nine, ..configured });
        for (name, value) in [("login", "9/60s"), ("limits.login", "soon"), ("limits.x", "9/60s")] {
            check(name, value, configured);
        }
        for tunable in Tunable::ALL {
            assert_eq!(
                Tunable::of_key(setting_name(tunable).trim_start_matches(PREFIX)),
                Some(tunable)
            );
        }
    }
}
