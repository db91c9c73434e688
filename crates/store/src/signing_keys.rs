//! The keys that sign access tokens: the private half sealed, the public half as others read it. Not
//! here: what a key is good for at a moment, which its times tell (`portcullis_domain::signing_key`).

use portcullis_domain::signing_key::{Algorithm, KeyLife, Rotation};
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::{Result, corrupt};
use crate::invalidations::Invalidation;

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// One more than that of the key before it.
    pub generation: i64,
    pub kid: String,
    pub algorithm: Algorithm,
    /// The public half, as JSON.
    pub public_jwk: String,
    /// The private half, sealed.
    pub private_key: Vec<u8>,
    pub life: KeyLife,
}

/// Every key that is known, the newest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<StoredKey>> {
    const SQL: &str = "SELECT generation, kid, algorithm, public_jwk, private_key, published_at,
            signs_from, retired_at, gone_at
        FROM signing_keys ORDER BY generation DESC";
    tx.fetch_all(SQL, params![]).await?.iter().map(stored).collect()
}

/// Keeps a key; `false` if somebody was faster: there is one of this generation.
pub async fn insert(tx: &mut Tx, key: &StoredKey) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO signing_keys (generation, kid, algorithm, public_jwk, private_key,
            published_at, signs_from, retired_at, gone_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (generation) DO NOTHING";
    let row = params![
        key.generation,
        &key.kid,
        key.algorithm.name(),
        &key.public_jwk,
        key.private_key.as_slice(),
        key.life.published_at,
        key.life.signs_from,
        key.life.retired_at,
        key.life.gone_at,
    ];
    tx.changed(SQL, row).await
}

/// Retires the key before a new one, unless that was done.
pub async fn retire(tx: &mut Tx, generation: i64, rotation: &Rotation) -> Result<bool> {
    const SQL: &str = "UPDATE signing_keys SET retired_at = $2, gone_at = $3
        WHERE generation = $1 AND retired_at IS NULL";
    let row = params![generation, rotation.old_retired_at, rotation.old_gone_at];
    tx.changed(SQL, row).await
}

/// Withdraws every key up to a generation, with every access token that is alive: nothing that they
/// signed is good any more. How many keys there were.
pub async fn withdraw(tx: &mut Tx, generation: i64, now: Time) -> Result<u64> {
    const KEYS: &str = "UPDATE signing_keys SET gone_at = $2,
            retired_at = CASE WHEN retired_at < $2 THEN retired_at ELSE $2 END
        WHERE generation <= $1 AND (gone_at IS NULL OR gone_at > $2)";
    const SESSIONS: &str = "UPDATE sessions SET live_until = $1
        WHERE ended_at IS NULL AND live_until > $1 AND id IN (
            SELECT session_id FROM credentials WHERE kind = 'access' AND ended_at IS NULL)";
    const TOKENS: &str = "UPDATE credentials SET ended_at = $1
        WHERE kind = 'access' AND ended_at IS NULL";
    let withdrawn = tx.execute(KEYS, params![generation, now]).await?;
    tx.execute(SESSIONS, params![now]).await?;
    tx.execute(TOKENS, params![now]).await?;
    tx.invalidate(Invalidation::Everybody);
    Ok(withdrawn)
}

/// Forgets keys that were gone before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM signing_keys WHERE gone_at < $1 AND generation IN (
        SELECT generation FROM signing_keys WHERE gone_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn stored(row: &Row) -> Result<StoredKey> {
    let kid: String = row.get("kid")?;
    let algorithm: String = row.get("algorithm")?;
    let fault = || corrupt("signing_keys", "algorithm", &kid);
    let time = |column| row.get::<Option<i64>>(column).map(|time| time.map(Time));
    Ok(StoredKey {
        generation: row.get("generation")?,
        algorithm: Algorithm::parse(&algorithm).ok_or_else(fault)?,
        public_jwk: row.get("public_jwk")?,
        private_key: row.get("private_key")?,
        life: KeyLife {
            published_at: Time(row.get("published_at")?),
            signs_from: Time(row.get("signs_from")?),
            retired_at: time("retired_at")?,
            gone_at: time("gone_at")?,
        },
        kid,
    })
}
