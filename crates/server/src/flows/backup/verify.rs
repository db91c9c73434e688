//! Looks whether a backup can be restored, by restoring it into a database that is thrown away.

use std::path::Path;

use portcullis_domain::secret::Keys;
use portcullis_domain::time::Time;
use portcullis_store::Db;
use portcullis_store::backup::{self, Counts, Head, Refusal};
use portcullis_store::migrate::MigrateOptions;

use super::reading::{Progress, Reading};

/// What was found in a backup that can be restored.
#[derive(Clone, Debug)]
pub struct Verified {
    pub head: Head,
    pub rows: Counts,
}

/// Restores into `scratch`, which has no tables yet: the digest and the seal, every row in its place,
/// each with the rows that it points to, and the way to the schema of this program.
pub async fn verify(
    scratch: &Db,
    keys: &Keys,
    file: &Path,
    now: Time,
    progress: Progress<'_>,
) -> Result<Verified, Refusal> {
    let Reading { head, mut lines } = Reading::open(file, keys, progress)?;
    let options = MigrateOptions { seal_check: keys.seal_check(), now };
    let mut tx = scratch.write().await?;
    let rows = backup::restore(&mut tx, &mut lines, &head, &options).await?;
    tx.commit().await?;
    Ok(Verified { head, rows })
}
