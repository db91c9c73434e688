//! Backups: that everything is in one and comes back on either database, and what is refused.

mod filled;
mod refused;
mod round_trip;
mod schedule;

use std::collections::BTreeMap;
use std::io::Cursor;

use portcullis_domain::secret::{Keys, MasterSecret};
use portcullis_store::backup::{self, About, Counts, Refusal, Written};
use portcullis_store::migrate::MigrateOptions;
use portcullis_store::{Db, Tx};
use tokio::sync::mpsc;

use crate::harness::{NOW, SEAL, TestDb};

/// Those of the tests' own secret; what the database is sealed by is `SEAL`.
fn keys() -> Keys {
    Keys::derive(&MasterSecret::from_random([1; 32])).unwrap()
}

/// A backup of the database, whole in memory.
async fn taken(from: &Db) -> (Vec<u8>, Written) {
    let keys = keys();
    let about = About { seal_check: SEAL, key: &keys.backup, program: "0.0.1", now: NOW };
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(1);
    let collecting = async {
        let mut file = Vec::new();
        while let Some(piece) = pieces.recv().await {
            file.extend_from_slice(&piece);
        }
        file
    };
    let writing = async {
        let written = backup::write(from, &about, &sender).await.unwrap();
        drop(sender);
        written
    };
    tokio::join!(collecting, writing)
}

/// Restores a backup and commits it.
async fn restored(into: &Db, file: &[u8]) -> Result<Counts, Refusal> {
    let (keys, mut file) = (keys(), Cursor::new(file));
    let sound = backup::inspect(&mut file, &SEAL, &keys.backup)?;
    let options = MigrateOptions { seal_check: SEAL, now: NOW };
    let mut tx: Tx = into.write().await?;
    let rows = backup::restore(&mut tx, &mut file, &sound, &options).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The file with other lines before its last, sealed anew under the key of the tests.
fn resealed(lines: &[String]) -> Vec<u8> {
    let mut file = lines.concat().into_bytes();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    let digest: [u8; 32] = digest.as_ref().try_into().unwrap();
    let (sha256, seal) = (hex::encode(digest), hex::encode(keys().backup.seal(&digest)));
    file.extend_from_slice(format!("{{\"sha256\":\"{sha256}\",\"seal\":\"{seal}\"}}\n").as_bytes());
    file
}

/// The lines of a backup but for the last, each with its line feed.
fn lines(file: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(file).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    lines.pop();
    lines
}

/// The rows of every table, in an order of their own, and the first line of each table.
fn by_table(file: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in lines(file).into_iter().skip(1) {
        if line.starts_with("{\"table\"") {
            current.clone_from(&line);
        }
        tables.entry(current.clone()).or_default().push(line);
    }
    for rows in tables.values_mut() {
        rows.sort();
    }
    tables
}

/// Every kind of database, empty.
async fn empty_ones() -> Vec<TestDb> {
    let mut databases = vec![TestDb::sqlite().await];
    databases.extend(TestDb::postgres().await);
    databases
}
