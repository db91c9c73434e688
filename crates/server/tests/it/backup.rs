//! Backups and what comes of restoring one: what must not come back to life, the commands, and the
//! backups that servers make by themselves. That every row comes back is the store's to show.

mod commands;
mod revives;
mod schedule;

use std::path::{Path, PathBuf};

use portcullis_server::flows::backup::create::{self, Backup, CreateError, Making, Target};

use crate::harness::TestApp;

/// A backup of what a server works on.
async fn made(server: &TestApp, target: &Target) -> Result<Backup, CreateError> {
    let app = &server.app;
    let (random, now) = (app.random, app.clock.now());
    create::create(Making { db: &app.db, keys: &app.keys, random, now }, target).await
}

async fn made_in(server: &TestApp, directory: &Path) -> PathBuf {
    made(server, &Target::Directory(directory.to_owned())).await.unwrap().file
}

/// The files of a directory by name.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Nobody watches.
fn unwatched(_: u64, _: u64) {}

/// What a refusal says.
#[track_caller]
fn said<T, E: std::fmt::Display>(refused: Result<T, E>) -> String {
    refused.err().unwrap().to_string()
}
