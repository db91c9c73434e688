//! The index of breached passwords as a server has it open. It answers as soon as its head and its table are
//! right, because every answer is checked; all of it is read meanwhile, and what is damaged anywhere is used
//! no more. One that must be signed answers when all of it was read: no check of a part tells forgery. A file that cannot be used stops nothing: the log, the health checks and the answers say so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::civil::Date;
use portcullis_breach::{Count, Found, Index, NotAnIndex, Prefix, Progress, Sha1, Unread};
use portcullis_domain::audit::note::VerifierKey;

use super::signed;
use crate::app::App;
use crate::stamp::Stamp;

/// How often it is looked whether another file took the place.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The file, and what is open of it.
pub struct Offline {
    file: PathBuf,
    /// Who must have signed it, if anybody.
    key: Option<VerifierKey>,
    held: RwLock<Held>,
}

#[derive(Clone, Default)]
struct Held {
    /// `None`: it cannot be used.
    index: Option<Arc<Index>>,
    /// Whether every byte of it was found right.
    is_verified: bool,
    /// `None`: there was no file.
    seen: Option<Stamp>,
}

/// How it stands with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers; not all of it was read yet.
    Opened,
    /// It must be signed, and answers when all of it was read.
    Reading,
    /// It answers, and all of it was read.
    Verified,
    /// It cannot be used.
    Refused,
}

impl Offline {
    /// Opens the file; whatever is wrong with it is logged.
    pub fn open(file: &Path, key: Option<&VerifierKey>) -> Self {
        let offline = Self { file: file.to_owned(), key: key.cloned(), held: RwLock::default() };
        offline.take_over(Stamp::of(file));
        offline
    }

    /// How it stands with it.
    pub fn standing(&self) -> Standing {
        match self.held() {
            Held { index: None, .. } => Standing::Refused,
            Held { is_verified: true, .. } => Standing::Verified,
            Held { .. } if self.key.is_some() => Standing::Reading,
            Held { .. } => Standing::Opened,
        }
    }

    /// Of when its passwords are, if it can be used.
    pub fn date(&self) -> Option<Date> {
        self.answering().map(|index| index.head().date)
    }

    /// Of when its passwords are, and how many, if it can be used.
    pub fn extent(&self) -> Option<(Date, u64)> {
        self.answering().map(|index| (index.head().date, index.head().entries))
    }

    /// How often one of the hashes was found. `Err`: there is no answer.
    pub async fn lookup(&self, hashes: Vec<Sha1>) -> Result<Option<Count>, Unread> {
        let look = move |index: &Index| {
            let found = hashes.iter().map(|hash| index.lookup(hash));
            Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max())
        };
        self.ask(look).await
    }

    /// All that have a prefix. `Err`: there is no answer.
    pub async fn below(&self, prefix: Prefix) -> Result<Vec<Found>, Unread> {
        self.ask(move |index| index.below(prefix)).await
    }

    /// Asks on a thread that may wait for a disk. Where a part is damaged, nothing more is asked.
    async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Index) -> Result<T, Unread> + Send + 'static,
    ) -> Result<T, Unread> {
        let index = self.answering().ok_or(Unread::Damaged)?;
        let looked = tokio::task::spawn_blocking(move || (look(&index), index)).await;
        let (looked, index) = looked.map_err(std::io::Error::other)?;
        if let Err(fault) = &looked {
            self.refuse(&index, fault);
        }
        looked
    }

    /// The index that may be asked now.
    fn answering(&self) -> Option<Arc<Index>> {
        let Held { index, is_verified, .. } = self.held();
        index.filter(|_| is_verified || self.key.is_none())
    }

    /// Takes another file over, if one took the place, and reads all of what was not read yet. It takes a while.
    pub fn look(&self, progress: &Progress) {
        let seen = Stamp::of(&self.file);
        if seen != self.held().seen {
            self.take_over(seen);
        }
        let Held { index: Some(index), is_verified: false, .. } = self.held() else { return };
        match index.verify(progress) {
            Ok(_) => {
                let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
                held.is_verified |= is_same(held.index.as_ref(), &index);
            }
            Err(NotAnIndex::Stopped) => {}
            Err(fault) => self.refuse(&index, &fault),
        }
    }

    fn take_over(&self, seen: Option<Stamp>) {
        let file = self.file.display();
        let index = match signed::open(&self.file, self.key.as_ref()) {
            Ok(index) => {
                let (date, entries) = (index.head().date, index.head().entries);
                tracing::info!(%file, %date, entries, "the index of breached passwords is open");
                Some(Arc::new(index))
            }
            Err(fault) => {
                tracing::error!("breach.offline_index: {file} {fault}; it is not asked");
                None
            }
        };
        let held = Held { index, is_verified: false, seen };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Uses an index no more, unless another one took its place meanwhile.
    fn refuse(&self, index: &Arc<Index>, fault: &dyn std::fmt::Display) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if is_same(held.index.as_ref(), index) {
            held.index = None;
            let file = self.file.display();
            tracing::error!("breach.offline_index: {file}: {fault}; it is asked no more");
        }
    }

    fn held(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks at the file now and then until the server stops.
pub async fn watch(app: App) {
    if app.breach.offline.is_none() {
        return;
    }
    let progress = Arc::new(Progress::default());
    loop {
        let (looked, meanwhile) = (Arc::clone(&progress), app.clone());
        let look = move || {
            if let Some(offline) = &meanwhile.breach.offline {
                offline.look(&looked);
            }
        };
        let mut looking = tokio::task::spawn_blocking(look);
        tokio::select! {
            done = &mut looking => if done.is_err() { return },
            () = app.stopping.cancelled() => progress.stop(),
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn is_same(held: Option<&Arc<Index>>, index: &Arc<Index>) -> bool {
    held.is_some_and(|held| Arc::ptr_eq(held, index))
}
