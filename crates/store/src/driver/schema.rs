//! What tables there are, as the database itself tells: for what is done with every table alike. Not
//! here: what any of them is for.

use super::{Row, Tx, params};
use crate::error::{Error, Result};

/// A table, its columns in their order, and the tables that its rows point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) parents: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The four types that a migration may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Bool,
    Bytes,
}

/// Every table of ours, by name.
pub(crate) async fn tables(tx: &mut Tx) -> Result<Vec<Table>> {
    let columns = if tx.is_postgres() { POSTGRES_COLUMNS } else { SQLITE_COLUMNS };
    let parents = if tx.is_postgres() { POSTGRES_PARENTS } else { SQLITE_PARENTS };
    let mut tables: Vec<Table> = Vec::new();
    for row in tx.fetch_all(columns, params![]).await? {
        let name: String = row.get("table_name")?;
        let column = column(&row)?;
        match tables.last_mut().filter(|last| last.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name, columns: vec![column], parents: Vec::new() }),
        }
    }
    for row in tx.fetch_all(parents, params![]).await? {
        let (child, parent): (String, String) = (row.get("child")?, row.get("parent")?);
        if let Some(table) = tables.iter_mut().find(|table| table.name == child) {
            table.parents.push(parent);
        }
    }
    Ok(tables)
}

/// The names of the triggers that are there and fire.
pub(crate) async fn triggers(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = if tx.is_postgres() { POSTGRES_TRIGGERS } else { SQLITE_TRIGGERS };
    tx.fetch_all(sql, params![]).await?.iter().map(|row| row.get("name")).collect()
}

/// A name as SQL writes it where it could be mistaken for something else.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const SQLITE_COLUMNS: &str = "SELECT m.name AS table_name, c.name AS column_name, c.type AS type
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY m.name, c.cid";
const SQLITE_PARENTS: &str = "SELECT DISTINCT m.name AS child, f.\"table\" AS parent
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
    WHERE m.type = 'table' ORDER BY child, parent";
const SQLITE_TRIGGERS: &str = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
const POSTGRES_TRIGGERS: &str = "SELECT t.tgname::text AS name FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')";
const POSTGRES_COLUMNS: &str = "SELECT c.relname::text AS table_name,
        a.attname::text AS column_name, upper(format_type(a.atttypid, a.atttypmod)) AS type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
        AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname::text COLLATE \"C\", a.attnum";
const POSTGRES_PARENTS: &str = "SELECT DISTINCT c.relname::text AS child, p.relname::text AS parent
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND n.nspname = current_schema() ORDER BY child, parent";

fn column(row: &Row) -> Result<Column> {
    let (name, type_name): (String, String) = (row.get("column_name")?, row.get("type")?);
    let kind = match type_name.as_str() {
        "TEXT" => Kind::Text,
        "BIGINT" => Kind::Int,
        "BOOLEAN" => Kind::Bool,
        "BYTEA" => Kind::Bytes,
        _ => {
            let text = format!("column {name} has the type {type_name}, which no migration uses");
            return Err(Error::from(sqlx::Error::Protocol(text)));
        }
    };
    Ok(Column { name, kind })
}
