//! What a watch hears on its own thread, for whoever looks. It is merged until somebody takes it, so that
//! it does not grow. Not here: looking.

use std::sync::{Arc, Mutex, PoisonError};

use portcullis_integrity::{Ended, Scope, Stop, Uncovered, Watch};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};

/// A watch on a thread of its own, which ends with this.
pub(super) struct Listener {
    heard: Arc<Heard>,
    stop: Stop,
    thread: JoinHandle<Result<(), Ended>>,
}

/// What was heard since it was last asked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Where to look.
    pub(super) dirty: Option<Scope>,
    /// The folders that are not watched, as it is now.
    pub(super) uncovered: Option<Uncovered>,
    /// More changed at once than the system tells of.
    pub(super) overflowed: bool,
}

/// Whether there will be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listens {
    On,
    /// The root is not what it was, or the watch has failed.
    NoMore,
}

#[derive(Default)]
struct Heard {
    news: Mutex<News>,
    told: Notify,
}

impl Listener {
    pub(super) fn begin(watch: Watch) -> std::io::Result<Self> {
        let (heard, stop) = (Arc::new(Heard::default()), Stop::new()?);
        heard.add(None, watch.uncovered().cloned());
        let (for_thread, stopped) = (Arc::clone(&heard), stop.clone());
        let thread = spawn_blocking(move || listen(watch, &stopped, &for_thread));
        Ok(Self { heard, stop, thread })
    }

    /// Waits until something is heard.
    pub(super) async fn next(&mut self) -> Listens {
        tokio::select! {
            () = self.heard.told.notified() => Listens::On,
            ended = &mut self.thread => {
                if let Ok(Err(error)) = ended {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "files are not watched any more");
                }
                Listens::NoMore
            }
        }
    }

    pub(super) fn take(&self) -> News {
        self.heard.take()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

impl Heard {
    fn take(&self) -> News {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let overflowed = std::mem::take(&mut news.overflowed);
        News { dirty: news.dirty.take(), uncovered: news.uncovered.clone(), overflowed }
    }

    /// Whoever looks is told with what there is to look at.
    fn overflow(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).overflowed = true;
    }

    fn add(&self, dirty: Option<Scope>, uncovered: Option<Uncovered>) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let before = news.dirty.take();
        news.dirty = match (before, dirty) {
            (Some(before), Some(dirty)) => Some(before.and(dirty)),
            (before, dirty) => before.or(dirty),
        };
        news.uncovered = uncovered;
        drop(news);
        self.told.notify_one();
    }
}

fn listen(mut watch: Watch, stop: &Stop, heard: &Heard) -> Result<(), Ended> {
    loop {
        let batch = match watch.next(stop) {
            Ok(batch) => batch,
            Err(Ended::Stopped) => return Ok(()),
            Err(failed) => return Err(failed),
        };
        if batch.overflowed {
            heard.overflow();
            tracing::warn!(root = %watch.root().display(), "more files changed at once than the \
                system tells of: all are looked at");
        }
        heard.add(Some(batch.dirty), watch.uncovered().cloned());
        if batch.root_gone {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_was_too_much_is_told_once() {
        let heard = Heard::default();
        heard.add(Some(Scope::of([b"a".to_vec()])), None);
        assert!(!heard.take().overflowed, "control");
        heard.overflow();
        heard.add(Some(Scope::everything()), None);
        heard.add(Some(Scope::of([b"b".to_vec()])), None);
        let news = heard.take();
        assert!(news.overflowed && news.dirty == Some(Scope::everything()));
        assert!(!heard.take().overflowed);
    }
}
