//! What the index costs a server: its memory after many questions, without one and with it.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::job;
use crate::http::{Connection, request};
use crate::portcullis::{self, JSON, Portcullis, csrf_token};
use crate::process::memory_mb;
use crate::run::Bench;

/// Prefixes that are asked for, anywhere among all.
pub(super) const PREFIXES: u64 = 100_000;
/// Passwords that are asked about.
pub(super) const PASSWORDS: u64 = 1_000;
const PATH: &str = "/api/security/password-breach-check";

/// The servers, over one database.
pub(super) struct Servers {
    without: Portcullis,
    with: Portcullis,
}

/// MB that each has when all was asked.
pub(super) struct Memory {
    pub(super) without: f64,
    pub(super) with: f64,
}

impl Servers {
    /// Both, with this index.
    pub(super) fn of(gate: &Portcullis, bench: &Bench, index: &std::path::Path) -> Result<Self> {
        let folder = bench.folder.path();
        let indexed = format!("offline_index = '{}'\n", index.display());
        Ok(Self { without: gate.clone(), with: gate.with(folder, "with-index", &indexed)? })
    }

    /// Starts one after the other, asks, and stops it.
    pub(super) async fn measure(&self) -> Result<Memory> {
        let without = measured(&self.without, "list").await?;
        Ok(Memory { without, with: measured(&self.with, "offline").await? })
    }
}

/// Every answer must be of this source.
async fn measured(gate: &Portcullis, source: &str) -> Result<f64> {
    let (server, _) = gate.start().await?;
    let who = portcullis::sign_in(server.address).await?;
    let mut connection = Connection::open(server.address).await?;
    let said = format!("\"source\":\"{source}\"");
    for number in 0..PREFIXES {
        let target = format!("{PATH}?hash_prefix={:05X}", job::mixed(number) >> 44);
        let answer = connection.ask(&request("GET", &target, &who.cookie, "")).await?;
        ensure!(answer.status == 200 && answer.text().contains(&said), "{}", answer.text());
    }
    for number in 0..PASSWORDS {
        let token = csrf_token(&mut connection, &who).await?;
        let headers = format!("{}{JSON}x-csrf-token: {token}\r\n", who.cookie);
        let body = json!({ "password": format!("made up {number}") }).to_string();
        let answer = connection.ask(&request("POST", PATH, &headers, &body)).await?;
        ensure!(answer.status == 200 && answer.text().contains(&said), "{}", answer.text());
    }
    let memory = memory_mb(server.pid).context("the server ended")?;
    server.stop().await?;
    Ok(memory)
}
