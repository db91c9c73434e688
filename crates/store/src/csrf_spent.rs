//! One-time CSRF tokens: each is spent once, over all nodes, or not at all.

use std::collections::HashSet;
use std::sync::LazyLock;

use portcullis_domain::id::SessionId;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, Value, params, values};
use crate::error::{Result, corrupt};

/// One token to spend.
#[derive(Clone, Copy, Debug)]
pub struct Spend<'a> {
    pub session: &'a SessionId,
    pub nonce: [u8; 12],
    /// The epoch the token was minted under. After a rotation it cannot be spent.
    pub csrf_epoch: i64,
    /// Until when the token must be remembered at most, should its session live so long.
    pub expires_at: Time,
}

/// The most tokens that one statement spends.
pub const BATCH: usize = 64;

/// Spends each token if it is unspent and its session lives under the same epoch; answers in the
/// order asked. Of equal tokens in one call the first wins. Up to [`BATCH`] tokens are one
/// statement, which [`crate::Db::write_once`] makes durable by itself.
pub async fn spend(tx: &mut Tx, spends: &[Spend<'_>]) -> Result<Vec<bool>> {
    let mut won = HashSet::with_capacity(spends.len());
    for batch in spends.chunks(BATCH) {
        let (rows, sql) = statement(batch.len());
        for row in tx.fetch_all(sql, &bound(batch, rows)).await? {
            won.insert(winner(&row)?);
        }
    }
    let mut first =
        |spend: &Spend<'_>| won.remove(&(spend.session.as_str().to_owned(), spend.nonce));
    Ok(spends.iter().map(&mut first).collect())
}

/// Forgets tokens that expired before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM csrf_spent WHERE (session_id, nonce) IN (
        SELECT session_id, nonce FROM csrf_spent WHERE expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

/// Sessions whose tokens nobody can present any more, at most `limit` of them: the session ended,
/// or its last credential ended or expired, before `before`. Reads only, so a long look does not
/// keep writers waiting.
pub async fn left_behind(tx: &mut Tx, before: Time, limit: u32) -> Result<Vec<SessionId>> {
    // From one session to the next in the key, over however many tokens each of them spent.
    const SQL: &str = "WITH RECURSIVE spenders (id) AS (
            SELECT min(session_id) FROM csrf_spent
            UNION ALL
            SELECT (SELECT min(t.session_id) FROM csrf_spent t WHERE t.session_id > spenders.id)
            FROM spenders WHERE spenders.id IS NOT NULL)
        SELECT id FROM spenders WHERE id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM sessions s JOIN credentials c ON c.session_id = s.id
            WHERE s.id = spenders.id AND (s.ended_at IS NULL OR s.ended_at >= $1)
                AND c.expires_at >= $1 AND (c.ended_at IS NULL OR c.ended_at >= $1))
        LIMIT $2";
    tx.fetch_all(SQL, params![before, i64::from(limit)]).await?.iter().map(session).collect()
}

/// Forgets the tokens of sessions that were [`left_behind`], at most `limit` of them; how many.
/// Nothing of theirs comes back: [`spend`] refuses ended sessions, and whoever asks it has verified
/// a credential that lives.
pub async fn forget(tx: &mut Tx, sessions: &[SessionId], limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM csrf_spent WHERE session_id = $1 AND nonce IN (
        SELECT nonce FROM csrf_spent WHERE session_id = $1 LIMIT $2)";
    let mut left = i64::from(limit);
    for session in sessions {
        let gone = tx.execute(SQL, params![session, left]).await?;
        left = left.saturating_sub_unsigned(gone);
        if left <= 0 {
            break;
        }
    }
    Ok(u64::from(limit).saturating_sub(left.unsigned_abs()))
}

fn session(row: &Row) -> Result<SessionId> {
    let id: String = row.get("id")?;
    SessionId::parse(&id).ok_or_else(|| corrupt("csrf_spent", "session_id", &id))
}

/// The smallest prepared statement that fits, and its number of rows.
fn statement(spends: usize) -> (usize, &'static str) {
    static STATEMENTS: LazyLock<[(usize, String); 5]> =
        LazyLock::new(|| [1, 4, 16, 32, BATCH].map(|rows| (rows, sql(rows))));
    let [.., largest] = &*STATEMENTS;
    let fitting = STATEMENTS.iter().find(|(rows, _)| spends <= *rows).unwrap_or(largest);
    (fitting.0, &fitting.1)
}

/// The rows go in in one order everywhere, so that two nodes cannot wait for each other.
fn sql(rows: usize) -> String {
    format!(
        "INSERT INTO csrf_spent (session_id, nonce, expires_at)
        SELECT v.column1, v.column2, v.column4 FROM (VALUES {}) AS v
        JOIN sessions s ON s.id = v.column1
        WHERE s.csrf_epoch = v.column3 AND s.ended_at IS NULL
        ORDER BY v.column1, v.column2
        ON CONFLICT DO NOTHING RETURNING session_id, nonce",
        values(rows, 4)
    )
}

/// The parameters of `rows` rows. Where there are fewer tokens the last is repeated, which changes
/// nothing: equal rows meet in the key.
fn bound<'a>(spends: &'a [Spend<'_>], rows: usize) -> Vec<Value<'a>> {
    let filler = spends.last().into_iter().cycle();
    spends
        .iter()
        .chain(filler)
        .take(rows)
        .flat_map(|spend| {
            let row: &[Value<'a>; 4] =
                params![spend.session, &spend.nonce, spend.csrf_epoch, spend.expires_at];
            *row
        })
        .collect()
}

fn winner(row: &Row) -> Result<(String, [u8; 12])> {
    let session: String = row.get("session_id")?;
    let nonce: Vec<u8> = row.get("nonce")?;
    let nonce = nonce.try_into().map_err(|_| corrupt("csrf_spent", "nonce", &session))?;
    Ok((session, nonce))
}
