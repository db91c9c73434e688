//! The watch over an application's files. A `check` looks at every root and holds what is there against
//! the baseline in force; what differs becomes alerts, all of a root in one transaction. Nothing but an
//! act of somebody moves a baseline. Not here: reading files, which is the scanner's crate, and when a
//! check is made by itself (`crate::file_watch`).

pub mod alerts;
pub mod baseline;
pub mod check;
mod copies;
pub mod coverage;
pub mod deployment;
mod details;
mod differ;
mod ended;
pub mod explain;
mod found;
pub mod glance;
pub mod judge;
pub mod judge_all;
mod linked;
mod look;
mod most;
mod room;
pub mod schedule;
mod settle;
pub mod sides;
mod spool;
pub mod status;
mod tell;
pub mod unwatched;
pub mod words;

use std::path::Path;

use portcullis_domain::audit::note::NoteFault;
use portcullis_domain::event::{Context, Event};
use portcullis_domain::origin::Origin;
use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_integrity::NotAPattern;
use portcullis_store::{Db, Error, Tx};

use super::record;
use crate::app::App;
use crate::cli::open::Opened;
use crate::clock::Clock;
use crate::config::{Config, Integrity};
use crate::random::Random;

/// What the watch needs of a server, or of a command beside one.
#[derive(Clone, Copy)]
pub struct Monitor<'a> {
    pub db: &'a Db,
    pub keys: &'a Keys,
    pub random: Random,
    pub clock: &'a Clock,
    pub settings: &'a Integrity,
    /// The address that people type, for letters.
    pub public_url: &'a Origin,
    /// For what is written for a while, and for copies of good files.
    pub data_dir: &'a Path,
    /// Who has it done, for the events.
    pub context: &'a Context,
}

/// Why something could not be done that nobody planned to fail.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Store(#[from] Error),
    #[error("a file of the server's own cannot be written or read")]
    Io(#[from] std::io::Error),
    #[error("a baseline cannot be signed")]
    Note(#[from] NoteFault),
    #[error(transparent)]
    Pattern(#[from] NotAPattern),
    #[error("what keeps threads busy has failed")]
    Thread(#[from] tokio::task::JoinError),
}

impl<'a> Monitor<'a> {
    /// Of a server that runs.
    pub fn of(app: &'a App, context: &'a Context) -> Self {
        let at = (&app.config, &app.public_url);
        Self::with(at, (&app.db, &app.keys), app.random, &app.clock, context)
    }

    /// Of a command.
    pub fn at_command(on: &'a Opened, context: &'a Context) -> Self {
        let at = (&on.config, &on.public_url);
        Self::with(at, (&on.db, &on.keys), on.random, &on.clock, context)
    }

    fn with(
        (config, public_url): (&'a Config, &'a Origin),
        (db, keys): (&'a Db, &'a Keys),
        random: Random,
        clock: &'a Clock,
        context: &'a Context,
    ) -> Self {
        let (settings, data_dir) = (&config.integrity, config.server.data_dir.as_path());
        Self { db, keys, random, clock, settings, public_url, data_dir, context }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(super) async fn record(&self, tx: &mut Tx, event: &Event) -> Result<(), Error> {
        record(tx, self.random, event, self.context, self.now()).await
    }
}
