//! Makes a backup: every table, as one moment had it, in pieces that are handed on as they come.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use tokio::sync::mpsc::Sender;

use super::format::{FORMAT, Footer, Head, Lines, TableHead};
use super::order::in_order;
use super::{About, Counts};
use crate::driver::{Db, Table, Tx, tables};
use crate::error::Error;
use crate::migrate::{self, MigrateError};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub head: Head,
    pub rows: Counts,
    pub bytes: u64,
    /// Of everything but the last line, which has it too.
    pub sha256: [u8; 32],
}

/// Why a backup is not whole.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Nobody takes the pieces any more.
    #[error("the backup was not taken to its end")]
    Abandoned,
    #[error(transparent)]
    Database(#[from] MigrateError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Database(error.into())
    }
}

/// Writes the database as it is now. Those who write meanwhile are kept from nothing and their rows are
/// not in it. A few pieces are in memory at a time.
pub async fn write(db: &Db, about: &About<'_>, to: &Sender<Vec<u8>>) -> Result<Written, Stopped> {
    let mut tx = db.read().await?;
    tx.take_time().await?;
    let schema = migrate::version(&mut tx, &about.seal_check).await?;
    let head = Head {
        format: FORMAT,
        schema,
        program: about.program.to_owned(),
        taken_at: about.now,
        secret: hex::encode(about.seal_check),
    };
    let mut lines = Lines::new();
    lines.push(&head);
    let mut rows = BTreeMap::new();
    for table in in_order(tables(&mut tx).await?) {
        let count = write_table(&mut tx, &table, &mut lines, to).await?;
        rows.insert(table.name, count);
    }
    lines.push(&Footer { rows: rows.clone() });
    let (rest, bytes, sha256) = lines.finish(about.key);
    to.send(rest).await.map_err(|_| Stopped::Abandoned)?;
    Ok(Written { head, rows: Counts(rows), bytes, sha256 })
}

async fn write_table(
    tx: &mut Tx,
    table: &Table,
    lines: &mut Lines,
    to: &Sender<Vec<u8>>,
) -> Result<u64, Stopped> {
    lines.push(&TableHead::of(table));
    let mut count = 0;
    let mut rows = tx.rows(table)?;
    while let Some(row) = rows.try_next().await? {
        let columns = table.columns.iter().enumerate();
        lines.push_row(columns.map(|(place, column)| row.value(place, column.kind)))?;
        count += 1;
        if let Some(piece) = lines.full_piece() {
            to.send(piece).await.map_err(|_| Stopped::Abandoned)?;
        }
    }
    Ok(count)
}
