//! What is offered: web API, pages, gate, jobs, command line and configuration. The binary
//! `portcullis` is a few lines over this library, so that tests can build the real thing.

pub mod app;
pub mod backups;
pub mod breach;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod device;
pub mod doctor;
pub mod fault;
pub mod file_watch;
pub mod flows;
pub mod gate;
pub mod geo;
pub mod hasher;
pub mod jobs;
pub mod key_usage;
pub mod live_limits;
pub mod mail;
pub mod nodes;
pub mod outgoing;
pub mod probe;
pub mod qr;
pub mod random;
pub mod record;
pub mod secret_file;
pub mod serve;
pub mod signing_keys;
pub mod spend;
pub mod stamp;
pub mod telemetry;
pub mod tls;
pub mod verify;
pub mod web;
pub mod webhooks;
