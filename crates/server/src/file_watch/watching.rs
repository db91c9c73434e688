//! One root that is watched: where the system tells of a change somebody looks at once, and what differs
//! becomes an alert. Not here: hearing (`heard`), looking (`flows::integrity::glance`).

use std::time::Duration;

use portcullis_domain::event::Context;
use portcullis_domain::time::Time;
use portcullis_integrity::{Budget, Exclude, NotWatched, Scope, Uncovered, Watch};
use portcullis_store::integrity as rows;

use super::EVERY;
use super::heard::{Listener, Listens, News};
use crate::app::App;
use crate::config::WatchedRoot;
use crate::flows::integrity::glance::{Glanced, Kept, glance};
use crate::flows::integrity::{Fault, Monitor, check, unwatched};

/// A root is looked at so often at most.
const PAUSE: Duration = Duration::from_secs(1);
/// After a look at the whole there is no other one for so many times as long as it took, so that whoever
/// touches things all day keeps no core busy.
const REST: u32 = 10;
/// And for no longer than this.
const LONGEST_REST: Duration = Duration::from_mins(10);

/// Watches every root from now on. Each has its watch when this is done, if it can be opened.
pub(super) async fn begin(app: &App) {
    let budget = Budget::of_system();
    for root in &app.config.integrity.roots {
        let mut watching = Watching::of(app, root, &budget);
        if !app.config.integrity.watch {
            watching.log(watching.covered().await);
            continue;
        }
        let armed = watching.arm().await;
        watching.awaited = armed.is_some().then(|| app.clock.now());
        app.spawn(watching.run(armed));
    }
}

/// So long after it was written down that changes were not heard of, that is not written down again.
const SAID_AGAIN: Duration = Duration::from_hours(1);

struct Watching {
    app: App,
    root: WatchedRoot,
    budget: Budget,
    kept: Kept,
    /// Where to look at once.
    dirty: Option<Scope>,
    /// Whether the whole is to be looked at.
    is_all_dirty: bool,
    /// Not before this, on the clock that only goes on.
    all_from: Duration,
    /// The check at the start is expected to look at the whole after this.
    awaited: Option<Time>,
    /// What was said last of folders that are not watched.
    is_covered: Option<bool>,
    /// When it was written down last that not every change was heard of.
    overflowed: Option<Time>,
    /// Why there was no watch, so that it is said once.
    not_watched: String,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    On,
    Stopping,
}

/// What it did about what it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    Nowhere,
    AtFiles,
}

impl Watching {
    fn of(app: &App, root: &WatchedRoot, budget: &Budget) -> Self {
        Self {
            app: app.clone(),
            root: root.clone(),
            budget: budget.clone(),
            kept: Kept::default(),
            dirty: None,
            is_all_dirty: false,
            all_from: Duration::ZERO,
            awaited: None,
            is_covered: None,
            overflowed: None,
            not_watched: String::new(),
        }
    }

    async fn run(mut self, mut armed: Option<Watch>) {
        loop {
            let goes = match armed.take() {
                Some(watch) => self.hear(watch).await,
                None => self.wait(EVERY).await,
            };
            if goes == Goes::Stopping {
                return;
            }
            armed = self.arm().await;
            if armed.is_some() {
                // What happened between two watches nobody has heard of.
                self.is_all_dirty = true;
            }
        }
    }

    /// Sets a watch; `None` if it cannot be, which is said once.
    async fn arm(&mut self) -> Option<Watch> {
        let (path, budget) = (self.root.path.clone(), self.budget.clone());
        // What can be read has been read by the configuration.
        let exclude = Exclude::parse(self.root.exclude.iter().map(String::as_str)).ok()?;
        let arming = move || Watch::arm(&path, &exclude, &budget);
        let armed = tokio::task::spawn_blocking(arming).await.ok()?;
        let root = self.root.name.as_str();
        match armed {
            Ok(watch) => {
                tracing::info!(root, folders = watch.watched(), "changes of files are heard of");
                self.not_watched.clear();
                Some(watch)
            }
            Err(not) => {
                let why = not.to_string();
                if why != self.not_watched {
                    tracing::warn!(root, why, "changes of files are not heard of");
                    self.not_watched = why;
                }
                if matches!(not, NotWatched::System(_)) {
                    // A root that cannot be opened is told of by whoever looks.
                    let all = Uncovered { folders: 1, named: vec![Vec::new()] };
                    let said = self.say_uncovered(Some(&all)).await;
                    self.log(said);
                }
                None
            }
        }
    }

    /// Looks wherever the watch says, until it has no more to say.
    async fn hear(&mut self, watch: Watch) -> Goes {
        let mut listener = match Listener::begin(watch) {
            Ok(listener) => listener,
            Err(error) => {
                self.log(Err(error.into()));
                return self.wait(EVERY).await;
            }
        };
        loop {
            let listens = tokio::select! {
                () = self.app.stopping.cancelled() => return Goes::Stopping,
                listens = listener.next() => listens,
                () = tokio::time::sleep(PAUSE), if self.is_waiting() => Listens::On,
            };
            let rest = match self.look(listener.take()).await {
                Ok(Looked::Nowhere) => Duration::ZERO,
                Ok(Looked::AtFiles) => PAUSE,
                Err(fault) => {
                    self.log(Err(fault));
                    EVERY
                }
            };
            let goes = self.wait(rest).await;
            if goes == Goes::Stopping || listens == Listens::NoMore {
                return goes;
            }
        }
    }

