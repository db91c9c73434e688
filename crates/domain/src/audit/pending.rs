//! What waits for its place in the log is vouched for: a MAC over the whole row under a key from the
//! secret, so that whoever can write to the database alone brings nothing into the log. Not here: the
//! table, and what becomes of a row that nobody vouches for.

use aws_lc_rs::hmac;

use crate::secret::leading;
use crate::time::Time;

/// A row as it waits, column by column, exactly as it is kept.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub id: &'a str,
    pub at: Time,
    pub name: &'a str,
    pub outcome: &'a str,
    pub severity: &'a str,
    pub actor: Option<i64>,
    pub subject: Option<i64>,
    pub session: Option<&'a str>,
    pub ip: Option<&'a str>,
    pub peer: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub detail: &'a str,
    pub texts: Option<&'a str>,
}

/// The key of these MACs.
#[derive(Clone)]
pub struct PendingKey(hmac::Key);

impl PendingKey {
    /// From a key that was derived for this.
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// HMAC-SHA-256 over every column.
    pub fn mac(&self, row: &Row<'_>) -> [u8; 32] {
        leading(&hmac::sign(&self.0, &row.bytes()))
    }

    /// Whether whoever wrote the row had the secret.
    pub fn vouches_for(&self, row: &Row<'_>, mac: &[u8]) -> bool {
        hmac::verify(&self.0, &row.bytes(), mac).is_ok()
    }
}

/// The id of the event that tells of an upgrade: a `UUIDv7` of that time whose other bits nobody can
/// tell who has not the key.
pub fn id_of_upgrade(now: Time, key: &PendingKey) -> String {
    let millis = u64::try_from(now.0).unwrap_or_default();
    let bits: [u8; 10] = leading(&hmac::sign(&key.0, &now.0.to_be_bytes()));
    uuid::Builder::from_unix_timestamp_millis(millis, &bits).into_uuid().to_string()
}

impl Row<'_> {
    /// Each column behind its length, and nothing behind a byte of its own, so that no two rows have
    /// the same bytes.
    fn bytes(&self) -> Vec<u8> {
        // A column that is added and not named here does not compile.
        let Self {
            id,
            at,
            name,
            outcome,
            severity,
            actor,
            subject,
            session,
            ip,
            peer,
            user_agent,
            request_id,
            detail,
            texts,
        } = *self;
        let mut bytes = Vec::with_capacity(512);
        for number in [Some(at.0), actor, subject] {
            put(&mut bytes, number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
        let always = [id, name, outcome, severity, detail].map(Some);
        let maybe = [session, ip, peer, user_agent, request_id, texts];
        for text in always.into_iter().chain(maybe) {
            put(&mut bytes, text.map(str::as_bytes));
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
            bytes.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keys, MasterSecret};

    const ROW: Row<'_> = Row {
        id: "id",
        at: Time(5),
        name: "sys_heartbeat",
        outcome: "success",
        severity: "info",
        actor: Some(7),
        subject: None,
        session: None,
        ip: Some("192.0.2.1"),
        peer: None,
        user_agent: Some(""),
        request_id: None,
        detail: "{}",
        texts: None,
    };

    fn key_of(secret: u8) -> PendingKey {
        Keys::derive(&MasterSecret::from_random([secret; 32])).unwrap().audit.pending().clone()
    }

    #[test]
    fn every_column_is_vouched_for() {
        let key = key_of(1);
        let mac = key.mac(&ROW);
        assert!(key.vouches_for(&ROW, &mac));
        assert!(!key_of(2).vouches_for(&ROW, &mac), "another secret");
        for cut in [&[][..], &mac[..31], &[mac.as_slice(), &[0]].concat()] {
            assert!(!key.vouches_for(&ROW, cut), "another length");
        }
        let others = [
            Row { id: "ie", ..ROW },
            Row { at: Time(6), ..ROW },
            Row { name: "audit_pruned", ..ROW },
            Row { outcome: "failure", ..ROW },
            Row { severity: "critical", ..ROW },
            Row { actor: Some(8), ..ROW },
            Row { actor: None, subject: Some(7), ..ROW },
            Row { subject: Some(0), ..ROW },
            Row { session: Some(""), ..ROW },
            Row { ip: None, peer: Some("192.0.2.1"), ..ROW },
            Row { ip: Some("192.0.2."), user_agent: Some("1"), ..ROW },
            Row { peer: Some("p"), ..ROW },
            Row { user_agent: None, ..ROW },
            Row { request_id: Some("r"), ..ROW },
            Row { detail: "{ }", ..ROW },
            Row { texts: Some("{}"), ..ROW },
        ];
        for (number, other) in others.iter().enumerate() {
            assert!(!key.vouches_for(other, &mac), "{number}");
        }
    }
}
