//! What is remembered. SQL lives here and nowhere else, written once for SQLite and PostgreSQL.
//!
//! Open a [`Db`], [`migrate`] it, take a [`Tx`], and pass that to the functions of a noun. Time
//! and identifiers come in as arguments. Every change of state is conditional, and its function
//! says whether it happened, so what is single-use is so on both databases and on any number of
//! nodes.

mod driver;
mod error;
mod jobs;
mod like;

pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod blacklist;
pub mod counters;
pub mod credentials;
pub mod csrf_spent;
pub mod events;
pub mod factors;
pub mod integrity;
pub mod invalidations;
pub mod lockouts;
pub mod meta;
pub mod migrate;
pub mod nodes;
pub mod notify;
pub mod one_time_codes;
pub mod one_time_links;
pub mod outbox;
pub mod places;
pub mod remember;
pub mod report;
pub mod roles;
pub mod rotation;
#[cfg(feature = "scratch")]
pub mod scratch;
pub mod sessions;
pub mod settings;
pub mod sign_in_tickets;
pub mod signing_keys;
pub mod throttle;
pub mod trusted_devices;
pub mod user_grants;
pub mod users;

pub use driver::{Counts, Db, NotReady, Options, Tx, measured};
pub use error::{Error, Fault, Result};
