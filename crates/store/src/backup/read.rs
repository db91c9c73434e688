//! Reads a backup: first whether it is one, whole and ours, then its rows into an empty database.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

use aws_lc_rs::digest;
use portcullis_domain::backup::BackupKey;

use super::format::{
    AnyHead, Cell, FORMAT, Footer, Head, MOST_OF_A_HEAD, Owned, Seal, TableHead, bytes_of,
};
use super::order::in_order;
use crate::driver::{Table, Tx, Value, rows_at_once, tables};
use crate::error::Error;
use crate::migrate::{self, MigrateError, MigrateOptions};

/// How many rows each table has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    /// Of all tables.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Why a backup is not restored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("is no backup of Portcullis")]
    Foreign,
    #[error(
        "has the format {file}, but this program reads only up to {}: take a newer program",
        FORMAT
    )]
    NewerFormat { file: u32 },
    #[error("is cut off: its end is missing")]
    Truncated,
    #[error("is damaged: it does not hold the bytes that were written")]
    Damaged,
    #[error(
        "was changed by somebody without the secret: its digest agrees with what it holds, its seal \
         does not"
    )]
    Forged,
    #[error("cannot be understood at line {line}: {fault}")]
    Line { line: u64, fault: String },
    #[error("changed while it was being read")]
    Changed,
    #[error("cannot be read")]
    Io(#[from] io::Error),
    #[error("the database is not empty")]
    NotEmpty,
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Migrate(error.into())
    }
}

/// A backup that was found good. Whoever reads it again compares with this, and with nothing that the
/// file says of itself: it may have been exchanged since.
#[derive(Clone, Debug)]
pub struct Sound {
    pub head: Head,
    digest: [u8; 32],
}

/// Whether this is a whole backup made under this secret, and what it is. Reads all of it and understands
/// nothing but its first and last line; the next read is of its beginning.
pub fn inspect(
    file: &mut (impl Read + Seek),
    seal_check: &[u8; 32],
    key: &BackupKey,
) -> Result<Sound, Refusal> {
    let head = read_head(file)?;
    if head.secret != hex::encode(seal_check) {
        return Err(MigrateError::OtherSecret.into());
    }
    let length = file.seek(SeekFrom::End(0))?;
    let body = length.checked_sub(Seal::LENGTH).ok_or(Refusal::Truncated)?;
    file.seek(SeekFrom::Start(body))?;
    let mut last = Vec::new();
    file.take(Seal::LENGTH).read_to_end(&mut last)?;
    let seal = last_line(&last).ok_or(Refusal::Truncated)?;
    file.seek(SeekFrom::Start(0))?;
    let digest = digest_of(&mut file.take(body))?;
    if hex::encode(digest) != seal.sha256 {
        return Err(Refusal::Damaged);
    }
    let tag = hex::decode(&seal.seal).ok().and_then(|tag| tag.try_into().ok());
    if !tag.is_some_and(|tag| key.verify(&digest, &tag)) {
        return Err(Refusal::Forged);
    }
    file.seek(SeekFrom::Start(0))?;
    migrate::check_known(head.schema)?;
    Ok(Sound { head, digest })
}

fn read_head(file: &mut (impl Read + Seek)) -> Result<Head, Refusal> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    file.take(MOST_OF_A_HEAD).read_to_end(&mut start)?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let any: AnyHead = serde_json::from_slice(line).map_err(|_| Refusal::Foreign)?;
    if any.format > FORMAT {
        return Err(Refusal::NewerFormat { file: any.format });
    }
    serde_json::from_slice(line).map_err(|_| Refusal::Foreign)
}

/// Exactly one line, because JSON alone would let blanks stand around it.
fn last_line(bytes: &[u8]) -> Option<Seal> {
    let is_one = bytes.starts_with(b"{") && bytes.ends_with(b"}\n");
    serde_json::from_slice(bytes).ok().filter(|_| is_one)
}

fn digest_of(from: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(bytes_of(&digest.finish()));
        }
        digest.update(piece.get(..read).unwrap_or_default());
    }
}

/// Fills a database that has no tables yet: makes the schema of the backup, puts the rows in, and
/// brings it to the schema of this program. `file` is one that [`inspect`] found good. Nothing is there
/// before the transaction is committed.
pub async fn restore(
    tx: &mut Tx,
    file: &mut impl BufRead,
    sound: &Sound,
    options: &MigrateOptions,
) -> Result<Counts, Refusal> {
    tx.take_time().await?;
    migrate::lock(tx).await?;
    if !tables(tx).await?.is_empty() {
        return Err(Refusal::NotEmpty);
    }
    migrate::create(tx, sound.head.schema, options.now).await?;
    let tables = in_order(tables(tx).await?);
    // What migrations put into tables is in the backup as well.
    for table in tables.iter().rev() {
        tx.clear(table).await?;
    }
    let rows = load(tx, Source::new(file), &tables, &sound.digest).await?;
    migrate::complete(tx, options).await?;
    Ok(rows)
}

