//! What somebody who owns the database can do to the audit log and to baselines, for tests that it is
//! found.
//! Each is one statement or a few, without any of the care that the log is written with.

use aws_lc_rs::digest;
use portcullis_domain::time::Time;

use crate::audit::stored;
use crate::driver::{Tx, params};
use crate::error::Result;

/// The triggers that refuse all of this are dropped first.
pub async fn drop_guards(tx: &mut Tx) -> Result<()> {
    let sql = if tx.is_postgres() {
        "DROP TRIGGER audit_log_never_changes ON audit_log;
         DROP TRIGGER audit_log_never_goes ON audit_log;
         DROP TRIGGER audit_checkpoints_never_change ON audit_checkpoints"
    } else {
        "DROP TRIGGER audit_log_never_changes;
         DROP TRIGGER audit_log_never_goes;
         DROP TRIGGER audit_checkpoints_never_change"
    };
    tx.run_script(sql).await
}

/// Other bytes in the place of an entry.
pub async fn set_leaf(tx: &mut Tx, index: u64, leaf: &[u8]) -> Result<()> {
    const SQL: &str = "UPDATE audit_log SET leaf = $2 WHERE idx = $1";
    tx.execute(SQL, params![stored(index)?, leaf]).await.map(drop)
}

/// Another name in the column by which an entry is found.
pub async fn set_name(tx: &mut Tx, index: u64, name: &str) -> Result<()> {
    const SQL: &str = "UPDATE audit_log SET name = $2 WHERE idx = $1";
    tx.execute(SQL, params![stored(index)?, name]).await.map(drop)
}

/// A row is gone.
pub async fn remove(tx: &mut Tx, index: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM audit_log WHERE idx = $1";
    tx.execute(SQL, params![stored(index)?]).await.map(drop)
}

/// Two rows change places.
pub async fn swap(tx: &mut Tx, one: u64, other: u64) -> Result<()> {
    const SQL: &str = "UPDATE audit_log SET idx = $2 WHERE idx = $1";
    let (one, other, aside) = (stored(one)?, stored(other)?, -1_i64);
    for (from, to) in [(one, aside), (other, one), (aside, other)] {
        tx.execute(SQL, params![from, to]).await?;
    }
    Ok(())
}

/// The log says that it is shorter, and everything behind its new end is gone.
pub async fn cut_off(tx: &mut Tx, size: u64) -> Result<()> {
    let size = stored(size)?;
    tx.execute("DELETE FROM audit_log WHERE idx >= $1", params![size]).await?;
    tx.execute("DELETE FROM audit_personal WHERE idx >= $1", params![size]).await?;
    tx.execute("DELETE FROM audit_checkpoints WHERE size > $1", params![size]).await?;
    tx.execute("UPDATE audit_tree SET size = $1", params![size]).await.map(drop)
}

/// A tile is gone.
pub async fn remove_tile(tx: &mut Tx, level: u8, n: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM audit_tiles WHERE level = $1 AND n = $2";
    tx.execute(SQL, params![i64::from(level), stored(n)?]).await.map(drop)
}

/// Another note in the place of a checkpoint.
pub async fn set_note(tx: &mut Tx, size: u64, note: &str) -> Result<()> {
    const SQL: &str = "UPDATE audit_checkpoints SET note = $2 WHERE size = $1";
    tx.execute(SQL, params![stored(size)?, note]).await.map(drop)
}

/// The personal data of one entry in the place of that of another.
pub async fn copy_personal(tx: &mut Tx, from: u64, to: u64) -> Result<()> {
    const SQL: &str = "UPDATE audit_personal SET sealed =
            (SELECT other.sealed FROM audit_personal other
             WHERE other.idx = $1 AND other.part = 'from')
        WHERE idx = $2 AND part = 'from'";
    tx.execute(SQL, params![stored(from)?, stored(to)?]).await.map(drop)
}

/// The personal data of an entry is gone.
pub async fn remove_personal(tx: &mut Tx, index: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM audit_personal WHERE idx = $1";
    tx.execute(SQL, params![stored(index)?]).await.map(drop)
}

/// Fewer events than there were, in every hour.
pub async fn set_counts(tx: &mut Tx, name: &str, events: i64) -> Result<()> {
    const SQL: &str = "UPDATE audit_counts SET events = $2 WHERE name = $1";
    tx.execute(SQL, params![name, events]).await.map(drop)
}

