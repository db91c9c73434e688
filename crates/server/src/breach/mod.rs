//! Where breached passwords are known: the built-in list, an index in a file, a service. Not here: in which
//! order they are asked and what is made of their answers (`flows::breach`).

mod breaker;
mod offline;
mod online;
mod signed;

use std::sync::Arc;

use portcullis_breach::{Common, Progress, Sha1};
use portcullis_domain::password::normalise;
use tokio::sync::Semaphore;

pub use offline::{Offline, Standing, watch};
pub use online::{Answered, Known, NotAnswered, Online};
pub use signed::{NotUsed, open};

use crate::config;
use crate::outgoing::TrustFault;
use crate::telemetry::Telemetry;
use crate::telemetry::breach_checks::BreachChecks;

/// All that can be asked.
pub struct Breach {
    pub common: Common,
    /// `None` where no file is configured.
    pub offline: Option<Offline>,
    pub online: Online,
    /// How many passwords of sign-ins may be looked up at the same time.
    pub turns: Arc<Semaphore>,
    pub checks: BreachChecks,
}

/// More need not be looked up at once: they are at their next sign-in.
const TURNS: usize = 64;

impl Breach {
    /// As the configuration has it. An index that cannot be used is logged, and stops nothing.
    pub fn new(config: &config::Breach) -> Result<Self, TrustFault> {
        let key = config.index_key.as_ref();
        Ok(Self {
            common: Common::default(),
            offline: config.offline_index.as_deref().map(|file| Offline::open(file, key)),
            online: Online::new(&config.range_url)?,
            turns: Arc::new(Semaphore::new(TURNS)),
            checks: BreachChecks::default(),
        })
    }

    /// As a command asks them, which ends before anybody else would have read an index that must be signed: all of
    /// it is read now.
    pub fn of_command(config: &config::Breach) -> Result<Self, TrustFault> {
        let breach = Self::new(config)?;
        if let Some(offline) = breach.offline.as_ref().filter(|_| config.index_key.is_some()) {
            offline.look(&Progress::default());
        }
        Ok(breach)
    }

    /// Counts there from now on.
    #[must_use]
    pub fn counted_by(self, telemetry: &Telemetry) -> Self {
        Self { checks: telemetry.metrics.breach_checks.clone(), ..self }
    }
}

/// The hashes by which a password may be known: of the bytes that were typed, and of its normal form, if
/// that is another. What was breached somewhere was hashed there as it came.
pub fn hashes(password: &str) -> Vec<Sha1> {
    let mut hashes = vec![Sha1::of(password.as_bytes()), Sha1::of(normalise(password).as_bytes())];
    hashes.dedup();
    hashes
}
