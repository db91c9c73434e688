//! Noting that credentials were used, many in one statement.

use std::sync::LazyLock;

use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Tx, Value};
use crate::error::Result;

/// The most that one statement notes.
pub const TOUCHES: usize = 256;

/// Notes that these credentials were used at `now`, unless a later use was noted; how many. Up to
/// [`TOUCHES`] are one statement. One that has ended or was idle for too long is not brought back.
pub async fn touch(tx: &mut Tx, macs: &[Mac], now: Time) -> Result<u64> {
    let mut noted = 0;
    for batch in macs.chunks(TOUCHES) {
        let (size, sql) = statement(batch.len());
        // Where there are fewer the last is repeated, which changes nothing.
        let filler = batch.last().into_iter().cycle();
        let macs = batch.iter().chain(filler).take(size).map(Value::from);
        let bound: Vec<Value<'_>> = [Value::from(now)].into_iter().chain(macs).collect();
        noted += tx.execute(sql, &bound).await?;
    }
    Ok(noted)
}

/// The smallest prepared statement that fits, and how many it takes.
fn statement(count: usize) -> (usize, &'static str) {
    static STATEMENTS: LazyLock<[(usize, String); 4]> =
        LazyLock::new(|| [1, 8, 64, TOUCHES].map(|size| (size, sql(size))));
    let [.., largest] = &*STATEMENTS;
    let fitting = STATEMENTS.iter().find(|(size, _)| count <= *size).unwrap_or(largest);
    (fitting.0, &fitting.1)
}

fn sql(size: usize) -> String {
    let macs: Vec<String> = (0..size).map(|n| format!("${}", n + 2)).collect();
    format!(
        "UPDATE credentials SET last_active = $1
        WHERE mac IN ({}) AND last_active < $1 AND ended_at IS NULL
            AND (idle_ms IS NULL OR last_active + idle_ms > $1)",
        macs.join(", ")
    )
}