/// Says that entries were pruned, and takes them out.
pub async fn forge_pruning(tx: &mut Tx, below: u64) -> Result<()> {
    let below = params![stored(below)?];
    for sql in [
        "UPDATE audit_tree SET pruned = $1",
        "DELETE FROM audit_log WHERE idx < $1",
        "DELETE FROM audit_personal WHERE idx < $1",
    ] {
        tx.execute(sql, below).await?;
    }
    Ok(())
}

/// Says that everybody was erased, and takes their data out, or leaves it.
pub async fn forge_erasure(tx: &mut Tx, is_data_gone: bool) -> Result<()> {
    tx.execute(
        "UPDATE audit_people SET erased_at = 1, user_id = NULL, sealed_key = NULL",
        params![],
    )
    .await?;
    if is_data_gone {
        tx.execute("DELETE FROM audit_personal WHERE person IS NOT NULL", params![]).await?;
    }
    Ok(())
}

/// The trigger that refuses to change checkpoints is dropped.
pub async fn drop_checkpoint_guard(tx: &mut Tx) -> Result<()> {
    let sql = if tx.is_postgres() {
        "DROP TRIGGER audit_checkpoints_never_change ON audit_checkpoints"
    } else {
        "DROP TRIGGER audit_checkpoints_never_change"
    };
    tx.run_script(sql).await
}

/// Two people of the log change users.
pub async fn swap_people(tx: &mut Tx, one: i64, other: i64) -> Result<()> {
    const SQL: &str = "UPDATE audit_people SET user_id = $2 WHERE user_id = $1";
    for (from, to) in [(one, -1_i64), (other, one), (-1, other)] {
        tx.execute(SQL, params![from, to]).await?;
    }
    Ok(())
}

/// Somebody of the log with a key as it is sealed somewhere.
pub async fn put_person(tx: &mut Tx, person: i64, user: i64, sealed_key: &[u8]) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_people (person, user_id, sealed_key) VALUES ($1, $2, $3)";
    tx.execute(SQL, params![person, user, sealed_key]).await.map(drop)
}

/// An event waits that nobody vouches for.
pub async fn put_waiting(tx: &mut Tx, id: &str, name: &str, detail: &str) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_pending (id, at, name, outcome, severity, detail)
        VALUES ($1, 1, $2, 'success', 'critical', $3)";
    tx.execute(SQL, params![id, name, detail]).await.map(drop)
}

/// Rows that were put aside are taken away.
pub async fn forget_rejected(tx: &mut Tx) -> Result<()> {
    tx.execute("DELETE FROM audit_rejected", params![]).await.map(drop)
}

/// The entry of an address is found by another.
pub async fn set_address(tx: &mut Tx, index: u64, address: Option<&[u8]>) -> Result<()> {
    const SQL: &str = "UPDATE audit_personal SET address = $2 WHERE idx = $1 AND part = 'from'";
    tx.execute(SQL, params![stored(index)?, address]).await.map(drop)
}

/// The checkpoint of a size says that it is of another time.
pub async fn set_signed_at(tx: &mut Tx, size: u64, at: Time) -> Result<()> {
    const SQL: &str = "UPDATE audit_checkpoints SET at = $2 WHERE size = $1";
    tx.execute(SQL, params![stored(size)?, at]).await.map(drop)
}

/// Nothing was ever signed.
pub async fn forget_checkpoints(tx: &mut Tx) -> Result<()> {
    tx.execute("DELETE FROM audit_checkpoints", params![]).await.map(drop)
}

/// The log says that it is so long.
pub async fn set_size(tx: &mut Tx, size: u64) -> Result<()> {
    tx.execute("UPDATE audit_tree SET size = $1", params![stored(size)?]).await.map(drop)
}

/// Empties every table of the log.
pub async fn empty(tx: &mut Tx) -> Result<()> {
    for sql in [
        "DELETE FROM audit_log",
        "DELETE FROM audit_tree",
        "DELETE FROM audit_tiles",
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_people",
        "DELETE FROM audit_personal",
        "DELETE FROM audit_counts",
    ] {
        tx.execute(sql, params![]).await?;
    }
    Ok(())
}

/// Puts other lines in the place of those of one baseline.
pub async fn forge_baseline(tx: &mut Tx, number: i64, lines: &[u8]) -> Result<()> {
    const PART: &str = "INSERT INTO integrity_parts (digest, lines) VALUES ($1, $2)";
    const PLACES: &str = "UPDATE integrity_baseline_parts SET digest = $1 WHERE number = $2";
    let digest = digest::digest(&digest::SHA256, lines);
    tx.execute(PART, params![digest.as_ref(), lines]).await?;
    tx.execute(PLACES, params![digest.as_ref(), number]).await.map(drop)
}
