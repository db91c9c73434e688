//! How the limits stand: each with its value and where that comes from, who is locked out, and which
//! accounts take no password. For whoever looks after them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use portcullis_domain::id::UserId;
use portcullis_domain::limits::{Limits, Tunable};
use portcullis_domain::throttle::Limit;
use portcullis_domain::time::Time;
use portcullis_store::settings::{self, Setting};
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx, lockouts, throttle};

use super::{ADDRESS_FACTOR, Counter, Locked};
use crate::app::App;
use crate::live_limits::{LiveLimits, setting_name};

/// Lock-outs that are listed at most.
pub const LISTED: i64 = 200;

/// How everything stands now.
pub struct Overview {
    /// Each with how many windows are used up just now: those of requests on this node alone.
    pub limits: Vec<(Standing, i64)>,
    pub lockouts: Vec<Lockout>,
    /// Accounts that take no password, because too many were wrong.
    pub disabled: Vec<User>,
}

/// A limit.
pub struct Standing {
    pub tunable: Tunable,
    pub value: Option<Limit>,
    /// What the configuration says.
    pub configured: Option<Limit>,
    /// What it says where nothing is written.
    pub default: Option<Limit>,
    /// Set while the server ran.
    pub changed: Option<Changed>,
}

impl Standing {
    /// Where the value comes from.
    pub fn source(&self) -> &'static str {
        match &self.changed {
            Some(_) => "changed",
            None if self.configured == self.default => "default",
            None => "config",
        }
    }
}

/// Who set a limit, and when.
pub struct Changed {
    /// `None`: the operator, or somebody who is no longer here.
    pub by: Option<String>,
    pub at: Time,
}

/// A lock-out that is going on.
pub struct Lockout {
    pub user: User,
    pub what: Locked,
    pub failures: u32,
    pub until: Time,
}

/// How one account stands.
pub struct Account {
    pub user: User,
    /// Wrong passwords in a row, from anywhere.
    pub failures: i64,
    pub takes_password: bool,
    pub lockouts: Vec<Lockout>,
}

/// Looks at everything.
pub async fn overview(app: &App, default: Limits) -> Result<Overview, Error> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let lockouts = lockouts(&mut tx, app.limits.in_force().lockout, None, now).await?;
    let mut limits = Vec::new();
    for standing in standings(&mut tx, &app.limits, default).await? {
        let Standing { tunable, value, .. } = standing;
        let number = exhausted(app, &mut tx, tunable, value, lockouts.len(), now).await?;
        limits.push((standing, number));
    }
    let disabled = users::password_disabled(&mut tx, LISTED).await?;
    Ok(Overview { limits, lockouts, disabled })
}

/// Looks at the limits alone, in the order of the configuration.
pub async fn standings(
    tx: &mut Tx,
    limits: &LiveLimits,
    default: Limits,
) -> Result<Vec<Standing>, Error> {
    let set = settings::all(tx).await?;
    let (in_force, configured) = (limits.in_force(), limits.configured());
    let mut standings = Vec::new();
    for tunable in Tunable::ALL {
        standings.push(Standing {
            tunable,
            value: in_force.of(tunable),
            configured: configured.of(tunable),
            default: default.of(tunable),
            changed: changed(tx, &set, tunable).await?,
        });
    }
    Ok(standings)
}

/// Looks at one account; `None` if there is none.
pub async fn account(app: &App, id: UserId) -> Result<Option<Account>, Error> {
    let mut tx = app.db.read().await?;
    let Some(user) = users::by_id(&mut tx, id).await? else { return Ok(None) };
    let Some(password) = users::password(&mut tx, id).await? else { return Ok(None) };
    let limit = app.limits.in_force().lockout;
    let lockouts = lockouts(&mut tx, limit, Some(id), app.clock.now()).await?;
    let (failures, takes_password) = (password.failures, !password.disabled);
    Ok(Some(Account { user, failures, takes_password, lockouts }))
}

async fn changed(tx: &mut Tx, set: &[Setting], tunable: Tunable) -> Result<Option<Changed>, Error> {
    let name = setting_name(tunable);
    let Some(setting) = set.iter().find(|setting| setting.name == name) else { return Ok(None) };
    let by = match setting.changed_by {
        Some(id) => users::by_id(tx, id).await?.map(|user| user.email.to_string()),
        None => None,
    };
    Ok(Some(Changed { by, at: setting.changed_at }))
}

async fn exhausted(
    app: &App,
    tx: &mut Tx,
    tunable: Tunable,
    limit: Option<Limit>,
    lockouts: usize,
    now: Time,
) -> Result<i64, Error> {
    let Some(limit) = limit else { return Ok(0) };
    let in_memory = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    match tunable {
        Tunable::Login => {
            let codes = used_up(tx, Counter::Code, limit, now).await?;
            Ok(codes + used_up(tx, Counter::Login, limit, now).await?)
        }
        Tunable::Sensitive => used_up(tx, Counter::Sensitive, limit, now).await,
        Tunable::Lockout => Ok(in_memory(lockouts)),
        Tunable::Requests => Ok(in_memory(app.limiter.used_up(limit, now))),
        Tunable::Upstream => Ok(in_memory(app.upstream_limiter.used_up(limit, now))),
    }
}

/// Windows of a name, and those of an address, whose limit is another.
async fn used_up(tx: &mut Tx, counter: Counter, limit: Limit, now: Time) -> Result<i64, Error> {
    let every = format!("{}:%", counter.word());
    let of_names = throttle::used_up(tx, &every, limit, now).await?;
    let all = limit.times(ADDRESS_FACTOR);
    Ok(of_names + throttle::used_up(tx, &every, all, now).await?)
}

async fn lockouts(
    tx: &mut Tx,
    limit: Option<Limit>,
    user: Option<UserId>,
    now: Time,
) -> Result<Vec<Lockout>, Error> {
    let Some(limit) = limit else { return Ok(Vec::new()) };
    let since = now.minus(limit.period);
    let found = lockouts::of_users(tx, user, limit.count, since, LISTED).await?;
    let mut known: HashMap<UserId, Option<User>> = HashMap::new();
    let mut listed = Vec::new();
    for one in found {
        if let Entry::Vacant(slot) = known.entry(one.user) {
            slot.insert(users::by_id(tx, one.user).await?);
        }
        // Of a user who was deleted nothing is left but the count.
        let Some(Some(user)) = known.get(&one.user) else { continue };
        listed.push(Lockout {
            user: user.clone(),
            what: Locked::read(&one.what),
            failures: one.failures.count,
            until: one.failures.last.plus(limit.period),
        });
    }
    Ok(listed)
}
