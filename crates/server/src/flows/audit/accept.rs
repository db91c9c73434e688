//! Going on with a log that does not continue what the anchor file says, as after an older backup was
//! brought back: the file is put aside, and that is an entry of its own for ever. What the database
//! itself says was signed cannot be put aside: a log that does not continue that was tampered with.

use std::path::{Path, PathBuf};

use portcullis_domain::audit::checkpoint::Checkpoint;
use portcullis_domain::audit::note::SigningKey;
use portcullis_domain::event::Event;
use portcullis_domain::time::Time;
use portcullis_store::audit::{checkpoints, tree};

use super::checkpoint::{discontinued, head};
use super::{AuditLog, Discontinued, LogFault, When, anchor};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The log continues what the file says, or there is no file.
    Nothing,
    /// The file was put aside, and the log is signed as it is.
    Done(Lost),
    /// The log does not continue what the database says was signed.
    Refused(Discontinued),
}

/// What the log does not continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub how: Discontinued,
    /// How many entries were signed, as the file says; `None` if it is not by this key.
    pub anchored: Option<u64>,
    /// How many there are.
    pub size: u64,
    /// Where the file is now.
    pub aside: PathBuf,
}

impl AuditLog {
    /// Puts an anchor file aside that the log does not continue.
    pub async fn accept(&self, now: Time) -> Result<Accepted, LogFault> {
        self.settle(now).await?;
        let found = self.compare(now).await?;
        if let Accepted::Done(lost) = &found {
            tokio::fs::rename(&self.0.anchor, &lost.aside).await?;
            let Lost { how, anchored, size, .. } = *lost;
            self.note(&Event::AnchorReplaced { reason: how.as_str(), anchored, size }, now).await?;
            self.settle(now).await?;
            self.sign(now, When::Now).await?;
        }
        Ok(found)
    }

    async fn compare(&self, now: Time) -> Result<Accepted, LogFault> {
        let mut tx = self.0.db.read().await?;
        let Some(tree) = tree::read(&mut tx).await? else { return Ok(Accepted::Nothing) };
        let Some(note) = anchor::read(&self.0.anchor).await? else { return Ok(Accepted::Nothing) };
        let key = SigningKey::from_seed(&tree.origin, self.0.keys.signing_seed())?;
        let head = head(&mut tx, tree.size).await?;
        if let Some(newest) = checkpoints::newest(&mut tx).await?
            && let Some(how) = discontinued(&mut tx, &newest.note, &key, head).await?
        {
            return Ok(Accepted::Refused(how));
        }
        let how = discontinued(&mut tx, &note, &key, head).await?;
        let anchored = Checkpoint::open(&note, key.verifier()).ok();
        Ok(how.map_or(Accepted::Nothing, |how| {
            Accepted::Done(Lost {
                how,
                anchored: anchored.map(|signed| signed.size),
                size: tree.size,
                aside: aside(&self.0.anchor, now),
            })
        }))
    }
}

/// The evidence is kept beside the file that takes its place.
fn aside(anchor: &Path, now: Time) -> PathBuf {
    PathBuf::from(format!("{}.replaced-{}", anchor.display(), now.secs()))
}
