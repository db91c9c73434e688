//! What the forms of these pages say, or what is wrong with it in a sentence.

use std::time::Duration;

use portcullis_domain::time::Time;

use crate::flows::integrity::judge::Act;
use crate::web::api::file_integrity::judge::{LONGEST_DAYS, LONGEST_NOTE, resolution};
use crate::web::input::{Fields, whole_number};

/// What the name of a box to tick begins with; the number of the alert follows.
pub(super) const TICK: &str = "alert_";

/// The alerts whose boxes were ticked.
pub(super) struct Picked {
    pub(super) ids: Vec<i64>,
}

impl Picked {
    pub(super) fn read(fields: &Fields) -> Result<Self, String> {
        let named = fields.names().filter_map(|name| name.strip_prefix(TICK));
        let mut ids: Vec<i64> = named.filter_map(whole_number).collect();
        ids.sort_unstable();
        if ids.is_empty() {
            return Err("Tick the alerts that are meant.".to_owned());
        }
        Ok(Self { ids })
    }
}

/// What is to be made of alerts.
pub(super) struct Form<'a> {
    pub(super) act: Act,
    pub(super) note: &'a str,
}

impl<'a> Form<'a> {
    pub(super) fn read(fields: &'a Fields, now: Time) -> Result<Self, String> {
        let note = note(fields)?;
        let act = match fields.text("action").unwrap_or_default() {
            "resolve" => Act::Resolve(match fields.text("resolution") {
                None | Some("") => None,
                Some(_) => resolution(fields)
                    .map_err(|_| "Choose from the list how it was resolved.".to_owned())?,
            }),
            "ignore" => Act::Ignore { until: until(fields, now)? },
            "delete" => Act::Delete,
            _ => return Err("Choose what is to be done: resolve, ignore or delete.".to_owned()),
        };
        if matches!(act, Act::Ignore { .. }) && note.is_empty() {
            return Err("Say why it is to be ignored.".to_owned());
        }
        Ok(Self { act, note })
    }
}

/// Until when something is ignored.
fn until(fields: &Fields, now: Time) -> Result<Time, String> {
    let days = fields.text("days").and_then(|text| whole_number(text.trim()));
    let days = days.filter(|days| (1..=LONGEST_DAYS).contains(days));
    let days = days.and_then(|days| u64::try_from(days).ok());
    let days = days.ok_or_else(|| format!("Say for how many days, from 1 to {LONGEST_DAYS}."))?;
    Ok(now.plus(Duration::from_hours(24 * days)))
}

/// A text that says why, and may be empty.
pub(super) fn note(fields: &Fields) -> Result<&str, String> {
    let note = fields.text("note").unwrap_or_default().trim();
    if note.chars().count() > LONGEST_NOTE {
        return Err(format!("The note is too long: it may have {LONGEST_NOTE} characters."));
    }
    if note.contains('\0') {
        return Err("The note must not hold a NUL character.".to_owned());
    }
    Ok(note)
}