    /// Whether there is something to do though nothing is heard.
    fn is_waiting(&self) -> bool {
        self.dirty.is_some() || self.is_all_dirty || self.awaited.is_some()
    }

    async fn look(&mut self, news: News) -> Result<Looked, Fault> {
        if let Some(dirty) = news.dirty {
            self.add(dirty);
        }
        self.say_uncovered(news.uncovered.as_ref()).await?;
        if news.overflowed {
            self.say_overflowed().await?;
        }
        self.miss_nothing().await?;
        let Some(scope) = self.due() else { return Ok(Looked::Nowhere) };
        let began = self.app.clock.monotonic();
        let (app, context) = (self.app.clone(), Context::default());
        let monitor = Monitor::of(&app, &context);
        let kept = &mut self.kept;
        // Large, and carried by every future above it.
        let looking = Box::pin(glance(&monitor, &self.root, &scope, kept, &app.stopping));
        if let Glanced::Done(told) = looking.await? {
            self.dirty = None;
            if scope.is_everything() {
                let now = self.app.clock.monotonic();
                self.is_all_dirty = false;
                self.all_from = now + rest_after(now.saturating_sub(began));
            }
            self.awaited = self.awaited.filter(|_| !scope.is_everything());
            tracing::debug!(
                root = self.root.name,
                alerts = told.len(),
                "what changed was looked at"
            );
        }
        Ok(Looked::AtFiles)
    }

    fn add(&mut self, dirty: Scope) {
        // Also while the whole has to wait it is looked whether the root is there.
        self.is_all_dirty |= dirty.is_everything();
        let now = if dirty.is_everything() { Scope::of([]) } else { dirty };
        self.dirty = Some(match self.dirty.take() {
            Some(before) => before.and(now),
            None => now,
        });
        // More than is looked for one by one.
        if self.dirty.as_ref().is_some_and(Scope::is_everything) {
            (self.is_all_dirty, self.dirty) = (true, None);
        }
    }

    /// Where to look now.
    fn due(&self) -> Option<Scope> {
        if self.is_all_dirty && self.app.clock.monotonic() >= self.all_from {
            return Some(Scope::everything());
        }
        self.dirty.clone()
    }

    /// Looks at the whole, unless a check does that has begun after the watch was set.
    async fn miss_nothing(&mut self) -> Result<(), Fault> {
        let Some(since) = self.awaited else { return Ok(()) };
        let mut tx = self.app.db.read_once().await?;
        let row = rows::by_name(&mut tx, &self.root.name).await?;
        drop(tx);
        let is_looked_at = row.and_then(|row| row.looked_at).is_some_and(|at| at >= since);
        let is_late = self.app.clock.now() >= since.plus(EVERY);
        if !is_looked_at && (!is_late || check::is_running(&self.app.db).await?) {
            return Ok(());
        }
        if !is_looked_at {
            self.is_all_dirty = true;
        }
        self.awaited = None;
        Ok(())
    }

    async fn say_uncovered(&mut self, uncovered: Option<&Uncovered>) -> Result<(), Fault> {
        let is_covered = uncovered.is_none();
        if self.is_covered == Some(is_covered) {
            return Ok(());
        }
        match uncovered {
            Some(uncovered) => {
                let context = Context::default();
                let monitor = Monitor::of(&self.app, &context);
                unwatched::uncovered(&monitor, &self.root, uncovered).await?;
            }
            None => self.covered().await?,
        }
        self.is_covered = Some(is_covered);
        Ok(())
    }

    /// Whoever can make it happen can do so every second, so it is written down now and then.
    async fn say_overflowed(&mut self) -> Result<(), Fault> {
        let now = self.app.clock.now();
        if self.overflowed.is_none_or(|said| said.plus(SAID_AGAIN) <= now) {
            let context = Context::default();
            let monitor = Monitor::of(&self.app, &context);
            unwatched::overflowed(&monitor, &self.root).await?;
            self.overflowed = Some(now);
        }
        Ok(())
    }

    async fn covered(&self) -> Result<(), Fault> {
        let context = Context::default();
        unwatched::covered(&Monitor::of(&self.app, &context), &self.root).await
    }

    async fn wait(&self, long: Duration) -> Goes {
        tokio::select! {
            () = self.app.stopping.cancelled() => Goes::Stopping,
            () = tokio::time::sleep(long) => Goes::On,
        }
    }

    fn log(&self, done: Result<(), Fault>) {
        if let Err(fault) = done {
            let error = &fault as &dyn std::error::Error;
            let root = self.root.name.as_str();
            tracing::warn!(error, root, "changes of files are not looked at; they will be");
        }
    }
}

/// How long the whole is left alone after a look at it that took so long.
fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(REST).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_left_alone_for_longer_than_a_look_at_it_takes() {
        for (took, rest) in [(0, 0), (2, 20), (59, 590), (61, 600), (u64::MAX, 600)] {
            assert_eq!(rest_after(Duration::from_secs(took)), Duration::from_secs(rest), "{took}");
        }
    }
}
