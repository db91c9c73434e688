//! What files and the good ones differ in. Copies of good text files are kept, sealed, in the data
//! directory, as far as there is room; a difference is taken when its alert is made, because whoever
//! changed the file may change it back.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use portcullis_domain::integrity::alert::{Kind, Severity};
use portcullis_domain::integrity::{NONCE_LEN, WatchKeys};
use portcullis_domain::time::Time;
use portcullis_integrity::diff::{self, Diff, Limits, MaskKey, NoDiff, is_secret};
use portcullis_integrity::{Content, Entry, Finding, Is, Why, is_gone, read_whole};
use portcullis_store::integrity::baselines;
use portcullis_store::integrity::diffs::{self, Kept};

use super::found::{Found, of_root};
use super::room::{self, Room, Until};
use super::settle::ByFingerprint;
use super::{Fault, Monitor, copies, spool};
use crate::config::WatchedRoot;

/// Something else than a file was, or is, there.
const NOT_A_FILE: &str = "not_a_file";
/// By its name it holds secrets.
const SECRET: &str = "nodiff";
/// All others of the same look took too long.
const SLOW: &str = "slow";
/// It is not what the check found any more.
const CHANGED_AGAIN: &str = "changed_again";

/// A difference that was taken, and belongs to no alert yet.
pub(super) struct Frozen {
    text: Option<String>,
    added: i64,
    removed: i64,
    reason: &'static str,
    taken_at: Time,
}

/// What there is to compare with.
#[derive(Clone)]
struct Desk {
    root: WatchedRoot,
    copies: PathBuf,
    keys: WatchKeys,
    max_bytes: u64,
}

/// Takes the differences of what is not known yet, the worst first, as far as there are room and time for
/// them.
pub(super) async fn freeze(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    found: &[Found<'_>],
    known: &ByFingerprint,
) -> Result<HashMap<[u8; 32], Frozen>, Fault> {
    let new = found.iter().filter(|found| !known.contains_key(&found.fingerprint[..]));
    let mut new: Vec<(Severity, [u8; 32], Finding)> = new
        .filter_map(|found| Some((found.severity, found.fingerprint, found.finding()?.clone())))
        .collect();
    // Among equals the small ones: whoever makes long files takes no time from what he changed.
    new.sort_by_key(|(severity, _, finding)| (*severity, length(finding)));
    let Some((worst, ..)) = new.first() else { return Ok(HashMap::new()) };
    let mut room = room_for(monitor, *worst).await?;
    let (desk, now) = (desk(monitor, root), monitor.now());
    let take = move || {
        let (mut frozen, until) = (HashMap::new(), Until::of_a_look());
        for (severity, fingerprint, finding) in new {
            let one = match until.next() {
                _ if !room.is_for(severity) => none("quota", now),
                Some(deadline) => desk.take(&finding, deadline, now),
                None => none(SLOW, now),
            };
            one.text.iter().for_each(|text| room.take(text));
            frozen.insert(fingerprint, one);
        }
        frozen
    };
    Ok(tokio::task::spawn_blocking(take).await?)
}

/// How much there is to read for a difference, in bytes.
fn length(finding: &Finding) -> u64 {
    let of = |entry: &Entry| {
        if let Content::File { size, .. } = entry.content { size } else { 0 }
    };
    let is = match &finding.is {
        Is::There(entry) => of(entry),
        Is::Gone | Is::Unverifiable { .. } => 0,
    };
    is.saturating_add(finding.was.as_ref().map_or(0, of))
}

/// How much room there is. For the worst some is made, by what matters least.
async fn room_for(monitor: &Monitor<'_>, worst: Severity) -> Result<Room, Fault> {
    /// So many are dropped at a time.
    const STEP: u32 = 16;
    let mut room = room(monitor).await?;
    while monitor.settings.copies.is_some() && worst.is_bad() && !room.is_for(worst) {
        let mut tx = monitor.db.write().await?;
        let dropped = diffs::drop_least(&mut tx, "quota", STEP).await?;
        tx.commit().await?;
        if dropped == 0 {
            break;
        }
        room = self::room(monitor).await?;
    }
    Ok(room)
}

/// How the file and the good one differ now.
pub(super) async fn current(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
    was: Option<Entry>,
    (path, moved): (Vec<u8>, Option<Vec<u8>>),
) -> Result<Result<Diff, &'static str>, Fault> {
    let desk = desk(monitor, root);
    Ok(tokio::task::spawn_blocking(move || {
        secret_if_moved(moved.as_deref())?;
        let before = was.as_ref().map(|was| desk.good(was)).transpose()?;
        let after = match read_whole(&desk.root.path, &path, desk.max_bytes) {
            Ok((bytes, _)) => Some(bytes),
            Err(Why::Unreadable) if is_gone(&desk.root.path, &path) => None,
            Err(why) => return Err(word(why)),
        };
        let (before, after) = (before.as_deref(), after.as_deref());
        desk.differ(&path, before, after, room::of_one()).map_err(NoDiff::as_str)
    })
    .await?)
}

