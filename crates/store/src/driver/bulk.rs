//! Whole tables: read as a stream, written many rows at a time, by SQL that is put together from
//! what [`super::schema`] found. The only place where SQL is no constant.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::schema::{Column, Kind, Table, quoted};
use super::{Connection, Row, Tx, Value, value};
use crate::error::Result;

/// How many values one statement may carry: SQLite takes 32,766, PostgreSQL 65,535.
const MOST_VALUES: usize = 8_192;
/// More rows at once are not faster.
const MOST_ROWS: usize = 256;

/// How many rows of a table go into one statement.
pub(crate) fn rows_at_once(columns: usize) -> usize {
    (MOST_VALUES / columns.max(1)).clamp(1, MOST_ROWS)
}

impl Tx {
    /// For work on whole tables: whoever waits for a disk between two statements is not taken for
    /// somebody who froze.
    pub(crate) async fn take_time(&mut self) -> Result<()> {
        if self.is_postgres() {
            self.run_script("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
        }
        Ok(())
    }

    /// Every row of a table as it comes, with the columns in the order of `table`.
    pub(crate) fn rows<'t>(&'t mut self, table: &Table) -> Result<BoxStream<'t, Result<Row>>> {
        let sql = AssertSqlSafe(format!("SELECT {} FROM {}", columns(table), quoted(&table.name)));
        Ok(match self.connection()? {
            Connection::Sqlite(from) => {
                sqlx::query::<Sqlite>(sql).fetch(from).map_ok(Row::Sqlite).err_into().boxed()
            }
            Connection::Postgres(from) => {
                sqlx::query::<Postgres>(sql).fetch(from).map_ok(Row::Postgres).err_into().boxed()
            }
        })
    }

    /// Writes rows; `values` are those of all, one row after the other.
    pub(crate) async fn insert_rows(&mut self, table: &Table, values: &[Value<'_>]) -> Result<()> {
        let sql = AssertSqlSafe(insert(table, values.len() / table.columns.len().max(1)));
        let written = match self.connection()? {
            Connection::Sqlite(to) => {
                value::bind!(sqlx::query::<Sqlite>(sql), values).execute(to).await.map(drop)
            }
            Connection::Postgres(to) => {
                value::bind!(sqlx::query::<Postgres>(sql), values).execute(to).await.map(drop)
            }
        };
        self.counts.watch(written)
    }

    /// Deletes every row of a table.
    pub(crate) async fn clear(&mut self, table: &Table) -> Result<()> {
        let sql = AssertSqlSafe(format!("DELETE FROM {}", quoted(&table.name)));
        let cleared = match self.connection()? {
            Connection::Sqlite(to) => sqlx::query::<Sqlite>(sql).execute(to).await.map(drop),
            Connection::Postgres(to) => sqlx::query::<Postgres>(sql).execute(to).await.map(drop),
        };
        self.counts.watch(cleared)
    }
}

impl Row {
    /// The value at a place among the columns of [`Tx::rows`].
    pub(crate) fn value(&self, place: usize, kind: Kind) -> Result<Value<'_>> {
        Ok(match kind {
            Kind::Text => Value::Text(self.at(place)?),
            Kind::Int => Value::Int(self.at(place)?),
            Kind::Bool => Value::Bool(self.at(place)?),
            Kind::Bytes => Value::Blob(self.at(place)?),
        })
    }
}

fn columns(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|Column { name, .. }| quoted(name)).collect();
    names.join(", ")
}

fn insert(table: &Table, rows: usize) -> String {
    let width = table.columns.len();
    let row = |row: usize| {
        let places: Vec<String> =
            (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    let (name, columns) = (quoted(&table.name), columns(table));
    format!("INSERT INTO {name} ({columns}) VALUES {}", rows.join(", "))
}
