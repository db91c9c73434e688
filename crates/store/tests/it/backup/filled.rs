//! A database with rows in every table of its schema, whatever that is: three a table, which go with
//! each other, with what is hard to write down and with nothing where that is allowed.

use std::fmt::Write as _;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use crate::harness::TestDb;

/// Text that every layer has to pass on as it is.
pub(super) const HARD: &str = "a'b\"c\\d\ne\u{1}f\tg\u{2028}é😀%$1";

/// A column as this test sees it, and not the program: table, name, type, may be null.
pub(super) type Column = (String, String, String, bool);

/// Every column of every table.
pub(super) async fn columns(of: &TestDb) -> Vec<Column> {
    const SQLITE: &str = "SELECT t.name AS t, c.name AS c, c.type AS k,
            c.\"notnull\" = 0 AND c.pk = 0 AS n
        FROM sqlite_master t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY 1, c.cid";
    const POSTGRES: &str = "SELECT table_name::text AS t, column_name::text AS c,
            upper(data_type::text) AS k, is_nullable = 'YES' AS n
        FROM information_schema.columns WHERE table_schema = 'public'
        ORDER BY table_name::text COLLATE \"C\", ordinal_position";
    if of.is_postgres() {
        let mut to = PgConnection::connect(&of.options.url).await.unwrap();
        let rows = sqlx::query(POSTGRES).fetch_all(&mut to).await.unwrap();
        let column =
            |row: &sqlx::postgres::PgRow| (row.get("t"), row.get("c"), row.get("k"), row.get("n"));
        rows.iter().map(column).collect()
    } else {
        let mut to = SqliteConnection::connect(&of.options.url).await.unwrap();
        let rows = sqlx::query(SQLITE).fetch_all(&mut to).await.unwrap();
        let column = |row: &sqlx::sqlite::SqliteRow| {
            (row.get("t"), row.get("c"), row.get("k"), row.get("n"))
        };
        rows.iter().map(column).collect()
    }
}

/// The names of all tables.
pub(super) async fn tables(of: &TestDb) -> Vec<String> {
    let mut names: Vec<String> = columns(of).await.into_iter().map(|(table, ..)| table).collect();
    names.dedup();
    names
}

/// Puts rows into every table but the one of migrations. A row points to the row of the same number,
/// because values follow from the number alone.
pub(super) async fn fill(db: &TestDb) {
    let columns = columns(db).await;
    let mut waiting: Vec<String> = tables(db).await;
    waiting.retain(|table| table != "schema_migrations");
    // Parents are not known here: whatever does not go in yet is tried again after the others.
    for _ in 0..waiting.len() {
        let mut left = Vec::new();
        for table in std::mem::take(&mut waiting) {
            let of_table: Vec<&Column> =
                columns.iter().filter(|column| column.0 == table).collect();
            if !tried(db, &inserts(&table, &of_table)).await {
                left.push(table);
            }
        }
        waiting = left;
    }
    assert!(waiting.is_empty(), "{waiting:?} cannot be filled");
}

fn inserts(table: &str, columns: &[&Column]) -> String {
    let names: Vec<String> = columns.iter().map(|(_, name, ..)| format!("\"{name}\"")).collect();
    let mut sql = String::from("BEGIN;");
    for number in 101..=103_i64 {
        let values: Vec<String> =
            columns.iter().map(|(_, _, kind, nullable)| value(kind, *nullable, number)).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        write!(sql, "INSERT INTO \"{table}\" ({names}) VALUES ({values});").unwrap();
    }
    sql + "COMMIT;"
}

fn value(kind: &str, nullable: bool, number: i64) -> String {
    if nullable && number == 103 {
        return "NULL".to_owned();
    }
    match kind {
        "TEXT" => format!("'{}{number}'", HARD.replace('\'', "''")),
        "BIGINT" if number == 102 => i64::MAX.to_string(),
        "BIGINT" => number.to_string(),
        "BOOLEAN" => if number % 2 == 0 { "TRUE" } else { "FALSE" }.to_owned(),
        bytes => {
            assert_eq!(bytes, "BYTEA", "no type of ours");
            format!("<00ff{number:04x}>")
        }
    }
}

/// Whether all of it went in; nothing did otherwise.
async fn tried(db: &TestDb, sql: &str) -> bool {
    if db.is_postgres() {
        let sql = sql.replace('<', "'\\x").replace('>', "'::bytea");
        let mut to = PgConnection::connect(&db.options.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut to).await.is_ok()
    } else {
        let sql = sql.replace('<', "x'").replace('>', "'");
        let mut to = SqliteConnection::connect(&db.options.url).await.unwrap();
        sqlx::query("PRAGMA foreign_keys = ON").execute(&mut to).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut to).await.is_ok()
    }
}
