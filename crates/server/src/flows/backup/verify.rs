//! Looks whether a backup can be restored, by restoring it into a database that is thrown away, and
//! whether the audit log in it is in order.

use std::path::Path;

use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_store::Db;
use portcullis_store::backup::{self, Counts, Head, Refusal};
use portcullis_store::migrate::MigrateOptions;

use super::reading::{Progress, Reading};
use crate::flows::audit::LogFault;
use crate::flows::audit::verify::{self as audit, Ask, Extent, Verdict};

/// What was found in a backup that can be restored.
#[derive(Clone, Debug)]
pub struct Verified {
    pub head: Head,
    pub rows: Counts,
    /// What was found of its audit log; `None` if that has not begun.
    pub log: Option<Verdict>,
}

/// Why there is nothing to say about a backup.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the audit log in it cannot be verified")]
    Log(#[from] LogFault),
}

/// How many ranges of the log are read at once.
const READERS: usize = 4;

/// Restores into `scratch`, which has no tables yet: the digest and the seal, every row in its place,
/// each with the rows that it points to, and the way to the schema of this program. Of the log it is not
/// asked whether it goes as far as what was signed later: it cannot.
pub async fn verify(
    scratch: &Db,
    keys: &Keys,
    file: &Path,
    now: Time,
    progress: Progress<'_>,
) -> Result<Verified, VerifyError> {
    let Reading { sound, mut lines } = Reading::open(file, keys, progress)?;
    let options = MigrateOptions { seal_check: keys.seal_check(), now };
    let mut tx = scratch.write().await.map_err(Refusal::from)?;
    let rows = backup::restore(&mut tx, &mut lines, &sound, &options).await?;
    tx.commit().await.map_err(Refusal::from)?;
    let ask = Ask {
        db: scratch.clone(),
        keys: keys.audit.clone(),
        key: None,
        anchors: Vec::new(),
        extent: Extent::Whole,
        // It is as old as the backup, and not late.
        now: sound.head.taken_at,
        readers: READERS,
    };
    let log = audit::verify(&ask, |_, _| ()).await?;
    Ok(Verified { head: sound.head, rows, log })
}
