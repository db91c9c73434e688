//! What administrators changed while the server ran, by name. What a name and its value mean is
//! for others to know.

use portcullis_domain::id::UserId;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A value that stands in place of the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
    /// `None`: the operator at the command line.
    pub changed_by: Option<UserId>,
    pub changed_at: Time,
}

/// Every one, by name.
pub async fn all(tx: &mut Tx) -> Result<Vec<Setting>> {
    const SQL: &str = "SELECT name, value, changed_by, changed_at FROM settings ORDER BY name";
    tx.fetch_all(SQL, params![]).await?.iter().map(setting).collect()
}

/// The one of this name.
pub async fn get(tx: &mut Tx, name: &str) -> Result<Option<Setting>> {
    const SQL: &str = "SELECT name, value, changed_by, changed_at FROM settings WHERE name = $1";
    tx.fetch_optional(SQL, params![name]).await?.as_ref().map(setting).transpose()
}

/// Puts a value in the place of what was read before; `false` if somebody else was faster.
pub async fn replace(tx: &mut Tx, before: Option<&Setting>, new: &Setting) -> Result<bool> {
    const INSERT: &str = "INSERT INTO settings (name, value, changed_by, changed_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    const UPDATE: &str = "UPDATE settings SET value = $2, changed_by = $3, changed_at = $4
        WHERE name = $1 AND value = $5";
    let (name, value) = (new.name.as_str(), new.value.as_str());
    match before {
        None => tx.changed(INSERT, params![name, value, new.changed_by, new.changed_at]).await,
        Some(before) => {
            let row = params![name, value, new.changed_by, new.changed_at, before.value.as_str()];
            tx.changed(UPDATE, row).await
        }
    }
}

/// Takes a value away, so that the configuration's stands again; `false` if it is not there (any
/// longer).
pub async fn remove(tx: &mut Tx, before: &Setting) -> Result<bool> {
    const SQL: &str = "DELETE FROM settings WHERE name = $1 AND value = $2";
    tx.changed(SQL, params![before.name.as_str(), before.value.as_str()]).await
}

fn setting(row: &Row) -> Result<Setting> {
    Ok(Setting {
        name: row.get("name")?,
        value: row.get("value")?,
        changed_by: row.get::<Option<i64>>("changed_by")?.map(UserId),
        changed_at: Time(row.get("changed_at")?),
    })
}
