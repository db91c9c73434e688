//! Devices where a sign-in is not asked for the second factor, found by the MAC of their secret. Not
//! here: who is asked at all.

use portcullis_domain::id::UserId;
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

use crate::driver::{Row, Tx, params};
use crate::error::Result;

/// A device to be trusted.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice<'a> {
    /// A `UUIDv7`.
    pub id: &'a str,
    pub user_id: UserId,
    /// The epoch of the user now. Under another the device is not trusted any more.
    pub user_epoch: i64,
    pub mac: Mac,
    pub name: &'a str,
    pub device_type: &'a str,
    pub fingerprint: &'a str,
    /// The client's address, read through trusted proxies.
    pub ip: &'a str,
    pub expires_at: Time,
}

/// A device that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub device_type: String,
    pub fingerprint: String,
    pub ip: String,
    pub created_at: Time,
    pub expires_at: Time,
    /// When a sign-in was last not asked because of it.
    pub last_used_at: Option<Time>,
}

/// Which rows of `$1`, a user, are trusted at `$2`.
macro_rules! of_user_in_force {
    () => {
        "user_id = $1 AND ended_at IS NULL AND expires_at > $2
            AND user_epoch = (SELECT u.epoch FROM users u WHERE u.id = user_id)"
    };
}

/// Trusts a device, and of the user's others only the newest, so that there are no more than `most`.
pub async fn insert(tx: &mut Tx, new: &NewDevice<'_>, most: i64, now: Time) -> Result<()> {
    const INSERT: &str = "INSERT INTO trusted_devices (
            id, user_id, user_epoch, mac, name, device_type, fingerprint, ip, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    const SURPLUS: &str = "UPDATE trusted_devices SET ended_at = $2
        WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN (
            SELECT id FROM trusted_devices WHERE user_id = $1 AND ended_at IS NULL
            ORDER BY created_at DESC, id DESC LIMIT $3)";
    let row = params![
        new.id,
        new.user_id,
        new.user_epoch,
        &new.mac,
        new.name,
        new.device_type,
        new.fingerprint,
        new.ip,
        now,
        new.expires_at,
    ];
    tx.execute(INSERT, row).await?;
    tx.execute(SURPLUS, params![new.user_id, now, most]).await.map(drop)
}

/// Which device of the user's this secret proves, if it is trusted; that it was used is noted.
pub async fn recognise(tx: &mut Tx, user: UserId, mac: &Mac, now: Time) -> Result<Option<String>> {
    const SQL: &str = concat!(
        "UPDATE trusted_devices SET last_used_at = $2 WHERE mac = $3 AND ",
        of_user_in_force!(),
        " RETURNING id"
    );
    let row = tx.fetch_optional(SQL, params![user, now, mac]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// The user's trusted devices, the newest first.
pub async fn list(tx: &mut Tx, user: UserId, now: Time) -> Result<Vec<Device>> {
    const SQL: &str = concat!(
        "SELECT id, name, device_type, fingerprint, ip, created_at, expires_at, last_used_at
        FROM trusted_devices WHERE ",
        of_user_in_force!(),
        " ORDER BY created_at DESC, id DESC"
    );
    tx.fetch_all(SQL, params![user, now]).await?.iter().map(device).collect()
}

/// How many of them there are.
pub async fn count(tx: &mut Tx, user: UserId, now: Time) -> Result<i64> {
    const SQL: &str =
        concat!("SELECT COUNT(*) AS number FROM trusted_devices WHERE ", of_user_in_force!());
    tx.fetch_one(SQL, params![user, now]).await?.get("number")
}

/// Trusts a device of the user's no more; `false` if it was not trusted.
pub async fn end(tx: &mut Tx, user: UserId, id: &str, now: Time) -> Result<bool> {
    const SQL: &str =
        concat!("UPDATE trusted_devices SET ended_at = $2 WHERE id = $3 AND ", of_user_in_force!());
    tx.changed(SQL, params![user, now, id]).await
}

/// Forgets devices that ended or ran out before `before`, at most `limit` of them; how many.
pub async fn sweep(tx: &mut Tx, before: Time, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM trusted_devices WHERE id IN (
        SELECT id FROM trusted_devices WHERE ended_at < $1 OR expires_at < $1 LIMIT $2)";
    tx.execute(SQL, params![before, i64::from(limit)]).await
}

fn device(row: &Row) -> Result<Device> {
    Ok(Device {
        id: row.get("id")?,
        name: row.get("name")?,
        device_type: row.get("device_type")?,
        fingerprint: row.get("fingerprint")?,
        ip: row.get("ip")?,
        created_at: Time(row.get("created_at")?),
        expires_at: Time(row.get("expires_at")?),
        last_used_at: row.get::<Option<i64>>("last_used_at")?.map(Time),
    })
}
