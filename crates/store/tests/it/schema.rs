//! The schema that the migrations make, as text: a change of it is seen in review, on both.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row, SqliteConnection};

use crate::harness::{TestDb, each, each_empty};

#[tokio::test]
async fn is_as_reviewed() {
    each_empty(async |test| {
        test.migrate().await.unwrap();
        review(test).await;
    })
    .await;
    // What the other tests run on.
    each(review).await;
}

async fn review(test: &TestDb) {
    if test.is_postgres() {
        insta::assert_snapshot!("postgres", postgres(test).await);
    } else {
        insta::assert_snapshot!("sqlite", sqlite(test).await);
    }
}

async fn sqlite(test: &TestDb) -> String {
    const SQL: &str = "SELECT t.name || '.' || c.name || ' ' || c.type
            || CASE WHEN c.pk > 0 THEN ' key ' || c.pk ELSE '' END
            || CASE WHEN c.\"notnull\" = 0 THEN ' null' ELSE '' END AS line
        FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'
        UNION ALL
        SELECT t.name || '(' || f.\"from\" || ') references ' || f.\"table\" || ' on delete '
            || lower(f.on_delete)
        FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
        UNION ALL
        SELECT t.name || ' ' || CASE WHEN i.\"unique\" THEN 'unique' ELSE 'index' END || '('
            || (SELECT group_concat(c.name) FROM pragma_index_info(i.name) c) || ')'
            || CASE WHEN i.partial THEN ' partial' ELSE '' END
        FROM sqlite_master t JOIN pragma_index_list(t.name) i WHERE t.type = 'table'
        ORDER BY line";
    let mut to = SqliteConnection::connect(&test.options.url).await.unwrap();
    let rows = sqlx::query(SQL).fetch_all(&mut to).await.unwrap();
    lines(rows.iter().map(|row| row.get("line")))
}

async fn postgres(test: &TestDb) -> String {
    const SQL: &str = "SELECT table_name || '.' || column_name || ' ' || data_type
            || CASE WHEN is_nullable = 'YES' THEN ' null' ELSE '' END AS line
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
        UNION ALL
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'";
    let mut to = PgConnection::connect(&test.options.url).await.unwrap();
    let rows = sqlx::query(SQL).fetch_all(&mut to).await.unwrap();
    lines(rows.iter().map(|row| row.get("line")))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.join("\n")
}