fn desk(monitor: &Monitor<'_>, root: &WatchedRoot) -> Desk {
    Desk {
        root: root.clone(),
        copies: copies::of_root(monitor.data_dir, &root.name),
        keys: monitor.keys.watch.clone(),
        max_bytes: monitor.settings.diff_max_bytes,
    }
}

impl Frozen {
    /// Sealed for its alert.
    pub(super) fn sealed(&self, monitor: &Monitor<'_>, alert: i64) -> Kept {
        let nonce: [u8; NONCE_LEN] = monitor.random.bytes();
        let sealed = self
            .text
            .as_ref()
            .and_then(|text| monitor.keys.watch.seal(&place(alert), nonce, text.as_bytes()));
        Kept {
            sealed,
            added: self.added,
            removed: self.removed,
            reason: self.reason.to_owned(),
            taken_at: self.taken_at,
        }
    }
}

/// The text of a difference that was kept with an alert.
pub(super) fn opened(keys: &WatchKeys, alert: i64, sealed: &[u8]) -> Option<String> {
    let text = keys.open(&place(alert), sealed)?;
    String::from_utf8(text.to_vec()).ok()
}

fn place(alert: i64) -> Vec<u8> {
    format!("difference {alert}").into_bytes()
}

fn none(reason: &'static str, taken_at: Time) -> Frozen {
    Frozen { text: None, added: 0, removed: 0, reason, taken_at }
}

impl Desk {
    fn take(&self, finding: &Finding, deadline: Instant, now: Time) -> Frozen {
        let path = finding.path();
        match self.contents(finding) {
            Ok([before, after]) => {
                match self.differ(path, before.as_deref(), after.as_deref(), deadline) {
                    Ok(diff) => Frozen {
                        added: count(diff.added),
                        removed: count(diff.removed),
                        text: Some(diff.text),
                        reason: "",
                        taken_at: now,
                    },
                    Err(NoDiff::Secret { added, removed }) => Frozen {
                        added: count(added),
                        removed: count(removed),
                        ..none("nodiff", now)
                    },
                    Err(not) => none(not.as_str(), now),
                }
            }
            Err(reason) => none(reason, now),
        }
    }

