//! Every function of the store, on SQLite and, where `TEST_POSTGRES_URL` names a server that may
//! be filled with databases, on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

mod activity;
mod audit;
mod backup;
mod blacklist;
mod breach_status;
mod credentials;
mod csrf_spent;
mod directory;
mod driver;
mod events;
mod examine;
mod factors;
mod harness;
mod integrity;
mod invalidations;
mod limits;
mod live;
mod liveness;
mod meta;
mod migrate;
mod nodes;
mod one_time_codes;
mod one_time_links;
mod outbox;
mod places;
mod remember;
mod report;
mod roles;
mod rotation;
mod schema;
mod seals;
mod sessions;
mod settings;
mod signing_keys;
mod trusted_devices;
mod users;
