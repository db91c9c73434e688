//! Tells by mail of files that differ, in the transaction of their alerts, so that it does not matter who
//! found them: one letter to each of the staff who may manage alerts, for all that was found together.
//! There are not more than some an hour, of which what is worst has its own; the last says how much there
//! was beside.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use portcullis_domain::integrity::alert::Severity;
use portcullis_domain::permission::Key;
use portcullis_domain::text::Email;
use portcullis_domain::time::Time;
use portcullis_store::integrity::sightings;
use portcullis_store::users::{self, User};
use portcullis_store::{Error, Tx};

use super::Monitor;
use super::judge::MAY_JUDGE;
use super::settle::Told;
use crate::flows::roles;
use crate::mail::held::{self, By, Queued};
use crate::mail::{Cap, FileLine, Letter};

/// So many of the staff are told.
const MOST_PEOPLE: i64 = 100;
/// So many files have a line of their own.
const MOST_LINES: usize = 20;

/// Tells of what was found at a time, if it is bad enough.
pub(super) async fn tell(
    monitor: &Monitor<'_>,
    tx: &mut Tx,
    told: &[Told],
    at: Time,
) -> Result<(), Error> {
    let Some(from) = monitor.settings.mail else { return Ok(()) };
    let mut telling = Telling::of(monitor, told, from, at);
    if telling.parts.is_empty() {
        return Ok(());
    }
    // Who may judge is asked in the store as far as it can tell, because only so many come out of it.
    for user in users::staff_with(tx, MAY_JUDGE, MOST_PEOPLE).await? {
        if may_judge(tx, &user).await? {
            telling.tell(tx, &user.email).await?;
        }
    }
    Ok(())
}

/// What is told, and how much of what is left out was counted.
struct Telling<'a> {
    by: By<'a>,
    url: String,
    parts: Vec<Part>,
    left_out: HashMap<(i64, Time), i64>,
}

/// One letter.
struct Part {
    letter: Letter,
    /// What a letter is called of what had no letter of this kind.
    of_rest: &'static str,
    /// How bad what has room by its cap is, the worst being 0.
    ranks: RangeInclusive<i64>,
}

impl<'a> Telling<'a> {
    fn of(monitor: &Monitor<'a>, told: &[Told], from: Severity, at: Time) -> Self {
        let url = format!("{}/-/admin/files", monitor.public_url);
        let mut all: Vec<&Told> = told.iter().filter(|told| told.severity <= from).collect();
        all.sort_by_key(|told| told.severity);
        let worst = Severity::Critical;
        let rest = &all[..].partition_point(|told| told.severity <= worst);
        let rest = all.get(*rest..).unwrap_or_default();
        let mut parts = Vec::new();
        if rest.len() < all.len() {
            let letter = Letter { cap: Some(Cap::FILES_CRITICAL), ..letter(&all, &url) };
            let (of_rest, ranks) = (Letter::MORE_CRITICAL_FILES, 0..=worst.rank());
            parts.push(Part { letter, of_rest, ranks });
        }
        if !rest.is_empty() {
            let letter = Letter { cap: Some(Cap::FILES), ..letter(rest, &url) };
            let (of_rest, ranks) = (Letter::MORE_FILES, worst.rank() + 1..=from.rank());
            parts.push(Part { letter, of_rest, ranks });
        }
        let by = By { random: monitor.random, place: monitor.public_url, now: at };
        Self { by, url, parts, left_out: HashMap::new() }
    }

    /// The first letter tells of all. Where there were enough of that kind, the other one does of the rest.
    async fn tell(&mut self, tx: &mut Tx, to: &Email) -> Result<(), Error> {
        for Part { letter, of_rest, ranks } in &self.parts {
            let Queued::Held(held) = held::send(self.by, tx, to, letter, of_rest).await? else {
                return Ok(());
            };
            let key = (*ranks.start(), held.since);
            let count = match self.left_out.get(&key) {
                Some(count) => *count,
                None => sightings::alerts_since(tx, held.since, ranks).await?,
            };
            self.left_out.insert(key, count);
            let letter = Letter::more_files_differ(of_rest, count, held.since, &self.url);
            held.keep(self.by, tx, to, &letter).await?;
        }
        Ok(())
    }
}

fn letter(told: &[&Told], url: &str) -> Letter {
    let shown = told.iter().take(MOST_LINES).map(|told| FileLine {
        severity: told.severity.as_str(),
        what: told.kind.as_str(),
        path: told.file_path.clone(),
    });
    let lines: Vec<FileLine> = shown.collect();
    Letter::files_differ(&lines, told.len() - lines.len(), url.to_owned())
}

async fn may_judge(tx: &mut Tx, user: &User) -> Result<bool, Error> {
    let role = roles::of_user(tx, user).await?;
    let key = Key::parse(MAY_JUDGE);
    Ok(role.is_some_and(|role| key.is_ok_and(|key| role.grants.allows(&key))))
}