async fn load(
    tx: &mut Tx,
    mut source: Source<'_, impl BufRead>,
    tables: &[Table],
    digest: &[u8; 32],
) -> Result<Counts, Refusal> {
    let mut found = BTreeMap::new();
    source.next()?;
    let footer = loop {
        source.next()?;
        let Ok(head) = serde_json::from_slice::<TableHead>(&source.line) else {
            break source.parse::<Footer>()?;
        };
        let table = tables.iter().find(|table| table.name == head.table);
        let table = table.map(|table| filled(table, &head)).unwrap_or_default();
        let table = table.ok_or_else(|| source.fault(&unlike(&head.table)))?;
        let count = load_rows(tx, &mut source, &table).await?;
        found.insert(table.name, count);
    };
    if let Some(missing) = tables.iter().find(|table| !found.contains_key(&table.name)) {
        return Err(source.fault(&format!("the table {} is missing", missing.name)));
    }
    if footer.rows != found {
        return Err(source.fault("other numbers of rows are told than there are"));
    }
    source.finish(digest)?;
    Ok(Counts(found))
}

fn unlike(table: &str) -> String {
    format!("the table {table} is not as this version of the schema has it")
}

/// The table with its columns in the order of the backup; `None` if these are others.
fn filled(table: &Table, head: &TableHead) -> Option<Table> {
    let ours = TableHead::of(table).columns;
    let is_whole =
        head.columns.len() == ours.len() && ours.iter().all(|column| head.columns.contains(column));
    let named = |(name, _): &(String, String)| {
        table.columns.iter().find(|column| column.name == *name).cloned()
    };
    let columns = head.columns.iter().map(named).collect::<Option<_>>()?;
    is_whole.then(|| Table { columns, ..table.clone() })
}

/// Puts the rows of one table in, many at a time; how many.
async fn load_rows(
    tx: &mut Tx,
    source: &mut Source<'_, impl BufRead>,
    table: &Table,
) -> Result<u64, Refusal> {
    let width = table.columns.len();
    let most = rows_at_once(width) * width;
    let mut values: Vec<Owned> = Vec::with_capacity(most);
    let mut count = 0;
    while source.has_row()? {
        source.next()?;
        source.row(table, &mut values)?;
        count += 1;
        if values.len() >= most {
            insert(tx, source, table, &values).await?;
            values.clear();
        }
    }
    if !values.is_empty() {
        insert(tx, source, table, &values).await?;
    }
    Ok(count)
}

async fn insert(
    tx: &mut Tx,
    source: &Source<'_, impl BufRead>,
    table: &Table,
    values: &[Owned],
) -> Result<(), Refusal> {
    let values: Vec<Value<'_>> = values.iter().map(Owned::value).collect();
    match tx.insert_rows(table, &values).await {
        Err(Error::Conflict) => {
            let fault = format!("a row of {} goes with no other that is there", table.name);
            Err(source.fault(&fault))
        }
        inserted => Ok(inserted?),
    }
}

/// The lines of a backup that was found good, with the digest of those that were read.
struct Source<'f, R> {
    file: &'f mut R,
    line: Vec<u8>,
    number: u64,
    digest: digest::Context,
}

impl<'f, R: BufRead> Source<'f, R> {
    fn new(file: &'f mut R) -> Self {
        let digest = digest::Context::new(&digest::SHA256);
        Self { file, line: Vec::new(), number: 0, digest }
    }

    fn next(&mut self) -> Result<(), Refusal> {
        self.line.clear();
        self.number += 1;
        self.file.read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.digest.update(&self.line);
            Ok(())
        } else {
            Err(Refusal::Truncated)
        }
    }

    fn has_row(&mut self) -> io::Result<bool> {
        Ok(self.file.fill_buf()?.first() == Some(&b'['))
    }

    fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.line).map_err(|error| self.fault(&error.to_string()))
    }

    /// Adds the values of the line to those of the rows before it.
    fn row(&self, table: &Table, values: &mut Vec<Owned>) -> Result<(), Refusal> {
        let cells: Vec<Cell<'_>> = self.parse()?;
        if cells.len() != table.columns.len() {
            return Err(self.fault("it has not as many values as its table has columns"));
        }
        for (cell, column) in cells.into_iter().zip(&table.columns) {
            let fault = || self.fault(&format!("{}.{} has another type", table.name, column.name));
            values.push(Owned::new(cell, column.kind).ok_or_else(fault)?);
        }
        Ok(())
    }

    /// What was read is what was found good.
    fn finish(self, sound: &[u8; 32]) -> Result<(), Refusal> {
        if bytes_of(&self.digest.finish()) == *sound { Ok(()) } else { Err(Refusal::Changed) }
    }

    fn fault(&self, fault: &str) -> Refusal {
        Refusal::Line { line: self.number, fault: fault.to_owned() }
    }
}