    /// The good content and the one that was found; `None` where there is no file.
    fn contents(&self, finding: &Finding) -> Result<[Option<Vec<u8>>; 2], &'static str> {
        secret_if_moved(finding.moved.as_deref())?;
        let before = finding.was.as_ref().map(|was| self.good(was)).transpose()?;
        let after = match &finding.is {
            Is::There(is) => Some(self.found(is)?),
            Is::Gone => None,
            Is::Unverifiable { why, .. } => return Err(word(*why)),
        };
        Ok([before, after])
    }

    /// The copy of a good file.
    fn good(&self, was: &Entry) -> Result<Vec<u8>, &'static str> {
        let Content::File { size, digest } = &was.content else { return Err(NOT_A_FILE) };
        // No copy of such a file is kept, whatever room there is.
        if is_secret(&was.path) {
            return Err(SECRET);
        }
        if *size > self.max_bytes {
            return Err(NoDiff::TooLarge.as_str());
        }
        copies::read(&self.copies, &self.keys, digest).ok_or("not_stored")
    }

    /// The file as it was found, if it is still that.
    fn found(&self, is: &Entry) -> Result<Vec<u8>, &'static str> {
        let Content::File { digest, .. } = &is.content else { return Err(NOT_A_FILE) };
        let (bytes, now) = read_whole(&self.root.path, &is.path, self.max_bytes).map_err(word)?;
        if now == *digest { Ok(bytes) } else { Err(CHANGED_AGAIN) }
    }

    fn differ(
        &self,
        path: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        deadline: Instant,
    ) -> Result<Diff, NoDiff> {
        let limits =
            Limits { max_bytes: usize::try_from(self.max_bytes).unwrap_or(usize::MAX), deadline };
        diff::diff(path, before, after, limits, &MaskKey::new(self.keys.mask()))
    }
}

/// What was moved out of a file of secrets, or into one, is one under its other name, too.
fn secret_if_moved(moved: Option<&[u8]>) -> Result<(), &'static str> {
    if moved.is_some_and(is_secret) { Err(SECRET) } else { Ok(()) }
}

fn word(why: Why) -> &'static str {
    if why == Why::Denied { "permission" } else { why.as_str() }
}

fn count(lines: u64) -> i64 {
    i64::try_from(lines).unwrap_or(i64::MAX)
}

/// What there is to tell of if there was no room for all copies, or is none for differences.
pub(super) async fn lack_of_room(
    monitor: &Monitor<'_>,
    root: &WatchedRoot,
) -> Result<Option<Found<'static>>, Fault> {
    let lacks = copies::are_incomplete(monitor.data_dir, &root.name)
        || monitor.settings.copies.is_some() && !room(monitor).await?.is_for(Severity::Low);
    let says = "There is no room for copies of all good text files, or for more differences \
                (integrity.copies): some differences cannot be shown.";
    let full = || of_root(root, Kind::CopiesFull, Severity::Low, says.to_owned());
    Ok(lacks.then(full))
}

/// How much of differences may be kept yet.
async fn room(monitor: &Monitor<'_>) -> Result<Room, Fault> {
    let taken = diffs::bytes(&mut monitor.db.read().await?).await?;
    let all = i64::try_from(monitor.settings.copies.unwrap_or(0)).unwrap_or(i64::MAX);
    Ok(Room::new(all, taken))
}

/// Keeps copies of the good files of a root: those that the baseline in force has, and no others.
pub(super) async fn keep_copies(monitor: &Monitor<'_>, root: &WatchedRoot) -> Result<(), Fault> {
    let Some(most) = monitor.settings.copies else { return Ok(()) };
    let mut tx = monitor.db.read().await?;
    let active = baselines::active(&mut tx, &root.name).await?;
    drop(tx);
    let Some(active) = active else { return Ok(()) };
    let Ok(spooled) = spool::fetch(monitor, &active).await? else {
        return Ok(());
    };
    let keeping = copies::Keeping {
        root: root.path.clone(),
        all: copies::of_all(monitor.data_dir),
        to: copies::of_root(monitor.data_dir, &root.name),
        keys: monitor.keys.watch.clone(),
        max_bytes: monitor.settings.diff_max_bytes,
        most,
        random: monitor.random,
    };
    let kept = tokio::task::spawn_blocking(move || {
        let lines = spooled.lines().map_err(io::Error::other)?;
        copies::keep(&keeping, lines.filter_map(Result::ok))
    });
    Ok(kept.await??)
}
